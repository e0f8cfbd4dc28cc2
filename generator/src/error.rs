//! What can go wrong, told to the person who runs the command.

use std::path::PathBuf;

/// Failures of `generate`. The message ends in a `hint:` line where there is something to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A flag's value can't be used.
    #[error("{what}\nhint: {hint}")]
    Argument {
        /// What is wrong, naming the flag.
        what: String,
        /// What to give instead.
        hint: String,
    },
    /// A flag contradicts the world that the topics already hold.
    #[error(
        "{flag} is {wanted}, but the world in the topics has {recorded}\n\
         hint: leave {flag} out to continue that world, or use fresh topics (--topic-prefix) for a new one"
    )]
    Contradiction {
        /// The flag.
        flag: &'static str,
        /// What was asked for.
        wanted: String,
        /// What the topics say.
        recorded: String,
    },
    /// The records were made by another version of the simulation, which can't be replayed.
    #[error(
        "the topics hold a world of simulation version {recorded}, this program has {own}\n\
         hint: continue it with the program that began it, or use fresh topics (--topic-prefix)"
    )]
    Simulation {
        /// Version in the topics.
        recorded: u32,
        /// This program's version.
        own: u32,
    },
    /// A topic is missing.
    #[error(
        "topic {topic} doesn't exist at {brokers}\nhint: create the topics with `ridehail topics apply`"
    )]
    MissingTopic {
        /// Name with prefix.
        topic: String,
        /// Brokers that were asked.
        brokers: String,
    },
    /// A partition holds what this generator didn't write.
    #[error(
        "{topic}[{partition}] holds records not written by this generator: {what}\n\
         hint: use a fresh topic, for instance with another --topic-prefix"
    )]
    ForeignRecords {
        /// Name with prefix.
        topic: String,
        /// Partition.
        partition: usize,
        /// What was found.
        what: String,
    },
    /// All records have been deleted by retention, so the world can't be read any more.
    #[error(
        "every record has been deleted from the topics by retention, so their world can't be continued\n\
         hint: delete the topics and create them again with `ridehail topics apply`, or use another --topic-prefix"
    )]
    Expired,
    /// A record was not acknowledged for good.
    #[error(
        "Kafka refused a record: {reason}\n\
         hint: what was acknowledged is in the truth; check the brokers, then run the same command again"
    )]
    Delivery {
        /// librdkafka's reason.
        reason: String,
    },
    /// No acknowledgement came for a long time.
    #[error(
        "Kafka has acknowledged nothing for {seconds} s with {in_flight} records on the way\n\
         hint: check that all brokers run (`make status`), then run the same command again"
    )]
    Stalled {
        /// Seconds without an acknowledgement.
        seconds: u64,
        /// Records sent and not acknowledged.
        in_flight: u64,
    },
    /// Kafka didn't answer or refused.
    #[error(
        "Kafka at {brokers}: {doing} failed\nhint: check that the brokers run (`make status`) and --brokers"
    )]
    Kafka {
        /// Brokers that were asked.
        brokers: String,
        /// What was being done.
        doing: &'static str,
        /// librdkafka's error.
        source: rdkafka::error::KafkaError,
    },
    /// A file or stdout couldn't be written.
    #[error("can't write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

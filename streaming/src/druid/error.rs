//! What can go wrong between this crate, Druid, Kafka and the spec files.

use std::path::PathBuf;

/// A failure of a `druid` verb; its text is what a person should read, a `hint:` line included.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer over HTTP: nothing listens there, or it took too long.
    #[error(
        "Druid is not reachable at {url}\nhint: `make up` starts it and `make status` shows it; landing goes on without it"
    )]
    Unreachable {
        /// The router's base URL.
        url: String,
        /// The client's reason.
        #[source]
        source: reqwest::Error,
    },
    /// The router answers, what stands behind it does not (yet).
    #[error(
        "Druid at {url} is not ready: {message}\nhint: `make status` shows which of its servers is missing; landing goes on without it"
    )]
    NotReady {
        /// The router's base URL.
        url: String,
        /// The router's sentence.
        message: String,
    },
    /// Druid answered with an error status.
    #[error("Druid refused to {what}: {status}: {message}")]
    Refused {
        /// The request in words, e.g. `post supervisor ride_events`.
        what: String,
        /// HTTP status code.
        status: u16,
        /// Druid's own sentence, shortened.
        message: String,
    },
    /// Druid answered 200 with a body of another shape than expected.
    #[error("Druid's answer to {what} could not be read: {detail}")]
    Answer {
        /// The request in words.
        what: String,
        /// What was missing.
        detail: String,
    },
    /// A spec file cannot be used.
    #[error("{}: {message}", path.display())]
    SpecFile {
        /// The file, or the folder when it has none.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A name on the command line that no spec file declares.
    #[error("no supervisor {name} is declared\nhint: the spec files declare {}", known.join(", "))]
    UnknownName {
        /// What was asked for.
        name: String,
        /// Declared names.
        known: Vec<String>,
    },
    /// Nothing reads a topic, so waiting for it would be in vain.
    #[error("{name} {why}\nhint: `ridehail druid {verb}`")]
    NotReading {
        /// The file's name.
        name: String,
        /// `has no supervisor` or `is suspended`.
        why: &'static str,
        /// The verb, with its arguments, that makes it read.
        verb: String,
    },
    /// Kafka did not answer or does not know the topic.
    #[error(
        "Kafka at {brokers} did not answer about {what}\nhint: `make status` shows the brokers; `ridehail topics apply` makes the topics"
    )]
    Kafka {
        /// Bootstrap servers as configured.
        brokers: String,
        /// Topic, or `its topics`.
        what: String,
        /// The client's reason.
        #[source]
        source: Box<rdkafka::error::KafkaError>,
    },
    /// A step that must be agreed to was refused, or nobody could be asked.
    #[error("{what} was not agreed to\nhint: answer y at the question, or give --yes in a script")]
    NotAgreed {
        /// The step.
        what: String,
    },
    /// A deadline passed.
    #[error("{what} within {seconds} s\nhint: {hint}")]
    Deadline {
        /// What had not happened.
        what: String,
        /// The deadline.
        seconds: u64,
        /// What to look at.
        hint: String,
    },
    /// The caller cancelled.
    #[error("stopped before the end; what was applied stays applied, and apply can be run again")]
    Cancelled,
    /// Output could not be written.
    #[error("output could not be written")]
    Output(#[from] std::io::Error),
    /// A blocking Kafka call died.
    #[error("a background task ended early")]
    Task(#[from] tokio::task::JoinError),
}

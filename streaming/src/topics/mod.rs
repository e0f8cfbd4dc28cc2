//! Topics as a data file: [`plan()`] says what differs between it and the cluster, [`apply()`] makes it so.
//!
//! `file` reads the declaration, `cluster` what the brokers have, `plan` compares the two (pure) and `apply`
//! carries a plan out. `identity` asks for the id Kafka gives each incarnation of a topic.

mod apply;
mod cluster;
mod file;
pub(crate) mod identity;
mod plan;

use std::io::Write;
use std::path::PathBuf;

pub use file::{Declared, read_file};
pub use plan::{Change, Existing, compare};

use crate::config::KafkaArgs;

/// Options of `ridehail topics`.
#[derive(Clone, Debug, clap::Args)]
pub struct TopicsArgs {
    /// Which cluster and which topics.
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// Replicas of each partition, instead of what the file says (for clusters of fewer brokers; caps min.insync.replicas)
    #[arg(long, env = "RIDEHAIL_REPLICATION_FACTOR")]
    pub replication_factor: Option<i32>,
}

/// What can go wrong with topics.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not there or cannot be read.
    #[error("cannot read {path}\nhint: name the topics file with --topics-file or RIDEHAIL_TOPICS_FILE", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not what a topics file must be.
    #[error("{path}: {message}", path = .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line where the reader knows it.
        message: String,
    },
    /// No broker answered.
    #[error(
        "cannot reach Kafka at {brokers}: {source}\nhint: is it up? RIDEHAIL_KAFKA_BROKERS says where to look"
    )]
    Unreachable {
        /// Brokers that were asked.
        brokers: String,
        /// What the client reported.
        source: rdkafka::error::KafkaError,
    },
    /// A broker could not be asked for topic ids.
    #[error(
        "cannot ask {brokers} for topic ids: {message}\nhint: Kafka 3.0 or newer, without TLS, is needed"
    )]
    Identity {
        /// Brokers that were asked.
        brokers: String,
        /// What went wrong, broker by broker.
        message: String,
    },
    /// The cluster refused a change.
    #[error("Kafka refused to {action} topic {topic}: {reason}{hint}")]
    Refused {
        /// What was asked for.
        action: &'static str,
        /// Topic, as Kafka knows it.
        topic: String,
        /// Kafka's words.
        reason: String,
        /// What to do about it, or nothing.
        hint: &'static str,
    },
    /// The change was accepted but not seen in time.
    #[error(
        "topic {topic}: the change was accepted but the brokers do not show it after {seconds} s\nhint: are all controllers up? without a quorum no topic changes"
    )]
    NotSeen {
        /// Topic, as Kafka knows it.
        topic: String,
        /// How long was waited.
        seconds: u64,
    },
    /// Output could not be written.
    #[error("cannot write output")]
    Output(#[from] std::io::Error),
}

/// Prints what [`apply()`] would do, and drift it would leave alone. Changes nothing. Returns how many changes
/// apply would make.
///
/// # Errors
/// The file is invalid, Kafka is away, or `out` is closed.
pub async fn plan(args: &TopicsArgs, out: &mut dyn Write) -> Result<usize, Error> {
    let changes = changes(args).await?;
    plan::render(&changes, out)?;
    Ok(changes.iter().filter(|change| change.is_applied()).count())
}

/// Makes the cluster as the file says and waits until the brokers show it. Creates, widens and reconfigures;
/// never deletes. Running it again does nothing. Returns how many changes were made.
///
/// # Errors
/// As [`plan()`], and when the cluster refuses a change or does not show it in time.
pub async fn apply(args: &TopicsArgs, out: &mut dyn Write) -> Result<usize, Error> {
    let changes = changes(args).await?;
    plan::render(&changes, out)?;
    apply::apply(args, &changes).await
}

async fn changes(args: &TopicsArgs) -> Result<Vec<Change>, Error> {
    let mut declared = read_file(&args.kafka.topics_file)?;
    for topic in &mut declared {
        topic.name = args.kafka.physical(&topic.name);
        if let Some(replicas) = args.replication_factor {
            topic.limit_replicas(replicas);
        }
    }
    let names: Vec<&str> = declared.iter().map(|topic| topic.name.as_str()).collect();
    let existing = cluster::describe(&args.kafka, &names).await?;
    Ok(compare(&declared, &existing))
}

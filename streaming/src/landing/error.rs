//! What can end a landing, and what the reader can do about it.

use super::failure;
use super::progress::Alarm;
use crate::topics;

/// Why landing could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Postgres failed.
    #[error("postgres: {0}\nhint: RIDEHAIL_DATABASE_URL says where it is looked for")]
    Postgres(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("cannot migrate schema raw: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The Kafka client failed for good.
    #[error("kafka: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// The topics file or the cluster's topics.
    #[error(transparent)]
    Topics(#[from] topics::Error),
    /// Topics that are declared are not in Kafka.
    #[error(
        "topics missing in Kafka: {topics}\nhint: `ridehail topics apply` creates what the topics file declares"
    )]
    MissingTopics {
        /// Their names in Kafka; empty if none is declared with `land: true`.
        topics: String,
    },
    /// Topics are declared with `land: true` but no migration makes their tables.
    #[error(
        "no landing table for {topics}\nhint: a topic that is landed needs a table raw.<name>; add a migration like 0001_landing.sql"
    )]
    NoTable {
        /// Logical names.
        topics: String,
    },
    /// A topic that is not landed was named.
    #[error(
        "topic {topic} is not landed\nhint: name one that the topics file declares with `land: true`, without the prefix"
    )]
    NotLanded {
        /// The name given.
        topic: String,
    },
    /// A partition that does not exist was named.
    #[error("topic {topic} has no partition {partition}")]
    NoPartition {
        /// Logical name.
        topic: String,
        /// The partition named.
        partition: i32,
    },
    /// Output could not be written.
    #[error("cannot write output")]
    Output(#[from] std::io::Error),
    /// A day's table exists but was taken out of its parent.
    #[error(
        "raw.{table} exists but is detached, so its day cannot be landed\nhint: attach it again, or drop it once its rows are elsewhere"
    )]
    DetachedDay {
        /// The day's table.
        table: String,
    },
    /// The metrics endpoint could not be opened.
    #[error(
        "cannot listen on {listen}: {source}\nhint: RIDEHAIL_STREAM_METRICS_LISTEN takes another address, or `off`"
    )]
    Listen {
        /// Address asked for.
        listen: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The client delivered a record of a partition that is not assigned.
    #[error(
        "kafka delivered a record of {topic}/{partition}, which is not assigned; stopped rather than guess"
    )]
    Stray {
        /// Topic in Kafka.
        topic: String,
        /// Its partition.
        partition: i32,
    },
    /// Some partitions were left alone.
    #[error("{}", explain(.0))]
    Alarms(Vec<(String, i32, Alarm)>),
    /// A task ended by a panic, which is a defect here.
    #[error("{0} panicked; the log has the place")]
    Panicked(&'static str),
}

fn explain(alarms: &[(String, i32, Alarm)]) -> String {
    let lines: Vec<_> = alarms
        .iter()
        .map(|(topic, partition, alarm)| alarm.explain(topic, *partition))
        .collect();
    format!(
        "{} partitions are not landed\n{}",
        alarms.len(),
        lines.join("\n")
    )
}

impl Error {
    /// Whether waiting helps: a server or the way to it is down.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Postgres(error) => failure::of(error) == failure::Kind::Transient,
            // Metadata that is not to be had now; also a topic between its deletion and its re-creation.
            Self::Kafka(_)
            | Self::Topics(topics::Error::Identity { .. })
            | Self::MissingTopics { .. } => true,
            Self::Migrate(_)
            | Self::Topics(_)
            | Self::NoTable { .. }
            | Self::NotLanded { .. }
            | Self::NoPartition { .. }
            | Self::Output(_)
            | Self::DetachedDay { .. }
            | Self::Listen { .. }
            | Self::Stray { .. }
            | Self::Alarms(_)
            | Self::Panicked(_) => false,
        }
    }
}

//! What a topic holds, by its offsets alone.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

/// How long a broker may take to answer a metadata question.
const ANSWER: Duration = Duration::from_secs(10);

/// Why offsets could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The brokers refused or could not be reached.
    #[error("cannot read the offsets of {topic}: {source}")]
    Kafka {
        /// The topic.
        topic: String,
        /// Kafka's reason.
        source: rdkafka::error::KafkaError,
    },
    /// No such topic.
    #[error("topic {topic} does not exist; hint: `ridehail topics apply` creates it")]
    Missing {
        /// The topic.
        topic: String,
    },
}

/// Records between the log start and the high watermark, summed over all partitions of `topic`.
/// Equal to the records ever written as long as retention has removed none and no transaction
/// markers stand in the log. Blocks: call it on a thread that may.
///
/// # Errors
/// [`Error`] when the brokers do not answer or the topic does not exist.
pub fn records_held(brokers: &str, topic: &str) -> Result<i64, Error> {
    let failed = |source| Error::Kafka {
        topic: topic.to_owned(),
        source,
    };
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()
        .map_err(failed)?;
    let metadata = consumer
        .fetch_metadata(Some(topic), ANSWER)
        .map_err(failed)?;
    let partitions = metadata
        .topics()
        .first()
        .map(rdkafka::metadata::MetadataTopic::partitions);
    let Some(partitions) = partitions.filter(|partitions| !partitions.is_empty()) else {
        return Err(Error::Missing {
            topic: topic.to_owned(),
        });
    };
    partitions
        .iter()
        .map(|partition| {
            let (low, high) = consumer
                .fetch_watermarks(topic, partition.id(), ANSWER)
                .map_err(failed)?;
            Ok(high - low)
        })
        .sum()
}

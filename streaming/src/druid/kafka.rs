//! What Kafka itself says: which topics exist and where their logs begin and end. Blocking calls,
//! each on a thread of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;

use super::error::Error;
use super::health::Log;

/// A broker that is up answers within a second; a leader election takes a few.
const ANSWER: Duration = Duration::from_secs(15);

/// Names of the cluster's topics.
///
/// # Errors
/// No broker answers.
pub async fn topics(brokers: &str) -> Result<BTreeSet<String>, Error> {
    ask(brokers, "its topics", |consumer| {
        let metadata = consumer.fetch_metadata(None, ANSWER)?;
        Ok(metadata
            .topics()
            .iter()
            .map(|topic| topic.name().to_owned())
            .collect())
    })
    .await
}

/// The logs of a topic by partition; empty when the topic does not exist.
///
/// # Errors
/// No broker answers, or a partition has no leader.
pub async fn logs(brokers: &str, topic: &str) -> Result<BTreeMap<i32, Log>, Error> {
    let name = topic.to_owned();
    ask(brokers, topic, move |consumer| {
        // all topics, since asking for one by name may create it
        let metadata = consumer.fetch_metadata(None, ANSWER)?;
        let partitions = metadata
            .topics()
            .iter()
            .filter(|topic| topic.name() == name)
            .flat_map(|topic| topic.partitions());
        partitions
            .map(|partition| {
                let (start, end) = consumer.fetch_watermarks(&name, partition.id(), ANSWER)?;
                Ok((partition.id(), Log { start, end }))
            })
            .collect()
    })
    .await
}

async fn ask<T: Send + 'static>(
    brokers: &str,
    what: &str,
    question: impl FnOnce(&BaseConsumer) -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, Error> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers);
    let answer = tokio::task::spawn_blocking(move || {
        let consumer: BaseConsumer = config.create()?;
        question(&consumer)
    });
    answer.await?.map_err(|source| Error::Kafka {
        brokers: brokers.to_owned(),
        what: what.to_owned(),
        source: Box::new(source),
    })
}

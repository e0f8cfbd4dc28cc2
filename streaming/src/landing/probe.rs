//! Asks Kafka what it holds, apart from the consumer that reads it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;

use super::progress::Log;
use super::{Error, Topic};
use crate::config::KafkaArgs;
use crate::topics::identity::{Identity, identities};

/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(10);

/// A client without a group, for questions only.
#[derive(Clone)]
pub(super) struct Probe {
    client: Arc<BaseConsumer>,
    kafka: KafkaArgs,
}

impl Probe {
    pub(super) fn new(kafka: &KafkaArgs) -> Result<Self, Error> {
        let client = kafka.client().create()?;
        Ok(Self {
            client: Arc::new(client),
            kafka: kafka.clone(),
        })
    }

    /// Identities of the topics that exist, by physical name.
    pub(super) async fn identities(
        &self,
        topics: &[Topic],
    ) -> Result<HashMap<String, Identity>, Error> {
        let names: Vec<String> = topics.iter().map(|topic| topic.physical.clone()).collect();
        Ok(identities(&self.kafka, &names).await?)
    }

    /// Where each partition's log starts and ends: (start, end).
    pub(super) async fn bounds(
        &self,
        partitions: Vec<(String, i32)>,
    ) -> Result<HashMap<(String, i32), (i64, i64)>, Error> {
        let client = Arc::clone(&self.client);
        ask(move || {
            partitions
                .into_iter()
                .map(|(topic, partition)| {
                    let bounds = client.fetch_watermarks(&topic, partition, ANSWER)?;
                    Ok(((topic, partition), bounds))
                })
                .collect()
        })
        .await
    }

    /// Every partition of the topics.
    pub(super) async fn partitions(&self, topics: &[Topic]) -> Result<Vec<(String, i32)>, Error> {
        let client = Arc::clone(&self.client);
        let names: Vec<String> = topics.iter().map(|topic| topic.physical.clone()).collect();
        ask(move || {
            let mut partitions = Vec::new();
            for name in names {
                let metadata = client.fetch_metadata(Some(&name), ANSWER)?;
                let found = metadata
                    .topics()
                    .iter()
                    .flat_map(|topic| topic.partitions());
                partitions.extend(found.map(|partition| (name.clone(), partition.id())));
            }
            Ok(partitions)
        })
        .await
    }
}

/// The client's questions block: they are asked on a thread that may.
async fn ask<T: Send + 'static>(
    question: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, Error> {
    let answer = tokio::task::spawn_blocking(question)
        .await
        .map_err(|_| Error::Panicked("a question to Kafka"))?;
    Ok(answer?)
}

/// Both halves of an answer about a partition.
pub(super) fn log((start, end): (i64, i64), identity: &Identity) -> Log {
    Log {
        start,
        end,
        topic_id: identity.topic_id,
    }
}

//! What the brokers have.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ConfigSource, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;

use super::{Error, Existing};
use crate::config::KafkaArgs;

/// How long a broker may take to answer.
pub(super) const ANSWER: Duration = Duration::from_secs(15);

pub(super) fn unreachable(kafka: &KafkaArgs) -> impl Fn(KafkaError) -> Error + use<> {
    let brokers = kafka.brokers.clone();
    move |source| Error::Unreachable {
        brokers: brokers.clone(),
        source,
    }
}

pub(super) type Admin = AdminClient<DefaultClientContext>;

pub(super) fn admin(kafka: &KafkaArgs) -> Result<Admin, Error> {
    kafka.client().create().map_err(unreachable(kafka))
}

/// Those of `names` that exist, with their configuration.
pub(super) async fn describe(kafka: &KafkaArgs, names: &[&str]) -> Result<Vec<Existing>, Error> {
    let admin = admin(kafka)?;
    let (admin, mut topics) = shapes(kafka, admin).await?;
    topics.retain(|topic| names.contains(&topic.name.as_str()));
    let resources: Vec<_> = topics
        .iter()
        .map(|topic| ResourceSpecifier::Topic(&topic.name))
        .collect();
    if resources.is_empty() {
        return Ok(topics);
    }
    let options = AdminOptions::new().request_timeout(Some(ANSWER));
    let described = admin
        .describe_configs(&resources, &options)
        .await
        .map_err(unreachable(kafka))?;
    for (topic, config) in topics.iter_mut().zip(described) {
        let config = config.map_err(|code| unreachable(kafka)(KafkaError::AdminOp(code)))?;
        for entry in config.entries {
            let Some(value) = entry.value else { continue };
            if entry.source == ConfigSource::DynamicTopic {
                topic.set.insert(entry.name.clone(), value.clone());
            }
            topic.effective.insert(entry.name, value);
        }
    }
    Ok(topics)
}

/// All topics with partitions and replicas, without configuration. Hands the client back: the question blocks,
/// so it is asked on a thread that may.
async fn shapes(kafka: &KafkaArgs, admin: Admin) -> Result<(Admin, Vec<Existing>), Error> {
    let failed = unreachable(kafka);
    tokio::task::spawn_blocking(move || {
        let metadata = admin.inner().fetch_metadata(None, ANSWER).map_err(failed)?;
        let topics = metadata
            .topics()
            .iter()
            .filter(|topic| !topic.partitions().is_empty())
            .map(|topic| Existing {
                name: topic.name().to_owned(),
                partitions: topic.partitions().len() as i32,
                replication_factor: topic.partitions()[0].replicas().len() as i32,
                ..Existing::default()
            })
            .collect();
        Ok((admin, topics))
    })
    .await
    .expect("asking for metadata does not panic")
}

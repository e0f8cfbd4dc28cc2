//! Carries a plan out and waits until the brokers show it.

use std::time::Duration;

use rdkafka::admin::{
    AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::types::RDKafkaErrorCode;
use tokio::time::Instant;

use super::cluster::{self, ANSWER};
use super::{Change, Declared, Error, TopicsArgs};

/// How long the brokers may take to show a change they accepted.
const SEEN_WITHIN: Duration = Duration::from_secs(30);
/// How often they are asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(100);

pub(super) async fn apply(args: &TopicsArgs, changes: &[Change]) -> Result<usize, Error> {
    let mut admin = cluster::admin(&args.kafka)?;
    let options = AdminOptions::new()
        .request_timeout(Some(ANSWER))
        .operation_timeout(Some(ANSWER));
    let failed = cluster::unreachable(&args.kafka);
    let mut made = 0;
    for change in changes {
        match change {
            Change::Create(topic) => {
                let results = admin
                    .create_topics([&new_topic(topic)], &options)
                    .await
                    .map_err(&failed)?;
                match results.into_iter().next() {
                    // Another apply at the same time: the wait below sees its topic.
                    Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => {}
                    Some(Err((_, code))) => return Err(refused("create", &topic.name, code)),
                    Some(Ok(_)) | None => made += 1,
                }
            }
            Change::Widen { topic, to, .. } => {
                let wider = NewPartitions::new(topic, *to as usize);
                let results = admin
                    .create_partitions([&wider], &options)
                    .await
                    .map_err(&failed)?;
                if let Some(Err((_, code))) = results.into_iter().next() {
                    return Err(refused("widen", topic, code));
                }
                made += 1;
            }
            Change::Configure {
                topic, complete, ..
            } => {
                let mut alter = AlterConfig::new(ResourceSpecifier::Topic(topic));
                for (key, value) in complete {
                    alter = alter.set(key, value);
                }
                let results = admin
                    .alter_configs([&alter], &options)
                    .await
                    .map_err(&failed)?;
                if let Some(Err((_, code))) = results.into_iter().next() {
                    return Err(refused("configure", topic, code));
                }
                made += 1;
            }
            Change::Drift { .. } => {}
        }
    }
    for change in changes {
        let (topic, partitions) = match change {
            Change::Create(topic) => (&topic.name, topic.partitions),
            Change::Widen { topic, to, .. } => (topic, *to),
            Change::Configure { .. } | Change::Drift { .. } => continue,
        };
        let deadline = Instant::now() + SEEN_WITHIN;
        loop {
            let (same, topics) = cluster::shapes(&args.kafka, admin).await?;
            admin = same;
            if topics
                .iter()
                .any(|seen| seen.name == *topic && seen.partitions >= partitions)
            {
                break;
            }
            if Instant::now() > deadline {
                return Err(Error::NotSeen {
                    topic: topic.clone(),
                    seconds: SEEN_WITHIN.as_secs(),
                });
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }
    Ok(made)
}

fn new_topic(topic: &Declared) -> NewTopic<'_> {
    let replication = TopicReplication::Fixed(topic.replication_factor);
    let mut new = NewTopic::new(&topic.name, topic.partitions, replication);
    for (key, value) in &topic.config {
        new = new.set(key, value);
    }
    new
}

fn refused(action: &'static str, topic: &str, code: RDKafkaErrorCode) -> Error {
    let hint = if code == RDKafkaErrorCode::InvalidReplicationFactor {
        "\nhint: the cluster has fewer brokers up than replicas asked for; --replication-factor overrides the file"
    } else {
        ""
    };
    Error::Refused {
        action,
        topic: topic.to_owned(),
        reason: code.to_string(),
        hint,
    }
}

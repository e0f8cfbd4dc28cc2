//! Carries a plan out and waits until the brokers show it.

use std::time::Duration;

use rdkafka::admin::{
    AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::types::RDKafkaErrorCode;
use tokio::time::Instant;

use super::cluster::{self, ANSWER};
use super::identity;
use super::{Change, Declared, Error, TopicsArgs};

/// How long the brokers may take to show a change they accepted.
const SEEN_WITHIN: Duration = Duration::from_secs(30);
/// How often they are asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(100);

pub(super) async fn apply(args: &TopicsArgs, changes: &[Change]) -> Result<usize, Error> {
    let admin = cluster::admin(&args.kafka)?;
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
        wait_for(args, change).await?;
    }
    Ok(made)
}

/// Waits until the brokers show a change; they learn of it one after the other.
async fn wait_for(args: &TopicsArgs, change: &Change) -> Result<(), Error> {
    let topic = match change {
        Change::Create(topic) => &topic.name,
        Change::Widen { topic, .. } | Change::Configure { topic, .. } => topic,
        Change::Drift { .. } => return Ok(()),
    };
    let deadline = Instant::now() + SEEN_WITHIN;
    // The client asks whichever broker it likes for a configuration: so ask as often as there are brokers.
    let mut times = args.kafka.brokers.split(',').count();
    loop {
        let seen = match change {
            Change::Create(declared) => {
                identity::is_seen_by_all(&args.kafka, topic, declared.partitions).await
            }
            Change::Widen { to, .. } => identity::is_seen_by_all(&args.kafka, topic, *to).await,
            Change::Configure { differs, .. } => {
                let now = cluster::describe(&args.kafka, &[topic.as_str()]).await?;
                let set = |(key, _, then): &(_, _, String)| {
                    now.first()
                        .is_some_and(|now| now.effective.get(key) == Some(then))
                };
                let seen = differs.iter().all(set);
                times -= usize::from(seen);
                seen && times == 0
            }
            Change::Drift { .. } => true,
        };
        if seen {
            return Ok(());
        }
        if Instant::now() > deadline {
            let seconds = SEEN_WITHIN.as_secs();
            return Err(Error::NotSeen {
                topic: topic.clone(),
                seconds,
            });
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
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

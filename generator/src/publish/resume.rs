//! What the topics already hold: how far each partition goes, and of which world.
//!
//! In every partition the records of a world are one fixed sequence, so a record's offset is its
//! ordinal. Each carries its ordinal, its simulated time of sending and the world in headers.
//! The end offset of a partition thus says how many records of the replay to skip there. It is
//! read until it stands still: a killed generator's last request may still be in a broker's hands.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use crate::error::Error;
use crate::event::TOPICS;
use crate::plan::Recorded;
use crate::spec::WorldSpec;

pub(crate) const WORLD_HEADER: &str = "ridehail-world";
/// `<ordinal within the partition>@<simulated time of sending in ms>`
pub(crate) const POSITION_HEADER: &str = "ridehail-position";

const TIMEOUT: Duration = Duration::from_secs(20);
/// How long a topic may take to be known to all brokers after it was created.
const CREATED: Duration = Duration::from_secs(5);
/// End offsets that stay the same for so long are final.
const SETTLE: Duration = Duration::from_millis(400);

/// The last record of a partition, to compare with the replay.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Last {
    pub(crate) key: Vec<u8>,
    pub(crate) at: i64,
}

/// State of the three topics.
pub(crate) struct Held {
    pub(crate) partitions: [u32; 3],
    /// End offset by topic and partition: records that are there or have been.
    pub(crate) ends: [Vec<u64>; 3],
    pub(crate) lasts: [Vec<Option<Last>>; 3],
    pub(crate) recorded: Option<Recorded>,
}

/// Names with prefix, in the order of [`TOPICS`].
pub(crate) fn topic_names(prefix: &str) -> [String; 3] {
    TOPICS.map(|topic| format!("{prefix}{topic}"))
}

/// Reads the state of the topics; takes a few seconds at most.
pub(crate) fn read(brokers: &str, prefix: &str) -> Result<Held, Error> {
    let failed = |doing| {
        let brokers = brokers.to_owned();
        move |source: KafkaError| Error::Kafka {
            brokers,
            doing,
            source,
        }
    };
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "ridehail-generate-resume")
        .set("enable.auto.commit", "false")
        .set("allow.auto.create.topics", "false")
        .set("enable.partition.eof", "false")
        .create()
        .map_err(failed("connecting"))?;
    let names = topic_names(prefix);
    let mut partitions = [0; 3];
    for (topic, name) in names.iter().enumerate() {
        partitions[topic] = partition_count(&consumer, name).map_err(failed("reading metadata"))?;
        if partitions[topic] == 0 {
            return Err(Error::MissingTopic {
                topic: name.clone(),
                brokers: brokers.to_owned(),
            });
        }
    }
    let marks = settled(&consumer, &names, partitions).map_err(failed("reading offsets"))?;
    let ends = marks
        .clone()
        .map(|topic| topic.iter().map(|(_, high)| *high as u64).collect());
    let lasts = last_records(&consumer, &names, &marks);
    // closing a consumer that still has partitions takes a rebalance, which can hang for ever
    // (librdkafka issue 4884)
    consumer
        .unassign()
        .map_err(failed("letting go of partitions"))?;
    let lasts = lasts.map_err(failed("reading records"))?;
    let mut held = Held {
        partitions,
        ends,
        lasts: [vec![], vec![], vec![]],
        recorded: None,
    };
    let mut worlds = Vec::new();
    for (topic, found) in lasts.into_iter().enumerate() {
        for (partition, found) in found.into_iter().enumerate() {
            let foreign = |what: String| Error::ForeignRecords {
                topic: names[topic].clone(),
                partition,
                what,
            };
            let last = match found {
                None => None,
                Some(found) => {
                    let (ordinal, last, spec) = found.read().map_err(foreign)?;
                    let end = held.ends[topic][partition];
                    if ordinal + 1 != end {
                        return Err(foreign(format!("record {ordinal} ends at offset {end}")));
                    }
                    worlds.push((last.at, spec, topic, partition));
                    Some(last)
                }
            };
            held.lasts[topic].push(last);
        }
    }
    held.recorded = newest(&names, worlds)?;
    let empty = held.ends.iter().flatten().all(|end| *end == 0);
    if held.recorded.is_none() && !empty {
        return Err(Error::Expired);
    }
    Ok(held)
}

/// The world as its latest record has it; all others must be earlier states of the same.
fn newest(
    names: &[String; 3],
    worlds: Vec<(i64, WorldSpec, usize, usize)>,
) -> Result<Option<Recorded>, Error> {
    let Some((last_at, spec, ..)) = worlds.iter().max_by_key(|(at, ..)| *at) else {
        return Ok(None);
    };
    let upto = |spec: &WorldSpec, at: i64| -> Vec<_> {
        spec.phases
            .iter()
            .filter(|phase| phase.from <= at)
            .copied()
            .collect()
    };
    for (at, other, topic, partition) in &worlds {
        let same = other.fingerprint() == spec.fingerprint() && upto(other, *at) == upto(spec, *at);
        if !same {
            return Err(Error::ForeignRecords {
                topic: names[*topic].clone(),
                partition: *partition,
                what: "they belong to another world than the other partitions'".to_owned(),
            });
        }
    }
    Ok(Some(Recorded {
        spec: spec.clone(),
        last_at: *last_at,
    }))
}

type Marks = [Vec<(i64, i64)>; 3];

fn settled(
    consumer: &BaseConsumer,
    names: &[String; 3],
    partitions: [u32; 3],
) -> Result<Marks, KafkaError> {
    let mut marks = watermarks(consumer, names, partitions)?;
    loop {
        if marks.iter().flatten().all(|(_, high)| *high == 0) {
            return Ok(marks);
        }
        std::thread::sleep(SETTLE);
        let again = watermarks(consumer, names, partitions)?;
        if again == marks {
            return Ok(marks);
        }
        marks = again;
    }
}

fn watermarks(
    consumer: &BaseConsumer,
    names: &[String; 3],
    partitions: [u32; 3],
) -> Result<Marks, KafkaError> {
    let mut marks: Marks = Default::default();
    for (topic, name) in names.iter().enumerate() {
        for partition in 0..partitions[topic] {
            marks[topic].push(watermark(consumer, name, partition as i32)?);
        }
    }
    Ok(marks)
}

/// Partitions of a topic, 0 when there is none. A topic that was just created is not known to every
/// broker at once, so a missing one is asked for again for a moment.
fn partition_count(consumer: &BaseConsumer, name: &str) -> Result<u32, KafkaError> {
    let deadline = Instant::now() + CREATED;
    loop {
        let count = patiently(|| {
            let metadata = consumer.fetch_metadata(Some(name), TIMEOUT)?;
            let mut topics = metadata.topics().iter();
            let found = topics.find(|topic| topic.name() == name && topic.error().is_none());
            Ok(found.map_or(0, |topic| topic.partitions().len() as u32))
        })?;
        if count > 0 || Instant::now() > deadline {
            return Ok(count);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Low and high watermark.
fn watermark(
    consumer: &BaseConsumer,
    name: &str,
    partition: i32,
) -> Result<(i64, i64), KafkaError> {
    patiently(|| consumer.fetch_watermarks(name, partition, TIMEOUT))
}

/// Asks until there is an answer, for [`TIMEOUT`] at most: connections break, leaders move and
/// brokers hear late of a new topic. Only a refusal of rights does not pass.
fn patiently<T>(ask: impl Fn() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let error = match ask() {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let refused = matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::GroupAuthorizationFailed
                    | RDKafkaErrorCode::ClusterAuthorizationFailed
                    | RDKafkaErrorCode::Authentication
                    | RDKafkaErrorCode::SaslAuthenticationFailed
            )
        );
        if refused || Instant::now() > deadline {
            return Err(error);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A record as found at the end of a partition.
struct Found {
    key: Vec<u8>,
    position: Option<String>,
    world: Option<Vec<u8>>,
}

impl Found {
    fn read(self) -> Result<(u64, Last, WorldSpec), String> {
        let position = self.position.ok_or("the last one has no position header")?;
        let (ordinal, at) = position
            .split_once('@')
            .and_then(|(ordinal, at)| Some((ordinal.parse().ok()?, at.parse().ok()?)))
            .ok_or_else(|| format!("the last one has the position `{position}`"))?;
        let world = self.world.ok_or("the last one has no world header")?;
        let spec = serde_json::from_slice(&world)
            .map_err(|error| format!("the last one's world header can't be read: {error}"))?;
        Ok((ordinal, Last { key: self.key, at }, spec))
    }
}

fn last_records(
    consumer: &BaseConsumer,
    names: &[String; 3],
    marks: &Marks,
) -> Result<[Vec<Option<Found>>; 3], KafkaError> {
    let mut found: [Vec<Option<Found>>; 3] =
        std::array::from_fn(|topic| marks[topic].iter().map(|_| None).collect());
    let mut list = TopicPartitionList::new();
    for (topic, name) in names.iter().enumerate() {
        for (partition, (low, high)) in marks[topic].iter().enumerate() {
            if high > low {
                list.add_partition_offset(name, partition as i32, Offset::Offset(high - 1))?;
            }
        }
    }
    let mut missing = list.count();
    if missing == 0 {
        return Ok(found);
    }
    consumer.assign(&list)?;
    let deadline = Instant::now() + TIMEOUT;
    while missing > 0 {
        if Instant::now() > deadline {
            return Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::OperationTimedOut,
            ));
        }
        let Some(message) = consumer.poll(Duration::from_millis(200)) else {
            continue;
        };
        let message = message?;
        let Some(topic) = names.iter().position(|name| name == message.topic()) else {
            continue;
        };
        let slot = &mut found[topic][message.partition() as usize];
        if slot.is_none() {
            missing -= 1;
            let header = |wanted: &str| {
                let headers = message.headers()?;
                let mut all = headers.iter();
                all.find(|header| header.key == wanted)?
                    .value
                    .map(<[u8]>::to_vec)
            };
            *slot = Some(Found {
                key: message.key().unwrap_or_default().to_vec(),
                position: header(POSITION_HEADER).and_then(|bytes| String::from_utf8(bytes).ok()),
                world: header(WORLD_HEADER),
            });
        }
    }
    Ok(found)
}

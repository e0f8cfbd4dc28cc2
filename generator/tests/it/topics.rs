//! Topics of their own for a test or a benchmark, deleted when it ends.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

pub(crate) const NAMES: [&str; 3] = ["ride_events", "user_events", "vehicle_events"];
const PARTITIONS: i32 = 6;
const TIMEOUT: Duration = Duration::from_secs(20);

pub(crate) fn brokers() -> String {
    std::env::var("RIDEHAIL_KAFKA_BROKERS")
        .unwrap_or_else(|_| "127.0.0.1:15092,127.0.0.1:15093,127.0.0.1:15094".to_owned())
}

/// A record as it is in Kafka.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) key: String,
    pub(crate) value: Vec<u8>,
    pub(crate) position: String,
}

/// Three topics under a prefix that nobody else uses.
pub(crate) struct Topics {
    pub(crate) prefix: String,
    consumer: BaseConsumer,
}

impl Topics {
    /// The topics, or `None` when no broker answers.
    pub(crate) fn create(what: &str) -> Option<Self> {
        let nanos = std::time::UNIX_EPOCH
            .elapsed()
            .expect("after 1970")
            .as_nanos();
        let prefix = format!(
            "gen_{what}_{}_{}_",
            std::process::id(),
            nanos % 1_000_000_000
        );
        let consumer: BaseConsumer = config().create().expect("a consumer");
        let metadata = consumer.fetch_metadata(None, Duration::from_secs(5)).ok()?;
        let copies = metadata.brokers().len().min(3) as i32;
        let names = NAMES.map(|name| format!("{prefix}{name}"));
        let topics: Vec<_> = names
            .iter()
            .map(|name| NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(copies)))
            .collect();
        let results = wait_for(admin().create_topics(&topics, &options()));
        for result in results.expect("topics are created") {
            result.expect("a topic is created");
        }
        let topics = Self { prefix, consumer };
        // a leader for every partition, seen by whoever asks next
        let deadline = Instant::now() + TIMEOUT;
        for name in &names {
            while topics.leaders(name) < PARTITIONS as usize {
                assert!(Instant::now() < deadline, "no leaders for {name}");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Some(topics)
    }

    fn leaders(&self, name: &str) -> usize {
        let Ok(metadata) = self.consumer.fetch_metadata(Some(name), TIMEOUT) else {
            return 0;
        };
        let with_leader = |topic: &rdkafka::metadata::MetadataTopic| {
            topic
                .partitions()
                .iter()
                .filter(|p| p.leader() >= 0 && p.error().is_none())
                .count()
        };
        metadata.topics().iter().map(with_leader).sum()
    }

    /// End offsets by topic and partition.
    pub(crate) fn ends(&self) -> Vec<Vec<u64>> {
        let end = |name: &String, partition| {
            // a broker may not have heard yet that it leads a new topic's partition
            let deadline = Instant::now() + TIMEOUT;
            loop {
                match self.consumer.fetch_watermarks(name, partition, TIMEOUT) {
                    Ok((_, end)) => return end as u64,
                    Err(error) if Instant::now() > deadline => panic!("watermarks: {error}"),
                    Err(_) => std::thread::yield_now(),
                }
            }
        };
        let names = NAMES.map(|name| format!("{}{name}", self.prefix));
        names
            .iter()
            .map(|name| (0..PARTITIONS).map(|p| end(name, p)).collect())
            .collect()
    }

    pub(crate) fn total(&self) -> u64 {
        self.ends().iter().flatten().sum()
    }

    /// Everything, by topic and partition.
    pub(crate) fn read(&self) -> Vec<Vec<Vec<Stored>>> {
        let ends = self.ends();
        let mut stored: Vec<Vec<Vec<Stored>>> = ends
            .iter()
            .map(|topic| topic.iter().map(|_| Vec::new()).collect())
            .collect();
        let mut list = TopicPartitionList::new();
        for name in NAMES.map(|name| format!("{}{name}", self.prefix)) {
            for partition in 0..PARTITIONS {
                list.add_partition_offset(&name, partition, Offset::Beginning)
                    .expect("added");
            }
        }
        let consumer: BaseConsumer = config().create().expect("a consumer");
        consumer.assign(&list).expect("assigned");
        let mut missing: u64 = ends.iter().flatten().sum();
        while missing > 0 {
            let message = consumer
                .poll(TIMEOUT)
                .expect("a record in time")
                .expect("a record");
            let name = &message.topic()[self.prefix.len()..];
            let topic = NAMES
                .iter()
                .position(|known| *known == name)
                .expect("a known topic");
            let there = &mut stored[topic][message.partition() as usize];
            assert_eq!(
                message.offset() as usize,
                there.len(),
                "offsets have no gaps"
            );
            let position = message.headers().and_then(|headers| {
                let found = headers
                    .iter()
                    .find(|header| header.key == "ridehail-position")?;
                found
                    .value
                    .map(|value| String::from_utf8_lossy(value).into_owned())
            });
            there.push(Stored {
                key: String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned(),
                value: message.payload().unwrap_or_default().to_vec(),
                position: position.unwrap_or_default(),
            });
            missing -= 1;
        }
        stored
    }
}

impl Drop for Topics {
    fn drop(&mut self) {
        let names = NAMES.map(|name| format!("{}{name}", self.prefix));
        let names = names.each_ref().map(String::as_str);
        let _ = wait_for(admin().delete_topics(&names, &options()));
    }
}

fn config() -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers())
        .set("group.id", "ridehail-generator-tests")
        .set("enable.auto.commit", "false")
        .set("log_level", "3");
    config
}

fn admin() -> AdminClient<DefaultClientContext> {
    config().create().expect("an admin client")
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(TIMEOUT))
}

/// Runs a future of the admin client on a thread of its own: callers may be inside a runtime.
fn wait_for<T: Send>(future: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(future)
        });
        thread.join().expect("the thread ends")
    })
}

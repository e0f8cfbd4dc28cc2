//! A test's own database and topics on the running servers, and the proof that landing was exact.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Message as _, Offset, TopicPartitionList};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use streaming::config::{DatabaseArgs, KafkaArgs};
use streaming::landing::{OnDataLoss, StreamArgs, Summary};
use streaming::topics::{self, TopicsArgs};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) const TOPICS: [&str; 3] = ["ride_events", "user_events", "vehicle_events"];
/// How long anything may take before a test gives up. Generous: machines are busy.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// Topic, partition, offset.
pub(crate) type At = (String, i32, i64);
/// What a test sends: key and value.
pub(crate) type Sent = (String, Option<Vec<u8>>);

pub(crate) struct Bed {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) pool: PgPool,
    pub(crate) kafka: KafkaArgs,
    admin: PgPool,
    replicas: Option<i32>,
}

/// Where a bed is made.
pub(crate) struct Servers {
    pub(crate) database_url: String,
    pub(crate) brokers: String,
    /// Instead of what the topics file says.
    pub(crate) replicas: Option<i32>,
}

fn env(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

impl Bed {
    /// A fresh database and freshly made topics on the servers that the environment names.
    pub(crate) async fn new() -> Self {
        let replicas = std::env::var("RIDEHAIL_REPLICATION_FACTOR").ok();
        Self::on(&Servers {
            database_url: env(
                "RIDEHAIL_DATABASE_URL",
                "postgres://ridehail:ridehail@127.0.0.1:15032/warehouse",
            ),
            brokers: env(
                "RIDEHAIL_KAFKA_BROKERS",
                "127.0.0.1:15092,127.0.0.1:15093,127.0.0.1:15094",
            ),
            replicas: replicas.map(|n| n.parse().unwrap()),
        })
        .await
    }

    /// A fresh database and freshly made topics.
    pub(crate) async fn on(servers: &Servers) -> Self {
        static N: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "it{}_{}",
            std::process::id(),
            N.fetch_add(1, Ordering::SeqCst)
        );
        let admin = pool(&servers.database_url).await;
        let create = AssertSqlSafe(format!("create database {name}"));
        sqlx::raw_sql(create).execute(&admin).await.unwrap();
        let url = format!(
            "{}/{name}",
            servers.database_url.rsplit_once('/').unwrap().0
        );
        let kafka = KafkaArgs {
            brokers: servers.brokers.clone(),
            topic_prefix: format!("{name}_"),
            topics_file: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/topics.yml")),
        };
        let bed = Self {
            pool: pool(&url).await,
            name,
            url,
            kafka,
            admin,
            replicas: servers.replicas,
        };
        streaming::migrate(&bed.pool).await.unwrap();
        bed.apply_topics().await;
        bed
    }

    pub(crate) fn topics_args(&self) -> TopicsArgs {
        TopicsArgs {
            kafka: self.kafka.clone(),
            replication_factor: self.replicas,
        }
    }

    pub(crate) async fn apply_topics(&self) {
        topics::apply(&self.topics_args(), &mut Vec::new())
            .await
            .unwrap();
    }

    pub(crate) fn args(&self) -> StreamArgs {
        StreamArgs {
            kafka: self.kafka.clone(),
            database: DatabaseArgs {
                database_url: self.url.parse().unwrap(),
            },
            group: None,
            metrics_listen: "off".to_owned(),
            writers: 3,
            batch_rows: 500,
            linger_ms: 20,
            on_data_loss: OnDataLoss::Stop,
            until_caught_up: true,
        }
    }

    /// Lands in this process until caught up.
    pub(crate) async fn land(&self) -> Summary {
        self.land_with(self.args()).await.unwrap()
    }

    pub(crate) async fn land_with(
        &self,
        args: StreamArgs,
    ) -> Result<Summary, streaming::landing::Error> {
        let landing = streaming::landing::run(args, CancellationToken::new());
        tokio::time::timeout(DEADLINE, landing)
            .await
            .expect("landing did not catch up in time")
    }

    pub(crate) fn producer(&self) -> BaseProducer {
        let mut config = self.kafka.client();
        config
            .set("acks", "all")
            .set("linger.ms", "5")
            .set("queue.buffering.max.messages", "1000000");
        config.create().unwrap()
    }

    /// Sends and waits until Kafka has all of it.
    pub(crate) fn produce(&self, topic: &str, records: &[Sent]) {
        let producer = self.producer();
        for record in records {
            self.send(&producer, topic, record);
        }
        producer.flush(DEADLINE).unwrap();
    }

    /// Gives a record to the producer, waiting for room.
    pub(crate) fn send(&self, producer: &BaseProducer, topic: &str, (key, value): &Sent) {
        let topic = self.kafka.physical(topic);
        let mut record = BaseRecord::to(&topic).key(key);
        if let Some(value) = value {
            record = record.payload(value);
        }
        while let Err((_, again)) = producer.send(record) {
            producer.poll(Duration::from_millis(10));
            record = again;
        }
        producer.poll(Duration::ZERO);
    }

    /// Everything Kafka holds.
    pub(crate) fn log(&self) -> BTreeMap<At, Option<Vec<u8>>> {
        let mut config = self.kafka.client();
        config
            .set("group.id", format!("{}-log", self.name))
            .set("enable.auto.commit", "false");
        let client: BaseConsumer = config.create().unwrap();
        let mut list = TopicPartitionList::new();
        let mut left = 0;
        for topic in TOPICS {
            let physical = self.kafka.physical(topic);
            let metadata = client.fetch_metadata(Some(&physical), DEADLINE).unwrap();
            for partition in metadata.topics()[0].partitions() {
                let (start, end) = client
                    .fetch_watermarks(&physical, partition.id(), DEADLINE)
                    .unwrap();
                left += end - start;
                list.add_partition_offset(&physical, partition.id(), Offset::Beginning)
                    .unwrap();
            }
        }
        client.assign(&list).unwrap();
        let mut log = BTreeMap::new();
        let deadline = Instant::now() + DEADLINE;
        while left > 0 {
            assert!(
                Instant::now() < deadline,
                "{left} records could not be read back"
            );
            let Some(message) = client.poll(Duration::from_millis(100)) else {
                continue;
            };
            let message = message.unwrap();
            let logical = message
                .topic()
                .strip_prefix(&self.kafka.topic_prefix)
                .unwrap()
                .to_owned();
            let at = (logical, message.partition(), message.offset());
            log.insert(at, message.payload().map(<[u8]>::to_vec));
            left -= 1;
        }
        log
    }

    /// Makes a topic's table one whose days before `boundary` (a SQL expression) have left.
    pub(crate) async fn archive(&self, topic: &str, boundary: &str) {
        sqlx::raw_sql(AssertSqlSafe(format!(
            "create table lake.late_{topic} (like raw.{topic},
                 ridehail_seq int8 generated always as identity primary key,
                 ridehail_flush int8 not null, ridehail_suspect boolean not null,
                 ridehail_arrived_at timestamptz not null default now());
             insert into lake.boundaries (table_schema, table_name, field, boundary, late_table)
             values ('raw', '{topic}', 'event_time', {boundary}, 'late_{topic}')"
        )))
        .execute(&self.pool)
        .await
        .unwrap();
    }

    /// Everything that landed: where, how often, and the event's id; rejects without one.
    pub(crate) async fn landed(&self) -> BTreeMap<At, Vec<Option<String>>> {
        let mut landed: BTreeMap<At, Vec<_>> = BTreeMap::new();
        let archived: Vec<String> = sqlx::query_scalar("select table_name from lake.boundaries")
            .fetch_all(&self.pool)
            .await
            .unwrap();
        for topic in TOPICS {
            let late = if archived.iter().any(|name| name == topic) {
                format!(
                    "select kafka_partition, kafka_offset, payload->>'event_id' from lake.late_{topic} union all"
                )
            } else {
                String::new()
            };
            let rows: Vec<(i32, i64, Option<String>)> = sqlx::query_as(AssertSqlSafe(format!(
                "{late} select kafka_partition, kafka_offset, payload->>'event_id' from raw.{topic}
                 union all
                 select kafka_partition, kafka_offset, null from raw.rejects where topic = '{topic}' and replayed_at is null"
            )))
            .fetch_all(&self.pool)
            .await
            .unwrap();
            for (partition, offset, id) in rows {
                landed
                    .entry((topic.to_owned(), partition, offset))
                    .or_default()
                    .push(id);
            }
        }
        landed
    }

    /// Every record of the log is landed or rejected, once, as itself; nothing else is there; and progress
    /// stands where the log ends.
    pub(crate) async fn assert_exactly_once(&self) {
        let log = self.log();
        let landed = self.landed().await;
        for (at, value) in &log {
            let there = landed
                .get(at)
                .unwrap_or_else(|| panic!("{at:?} is not landed"));
            assert_eq!(there.len(), 1, "{at:?} is landed {} times", there.len());
            if let Some(id) = &there[0] {
                let value = value.as_deref().expect("a tombstone is no row");
                let text = String::from_utf8_lossy(value);
                assert!(text.contains(id.as_str()), "{at:?} holds another event");
            }
        }
        assert_eq!(landed.len(), log.len(), "rows without a record");
        let ends = log
            .keys()
            .fold(BTreeMap::new(), |mut ends, (topic, partition, offset)| {
                let end: &mut i64 = ends.entry((topic.clone(), *partition)).or_default();
                *end = (*end).max(offset + 1);
                ends
            });
        let progress: Vec<(String, i32, i64)> = sqlx::query_as(
            "select topic, kafka_partition, next_offset from raw.landing_progress where next_offset > 0",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        let progress: BTreeMap<_, _> = progress.into_iter().map(|(t, p, n)| ((t, p), n)).collect();
        assert_eq!(progress, ends);
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    /// Waits until a query returns true.
    pub(crate) async fn until(&self, what: &str, sql: &'static str) {
        let deadline = Instant::now() + DEADLINE;
        while !sqlx::query_scalar::<_, bool>(sql)
            .fetch_one(&self.pool)
            .await
            .unwrap_or(false)
        {
            assert!(Instant::now() < deadline, "{what} did not happen in time");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn kafka_admin(&self) -> AdminClient<DefaultClientContext> {
        self.kafka.client().create().unwrap()
    }

    pub(crate) async fn delete_topics(&self, logical: &[&str]) {
        let names: Vec<String> = logical
            .iter()
            .map(|topic| self.kafka.physical(topic))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let results = self
            .kafka_admin()
            .delete_topics(&names, &AdminOptions::new())
            .await
            .unwrap();
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    }

    /// Waits until a topic is there, or is gone.
    pub(crate) async fn until_topic_is(&self, logical: &str, there: bool) {
        let client: BaseConsumer = self.kafka.client().create().unwrap();
        let physical = self.kafka.physical(logical);
        let deadline = Instant::now() + DEADLINE;
        loop {
            let metadata = client.fetch_metadata(None, DEADLINE).unwrap();
            if metadata
                .topics()
                .iter()
                .any(|topic| topic.name() == physical)
                == there
            {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{physical} is not as it should be in time"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Removes database and topics. A test that fails leaves them to be looked at.
    pub(crate) async fn clean(self) {
        self.pool.close().await;
        let drop = format!("drop database {} with (force)", self.name);
        let deadline = Instant::now() + DEADLINE;
        // Refused while an autovacuum worker of the server's owner is in there.
        while let Err(error) = sqlx::raw_sql(AssertSqlSafe(drop.clone()))
            .execute(&self.admin)
            .await
        {
            assert!(Instant::now() < deadline, "{error}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        self.delete_topics(&TOPICS).await;
    }
}

async fn pool(url: &str) -> PgPool {
    PgPoolOptions::new()
        .max_connections(4)
        .connect(url)
        .await
        .expect("a running Postgres: `make up`")
}

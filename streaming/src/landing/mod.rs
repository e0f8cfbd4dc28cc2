//! Kafka -> Postgres, every record exactly once.
//!
//! **The rule.** `raw.landing_progress` holds, for each Kafka partition, the first offset that is not landed. A
//! batch of records and the move of that offset are one Postgres transaction, and the move is conditional: it
//! only happens from the offset the batch starts at. So a batch lands once or not at all, whoever sends it,
//! however often, whatever was killed in between. Offsets committed to Kafka are for lag tools; nothing reads
//! them back. The consumer group only divides the work.
//!
//! **The parts.** Pure: `decode` (value -> envelope or refusal), `batch` (records in order, gaps named), `encode`
//! (batch -> binary COPY), `progress` (may it land? where to read? is something wrong?), `lane` (one partition's
//! state), `route` (table or late table). Effects: `consume`, `assignment` and `group` (the polling thread), `place`
//! (where an assigned partition starts), `writer` and `write` (the transaction), `careful` (rows told apart), `late`
//! (rows whose day has left), `store` (the progress table), `partitions` (days), `watch` (lag, re-created topics),
//! `serve` (metrics), `reset` and `replay` (by hand).
//!
//! **Days leave.** Old days of a landing table move to an archive, up to the boundary in `lake.boundaries`. Every
//! transaction that writes rows, and every one that makes days, reads it FOR SHARE. Rows before it go to the late
//! table of that archive and their days are never made again; nothing else about landing changes, so the archive
//! can hold a row twice no more than the table can.
//!
//! **A record's way.** Partition queue -> lane -> batch -> one of a few writers -> decode on a worker thread ->
//! transaction -> the lane may send its next batch. Every step is bounded; see `consume` for back-pressure.

mod assignment;
mod batch;
mod careful;
mod consume;
mod decode;
mod encode;
mod error;
mod exposition;
mod failure;
mod group;
mod histogram;
mod lane;
mod late;
mod metrics;
mod partitions;
mod place;
mod poller;
mod probe;
mod progress;
pub(crate) mod replay;
mod reset;
mod retry;
mod route;
mod serve;
mod store;
mod watch;
mod write;
mod writer;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use error::Error;
pub use metrics::{Metrics, Summary};
pub use progress::{Alarm, Gap};
pub use reset::{ResetArgs, To, reset};

use crate::config::{DatabaseArgs, DatabaseUrl, KafkaArgs};
use crate::topics;
use batch::Limits;

/// Options of `ridehail stream`.
#[derive(Clone, Debug, clap::Args)]
pub struct StreamArgs {
    /// Where events come from.
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// Where they go.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Consumer group that divides the partitions among processes [default: the prefix and "ridehail-landing"]
    #[arg(long, env = "RIDEHAIL_STREAM_GROUP")]
    pub group: Option<String>,
    /// Address of the metrics endpoint, or "off"
    #[arg(
        long,
        env = "RIDEHAIL_STREAM_METRICS_LISTEN",
        default_value = "127.0.0.1:15079"
    )]
    pub metrics_listen: String,
    /// Postgres connections that land side by side
    #[arg(long, env = "RIDEHAIL_STREAM_WRITERS", default_value_t = 3)]
    pub writers: usize,
    /// Most rows of one transaction
    #[arg(long, env = "RIDEHAIL_STREAM_BATCH_ROWS", default_value_t = 10_000)]
    pub batch_rows: usize,
    /// Longest wait for more rows, in milliseconds
    #[arg(long, env = "RIDEHAIL_STREAM_LINGER_MS", default_value_t = 200)]
    pub linger_ms: u64,
    /// What to do when Kafka deleted records before they were landed
    #[arg(long, env = "RIDEHAIL_STREAM_ON_DATA_LOSS", value_enum, default_value_t = OnDataLoss::Stop)]
    pub on_data_loss: OnDataLoss,
    /// Stop once everything that is in Kafka now is landed
    #[arg(long)]
    pub until_caught_up: bool,
}

/// What to do when Kafka deleted records before they were landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnDataLoss {
    /// Raise an alarm and leave the partition alone until a person decides
    Stop,
    /// Record the gap, raise an alarm in the log and go on
    Continue,
}

/// A topic that is landed.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    /// Name in Postgres.
    pub(crate) logical: String,
    /// Name in Kafka.
    pub(crate) physical: String,
}

/// Bytes of keys and values in one transaction: enough that its fixed costs vanish.
const BATCH_BYTES: usize = 8 << 20;
/// Bytes read but not handed to a writer yet, over all partitions.
const BUFFER: usize = 64 << 20;
/// Bytes the client may hold of each partition before it stops fetching it.
const FETCHED_KIB: &str = "4096";
/// How long a stop waits for Postgres to take what was read.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// Pool for everything but landing itself, which has connections of its own.
const POOL: u32 = 4;
/// A member that says nothing for this long has died; the broker's lowest default is 6 s.
const SESSION_MS: &str = "10000";

/// What every part of a run shares.
pub(crate) struct Shared {
    kafka: KafkaArgs,
    group: String,
    topics: Vec<Topic>,
    database: DatabaseUrl,
    pool: PgPool,
    probe: probe::Probe,
    metrics: Arc<Metrics>,
    days: partitions::Days,
    /// Partitions of this process that are landed to the end of their log.
    drained: std::sync::Mutex<BTreeSet<place::Key>>,
    limits: Limits,
    linger: Duration,
    writers: usize,
    buffer: usize,
    stop_grace: Duration,
    on_data_loss: OnDataLoss,
}

impl Shared {
    fn consumer_config(&self) -> ClientConfig {
        let mut config = self.kafka.client();
        config
            .set("group.id", &self.group)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", SESSION_MS)
            // Positions are in Postgres. Nothing is committed but by an explicit hint, and an offset that is not in
            // the log is an error to be judged, never a reason to jump.
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("allow.auto.create.topics", "false")
            .set("topic.metadata.refresh.interval.ms", "10000")
            .set("queued.max.messages.kbytes", FETCHED_KIB)
            // How soon a partition is fetched again after its queue was full; the default of 1 s starves writers.
            .set("fetch.queue.backoff.ms", "10")
            .set("fetch.wait.max.ms", "100");
        config
    }
}

/// Lands the topics that the topics file marks with `land: true`, until cancelled or, if asked for, caught up.
/// Migrates the database first. On cancellation what was read is landed, for at most ten seconds.
///
/// # Errors
/// [`Error`]; among them an alarm that stands at the end. Outages of Kafka or Postgres are not errors: they are
/// waited for.
pub async fn run(args: StreamArgs, cancel: CancellationToken) -> Result<Summary, Error> {
    let begun = Instant::now();
    let shared = Arc::new(prepare(&args).await?);
    let listener = serve::bind(&args.metrics_listen).await?;
    if let Some(address) = listener.as_ref().and_then(|l| l.local_addr().ok()) {
        tracing::info!(%address, "metrics endpoint");
    }
    let targets = if args.until_caught_up {
        Some(watch::ends(&shared).await?)
    } else {
        None
    };

    // `stop` ends reading; `abandon` ends writing, after the polling thread has waited for it.
    let stop = cancel.child_token();
    let abandon = CancellationToken::new();
    let (poller, commands) = poller::Poller::new();
    let (work, queue) = mpsc::unbounded_channel();
    let (questions, asked) = mpsc::unbounded_channel();
    let queue: writer::Queue = Arc::new(Mutex::new(queue));

    let mut around = JoinSet::new();
    for _ in 0..shared.writers {
        let (queue, poller) = (Arc::clone(&queue), poller.clone());
        around.spawn(writer::run(
            Arc::clone(&shared),
            queue,
            poller,
            abandon.clone(),
        ));
    }
    around.spawn(place::run(
        Arc::clone(&shared),
        asked,
        poller.clone(),
        stop.clone(),
    ));
    around.spawn(watch::look(
        Arc::clone(&shared),
        poller.clone(),
        stop.clone(),
    ));
    around.spawn(watch::days(Arc::clone(&shared), stop.clone()));
    if let Some(ends) = targets {
        around.spawn(watch::caught_up(Arc::clone(&shared), ends, stop.clone()));
    }
    if let Some(listener) = listener {
        around.spawn(serve::run(Arc::clone(&shared), listener, stop.clone()));
    }
    let reading = {
        let (shared, poller, stop) = (Arc::clone(&shared), poller.clone(), stop.clone());
        tokio::task::spawn_blocking(move || {
            consume::run(shared, poller, &commands, work, questions, &stop)
        })
    };

    let mut result = Ok(());
    let mut reading = std::pin::pin!(reading);
    let read = loop {
        tokio::select! {
            read = &mut reading => break read,
            Some(ended) = around.join_next() => {
                let ended = ended.unwrap_or(Err(Error::Panicked("a landing task")));
                if ended.is_err() && result.is_ok() {
                    result = ended;
                    stop.cancel();
                    abandon.cancel();
                }
            }
        }
    };
    stop.cancel();
    abandon.cancel();
    while let Some(ended) = around.join_next().await {
        let ended = ended.unwrap_or(Err(Error::Panicked("a landing task")));
        result = result.and(ended);
    }
    result.and(read.unwrap_or(Err(Error::Panicked("the polling thread"))))?;
    let alarms = shared.metrics.alarms();
    if !alarms.is_empty() {
        return Err(Error::Alarms(alarms));
    }
    Ok(shared.metrics.summary(begun.elapsed()))
}

async fn prepare(args: &StreamArgs) -> Result<Shared, Error> {
    let pool = PgPoolOptions::new()
        .max_connections(POOL)
        .acquire_timeout(Duration::from_secs(10))
        .connect(args.database.database_url.reveal())
        .await?;
    crate::migrate(&pool).await?;
    let topics: Vec<Topic> = topics::read_file(&args.kafka.topics_file)?
        .into_iter()
        .filter(|topic| topic.land)
        .map(|topic| Topic {
            physical: args.kafka.physical(&topic.name),
            logical: topic.name,
        })
        .collect();
    let names: Vec<String> = topics.iter().map(|topic| topic.logical.clone()).collect();
    let without = store::without_table(&pool, &names).await?;
    if !without.is_empty() {
        return Err(Error::NoTable {
            topics: without.join(", "),
        });
    }
    let probe = probe::Probe::new(&args.kafka)?;
    let found = probe.identities(&topics).await?;
    let missing: Vec<_> = topics
        .iter()
        .filter(|t| !found.contains_key(&t.physical))
        .map(|t| t.physical.as_str())
        .collect();
    if !missing.is_empty() || topics.is_empty() {
        return Err(Error::MissingTopics {
            topics: missing.join(", "),
        });
    }
    Ok(Shared {
        group: args
            .group
            .clone()
            .unwrap_or_else(|| format!("{}ridehail-landing", args.kafka.topic_prefix)),
        kafka: args.kafka.clone(),
        topics,
        database: args.database.database_url.clone(),
        pool,
        probe,
        metrics: Arc::default(),
        days: partitions::Days::default(),
        drained: std::sync::Mutex::default(),
        limits: Limits {
            rows: args.batch_rows.max(1),
            bytes: BATCH_BYTES,
        },
        linger: Duration::from_millis(args.linger_ms),
        writers: args.writers.max(1),
        buffer: BUFFER,
        stop_grace: STOP_GRACE,
        on_data_loss: args.on_data_loss,
    })
}

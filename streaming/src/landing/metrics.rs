//! Figures of a running landing. `exposition` writes them out.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::histogram::Histogram;
use super::progress::{Alarm, Gap};

/// Everything a landing process counts.
#[derive(Debug, Default)]
pub struct Metrics {
    inner: Mutex<Inner>,
    /// Times a statement was tried again because Postgres was away.
    pub postgres_retries: AtomicU64,
    /// Bytes of keys and values that are read and wait for a writer.
    pub buffered_bytes: AtomicU64,
    /// Errors the Kafka client reported, all of which it recovers from by itself.
    pub kafka_errors: AtomicU64,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) topics: BTreeMap<String, Topic>,
    pub(super) partitions: BTreeMap<(String, i32), Partition>,
    pub(super) commit: Histogram,
    /// When the first batch was taken up and the last one committed.
    span: Option<(Instant, Instant)>,
}

#[derive(Debug, Default)]
pub(super) struct Topic {
    pub(super) rows: u64,
    pub(super) late: u64,
    pub(super) rejects: BTreeMap<String, u64>,
    pub(super) batches: u64,
    pub(super) present: u64,
    pub(super) fenced: u64,
    pub(super) gaps: u64,
    pub(super) missing: u64,
    pub(super) from_produced: Histogram,
    pub(super) from_kafka: Histogram,
}

#[derive(Debug, Default)]
pub(super) struct Partition {
    pub(super) assigned: bool,
    pub(super) stored: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) alarm: Option<Alarm>,
}

/// What a landed batch adds.
#[derive(Debug, Default)]
pub(super) struct Landed<'a> {
    pub(super) rows: usize,
    /// Those of the rows whose day has left.
    pub(super) late: usize,
    pub(super) present: usize,
    pub(super) rejects: Vec<&'a str>,
    /// Rows that Postgres refused or whose place was taken.
    pub(super) refused: usize,
    pub(super) gaps: usize,
    pub(super) missing: i64,
    /// From the start of the transaction to its commit.
    pub(super) took: Duration,
    /// Per row, seconds from its production to now.
    pub(super) from_produced: Vec<f64>,
    /// Per record, seconds from its Kafka timestamp to now.
    pub(super) from_kafka: Vec<f64>,
}

/// What a run did in total.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Summary {
    /// Rows landed.
    pub rows: u64,
    /// Those of them that went to a late table, since their day has left for the archive.
    pub late_rows: u64,
    /// Records rejected.
    pub rejects: u64,
    /// Landing transactions.
    pub batches: u64,
    /// Rows left out because they were in the table already (after a reset).
    pub already_present: u64,
    /// Batches dropped because another writer was ahead.
    pub fenced: u64,
    /// Gaps noticed in the log.
    pub gaps: u64,
    /// How long the run took, in seconds.
    pub seconds: f64,
    /// How long of it from the first record in a writer's hands to the last commit.
    pub landing_seconds: f64,
    /// Produced to landed, 95th percentile in seconds: the upper bound of the histogram's bucket.
    pub produced_to_landed_p95: Option<f64>,
}

impl Metrics {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while counting leaves figures behind, not broken state.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A writer has taken a batch up.
    pub(super) fn taken(&self) {
        let now = Instant::now();
        self.lock().span.get_or_insert((now, now));
    }

    pub(super) fn landed(&self, topic: &str, landed: &Landed<'_>) {
        let mut inner = self.lock();
        inner.commit.add(landed.took.as_secs_f64());
        if let Some((_, last)) = &mut inner.span {
            *last = Instant::now();
        }
        let figures = inner.topics.entry(topic.to_owned()).or_default();
        figures.rows += landed.rows as u64;
        figures.late += landed.late as u64;
        figures.present += landed.present as u64;
        figures.batches += 1;
        figures.gaps += landed.gaps as u64;
        figures.missing += landed.missing as u64;
        for reason in &landed.rejects {
            *figures.rejects.entry((*reason).to_owned()).or_default() += 1;
        }
        if landed.refused > 0 {
            *figures
                .rejects
                .entry("refused_by_postgres".to_owned())
                .or_default() += landed.refused as u64;
        }
        landed
            .from_produced
            .iter()
            .for_each(|s| figures.from_produced.add(*s));
        landed
            .from_kafka
            .iter()
            .for_each(|s| figures.from_kafka.add(*s));
    }

    /// Offsets that were skipped without a batch.
    pub(super) fn gap(&self, topic: &str, gap: Gap) {
        let mut inner = self.lock();
        let figures = inner.topics.entry(topic.to_owned()).or_default();
        figures.gaps += 1;
        figures.missing += (gap.got - gap.expected) as u64;
    }

    pub(super) fn fenced(&self, topic: &str) {
        self.lock()
            .topics
            .entry(topic.to_owned())
            .or_default()
            .fenced += 1;
    }

    pub(super) fn assigned(&self, topic: &str, partition: i32, assigned: bool) {
        self.lock()
            .partitions
            .entry((topic.to_owned(), partition))
            .or_default()
            .assigned = assigned;
    }

    pub(super) fn stored(&self, topic: &str, partition: i32, next_offset: i64) {
        self.lock()
            .partitions
            .entry((topic.to_owned(), partition))
            .or_default()
            .stored = Some(next_offset);
    }

    pub(super) fn log_end(&self, topic: &str, partition: i32, end: i64) {
        self.lock()
            .partitions
            .entry((topic.to_owned(), partition))
            .or_default()
            .end = Some(end);
    }

    /// Sets or clears an alarm. Says whether that is news.
    pub(super) fn alarm(&self, topic: &str, partition: i32, alarm: Option<Alarm>) -> bool {
        let mut inner = self.lock();
        let figures = inner
            .partitions
            .entry((topic.to_owned(), partition))
            .or_default();
        std::mem::replace(&mut figures.alarm, alarm) != alarm
    }

    /// Alarms that stand: topic, partition, alarm.
    pub fn alarms(&self) -> Vec<(String, i32, Alarm)> {
        self.lock()
            .partitions
            .iter()
            .filter_map(|((topic, partition), p)| Some((topic.clone(), *partition, p.alarm?)))
            .collect()
    }

    /// Totals so far.
    pub fn summary(&self, elapsed: Duration) -> Summary {
        let inner = self.lock();
        let mut all = Histogram::default();
        let mut summary = Summary {
            seconds: elapsed.as_secs_f64(),
            ..Summary::default()
        };
        for topic in inner.topics.values() {
            summary.rows += topic.rows;
            summary.late_rows += topic.late;
            summary.rejects += topic.rejects.values().sum::<u64>();
            summary.batches += topic.batches;
            summary.already_present += topic.present;
            summary.fenced += topic.fenced;
            summary.gaps += topic.gaps;
            all.merge(&topic.from_produced);
        }
        summary.landing_seconds = inner
            .span
            .map_or(0.0, |(first, last)| (last - first).as_secs_f64());
        summary.produced_to_landed_p95 = all.quantile(0.95);
        summary
    }
}

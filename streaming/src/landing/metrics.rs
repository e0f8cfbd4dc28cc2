//! Figures of a running landing, and their Prometheus text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::progress::{Alarm, Gap};

/// Everything a landing process counts.
#[derive(Debug, Default)]
pub struct Metrics {
    inner: Mutex<Inner>,
    /// Times a statement was tried again because Postgres was away.
    pub postgres_retries: AtomicU64,
    /// Errors the Kafka client reported, all of which it recovers from by itself.
    pub kafka_errors: AtomicU64,
}

#[derive(Debug, Default)]
struct Inner {
    topics: BTreeMap<String, Topic>,
    partitions: BTreeMap<(String, i32), Partition>,
    commit: Histogram,
}

#[derive(Debug, Default)]
struct Topic {
    rows: u64,
    rejects: BTreeMap<String, u64>,
    batches: u64,
    present: u64,
    fenced: u64,
    gaps: u64,
    missing: u64,
    from_produced: Histogram,
    from_kafka: Histogram,
}

#[derive(Debug, Default)]
struct Partition {
    assigned: bool,
    stored: Option<i64>,
    end: Option<i64>,
    alarm: Option<Alarm>,
}

/// What a landed batch adds.
#[derive(Debug, Default)]
pub(super) struct Landed<'a> {
    pub(super) rows: usize,
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
    /// Produced to landed, 95th percentile in seconds: the upper bound of the histogram's bucket.
    pub produced_to_landed_p95: Option<f64>,
}

impl Metrics {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while counting leaves figures behind, not broken state.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn landed(&self, topic: &str, landed: &Landed<'_>) {
        let mut inner = self.lock();
        inner.commit.add(landed.took.as_secs_f64());
        let figures = inner.topics.entry(topic.to_owned()).or_default();
        figures.rows += landed.rows as u64;
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
            summary.rejects += topic.rejects.values().sum::<u64>();
            summary.batches += topic.batches;
            summary.already_present += topic.present;
            summary.fenced += topic.fenced;
            summary.gaps += topic.gaps;
            all.merge(&topic.from_produced);
        }
        summary.produced_to_landed_p95 = all.quantile(0.95);
        summary
    }

    /// The figures as Prometheus text.
    pub fn render(&self) -> String {
        let inner = self.lock();
        let mut out = String::new();
        let o = &mut out;
        let topics = || inner.topics.iter();
        per_topic(
            o,
            "rows_total",
            "Rows landed",
            topics().map(|(t, f)| (t, f.rows)),
        );
        head(o, "rejects_total", "counter", "Records rejected");
        for (topic, figures) in topics() {
            for (reason, n) in &figures.rejects {
                line(
                    o,
                    "rejects_total",
                    &format!("topic=\"{topic}\",reason=\"{reason}\""),
                    n,
                );
            }
        }
        per_topic(
            o,
            "batches_total",
            "Landing transactions",
            topics().map(|(t, f)| (t, f.batches)),
        );
        per_topic(
            o,
            "already_present_total",
            "Rows that were in the table before",
            topics().map(|(t, f)| (t, f.present)),
        );
        per_topic(
            o,
            "fenced_total",
            "Batches dropped because another writer was ahead",
            topics().map(|(t, f)| (t, f.fenced)),
        );
        per_topic(
            o,
            "gaps_total",
            "Gaps noticed in the log",
            topics().map(|(t, f)| (t, f.gaps)),
        );
        per_topic(
            o,
            "missing_offsets_total",
            "Offsets in those gaps",
            topics().map(|(t, f)| (t, f.missing)),
        );
        for (name, help, value) in [
            (
                "postgres_retries_total",
                "Attempts repeated because Postgres failed",
                &self.postgres_retries,
            ),
            (
                "kafka_errors_total",
                "Errors reported by the Kafka client",
                &self.kafka_errors,
            ),
        ] {
            head(o, name, "counter", help);
            line(o, name, "", &value.load(Ordering::Relaxed));
        }
        let gauge = |o: &mut String, name, help, of: &dyn Fn(&Partition) -> Option<i64>| {
            head(o, name, "gauge", help);
            for ((topic, partition), figures) in &inner.partitions {
                if let Some(value) = of(figures) {
                    line(
                        o,
                        name,
                        &format!("topic=\"{topic}\",partition=\"{partition}\""),
                        &value,
                    );
                }
            }
        };
        gauge(
            o,
            "assigned",
            "1 if this process lands the partition",
            &|p| Some(p.assigned.into()),
        );
        gauge(o, "stored_offset", "First offset not landed", &|p| p.stored);
        gauge(o, "log_end_offset", "Where Kafka's log ends", &|p| p.end);
        gauge(o, "lag", "Records in Kafka that are not landed", &|p| {
            Some((p.end? - p.stored?).max(0))
        });
        head(
            o,
            "alarm",
            "gauge",
            "1 for a partition that waits for a person",
        );
        for ((topic, partition), figures) in &inner.partitions {
            if let Some(alarm) = figures.alarm {
                let labels = format!(
                    "topic=\"{topic}\",partition=\"{partition}\",kind=\"{}\"",
                    alarm.kind()
                );
                line(o, "alarm", &labels, &1);
            }
        }
        head(
            o,
            "commit_seconds",
            "histogram",
            "Landing transactions, from begin to commit",
        );
        inner.commit.render(o, "commit_seconds", "");
        head(
            o,
            "produced_to_landed_seconds",
            "histogram",
            "Rows, from produced_at to commit",
        );
        for (topic, figures) in topics() {
            figures.from_produced.render(
                o,
                "produced_to_landed_seconds",
                &format!("topic=\"{topic}\""),
            );
        }
        head(
            o,
            "kafka_to_landed_seconds",
            "histogram",
            "Records, from their Kafka timestamp to commit",
        );
        for (topic, figures) in topics() {
            figures
                .from_kafka
                .render(o, "kafka_to_landed_seconds", &format!("topic=\"{topic}\""));
        }
        out
    }
}

fn head(o: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(
        o,
        "# HELP ridehail_landing_{name} {help}\n# TYPE ridehail_landing_{name} {kind}"
    );
}

fn line(o: &mut String, name: &str, labels: &str, value: &dyn std::fmt::Display) {
    let labels = if labels.is_empty() {
        String::new()
    } else {
        format!("{{{labels}}}")
    };
    let _ = writeln!(o, "ridehail_landing_{name}{labels} {value}");
}

fn per_topic<'a>(
    o: &mut String,
    name: &str,
    help: &str,
    values: impl Iterator<Item = (&'a String, u64)>,
) {
    head(o, name, "counter", help);
    for (topic, value) in values {
        line(o, name, &format!("topic=\"{topic}\""), &value);
    }
}

/// Upper bounds in seconds, about 1.6 apart where latency is expected, wide where catching up is.
const BOUNDS: [f64; 18] = [
    0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.4, 0.6, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0,
    3600.0, 86400.0,
];

#[derive(Debug, Default)]
struct Histogram {
    /// Per bound, then those beyond the last.
    counts: [u64; BOUNDS.len() + 1],
    sum: f64,
}

impl Histogram {
    fn add(&mut self, value: f64) {
        // Clocks of producer and landing differ: below zero means at once.
        let value = value.max(0.0);
        self.counts[BOUNDS.partition_point(|bound| *bound < value)] += 1;
        self.sum += value;
    }

    fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum += other.sum;
    }

    /// Upper bound of the bucket that holds quantile `q`; `None` without values. Beyond the last bound, infinity.
    fn quantile(&self, q: f64) -> Option<f64> {
        let total: u64 = self.counts.iter().sum();
        let rank = (total as f64 * q).ceil() as u64;
        let mut seen = 0;
        (total > 0).then(|| {
            let bucket = self.counts.iter().position(|count| {
                seen += count;
                seen >= rank
            });
            bucket
                .and_then(|n| BOUNDS.get(n).copied())
                .unwrap_or(f64::INFINITY)
        })
    }

    fn render(&self, o: &mut String, name: &str, labels: &str) {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut seen = 0;
        let bounds = BOUNDS
            .iter()
            .map(ToString::to_string)
            .chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(self.counts) {
            seen += count;
            line(
                o,
                &format!("{name}_bucket"),
                &format!("{labels}{comma}le=\"{bound}\""),
                &seen,
            );
        }
        line(o, &format!("{name}_sum"), labels, &self.sum);
        line(o, &format!("{name}_count"), labels, &seen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_bucket_bounds() {
        let mut h = Histogram::default();
        assert_eq!(h.quantile(0.95), None);
        (0..95).for_each(|_| h.add(0.08));
        (0..5).for_each(|_| h.add(3.0));
        assert_eq!((h.quantile(0.95), h.quantile(0.96)), (Some(0.1), Some(5.0)));
        h.add(1e9);
        assert_eq!(h.quantile(1.0), Some(f64::INFINITY));
    }

    #[test]
    fn the_text_names_topics_partitions_and_alarms() {
        let metrics = Metrics::default();
        metrics.landed(
            "rides",
            &Landed {
                rows: 3,
                rejects: vec!["bad_uuid"],
                ..Landed::default()
            },
        );
        metrics.stored("rides", 2, 40);
        metrics.log_end("rides", 2, 55);
        metrics.alarm("rides", 2, Some(Alarm::BeyondLogEnd { stored: 1, end: 0 }));
        let text = metrics.render();
        for expected in [
            "ridehail_landing_rows_total{topic=\"rides\"} 3",
            "ridehail_landing_rejects_total{topic=\"rides\",reason=\"bad_uuid\"} 1",
            "ridehail_landing_lag{topic=\"rides\",partition=\"2\"} 15",
            "ridehail_landing_alarm{topic=\"rides\",partition=\"2\",kind=\"beyond_log_end\"} 1",
            "ridehail_landing_commit_seconds_count 1",
        ] {
            assert!(text.contains(expected), "{expected} not in:\n{text}");
        }
        assert_eq!(metrics.summary(Duration::from_secs(1)).rejects, 1);
    }
}

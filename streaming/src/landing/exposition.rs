//! Figures as Prometheus text, format 0.0.4.

use std::fmt::{Display, Write as _};
use std::sync::atomic::Ordering;

use super::histogram::Histogram;
use super::metrics::{Metrics, Partition};

impl Metrics {
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
        per_topic(
            o,
            "late_rows_total",
            "Those of the rows that went to the late table: their day has left",
            topics().map(|(t, f)| (t, f.late)),
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
        head(
            o,
            "buffered_bytes",
            "gauge",
            "Bytes read that wait for a writer",
        );
        line(
            o,
            "buffered_bytes",
            "",
            &self.buffered_bytes.load(Ordering::Relaxed),
        );
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
        histogram(o, "commit_seconds", "", &inner.commit);
        head(
            o,
            "produced_to_landed_seconds",
            "histogram",
            "Rows, from produced_at to commit",
        );
        for (topic, figures) in topics() {
            histogram(
                o,
                "produced_to_landed_seconds",
                &format!("topic=\"{topic}\""),
                &figures.from_produced,
            );
        }
        head(
            o,
            "kafka_to_landed_seconds",
            "histogram",
            "Records, from their Kafka timestamp to commit",
        );
        for (topic, figures) in topics() {
            let labels = format!("topic=\"{topic}\"");
            histogram(o, "kafka_to_landed_seconds", &labels, &figures.from_kafka);
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

fn line(o: &mut String, name: &str, labels: &str, value: &dyn Display) {
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

fn histogram(o: &mut String, name: &str, labels: &str, histogram: &Histogram) {
    let comma = if labels.is_empty() { "" } else { "," };
    let (buckets, sum) = histogram.cumulated();
    let mut count = 0;
    for (bound, seen) in buckets {
        count = seen;
        line(
            o,
            &format!("{name}_bucket"),
            &format!("{labels}{comma}le=\"{bound}\""),
            &seen,
        );
    }
    line(o, &format!("{name}_sum"), labels, &sum);
    line(o, &format!("{name}_count"), labels, &count);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::metrics::Landed;
    use super::super::progress::Alarm;
    use super::*;

    #[test]
    fn the_text_names_topics_partitions_and_alarms() {
        let metrics = Metrics::default();
        metrics.landed(
            "rides",
            &Landed {
                rows: 3,
                late: 2,
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
            "ridehail_landing_late_rows_total{topic=\"rides\"} 2",
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

//! `/metrics` for Prometheus, `/healthz` for whoever restarts things.

use std::collections::BTreeMap;
use std::fmt::Write;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::App;
use super::error::Error;
use crate::store::lake::{self, LakeNow, TableNow};
use crate::store::{leases, runs, schedules};

/// 200 while the store answers and a scheduler is alive; otherwise 503, saying which is missing.
pub(super) async fn healthz(State(app): State<App>) -> Response {
    let now = app.clock.now();
    let (status, body) = match leases::with_prefix(app.store.pool(), "scheduler:").await {
        Err(error) => (
            StatusCode::SERVICE_UNAVAILABLE,
            json!({ "store": error.to_string() }),
        ),
        Ok(schedulers) => {
            let alive = schedulers
                .iter()
                .filter(|lease| lease.expires_at > now)
                .count();
            let status = if alive > 0 {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            (status, json!({ "store": "ok", "schedulers": alive }))
        }
    };
    (status, Json(body)).into_response()
}

/// Gauges, computed when asked.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    match render(&app).await {
        Ok(text) => (
            [(
                header::CONTENT_TYPE,
                "text/plain; version=0.0.4; charset=utf-8",
            )],
            text,
        )
            .into_response(),
        Err(error) => error.json(),
    }
}

async fn render(app: &App) -> Result<String, Error> {
    let pool = app.store.pool();
    let now = app.clock.now();
    let states = runs::count_states(pool, now - TimeDelta::hours(24)).await?;
    let schedulers = leases::with_prefix(pool, "scheduler:").await?;
    let jobs = schedules::active(pool, &app.project).await?;
    let open = runs::since(pool, now, 500).await?;
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, samples: &[(String, f64)]| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let plain = |value: f64| vec![(String::new(), value)];
    let age = |since: TimeDelta| since.as_seconds_f64();
    let by_state: Vec<_> = states
        .iter()
        .map(|(state, count)| (format!("{{state=\"{state}\"}}"), whole(*count)))
        .collect();
    gauge(
        "ridehail_runs",
        "Open runs, and runs that ended within 24 hours, by state.",
        &by_state,
    );
    let alive = schedulers
        .iter()
        .filter(|lease| lease.expires_at > now)
        .count();
    gauge(
        "ridehail_schedulers_alive",
        "Schedulers with a live lease.",
        &plain(alive as f64),
    );
    if let Some(latest) = schedulers.iter().map(|lease| lease.renewed_at).max() {
        let help = "Since any scheduler's last heartbeat.";
        gauge(
            "ridehail_scheduler_heartbeat_age_seconds",
            help,
            &plain(age(now - latest)),
        );
    }
    let late: Vec<_> = jobs
        .iter()
        .filter_map(|job| {
            let due = job.next_due_at?;
            Some((
                format!("{{job=\"{}\"}}", job.job),
                age((now - due).max(TimeDelta::zero())),
            ))
        })
        .collect();
    gauge(
        "ridehail_job_late_seconds",
        "How long a job has been due without being fired.",
        &late,
    );
    let queued = open
        .iter()
        .filter(|run| run.state == "queued")
        .map(|run| run.created_at)
        .min();
    let help = "Since the oldest queued run was asked for; 0 when none waits.";
    gauge(
        "ridehail_oldest_queued_seconds",
        help,
        &plain(queued.map_or(0.0, |at| age(now - at))),
    );
    gauge(
        "ridehail_live_pages",
        "Pages that listen to changes.",
        &plain(app.hub.listeners() as f64),
    );
    for (name, help, samples) in lake_gauges(lake::now(pool).await?.as_ref(), now) {
        gauge(name, help, &samples);
    }
    if let Some(bytes) = resident_memory() {
        gauge(
            "process_resident_memory_bytes",
            "Resident memory.",
            &plain(bytes),
        );
    }
    let up = age(now - app.started_at);
    gauge(
        "ridehail_uptime_seconds",
        "Since this process started serving.",
        &plain(up),
    );
    Ok(text)
}

/// A name, a help text, and samples with their labels.
type Gauge = (&'static str, &'static str, Vec<(String, f64)>);

/// What the lake's ledger says, by table; nothing where there is none.
fn lake_gauges(lake: Option<&LakeNow>, now: DateTime<Utc>) -> Vec<Gauge> {
    let Some(lake) = lake else { return Vec::new() };
    let label = |table: &TableNow| table.table.replace(['\\', '"'], "_");
    let by_table = |value: &dyn Fn(&TableNow) -> Option<f64>| {
        let one = |table: &TableNow| {
            let labels = format!("{{table=\"{}\"}}", label(table));
            Some((labels, value(table)?))
        };
        lake.tables.iter().filter_map(one).collect::<Vec<_>>()
    };
    let age = |at: DateTime<Utc>| (now - at).as_seconds_f64();
    let mut open = BTreeMap::new();
    for table in &lake.tables {
        for one in &table.open {
            *open
                .entry((label(table), one.state.as_str()))
                .or_insert(0.0) += 1.0;
        }
    }
    let open = open
        .into_iter()
        .map(|((table, state), count)| (format!("{{table=\"{table}\",state=\"{state}\"}}"), count))
        .collect();
    vec![
        (
            "ridehail_lake_paused",
            "Whether the archive is paused.",
            vec![(String::new(), f64::from(u8::from(lake.paused.is_some())))],
        ),
        (
            "ridehail_lake_archived_rows",
            "Rows in Iceberg.",
            by_table(&|table| Some(whole(table.archived.rows))),
        ),
        (
            "ridehail_lake_archived_bytes",
            "Bytes of their files.",
            by_table(&|table| Some(whole(table.archived.bytes))),
        ),
        (
            "ridehail_lake_archived_days",
            "Days in Iceberg.",
            by_table(&|table| Some(whole(table.archived.days))),
        ),
        (
            "ridehail_lake_open_moves",
            "Moves and flushes that have not ended, by state.",
            open,
        ),
        (
            "ridehail_lake_oldest_open_move_seconds",
            "Since the oldest move that has not ended was planned.",
            by_table(&|table| {
                table
                    .open
                    .iter()
                    .map(|open| age(open.created_at))
                    .reduce(f64::max)
            }),
        ),
        (
            "ridehail_lake_late_rows",
            "Late rows that are not in Iceberg yet.",
            by_table(&|table| Some(whole(table.late.iter().map(|late| late.rows).sum()))),
        ),
        (
            "ridehail_lake_refused_rows",
            "Late rows that could not be archived.",
            by_table(&|table| Some(whole(table.refused_rows))),
        ),
        (
            "ridehail_lake_oldest_partition_seconds",
            "Age of the oldest day that is still in Postgres; past the policy's age it is due.",
            by_table(&|table| table.oldest_partition.map(age)),
        ),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "f64 counts to nine quadrillion")]
fn whole(count: i64) -> f64 {
    count as f64
}

/// Bytes, from /proc; `None` elsewhere.
pub(super) fn resident_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1_024.0)
}

//! `/metrics` for Prometheus, `/healthz` for whoever restarts things.

use std::fmt::Write;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use serde_json::json;

use super::App;
use super::error::Error;
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

#[expect(clippy::cast_precision_loss, reason = "counts of runs are small")]
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

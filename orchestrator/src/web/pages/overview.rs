//! `/`: what is going on, and the last hours as a timeline.

use std::collections::BTreeMap;

use axum::extract::{Query, State};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{Page, iso, render, shown};
use crate::store::runs::Run;
use crate::store::{leases, runs, schedules};
use crate::web::{App, words};

/// Most runs that a timeline draws; beyond it bars are thinner than a pixel.
const MOST: i64 = 3_000;
/// Marks on the axis.
const MARKS: i32 = 6;

/// How far back.
#[derive(Debug, Deserialize)]
pub struct Window {
    hours: Option<u16>,
}

pub(in crate::web) async fn page(State(app): State<App>, Query(window): Query<Window>) -> Page {
    let hours = window.hours.unwrap_or(24).clamp(1, 24 * 31);
    let now = app.clock.now();
    let since = now - TimeDelta::hours(hours.into());
    let pool = app.store.pool();
    let recent = runs::since(pool, since, MOST).await?;
    let jobs = schedules::active(pool, &app.project).await?;
    let schedulers = leases::with_prefix(pool, "scheduler:").await?;
    let latest = runs::list(pool, None, None, 12).await?;

    let count = |states: &[&str]| {
        recent
            .iter()
            .filter(|run| states.contains(&run.state.as_str()))
            .count()
    };
    let next = jobs
        .iter()
        .filter_map(|job| Some((job.next_due_at?, &job.job)))
        .min();
    let heartbeat = schedulers.iter().map(|lease| lease.renewed_at).max();
    let alive = schedulers
        .iter()
        .filter(|lease| lease.expires_at > now)
        .count();
    render(
        &app,
        "overview.html",
        json!({
            "page": "overview",
            "window": hours,
            "tally": {
                "running": count(&["running", "cancelling"]), "queued": count(&["queued"]),
                "success": count(&["success"]), "failed": count(&["failed"]),
                "cancelled": count(&["cancelled"]),
            },
            "next": next.map(|(at, job)| json!({
                "job": job, "iso": iso(at), "relative": words::relative(at, now),
            })),
            "scheduler": {
                "alive": alive > 0,
                "words": match (alive, heartbeat) {
                    (2.., _) => format!("{alive} processes"),
                    (1, _) => "one process".to_owned(),
                    (_, Some(at)) => format!("last seen {}", words::relative(at, now)),
                    (_, None) => "start `ridehail serve`".to_owned(),
                },
            },
            "lanes": lanes(&recent, since, now),
            "marks": marks(since, now),
            "runs": latest.iter().map(|run| shown(run, now)).collect::<Vec<_>>(),
        }),
    )
}

/// One lane a job, and one for what people started. Pure.
fn lanes(runs: &[Run], since: DateTime<Utc>, now: DateTime<Utc>) -> Vec<Json> {
    let mut by_job: BTreeMap<Option<&str>, Vec<Json>> = BTreeMap::new();
    let whole = (now - since).as_seconds_f64();
    let place =
        |at: DateTime<Utc>| 1_000.0 * ((at - since).as_seconds_f64() / whole).clamp(0.0, 1.0);
    for run in runs {
        let start = place(run.started_at.unwrap_or(run.created_at));
        let end = place(run.finished_at.unwrap_or(now));
        by_job.entry(run.job.as_deref()).or_default().push(json!({
            "run_id": run.run_id,
            "state": run.state,
            "took": run.duration(now).map_or_else(|| "waiting".to_owned(), words::duration),
            "x": format!("{:.2}", start.min(997.0)),
            // a run of a second in a day must still be there to click
            "width": format!("{:.2}", (end - start).max(3.0)),
        }));
    }
    let lane = |(job, bars): (Option<&str>, Vec<Json>)| json!({ "job": job, "name": job.unwrap_or("by hand"), "bars": bars });
    let (by_hand, jobs): (Vec<_>, Vec<_>) = by_job.into_iter().partition(|(job, _)| job.is_none());
    jobs.into_iter().chain(by_hand).map(lane).collect()
}

fn marks(since: DateTime<Utc>, now: DateTime<Utc>) -> Vec<String> {
    let window = now - since;
    let layout = if window > TimeDelta::hours(48) {
        "%a %d %H:%M"
    } else {
        "%H:%M"
    };
    (0..=MARKS)
        .map(|n| (since + window * n / MARKS).format(layout).to_string())
        .collect()
}

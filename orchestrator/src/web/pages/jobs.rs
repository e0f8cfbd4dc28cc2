//! `/jobs`: what runs when, and what became of the last ticks.

use axum::extract::{Path, State};
use axum::response::Redirect;
use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

use super::{Page, iso, render, shown};
use crate::jobs::Overlap;
use crate::schedule::fire;
use crate::store::schedules::Schedule;
use crate::store::ticks::Tick;
use crate::store::{runs, schedules, ticks};
use crate::web::error::Error;
use crate::web::{App, words};

pub(in crate::web) async fn page(State(app): State<App>) -> Page {
    let now = app.clock.now();
    let pool = app.store.pool();
    let mut jobs = Vec::new();
    for schedule in schedules::active(pool, &app.project).await? {
        let last = runs::list(pool, Some(&schedule.job), None, 15).await?;
        let mut squares: Vec<Json> = last.iter().map(|run| shown(run, now)).collect();
        squares.reverse();
        jobs.push(job(&schedule, squares, now));
    }
    let latest = ticks::latest(pool, &app.project, 20).await?;
    let latest: Vec<Json> = latest.iter().map(tick).collect();
    render(
        &app,
        "jobs.html",
        json!({ "page": "jobs", "jobs": jobs, "ticks": latest }),
    )
}

fn job(schedule: &Schedule, runs: Vec<Json>, now: DateTime<Utc>) -> Json {
    let job = &schedule.definition.0;
    let request = &job.request;
    let next = schedule
        .next_due_at
        .zip(job.schedule.as_ref())
        .map(|(at, times)| {
            json!({
                "iso": iso(at),
                "relative": words::relative(at, now),
                "text": at.with_timezone(&times.time_zone).format("%a %d %b %H:%M %Z").to_string(),
            })
        });
    json!({
        "name": job.name,
        "description": job.description,
        "command": request.command.word(),
        "selection": request.selection(),
        "cron": job.schedule.as_ref().map(|times| &times.cron),
        "time_zone": job.schedule.as_ref().map(|times| times.time_zone.name()),
        "next": next,
        "overlap": match job.overlap {
            Overlap::Skip => "the next is left out",
            Overlap::Queue => "the next waits",
        },
        "retries": request.retries,
        "timeout": request.timeout_seconds.and_then(|s| i64::try_from(s).ok())
            .map(|s| words::duration(chrono::TimeDelta::seconds(s))),
        "runs": runs,
    })
}

fn tick(tick: &Tick) -> Json {
    json!({
        "job": tick.job,
        "due": words::instant(tick.due_at),
        "decision": tick.decision,
        "run_id": tick.run_id,
        "late": format!("{} later", words::duration(tick.decided_at - tick.due_at)),
    })
}

/// `POST /jobs/{name}/trigger`.
pub(in crate::web) async fn trigger(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Redirect, Error> {
    let known = schedules::active(app.store.pool(), &app.project).await?;
    let schedule = known
        .iter()
        .find(|schedule| schedule.job == name)
        .ok_or_else(|| Error::NotFound(format!("there is no job {name}")))?;
    let request = &schedule.definition.request;
    let run_id = fire::trigger(&app.store, &schedule.project, request, app.clock.now()).await?;
    Ok(Redirect::to(&format!("/runs/{run_id}")))
}

//! Due ticks become queued runs, each exactly once, however many schedulers look.
//!
//! The decision is one conditional update per job (`store/schedules.rs::advance`); the run, the tick's row and
//! the update commit together. A scheduler that dies before the commit has fired nothing; one that dies after
//! it leaves a queued run, which any other carries out.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::due;
use crate::jobs::{Job, Overlap};
use crate::run::request::{Request, Trigger};
use crate::store::runs::NewRun;
use crate::store::schedules::Schedule;
use crate::store::ticks::Decision;
use crate::store::{Error, Store, runs, schedules, ticks};

/// Fires whatever of a project's jobs is due at `now`; the numbers of the runs queued by this call.
///
/// # Errors
/// The store's refusal; what was committed before it stays fired.
pub async fn fire_due(store: &Store, project: &str, now: DateTime<Utc>) -> Result<Vec<i64>, Error> {
    let mut fired = Vec::new();
    for schedule in schedules::active(store.pool(), project).await? {
        if let Some(run_id) = fire_job(store, &schedule, now).await? {
            fired.push(run_id);
        }
    }
    Ok(fired)
}

async fn fire_job(
    store: &Store,
    schedule: &Schedule,
    now: DateTime<Utc>,
) -> Result<Option<i64>, Error> {
    let (job, project) = (&schedule.definition.0, schedule.project.as_str());
    let Some(times) = &job.schedule else {
        return Ok(None);
    };
    let due = match due::between(times, schedule.last_due_at, now) {
        Ok(due) => due,
        Err(error) => {
            tracing::warn!(job = job.name, %error, "the schedule never falls due");
            return Ok(None);
        }
    };
    // The latest stands for the ones before it: whoever was away for a night wants one run, not twelve.
    let Some((&latest, missed)) = due.split_last() else {
        return note_next(store, schedule, now).await.map(|()| None);
    };
    let mut transaction = store.begin().await?;
    if !schedules::advance(&mut *transaction, project, &job.name, latest).await? {
        // someone else was faster
        return Ok(None);
    }
    for &at in missed {
        ticks::record(
            &mut *transaction,
            project,
            &job.name,
            at,
            now,
            Decision::Missed,
        )
        .await?;
    }
    let decision = if job.overlap == Overlap::Skip
        && runs::job_is_busy(&mut *transaction, project, &job.name).await?
    {
        Decision::Overlapping
    } else {
        let request = Request {
            due_at: Some(latest),
            ..job.request.clone()
        };
        let run = new_run(&request, Trigger::Schedule, project, now);
        Decision::Fired {
            run_id: runs::insert(&mut *transaction, run).await?,
        }
    };
    ticks::record(&mut *transaction, project, &job.name, latest, now, decision).await?;
    schedules::note_next(
        &mut *transaction,
        project,
        &job.name,
        due::next(times, now).ok(),
    )
    .await?;
    store.commit(transaction).await?;
    tracing::info!(job = job.name, due = %latest, missed = missed.len(), ?decision, "tick");
    Ok(match decision {
        Decision::Fired { run_id } => Some(run_id),
        Decision::Overlapping | Decision::Missed => None,
    })
}

async fn note_next(store: &Store, schedule: &Schedule, now: DateTime<Utc>) -> Result<(), Error> {
    let job: &Job = &schedule.definition;
    let next = job
        .schedule
        .as_ref()
        .and_then(|times| due::next(times, now).ok());
    if next == schedule.next_due_at {
        return Ok(());
    }
    schedules::note_next(store.pool(), &schedule.project, &job.name, next).await
}

/// Queues a run of a job because someone asked for it now.
///
/// # Errors
/// The store's refusal.
pub async fn trigger(
    store: &Store,
    project: &str,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<i64, Error> {
    runs::insert(
        store.pool(),
        new_run(request, Trigger::Manual, project, now),
    )
    .await
}

fn new_run<'a>(
    request: &'a Request,
    trigger: Trigger,
    project: &'a str,
    now: DateTime<Utc>,
) -> NewRun<'a> {
    NewRun {
        request,
        trigger,
        invocation_id: Uuid::new_v4(),
        project,
        created_at: now,
    }
}

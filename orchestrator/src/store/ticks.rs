//! Table `ridehail.ticks`: what became of each due time of each job.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{FromRow, PgExecutor};

use super::{Doing, Error};

/// What was decided about a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A run was queued.
    Fired {
        /// Which.
        run_id: i64,
    },
    /// The job's last run had not ended.
    Overlapping,
    /// Nobody was there in time, and a later tick stands for it.
    Missed,
}

/// A tick as stored.
#[derive(Debug, Clone, FromRow, Serialize)]
pub struct Tick {
    /// Job.
    pub job: String,
    /// The instant of the schedule.
    pub due_at: DateTime<Utc>,
    /// When it was dealt with.
    pub decided_at: DateTime<Utc>,
    /// `fired`, `overlapping`, `missed`.
    pub decision: String,
    /// The run, when fired and still kept.
    pub run_id: Option<i64>,
}

/// Writes a decision down. Call it in the transaction that advanced the schedule.
///
/// # Errors
/// The store's refusal; a second decision about the same tick is one.
pub async fn record(
    executor: impl PgExecutor<'_>,
    project: &str,
    job: &str,
    due_at: DateTime<Utc>,
    decided_at: DateTime<Utc>,
    decision: Decision,
) -> Result<(), Error> {
    let (word, run_id) = match decision {
        Decision::Fired { run_id } => ("fired", Some(run_id)),
        Decision::Overlapping => ("overlapping", None),
        Decision::Missed => ("missed", None),
    };
    sqlx::query(
        "insert into ridehail.ticks (project, job, due_at, decided_at, decision, run_id)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(project)
    .bind(job)
    .bind(due_at)
    .bind(decided_at)
    .bind(word)
    .bind(run_id)
    .execute(executor)
    .await
    .doing("record a tick")?;
    Ok(())
}

/// The latest ticks of a project, newest first.
///
/// # Errors
/// The store's refusal.
pub async fn latest(
    executor: impl PgExecutor<'_>,
    project: &str,
    limit: i64,
) -> Result<Vec<Tick>, Error> {
    sqlx::query_as(
        "select job, due_at, decided_at, decision, run_id
           from ridehail.ticks
          where project = $1
          order by due_at desc
          limit $2",
    )
    .bind(project)
    .bind(limit)
    .fetch_all(executor)
    .await
    .doing("list the ticks")
}

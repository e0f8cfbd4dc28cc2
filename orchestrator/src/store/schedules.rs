//! Table `ridehail.schedules`: the jobs and how far each one's ticks have been dealt with.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection, PgExecutor};

use super::{Doing, Error};
use crate::jobs::Job;

/// A job as stored.
#[derive(Debug, Clone, FromRow)]
pub struct Schedule {
    /// Name.
    pub job: String,
    /// Project it belongs to.
    pub project: String,
    /// As read from jobs.yml.
    pub definition: Json<Job>,
    /// Whether jobs.yml still names it.
    pub active: bool,
    /// The last tick that was dealt with, or when the job was first seen.
    pub last_due_at: DateTime<Utc>,
    /// The next tick.
    pub next_due_at: Option<DateTime<Utc>>,
}

/// Makes the stored jobs of `project` those of jobs.yml.
///
/// # Errors
/// The store's refusal.
pub async fn replace(
    connection: &mut PgConnection,
    project: &str,
    jobs: &[Job],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    sqlx::query(
        "update ridehail.schedules set active = false, next_due_at = null
          where project = $1 and active and not (job = any($2))",
    )
    .bind(project)
    .bind(&names)
    .execute(&mut *connection)
    .await
    .doing("store the jobs")?;
    for job in jobs {
        sqlx::query(
            "insert into ridehail.schedules
                 (job, project, definition, cron, time_zone, first_seen_at, last_due_at)
             values ($1, $2, $3, $4, $5, $6, $6)
             -- a known job keeps last_due_at: editing jobs.yml fires nothing anew. One that comes back after
             -- being taken out starts afresh: the time it was gone is not a row of missed ticks
             on conflict (project, job) do update
                set definition = excluded.definition,
                    cron = excluded.cron, time_zone = excluded.time_zone, active = true,
                    last_due_at = case when schedules.active then schedules.last_due_at
                                       else greatest(schedules.last_due_at, excluded.last_due_at) end",
        )
        .bind(&job.name)
        .bind(project)
        .bind(Json(job))
        .bind(job.schedule.as_ref().map(|schedule| schedule.cron.as_str()))
        .bind(job.schedule.as_ref().map(|schedule| schedule.time_zone.name()))
        .bind(now)
        .execute(&mut *connection)
        .await
        .doing("store the jobs")?;
    }
    Ok(())
}

/// Moves a job's mark forward to `due_at`. True for exactly one caller, whoever else tries.
///
/// # Errors
/// The store's refusal.
pub async fn advance(
    executor: impl PgExecutor<'_>,
    project: &str,
    job: &str,
    due_at: DateTime<Utc>,
) -> Result<bool, Error> {
    // Two schedulers at the same tick: the second waits for the first one's row lock, then re-reads the row,
    // finds last_due_at = due_at and matches nothing. If the first rolls back, the second fires.
    let done = sqlx::query(
        "update ridehail.schedules set last_due_at = $3
          where project = $1 and job = $2 and active and last_due_at < $3",
    )
    .bind(project)
    .bind(job)
    .bind(due_at)
    .execute(executor)
    .await
    .doing("advance a schedule")?;
    Ok(done.rows_affected() == 1)
}

/// Notes when the next tick is, for pages.
///
/// # Errors
/// The store's refusal.
pub async fn note_next(
    executor: impl PgExecutor<'_>,
    project: &str,
    job: &str,
    next_due_at: Option<DateTime<Utc>>,
) -> Result<(), Error> {
    sqlx::query(
        "update ridehail.schedules set next_due_at = $3
          where project = $1 and job = $2 and next_due_at is distinct from $3",
    )
    .bind(project)
    .bind(job)
    .bind(next_due_at)
    .execute(executor)
    .await
    .doing("note the next tick")?;
    Ok(())
}

/// The active jobs of a project, by name.
///
/// # Errors
/// The store's refusal.
pub async fn active(executor: impl PgExecutor<'_>, project: &str) -> Result<Vec<Schedule>, Error> {
    sqlx::query_as(
        "select job, project, definition, active, last_due_at, next_due_at
           from ridehail.schedules
          where active and project = $1
          order by job",
    )
    .bind(project)
    .fetch_all(executor)
    .await
    .doing("list the jobs")
}

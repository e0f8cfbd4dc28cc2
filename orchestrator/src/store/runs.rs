//! Table `ridehail.runs`: one row a run.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::types::Json;
use sqlx::{FromRow, PgExecutor};
use uuid::Uuid;

use super::{Doing, Error};
use crate::run::request::{Request, Trigger};
use crate::run::state::RunState;

/// A run to be inserted.
#[derive(Debug)]
pub struct NewRun<'a> {
    /// What to do.
    pub request: &'a Request,
    /// Who wants it.
    pub trigger: Trigger,
    /// Its invocation.
    pub invocation_id: Uuid,
    /// Project name; known only once it is loaded, so queued runs carry the scheduler's.
    pub project: &'a str,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
}

/// A run as stored.
#[derive(Debug, Clone, FromRow, Serialize)]
pub struct Run {
    /// Number.
    pub run_id: i64,
    /// Invocation.
    pub invocation_id: Uuid,
    /// Verb.
    pub command: String,
    /// Project.
    pub project: String,
    /// Target of the profile.
    pub target: Option<String>,
    /// Job of jobs.yml.
    pub job: Option<String>,
    /// `cli`, `schedule`, `manual`.
    pub trigger: String,
    /// The tick.
    pub due_at: Option<DateTime<Utc>>,
    /// What was asked.
    pub request: Json<Request>,
    /// Shape of the project.
    pub graph_hash: Option<String>,
    /// State, as a word.
    pub state: String,
    /// Nodes selected.
    pub nodes: i32,
    /// Nodes built or passed.
    pub succeeded: i32,
    /// Tests that warned.
    pub warned: i32,
    /// Nodes failed or cancelled.
    pub failed: i32,
    /// Nodes skipped.
    pub skipped: i32,
    /// Asked for.
    pub created_at: DateTime<Utc>,
    /// Taken by a process.
    pub started_at: Option<DateTime<Utc>>,
    /// Ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Someone wants it stopped.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// Why it ended badly as a whole.
    pub error: Option<String>,
}

impl Run {
    /// The state.
    ///
    /// # Errors
    /// [`Error::Foreign`] for a word of another version.
    pub fn state(&self) -> Result<RunState, Error> {
        RunState::from_word(&self.state).ok_or_else(|| Error::Foreign {
            what: "a run state",
            value: self.state.clone(),
        })
    }

    /// How long it ran, or has been running at `now`.
    #[must_use]
    pub fn duration(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.started_at
            .map(|start| self.finished_at.unwrap_or(now) - start)
    }
}

const COLUMNS: &str = "run_id, invocation_id, command, project, target, job, trigger, due_at, \
    request, graph_hash, state, nodes, succeeded, warned, failed, skipped, created_at, \
    started_at, finished_at, cancel_requested_at, error";

/// Inserts a queued run and returns its number.
///
/// # Errors
/// The store's refusal.
pub async fn insert(executor: impl PgExecutor<'_>, run: NewRun<'_>) -> Result<i64, Error> {
    sqlx::query_scalar(
        "insert into ridehail.runs
             (invocation_id, command, project, target, job, trigger, due_at, request, state, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'queued', $9)
         returning run_id",
    )
    .bind(run.invocation_id)
    .bind(run.request.command.word())
    .bind(run.project)
    .bind(run.request.target.as_deref())
    .bind(run.request.job.as_deref())
    .bind(run.trigger.word())
    .bind(run.request.due_at)
    .bind(Json(run.request))
    .bind(run.created_at)
    .fetch_one(executor)
    .await
    .doing("record a run")
}

/// A run by its number.
///
/// # Errors
/// The store's refusal.
pub async fn get(executor: impl PgExecutor<'_>, run_id: i64) -> Result<Option<Run>, Error> {
    let sql = format!("select {COLUMNS} from ridehail.runs where run_id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(run_id)
        .fetch_optional(executor)
        .await
        .doing("read a run")
}

/// The latest runs before number `before` (or all), newest first; of one job when given.
///
/// # Errors
/// The store's refusal.
pub async fn list(
    executor: impl PgExecutor<'_>,
    job: Option<&str>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Run>, Error> {
    let sql = format!(
        "select {COLUMNS} from ridehail.runs
          where ($1::text is null or job = $1) and run_id < $2
          order by run_id desc
          limit $3"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(job)
        .bind(before.unwrap_or(i64::MAX))
        .bind(limit)
        .fetch_all(executor)
        .await
        .doing("list the runs")
}

/// Runs that were under way after `since`, oldest first: for the timeline.
///
/// # Errors
/// The store's refusal.
pub async fn since(
    executor: impl PgExecutor<'_>,
    since: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Run>, Error> {
    let sql = format!(
        "select * from (
            select {COLUMNS} from ridehail.runs
             where finished_at is null or finished_at > $1
             order by run_id desc
             limit $2) as recent
          order by run_id"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(since)
        .bind(limit)
        .fetch_all(executor)
        .await
        .doing("list the runs")
}

/// Numbers of runs in each state: open ones, and those that ended after `since`.
///
/// # Errors
/// The store's refusal.
pub async fn count_states(
    executor: impl PgExecutor<'_>,
    since: DateTime<Utc>,
) -> Result<Vec<(String, i64)>, Error> {
    sqlx::query_as(
        "select state, count(*) from ridehail.runs
          where finished_at is null or finished_at > $1
          group by state",
    )
    .bind(since)
    .fetch_all(executor)
    .await
    .doing("count the runs")
}

/// Runs of a project that nobody is at work on: queued, or under way with a dead lease. Oldest first.
///
/// # Errors
/// The store's refusal.
pub async fn unattended(
    executor: impl PgExecutor<'_>,
    project: &str,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Run>, Error> {
    let sql = format!(
        "select {COLUMNS} from ridehail.runs
          where finished_at is null and project = $3
            and not exists (select from ridehail.leases
                             where resource = 'run:' || runs.run_id and expires_at > $1)
            -- `overlap: queue`: runs of a job go one after the other
            and not exists (select from ridehail.runs earlier
                             where earlier.project = runs.project and earlier.job = runs.job
                               and earlier.finished_at is null
                               and earlier.run_id < runs.run_id)
          order by run_id
          limit $2"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(now)
        .bind(limit)
        .bind(project)
        .fetch_all(executor)
        .await
        .doing("look for waiting runs")
}

/// Whether a run of `job` has not ended. Call it in the transaction that advanced the job's schedule: the
/// schedule's row lock keeps a second tick of the same job from asking at the same time.
///
/// # Errors
/// The store's refusal.
pub async fn job_is_busy(
    executor: impl PgExecutor<'_>,
    project: &str,
    job: &str,
) -> Result<bool, Error> {
    sqlx::query_scalar(
        "select exists (select from ridehail.runs
                         where project = $1 and job = $2 and finished_at is null)",
    )
    .bind(project)
    .bind(job)
    .fetch_one(executor)
    .await
    .doing("look for the job's last run")
}

/// Writes what became known by loading the project, and that the run is under way.
///
/// # Errors
/// The store's refusal.
pub async fn start(
    executor: impl PgExecutor<'_>,
    run_id: i64,
    state: RunState,
    facts: Facts<'_>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query(
        "update ridehail.runs
            set state = $2, project = $3, target = $4, graph_hash = $5, nodes = $6,
                started_at = coalesce(started_at, $7)
          where run_id = $1 and finished_at is null",
    )
    .bind(run_id)
    .bind(state.word())
    .bind(facts.project)
    .bind(facts.target)
    .bind(facts.graph_hash)
    .bind(facts.nodes)
    .bind(now)
    .execute(executor)
    .await
    .doing("start a run")?;
    Ok(())
}

/// Keeps what the first process to take a run decided: its dates.
///
/// # Errors
/// The store's refusal.
pub async fn keep_request(
    executor: impl PgExecutor<'_>,
    run_id: i64,
    request: &Request,
) -> Result<(), Error> {
    sqlx::query("update ridehail.runs set request = $2 where run_id = $1")
        .bind(run_id)
        .bind(Json(request))
        .execute(executor)
        .await
        .doing("start a run")?;
    Ok(())
}

/// What loading the project tells about a run.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Project.
    pub project: &'a str,
    /// Target.
    pub target: &'a str,
    /// Shape.
    pub graph_hash: &'a str,
    /// Nodes selected.
    pub nodes: i32,
}

/// Ends a run that no process is executing (never started, or lost for good).
///
/// # Errors
/// The store's refusal.
pub async fn end(
    executor: impl PgExecutor<'_>,
    run_id: i64,
    state: RunState,
    error: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query(
        "update ridehail.runs
            set state = $2, error = $3, finished_at = $4, started_at = coalesce(started_at, $4)
          where run_id = $1 and finished_at is null",
    )
    .bind(run_id)
    .bind(state.word())
    .bind(error)
    .bind(now)
    .execute(executor)
    .await
    .doing("end a run")?;
    Ok(())
}

/// Asks whoever executes a run to stop it; false when it has ended already (or never was).
///
/// # Errors
/// The store's refusal.
pub async fn request_cancel(
    executor: impl PgExecutor<'_>,
    run_id: i64,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "update ridehail.runs
            set cancel_requested_at = coalesce(cancel_requested_at, $2),
                -- nobody executes a queued run, so nobody else would end it
                state = case state when 'queued' then 'cancelled' when 'running' then 'cancelling'
                                   else state end,
                finished_at = case state when 'queued' then $2 end
          where run_id = $1 and finished_at is null",
    )
    .bind(run_id)
    .bind(now)
    .execute(executor)
    .await
    .doing("ask a run to stop")?;
    Ok(done.rows_affected() == 1)
}

/// Forgets runs that ended before `before`, with their nodes and events.
///
/// # Errors
/// The store's refusal.
pub async fn forget(executor: impl PgExecutor<'_>, before: DateTime<Utc>) -> Result<u64, Error> {
    let done = sqlx::query("delete from ridehail.runs where finished_at < $1")
        .bind(before)
        .execute(executor)
        .await
        .doing("forget old runs")?;
    Ok(done.rows_affected())
}

//! One statement that writes down everything that happened in a run since the last: heartbeat, nodes,
//! events, counters. All of it or nothing, and nothing at all under a lease that someone else has taken.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::types::Json;
use sqlx::{FromRow, PgExecutor};

use super::leases::LEASE;
use super::{Doing, Error};
use crate::run::state::RunState;
use crate::secrets::Secrets;

/// With the last entry the lease is given back: it ends at once.
const OVER: TimeDelta = TimeDelta::microseconds(1);

/// A node row as it is to be from now on.
#[derive(Debug, Clone, Default)]
pub struct NodeWrite {
    /// Position in the run.
    pub node: i32,
    /// The attempt that the row must still hold: the fence against a zombie's write.
    pub expected_attempt: i16,
    /// The new one.
    pub attempt: i16,
    /// State, as a word.
    pub state: &'static str,
    /// See [`super::node_runs::NodeRun`].
    pub started_at: Option<DateTime<Utc>>,
    /// End.
    pub finished_at: Option<DateTime<Utc>>,
    /// Start of the next attempt.
    pub retry_at: Option<DateTime<Utc>>,
    /// Duration.
    pub seconds: Option<f64>,
    /// Bracket text.
    pub message: Option<String>,
    /// Rows written.
    pub rows_affected: Option<i64>,
    /// Rows a test found.
    pub failures: Option<i64>,
    /// The failure.
    pub error: Option<String>,
    /// Why skipped.
    pub culprit: Option<String>,
    /// SQL; `None` leaves what is there.
    pub compiled_sql: Option<String>,
}

/// An event to append.
#[derive(Debug, Clone)]
pub struct EventWrite {
    /// Position in the run.
    pub seq: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub kind: &'static str,
    /// Which node.
    pub node: Option<i32>,
    /// Which attempt.
    pub attempt: Option<i16>,
    /// The rest.
    pub data: serde_json::Value,
}

/// Counters of the run row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Built or passed.
    pub succeeded: i32,
    /// Warned.
    pub warned: i32,
    /// Failed or cancelled.
    pub failed: i32,
    /// Skipped.
    pub skipped: i32,
}

/// How the run ended.
#[derive(Debug, Clone)]
pub struct RunEnd {
    /// Final state.
    pub state: RunState,
    /// Why, as a whole.
    pub error: Option<String>,
}

/// Everything since the last entry.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Run.
    pub run_id: i64,
    /// Fencing number of the run's lease.
    pub epoch: i64,
    /// The instant of writing.
    pub now: DateTime<Utc>,
    /// Changed nodes, each once.
    pub nodes: Vec<NodeWrite>,
    /// New events in order.
    pub events: Vec<EventWrite>,
    /// Counters after this entry.
    pub counts: Counts,
    /// Set with the last entry.
    pub end: Option<RunEnd>,
}

impl Entry {
    /// Takes secrets out of everything that people may read.
    pub fn strip(&mut self, secrets: &Secrets) {
        for node in &mut self.nodes {
            let texts = [
                &mut node.message,
                &mut node.error,
                &mut node.culprit,
                &mut node.compiled_sql,
            ];
            for text in texts.into_iter().flatten() {
                secrets.strip(text);
            }
        }
        for event in &mut self.events {
            secrets.strip_json(&mut event.data);
        }
        if let Some(error) = self.end.as_mut().and_then(|end| end.error.as_mut()) {
            secrets.strip(error);
        }
    }
}

/// What came of an entry.
#[derive(Debug, Clone, FromRow)]
pub struct Written {
    /// The lease was still ours. When false, nothing was written.
    pub ours: bool,
    /// Someone asked the run to stop.
    pub cancel_requested: bool,
}

/// Writes an entry.
///
/// # Errors
/// The store's refusal; then nothing was written.
pub async fn write(executor: impl PgExecutor<'_>, entry: &Entry) -> Result<Written, Error> {
    let n = &entry.nodes;
    let e = &entry.events;
    sqlx::query_as(
        "with fence as (
            -- The heartbeat is the fence: the row lock makes a take-over wait for this statement, or this
            -- statement see the take-over's epoch and write nothing.
            update ridehail.leases set renewed_at = $3, expires_at = $4
             where resource = 'run:' || $1::bigint and epoch = $2
            returning 1
         ), nodes as (
            update ridehail.node_runs n
               set state = w.state, attempt = w.attempt, started_at = w.started_at,
                   finished_at = w.finished_at, retry_at = w.retry_at, seconds = w.seconds,
                   message = w.message, rows_affected = w.rows_affected, failures = w.failures,
                   error = w.error, culprit = w.culprit,
                   compiled_sql = coalesce(w.compiled_sql, n.compiled_sql)
              from unnest($5::int[], $6::smallint[], $7::smallint[], $8::text[], $9::timestamptz[],
                          $10::timestamptz[], $11::timestamptz[], $12::float8[], $13::text[],
                          $14::bigint[], $15::bigint[], $16::text[], $17::text[], $18::text[])
                   as w (node, expected_attempt, attempt, state, started_at, finished_at, retry_at,
                         seconds, message, rows_affected, failures, error, culprit, compiled_sql)
             where n.run_id = $1 and n.node = w.node
               -- `w.attempt` as well: a statement whose answer was lost is sent again
               and n.attempt in (w.expected_attempt, w.attempt) and n.finished_at is null
               and exists (select from fence)
         ), events as (
            insert into ridehail.events (run_id, seq, at, kind, node, attempt, data)
            select $1, w.seq, w.at, w.kind, w.node, w.attempt, w.data
              from unnest($19::bigint[], $20::timestamptz[], $21::text[], $22::int[], $23::smallint[],
                          $24::jsonb[]) as w (seq, at, kind, node, attempt, data)
             where exists (select from fence)
            -- only this statement, sent again, can have written the same number
            on conflict (run_id, seq) do nothing
         ), run as (
            update ridehail.runs
               set succeeded = $25::int, warned = $26::int, failed = $27::int, skipped = $28::int,
                   state = coalesce($29::text, state), error = coalesce($30::text, error),
                   finished_at = case when $29::text is null then finished_at else $3 end
             where run_id = $1 and finished_at is null and exists (select from fence)
               and ($29::text is not null
                    or (succeeded, warned, failed, skipped) is distinct from ($25, $26, $27, $28))
         )
         select exists (select from fence) as ours,
                exists (select from ridehail.runs
                         where run_id = $1 and cancel_requested_at is not null) as cancel_requested",
    )
    .bind(entry.run_id)
    .bind(entry.epoch)
    .bind(entry.now)
    .bind(entry.now + if entry.end.is_some() { OVER } else { LEASE })
    .bind(column(n, |w| w.node))
    .bind(column(n, |w| w.expected_attempt))
    .bind(column(n, |w| w.attempt))
    .bind(column(n, |w| w.state))
    .bind(column(n, |w| w.started_at))
    .bind(column(n, |w| w.finished_at))
    .bind(column(n, |w| w.retry_at))
    .bind(column(n, |w| w.seconds))
    .bind(column(n, |w| w.message.clone()))
    .bind(column(n, |w| w.rows_affected))
    .bind(column(n, |w| w.failures))
    .bind(column(n, |w| w.error.clone()))
    .bind(column(n, |w| w.culprit.clone()))
    .bind(column(n, |w| w.compiled_sql.clone()))
    .bind(column(e, |w| w.seq))
    .bind(column(e, |w| w.at))
    .bind(column(e, |w| w.kind))
    .bind(column(e, |w| w.node))
    .bind(column(e, |w| w.attempt))
    .bind(column(e, |w| Json(w.data.clone())))
    .bind(entry.counts.succeeded)
    .bind(entry.counts.warned)
    .bind(entry.counts.failed)
    .bind(entry.counts.skipped)
    .bind(entry.end.as_ref().map(|end| end.state.word()))
    .bind(entry.end.as_ref().and_then(|end| end.error.as_deref()))
    .fetch_one(executor)
    .await
    .doing("record what happened")
}

/// One column of a list of rows, as Postgres' unnest takes it.
fn column<R, T>(rows: &[R], pick: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(pick).collect()
}

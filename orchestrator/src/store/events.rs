//! Table `ridehail.events`: what happened in a run, in order. Written by `journal.rs`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{FromRow, PgExecutor};

use super::{Doing, Error};

/// An event as stored.
#[derive(Debug, Clone, FromRow, Serialize)]
pub struct StoredEvent {
    /// Run.
    pub run_id: i64,
    /// Position in the run, from 1, without gaps.
    pub seq: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// `node_started`, `node_finished`, ….
    pub kind: String,
    /// Which node, by its position in the run.
    pub node: Option<i32>,
    /// Which attempt.
    pub attempt: Option<i16>,
    /// The rest.
    pub data: serde_json::Value,
}

/// Events of a run after `seq`, oldest first, at most `limit`.
///
/// # Errors
/// The store's refusal.
pub async fn after(
    executor: impl PgExecutor<'_>,
    run_id: i64,
    seq: i64,
    limit: i64,
) -> Result<Vec<StoredEvent>, Error> {
    sqlx::query_as(
        "select run_id, seq, at, kind, node, attempt, data
           from ridehail.events
          where run_id = $1 and seq > $2
          order by seq
          limit $3",
    )
    .bind(run_id)
    .bind(seq)
    .bind(limit)
    .fetch_all(executor)
    .await
    .doing("read the events")
}

/// Numbers and nodes of the events of a run after `seq`, oldest first, at most `limit`.
///
/// # Errors
/// The store's refusal.
pub async fn nodes_after(
    executor: impl PgExecutor<'_>,
    run_id: i64,
    seq: i64,
    limit: i64,
) -> Result<Vec<(i64, Option<i32>)>, Error> {
    sqlx::query_as(
        "select seq, node from ridehail.events where run_id = $1 and seq > $2 order by seq limit $3",
    )
    .bind(run_id)
    .bind(seq)
    .bind(limit)
    .fetch_all(executor)
    .await
    .doing("read the events")
}

/// What happened to one node, oldest first.
///
/// # Errors
/// The store's refusal.
pub async fn of_node(
    executor: impl PgExecutor<'_>,
    run_id: i64,
    node: i32,
) -> Result<Vec<StoredEvent>, Error> {
    sqlx::query_as(
        "select run_id, seq, at, kind, node, attempt, data
           from ridehail.events
          where run_id = $1 and node = $2
          order by seq",
    )
    .bind(run_id)
    .bind(node)
    .fetch_all(executor)
    .await
    .doing("read the events")
}

/// The last event's number; 0 when there is none.
///
/// # Errors
/// The store's refusal.
pub async fn last_seq(executor: impl PgExecutor<'_>, run_id: i64) -> Result<i64, Error> {
    sqlx::query_scalar(
        "select coalesce(max(seq), 0)::bigint from ridehail.events where run_id = $1",
    )
    .bind(run_id)
    .fetch_one(executor)
    .await
    .doing("read the events")
}

//! Table `ridehail.node_runs`: what each run did with each node. Updated by `journal.rs`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::types::Json;
use sqlx::{FromRow, PgExecutor};

use super::{Doing, Error};
use crate::run::prepare::PlannedNode;
use crate::run::state::NodeState;
use crate::secrets::Secrets;

/// A node of a run as stored.
#[derive(Debug, Clone, FromRow, Serialize)]
pub struct NodeRun {
    /// Position in the run.
    pub node: i32,
    /// Which node of the project.
    pub unique_id: String,
    /// Its name.
    pub name: String,
    /// `model`, `seed`, `test`.
    pub resource_type: String,
    /// How it is built.
    pub materialized: Option<String>,
    /// `schema.table`.
    pub relation: Option<String>,
    /// Its file.
    pub path: String,
    /// Positions of what it waits for.
    pub waits_for: Vec<i32>,
    /// State, as a word.
    pub state: String,
    /// Attempts so far.
    pub attempt: i16,
    /// Start of the latest attempt.
    pub started_at: Option<DateTime<Utc>>,
    /// End.
    pub finished_at: Option<DateTime<Utc>>,
    /// Start of the next attempt.
    pub retry_at: Option<DateTime<Utc>>,
    /// Duration of the latest attempt.
    pub seconds: Option<f64>,
    /// `SELECT 99`.
    pub message: Option<String>,
    /// Rows written.
    pub rows_affected: Option<i64>,
    /// Rows a test found.
    pub failures: Option<i64>,
    /// The failure, in full.
    pub error: Option<String>,
    /// Why it was skipped.
    pub culprit: Option<String>,
}

impl NodeRun {
    /// The state machine's state.
    ///
    /// # Errors
    /// [`Error::Foreign`] for a word of another version.
    pub fn state(&self) -> Result<NodeState, Error> {
        let attempt = u16::try_from(self.attempt).unwrap_or_default();
        Ok(match (self.state.as_str(), self.retry_at) {
            ("queued", _) => NodeState::Queued,
            ("running", _) => NodeState::Running { attempt },
            ("up_for_retry", Some(at)) => NodeState::UpForRetry { attempt, at },
            ("success", _) => NodeState::Success,
            ("warned", _) => NodeState::Warned,
            ("failed", _) => NodeState::Failed,
            ("skipped", _) => NodeState::Skipped,
            ("cancelled", _) => NodeState::Cancelled,
            (other, _) => {
                return Err(Error::Foreign {
                    what: "a node state",
                    value: other.to_owned(),
                });
            }
        })
    }
}

/// Nodes as one JSON document, their names without `secrets`. Eight arrays would do but for `waits_for`, itself an
/// array, which unnest would flatten.
pub(super) fn rows(nodes: &[PlannedNode], secrets: &Secrets) -> Vec<serde_json::Value> {
    let row = |(position, node): (usize, &PlannedNode)| {
        serde_json::json!({
            "node": position,
            "unique_id": node.unique_id,
            "name": node.name,
            "resource_type": node.resource_type,
            "materialized": node.materialized,
            "relation": node.relation.as_deref().map(|relation| secrets.hide(relation)),
            "path": node.path,
            "waits_for": node.waits_for,
        })
    };
    nodes.iter().enumerate().map(row).collect()
}

/// Inserts the nodes of a run, all queued, in one statement.
///
/// # Errors
/// The store's refusal.
pub async fn insert(
    executor: impl PgExecutor<'_>,
    run_id: i64,
    nodes: &[PlannedNode],
    secrets: &Secrets,
) -> Result<(), Error> {
    sqlx::query(
        "insert into ridehail.node_runs
             (run_id, node, unique_id, name, resource_type, materialized, relation, path, waits_for, state)
         select $1, n.node, n.unique_id, n.name, n.resource_type, n.materialized, n.relation, n.path,
                n.waits_for, 'queued'
           from jsonb_to_recordset($2) as n
                (node int, unique_id text, name text, resource_type text, materialized text,
                 relation text, path text, waits_for int[])",
    )
    .bind(run_id)
    .bind(Json(rows(nodes, secrets)))
    .execute(executor)
    .await
    .doing("record the nodes of a run")?;
    Ok(())
}

/// The nodes of a run in order.
///
/// # Errors
/// The store's refusal.
pub async fn list(executor: impl PgExecutor<'_>, run_id: i64) -> Result<Vec<NodeRun>, Error> {
    sqlx::query_as(
        "select node, unique_id, name, resource_type, materialized, relation, path, waits_for, state,
                attempt, started_at, finished_at, retry_at, seconds, message, rows_affected, failures,
                error, culprit
           from ridehail.node_runs
          where run_id = $1
          order by node",
    )
    .bind(run_id)
    .fetch_all(executor)
    .await
    .doing("list the nodes of a run")
}

/// Some nodes of a run.
///
/// # Errors
/// The store's refusal.
pub async fn some(
    executor: impl PgExecutor<'_>,
    run_id: i64,
    nodes: &[i32],
) -> Result<Vec<NodeRun>, Error> {
    sqlx::query_as(
        "select node, unique_id, name, resource_type, materialized, relation, path, waits_for, state,
                attempt, started_at, finished_at, retry_at, seconds, message, rows_affected, failures,
                error, culprit
           from ridehail.node_runs
          where run_id = $1 and node = any($2)
          order by node",
    )
    .bind(run_id)
    .bind(nodes)
    .fetch_all(executor)
    .await
    .doing("read nodes of a run")
}

/// The SQL that a node ran, as compiled.
///
/// # Errors
/// The store's refusal.
pub async fn compiled_sql(
    executor: impl PgExecutor<'_>,
    run_id: i64,
    node: i32,
) -> Result<Option<String>, Error> {
    let found: Option<Option<String>> = sqlx::query_scalar(
        "select compiled_sql from ridehail.node_runs where run_id = $1 and node = $2",
    )
    .bind(run_id)
    .bind(node)
    .fetch_optional(executor)
    .await
    .doing("read a node's SQL")?;
    Ok(found.flatten())
}

/// `(unique_id, state, run, node)` of the latest run of each node: what the lineage page colours.
///
/// # Errors
/// The store's refusal.
pub async fn latest_states(
    executor: impl PgExecutor<'_>,
    graph_hash: &str,
) -> Result<Vec<(String, String, i64, i32)>, Error> {
    sqlx::query_as(
        "select distinct on (n.unique_id) n.unique_id, n.state, n.run_id, n.node
           from ridehail.node_runs n
           join (select run_id from ridehail.runs
                  -- a node's colour is that of the last runs, not of last month's
                  where graph_hash = $1 order by run_id desc limit 20) r using (run_id)
          where n.culprit is distinct from 'cancelled'
          order by n.unique_id, n.run_id desc",
    )
    .bind(graph_hash)
    .fetch_all(executor)
    .await
    .doing("read the states of nodes")
}

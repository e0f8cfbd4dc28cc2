//! Table `ridehail.graphs`: shapes of projects, for the lineage page.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use sqlx::{FromRow, PgExecutor};

use super::{Doing, Error};

/// A node of a project's graph as pages need it.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct GraphNode {
    /// `model.package.name`.
    pub id: String,
    /// Its name; `source.table` for sources.
    pub name: String,
    /// `model`, `seed`, `test`, `source`.
    pub r#type: String,
    /// How it is built.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub materialized: Option<String>,
    /// File, below the project's root.
    pub path: String,
    /// Text of the property file.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub description: String,
    /// Tags.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tags: Vec<String>,
    /// Ids of the nodes and sources it needs.
    pub parents: Vec<String>,
}

/// A stored shape.
#[derive(Debug, Clone, FromRow)]
pub struct StoredGraph {
    /// SHA-256 of the shape.
    pub graph_hash: String,
    /// Project.
    pub project: String,
    /// Its nodes.
    pub graph: Json<Vec<GraphNode>>,
    /// When it was last used.
    pub last_seen_at: DateTime<Utc>,
}

/// Remembers a shape; a known one is only marked as seen.
///
/// # Errors
/// The store's refusal.
pub async fn remember(
    executor: impl PgExecutor<'_>,
    graph_hash: &str,
    project: &str,
    graph: &[GraphNode],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query(
        "insert into ridehail.graphs (graph_hash, project, graph, first_seen_at, last_seen_at)
         values ($1, $2, $3, $4, $4)
         -- same hash, same shape: only the time moves, and only forward
         on conflict (graph_hash) do update
            set last_seen_at = greatest(graphs.last_seen_at, excluded.last_seen_at)",
    )
    .bind(graph_hash)
    .bind(project)
    .bind(Json(graph))
    .bind(now)
    .execute(executor)
    .await
    .doing("remember the project's graph")?;
    Ok(())
}

/// Whether a shape is known already, so that it need not be sent again.
///
/// # Errors
/// The store's refusal.
pub async fn touch(
    executor: impl PgExecutor<'_>,
    graph_hash: &str,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let done = sqlx::query("update ridehail.graphs set last_seen_at = $2 where graph_hash = $1")
        .bind(graph_hash)
        .bind(now)
        .execute(executor)
        .await
        .doing("remember the project's graph")?;
    Ok(done.rows_affected() == 1)
}

/// The shape seen last, or the one with this hash.
///
/// # Errors
/// The store's refusal.
pub async fn latest(
    executor: impl PgExecutor<'_>,
    graph_hash: Option<&str>,
) -> Result<Option<StoredGraph>, Error> {
    sqlx::query_as(
        "select graph_hash, project, graph, last_seen_at
           from ridehail.graphs
          where $1::text is null or graph_hash = $1
          order by last_seen_at desc
          limit 1",
    )
    .bind(graph_hash)
    .fetch_optional(executor)
    .await
    .doing("read the project's graph")
}

/// The hash of the shape seen last.
///
/// # Errors
/// The store's refusal.
pub async fn latest_hash(executor: impl PgExecutor<'_>) -> Result<Option<String>, Error> {
    sqlx::query_scalar("select graph_hash from ridehail.graphs order by last_seen_at desc limit 1")
        .fetch_optional(executor)
        .await
        .doing("read the project's graph")
}

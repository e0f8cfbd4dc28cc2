//! JSON for scripts: the page's own and anyone's on this machine. Shapes are the store's.

use std::convert::Infallible;

use axum::Json;
use axum::extract::{Extension, Path, Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use serde::Deserialize;
use serde_json::{Value as Json_, json};
use tokio_util::sync::CancellationToken;

use super::App;
use super::error::Error;
use super::live::{pack, summary};
use crate::store::{events as event_rows, graphs, node_runs, runs as run_rows, schedules};

fn answer(result: Result<Json_, Error>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(error) => error.json(),
    }
}

/// Which runs.
#[derive(Debug, Deserialize)]
pub struct Which {
    job: Option<String>,
    before: Option<i64>,
    limit: Option<i64>,
}

/// `/api/runs?job=&before=&limit=`: newest first.
pub(super) async fn runs(State(app): State<App>, Query(which): Query<Which>) -> Response {
    let limit = which.limit.unwrap_or(50).clamp(1, 500);
    answer(
        async {
            let found =
                run_rows::list(app.store.pool(), which.job.as_deref(), which.before, limit).await?;
            Ok(json!(found))
        }
        .await,
    )
}

async fn found(app: &App, id: i64) -> Result<run_rows::Run, Error> {
    run_rows::get(app.store.pool(), id)
        .await?
        .ok_or_else(|| Error::NotFound(format!("there is no run {id}")))
}

/// `/api/runs/{id}`: the run and its nodes, in full.
pub(super) async fn run(State(app): State<App>, Path(id): Path<i64>) -> Response {
    answer(
        async {
            let run = found(&app, id).await?;
            let nodes = node_runs::list(app.store.pool(), id).await?;
            Ok(json!({ "run": run, "nodes": nodes }))
        }
        .await,
    )
}

/// `/api/runs/{id}/nodes`: the nodes as short arrays, for the page.
pub(super) async fn nodes(State(app): State<App>, Path(id): Path<i64>) -> Response {
    answer(
        async {
            let run = found(&app, id).await?;
            let nodes = node_runs::list(app.store.pool(), id).await?;
            let nodes: Vec<_> = nodes.iter().map(pack).collect();
            Ok(json!({ "run": summary(&run), "nodes": nodes }))
        }
        .await,
    )
}

/// `/api/runs/{id}/nodes/{node}`: one node with its SQL and what happened to it.
pub(super) async fn node(State(app): State<App>, Path((id, node)): Path<(i64, i32)>) -> Response {
    answer(
        async {
            let pool = app.store.pool();
            let row = node_runs::some(pool, id, &[node]).await?.pop();
            let row = row.ok_or_else(|| Error::NotFound(format!("run {id} has no node {node}")))?;
            let sql = node_runs::compiled_sql(pool, id, node).await?;
            let attempts = event_rows::of_node(pool, id, node).await?;
            Ok(json!({ "node": row, "sql": sql, "attempts": attempts }))
        }
        .await,
    )
}

/// Where to go on reading.
#[derive(Debug, Deserialize)]
pub struct After {
    #[serde(default)]
    after: i64,
    limit: Option<i64>,
}

/// `/api/runs/{id}/events?after=seq`: what happened, oldest first.
pub(super) async fn events(
    State(app): State<App>,
    Path(id): Path<i64>,
    Query(after): Query<After>,
) -> Response {
    let limit = after.limit.unwrap_or(1_000).clamp(1, 10_000);
    answer(
        async {
            let found = event_rows::after(app.store.pool(), id, after.after, limit).await?;
            Ok(json!(found))
        }
        .await,
    )
}

/// `/api/jobs`: definitions and next ticks.
pub(super) async fn jobs(State(app): State<App>) -> Response {
    answer(
        async {
            let found = schedules::active(app.store.pool(), &app.project).await?;
            let shape = |s: &schedules::Schedule| {
                json!({ "job": s.job, "definition": s.definition.0, "last_due_at": s.last_due_at,
                        "next_due_at": s.next_due_at })
            };
            Ok(found.iter().map(shape).collect())
        }
        .await,
    )
}

/// `/api/lineage`: the project's graph as last seen.
pub(super) async fn lineage(State(app): State<App>) -> Response {
    answer(
        async {
            let graph = graphs::latest(app.store.pool(), None).await?;
            Ok(graph.map_or(
                Json_::Null,
                |g| json!({ "project": g.project, "nodes": g.graph.0 }),
            ))
        }
        .await,
    )
}

/// Which run's states.
#[derive(Debug, Deserialize)]
pub struct OfRun {
    run: Option<i64>,
}

/// `/api/lineage/states?run=`: `[unique_id, state, run, node]` of each node.
pub(super) async fn states(State(app): State<App>, Query(of): Query<OfRun>) -> Response {
    answer(
        async {
            let pool = app.store.pool();
            let states = match of.run {
                Some(id) => {
                    let nodes = node_runs::list(pool, id).await?;
                    nodes
                        .into_iter()
                        .map(|n| (n.unique_id, n.state, id, n.node))
                        .collect()
                }
                None => match graphs::latest_hash(pool).await? {
                    Some(hash) => node_runs::latest_states(pool, &hash).await?,
                    None => Vec::new(),
                },
            };
            Ok(json!(states))
        }
        .await,
    )
}

/// `/api/live`: server-sent events `hello`, `runs` and `nodes`; see [`super::live`].
pub(super) async fn live(
    State(app): State<App>,
    Extension(cancel): Extension<CancellationToken>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stream =
        futures::stream::unfold((app.hub.subscribe(), cancel), |(mut ears, cancel)| async {
            let news = tokio::select! {
                () = cancel.cancelled() => None,
                news = ears.next() => news,
            }?;
            let event = Event::default().event(news.name).data(&*news.data);
            Some((Ok(event), (ears, cancel)))
        });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

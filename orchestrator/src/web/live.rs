//! One watcher of the store for all open pages. It asks twice a second while someone listens, and not at all
//! while nobody does; pages get what changed since the last time.
//!
//! `hello` says: from here on nothing is missed. It is sent only after a whole look at the store that began
//! after the page had subscribed; a page reads its snapshot then, and a page that fell behind gets another.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value as Json, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::store::node_runs::NodeRun;
use crate::store::runs::Run;
use crate::store::{Error, Store, events, node_runs, runs};

/// Between two looks: fast enough to feel live, slow enough to cost nothing.
const PAUSE: Duration = Duration::from_millis(500);
/// Most events of a run that one look takes up; the next takes the rest.
const BATCH: i64 = 5_000;

/// Something that changed.
#[derive(Debug, Clone)]
pub struct News {
    /// `hello`, `runs`, `nodes`.
    pub name: &'static str,
    /// JSON.
    pub data: Arc<str>,
}

/// Where pages listen.
#[derive(Debug)]
pub struct Hub {
    news: broadcast::Sender<News>,
    looks: watch::Sender<u64>,
    wake: Notify,
}

impl Default for Hub {
    fn default() -> Self {
        // a page that is this many messages behind starts over with a snapshot
        let (news, _) = broadcast::channel(256);
        Self {
            news,
            looks: watch::Sender::new(0),
            wake: Notify::new(),
        }
    }
}

/// A page that listens.
#[derive(Debug)]
pub struct Ears {
    news: broadcast::Receiver<News>,
    looks: watch::Receiver<u64>,
    /// The look to wait for before saying hello; `None` once that is said.
    greet_at: Option<u64>,
}

impl Hub {
    /// Starts to listen.
    #[must_use]
    pub fn subscribe(&self) -> Ears {
        let news = self.news.subscribe();
        let looks = self.looks.subscribe();
        self.wake.notify_one();
        // one look may be under way already: the one after it began after this moment
        let greet_at = Some(*looks.borrow() + 2);
        Ears {
            news,
            looks,
            greet_at,
        }
    }

    /// Pages that listen.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.news.receiver_count()
    }

    fn tell(&self, name: &'static str, data: &Json) {
        // nobody listens any more: fine
        let _ = self.news.send(News {
            name,
            data: data.to_string().into(),
        });
    }
}

impl Ears {
    /// The next piece of news; `None` when the watcher has ended.
    pub async fn next(&mut self) -> Option<News> {
        let hello = News {
            name: "hello",
            data: "{}".into(),
        };
        if let Some(look) = self.greet_at.take() {
            self.looks.wait_for(|done| *done >= look).await.ok()?;
            return Some(hello);
        }
        match self.news.recv().await {
            Ok(news) => Some(news),
            Err(RecvError::Lagged(_)) => Some(hello),
            Err(RecvError::Closed) => None,
        }
    }
}

/// What was last told about a run.
#[derive(Debug)]
struct Seen {
    seq: i64,
    summary: Json,
}

/// Watches until `cancel` fires.
pub async fn watch(store: Store, hub: Arc<Hub>, clock: SharedClock, cancel: CancellationToken) {
    let mut seen: Option<HashMap<i64, Seen>> = None;
    while !cancel.is_cancelled() {
        if hub.listeners() == 0 {
            seen = None;
            tokio::select! {
                () = hub.wake.notified() => {}
                () = cancel.cancelled() => return,
            }
            continue;
        }
        match look(&store, &hub, &clock, seen.take()).await {
            Ok(now) => {
                seen = Some(now);
                hub.looks.send_modify(|count| *count += 1);
            }
            // pages show that they are not live; the next look starts over
            Err(error) => tracing::warn!(%error, "cannot watch the runs"),
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = cancel.cancelled() => return,
        }
    }
}

async fn look(
    store: &Store,
    hub: &Hub,
    clock: &SharedClock,
    before: Option<HashMap<i64, Seen>>,
) -> Result<HashMap<i64, Seen>, Error> {
    let first = before.is_none();
    let mut before = before.unwrap_or_default();
    // runs that ended a moment ago still have their last words to be told
    let since = clock.now() - TimeDelta::seconds(10);
    let mut now = HashMap::new();
    let mut changed = Vec::new();
    for run in runs::since(store.pool(), since, 100).await? {
        let id = run.run_id;
        let summary = summary(&run);
        let (seq, told) = match before.remove(&id) {
            Some(seen) => (seen.seq, seen.summary == summary),
            None if first => (events::last_seq(store.pool(), id).await?, true),
            None => (0, false),
        };
        let seq = tell_nodes(store, hub, id, seq).await?;
        if !told {
            changed.push(summary.clone());
        }
        now.insert(id, Seen { seq, summary });
    }
    if !changed.is_empty() {
        hub.tell("runs", &Json::Array(changed));
    }
    Ok(now)
}

async fn tell_nodes(store: &Store, hub: &Hub, run_id: i64, seq: i64) -> Result<i64, Error> {
    let happened = events::nodes_after(store.pool(), run_id, seq, BATCH).await?;
    let Some(&(last, _)) = happened.last() else {
        return Ok(seq);
    };
    let mut nodes: Vec<i32> = happened.iter().filter_map(|(_, node)| *node).collect();
    nodes.sort_unstable();
    nodes.dedup();
    if !nodes.is_empty() {
        let rows = node_runs::some(store.pool(), run_id, &nodes).await?;
        let packed: Vec<Json> = rows.iter().map(pack).collect();
        hub.tell("nodes", &json!({ "run_id": run_id, "nodes": packed }));
    }
    Ok(last)
}

/// A node as a short array: number, id, name, kind, materialization, state, attempt, start and end in
/// milliseconds, seconds, message, culprit. `web/static/run.js` takes it apart.
#[must_use]
pub fn pack(node: &NodeRun) -> Json {
    json!([
        node.node,
        node.unique_id,
        node.name,
        node.resource_type,
        node.materialized,
        node.state,
        node.attempt,
        node.started_at.map(|at| at.timestamp_millis()),
        node.finished_at.map(|at| at.timestamp_millis()),
        node.seconds,
        node.message,
        node.culprit,
    ])
}

/// What pages need of a run to keep up with it.
#[must_use]
pub fn summary(run: &Run) -> Json {
    json!({
        "run_id": run.run_id,
        "job": run.job,
        "command": run.command,
        "state": run.state,
        "started": run.started_at.map(|at| at.timestamp_millis()),
        "finished": run.finished_at.map(|at| at.timestamp_millis()),
        "nodes": run.nodes,
        "succeeded": run.succeeded,
        "warned": run.warned,
        "failed": run.failed,
        "skipped": run.skipped,
    })
}

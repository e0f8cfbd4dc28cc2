//! `on-run-start` and `on-run-end`: statements around the nodes, in order, each committed by itself. When one fails the
//! rest of its list is skipped; the nodes are run all the same, as in dbt, and the run fails in the end.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use project::adapter::{Adapter, Transaction};
use project::{Project, Said};
use serde_json::{Map, Value as Json, json};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use warehouse::{RunOptions, Warehouse};

use crate::artifacts::run_results::status;
use crate::artifacts::time;
use crate::clock::SharedClock;
use crate::run::events::{Event, Happened, Renderer};
use crate::run::execute::Executed;
use crate::run::prepare::PlannedNode;
use crate::run::state::NodeState;
use crate::secrets::Secrets;

/// How a hook ended.
#[derive(Debug, Clone)]
pub struct HookResult {
    /// `operation.package.package-on-run-start-0`.
    pub unique_id: String,
    /// `package.on-run-start.0`, as lines show it.
    pub name: String,
    /// The server's words; the failure.
    pub message: Result<String, String>,
    /// Its SQL; nothing when its template failed.
    pub compiled: Option<String>,
    /// When it began.
    pub began: DateTime<Utc>,
    /// Duration.
    pub took: Duration,
    /// What its template said.
    pub said: Vec<Said>,
}

impl HookResult {
    /// As run_results.json has it.
    #[must_use]
    pub fn artifact(&self) -> Json {
        let (word, message) = match &self.message {
            Ok(_) => ("success", format!("{} passed", self.name)),
            Err(message) => ("error", format!("{} failed, error:\n {message}", self.name)),
        };
        let (began, ended) = (time(self.began), time(self.began + self.took));
        let span = |name| json!({ "name": name, "started_at": began, "completed_at": ended });
        json!({
            "status": word, "timing": [span("compile"), span("execute")], "thread_id": "main", "execution_time": self.took.as_secs_f64(),
            "adapter_response": {}, "message": message, "failures": Json::from(i32::from(self.message.is_err())),
            "unique_id": self.unique_id, "compiled": true, "compiled_code": self.compiled, "relation_name": null,
            "batch_results": null,
        })
    }
}

/// Who runs hooks, and where.
pub(super) struct Hooks<'a> {
    pub(super) project: &'a Arc<Project>,
    pub(super) warehouse: &'a Warehouse,
    pub(super) clock: &'a SharedClock,
    pub(super) cancel: &'a CancellationToken,
    /// What results must not tell.
    pub(super) secrets: Secrets,
}

impl Hooks<'_> {
    /// Runs the hooks `ids`, whose templates see `names` too.
    pub(super) async fn run(
        &self,
        ids: &[String],
        names: &Map<String, Json>,
        renderer: &mut dyn Renderer,
    ) -> Vec<HookResult> {
        let mut results: Vec<HookResult> = Vec::new();
        for (index, id) in (1..).zip(ids) {
            if self.cancel.is_cancelled() || results.iter().any(|done| done.message.is_err()) {
                break;
            }
            let total = ids.len();
            let name = shown(id);
            let mut tell = |event| {
                let at = self.clock.now();
                renderer.render(&Happened { at, event });
            };
            tell(Event::HookStarted {
                name: name.clone(),
                index,
                total,
            });
            let began = self.clock.now();
            let (mut message, said, compiled) = self.one(id, names).await;
            let (Ok(text) | Err(text)) = &mut message;
            self.secrets.strip(text);
            let result = HookResult {
                unique_id: id.clone(),
                name,
                message,
                compiled,
                began,
                took: (self.clock.now() - began).to_std().unwrap_or_default(),
                said,
            };
            tell(Event::HookFinished {
                result: result.clone(),
                index,
                total,
            });
            results.push(result);
        }
        results
    }

    async fn one(
        &self,
        id: &str,
        names: &Map<String, Json>,
    ) -> (Result<String, String>, Vec<Said>, Option<String>) {
        let options = RunOptions {
            cancel: self.cancel.clone(),
            ..RunOptions::default()
        };
        let session = self.warehouse.session(&options);
        let adapter = self
            .warehouse
            .adapter()
            .with_cancel(self.cancel.clone())
            .within(session.clone());
        let (project, id, names) = (Arc::clone(self.project), id.to_owned(), names.clone());
        let done = spawn_blocking(move || {
            let adapter: Arc<dyn Adapter> = Arc::new(adapter);
            let compiled = match project.compile_hook(&id, &names, Arc::clone(&adapter)) {
                Ok(compiled) => compiled,
                Err(error) => return (Err(error.to_string()), Vec::new(), None),
            };
            let sql = compiled.sql.trim();
            let done = if sql.is_empty() {
                Ok("OK".to_owned())
            } else {
                let done = adapter.execute(sql, Transaction::Inside);
                done.map(|answer| answer.message)
            };
            let done = done.and_then(|message| adapter.commit().map(|()| message));
            let done = done.map_err(|error| {
                format!("Database Error\n  {}", error.message.replace('\n', "\n  "))
            });
            (done, compiled.messages, Some(compiled.sql))
        })
        .await
        .unwrap_or_else(|panic| (Err(format!("a bug: {panic}")), Vec::new(), None));
        session.end().await;
        done
    }
}

/// `operation.p.p-on-run-start-0` as `p.on-run-start.0`.
fn shown(id: &str) -> String {
    let mut parts = id.splitn(3, '.');
    let (package, name) = (
        parts.nth(1).unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let rest = name.strip_prefix(&format!("{package}-")).unwrap_or(name);
    match rest.rsplit_once('-') {
        Some((list, index)) => format!("{package}.{list}.{index}"),
        None => format!("{package}.{rest}"),
    }
}

/// What `on-run-end` sees: `results`, `schemas` and `database_schemas`.
pub(super) fn names(
    project: &Project,
    nodes: &[PlannedNode],
    executed: &Executed,
) -> Map<String, Json> {
    let database = project.profile.target.dbname.as_str();
    let of_node = |node: &PlannedNode| {
        let known = project.manifest.nodes.get(&node.unique_id);
        known.map_or(Json::Null, |known| {
            serde_json::to_value(known).unwrap_or_default()
        })
    };
    let ran = executed.reports.iter().map(|(ix, report)| {
        let node = &nodes[*ix as usize];
        json!({
            "node": of_node(node), "unique_id": node.unique_id, "status": status(node, report),
            "message": report.error.as_deref().unwrap_or(&report.message), "failures": report.failures,
            "execution_time": report.took.as_secs_f64(), "thread_id": "main", "timing": [],
            "adapter_response": {"_message": report.message, "rows_affected": report.rows},
        })
    });
    let skipped = nodes.iter().zip(&executed.states);
    let skipped = skipped.filter(|(_, state)| **state == NodeState::Skipped).map(|(node, _)| {
        json!({
            "node": of_node(node), "unique_id": node.unique_id, "status": "skipped", "message": null, "failures": null,
            "execution_time": 0.0, "thread_id": "main", "timing": [], "adapter_response": {},
        })
    });
    let mut schemas: Vec<&str> = nodes
        .iter()
        .filter_map(|node| node.schema.as_deref())
        .collect();
    schemas.sort_unstable();
    schemas.dedup();
    let pairs: Vec<_> = schemas
        .iter()
        .map(|schema| json!([database, schema]))
        .collect();
    Map::from_iter([
        (
            "results".to_owned(),
            Json::Array(ran.chain(skipped).collect()),
        ),
        ("schemas".to_owned(), json!(schemas)),
        ("database_schemas".to_owned(), Json::Array(pairs)),
    ])
}

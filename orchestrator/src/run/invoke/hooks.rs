//! `on-run-start` and `on-run-end`: statements around the nodes, in order, each committed by itself. When one fails the
//! rest of its list is skipped; the nodes are run all the same, as in dbt, and the run fails in the end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use project::adapter::{Adapter, Transaction};
use project::{Project, Said};
use serde_json::{Map, Value as Json, json};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use warehouse::{RunOptions, Warehouse};

use crate::artifacts::manifest::Things;
use crate::artifacts::{run_results, time};
use crate::clock::SharedClock;
use crate::run::events::{Ending, Event, Happened, Renderer, Report};
use crate::run::execute::Executed;
use crate::run::plan::NodeIx;
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

/// What `on-run-end` sees: `results`, `schemas` and `database_schemas`. `before` is what ran at the start: of that it
/// sees what failed.
pub(super) fn names(
    project: &Project,
    nodes: &[PlannedNode],
    executed: &Executed,
    before: &[HookResult],
) -> Map<String, Json> {
    let ran = executed.reports.iter().map(|(ix, report)| {
        let node = &nodes[*ix as usize];
        run_results::result(project, node, report)
    });
    let skipped = nodes
        .iter()
        .zip(&executed.states)
        .filter(|(_, state)| **state == NodeState::Skipped)
        .map(|(node, _)| run_results::entry(project, &node.unique_id, "skipped"));
    let failed = before.iter().filter(|hook| hook.message.is_err());
    let results = failed.map(HookResult::artifact).chain(ran).chain(skipped);
    let things = Things::of(project);
    let database = project.profile.target.dbname.as_str();
    // schemas in which something was built
    let built = |(ix, report): &(NodeIx, Report)| {
        let node = &nodes[*ix as usize];
        let has_relation = matches!(node.resource_type, "model" | "seed" | "snapshot");
        let is_built = matches!(
            report.ending,
            Ending::Success | Ending::Warned | Ending::Partial
        );
        node.schema.as_deref().filter(|_| has_relation && is_built)
    };
    let schemas: BTreeSet<&str> = executed.reports.iter().filter_map(built).collect();
    let pairs = schemas.iter().map(|schema| json!([database, schema]));
    Map::from_iter([
        (
            "results".to_owned(),
            results.map(|entry| seen(&things, entry)).collect(),
        ),
        ("database_schemas".to_owned(), pairs.collect()),
        ("schemas".to_owned(), json!(schemas)),
    ])
}

/// An entry of run_results.json as templates see it: the node is with it, and says what it was compiled to.
fn seen(things: &Things<'_>, mut entry: Json) -> Json {
    let id = entry["unique_id"].as_str().unwrap_or_default();
    let mut node = things.get(id).unwrap_or_default();
    if let (Some(node), Some(entry)) = (node.as_object_mut(), entry.as_object_mut()) {
        for key in ["compiled", "compiled_code"] {
            if let Some(value) = entry.shift_remove(key).filter(|value| !value.is_null()) {
                node.insert(key.to_owned(), value);
            }
        }
        entry.shift_remove("relation_name");
        entry.insert("agate_table".to_owned(), Json::Null);
    }
    entry["node"] = node;
    entry
}

//! `on-run-start` and `on-run-end`: statements around the nodes, in order, each committed by itself. When one fails the
//! rest of its list is skipped; the nodes are run all the same, as in dbt, and the run fails in the end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use project::adapter::{Adapter, AdapterError, Transaction};
use project::{Compiled, Project, Said};
use serde_json::{Map, Value as Json, json};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use warehouse::{RunOptions, Warehouse};

use super::Error;
use crate::artifacts::manifest::{Made, Things};
use crate::artifacts::{run_results, time};
use crate::clock::SharedClock;
use crate::run::events::{Ending, Event, Happened, Renderer, Report};
use crate::run::execute::{Executed, attempt};
use crate::run::plan::NodeIx;
use crate::run::prepare::PlannedNode;
use crate::secrets::Secrets;

/// How a hook ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookEnd {
    /// With the server's words.
    Passed(String),
    /// With the failure.
    Failed(String),
    /// Not tried, since one before it failed.
    Skipped,
}

impl HookEnd {
    /// dbt's word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Passed(_) => "success",
            Self::Failed(_) => "error",
            Self::Skipped => "skipped",
        }
    }

    /// The failure.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Passed(_) | Self::Skipped => None,
        }
    }
}

/// A hook that was to run.
#[derive(Debug, Clone)]
pub struct HookResult {
    /// `operation.package.package-on-run-start-0`.
    pub unique_id: String,
    /// `package.on-run-start.0`, as lines show it.
    pub name: String,
    /// How it ended.
    pub end: HookEnd,
    /// Its SQL; nothing when its template failed.
    pub compiled: Option<String>,
    /// When it began.
    pub began: DateTime<Utc>,
    /// Duration.
    pub took: Duration,
}

impl HookResult {
    /// As run_results.json has it.
    #[must_use]
    pub fn artifact(&self) -> Json {
        let message = match &self.end {
            HookEnd::Passed(_) => format!("{} passed", self.name),
            HookEnd::Failed(message) => format!("{} failed, error:\n {message}", self.name),
            HookEnd::Skipped => format!("{} skipped", self.name),
        };
        let (began, ended) = (time(self.began), time(self.began + self.took));
        let span = |name| json!({ "name": name, "started_at": began, "completed_at": ended });
        let tried = self.end != HookEnd::Skipped;
        let timing = if tried {
            vec![span("compile"), span("execute")]
        } else {
            Vec::new()
        };
        let failures = i32::from(!matches!(self.end, HookEnd::Passed(_)));
        json!({
            "status": self.end.word(), "timing": timing, "thread_id": "main", "execution_time": self.took.as_secs_f64(),
            "adapter_response": {}, "message": message, "failures": failures,
            "unique_id": self.unique_id, "compiled": tried, "compiled_code": self.compiled, "relation_name": null,
            "batch_results": null,
        })
    }
}

impl HookResult {
    /// What was made of it, for the manifest; its file is written. Nothing is written of a hook that renders to nothing.
    pub(super) fn made(&self, project: &Project) -> Option<(String, Made)> {
        let sql = self.compiled.as_ref()?;
        let node = project.manifest.nodes.get(&self.unique_id)?;
        let below = format!("dbt_project.yml/{}", node.path.display());
        let compiled = project
            .target_path
            .join("compiled")
            .join(&node.package_name);
        let compiled_path = (!sql.is_empty()).then(|| {
            attempt::write(&compiled.join(&below), sql);
            let shown = compiled.strip_prefix(&project.root).unwrap_or(&compiled);
            // the path as dbt tells it: the file has no folder
            format!("{}/./{below}", shown.display())
        });
        let made = Made {
            compiled_code: Some(sql.clone()),
            compiled_path,
            ..Made::default()
        };
        Some((self.unique_id.clone(), made))
    }
}

/// What hooks did, and what stopped them.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Those that were run, or skipped for one that failed.
    pub(crate) results: Vec<HookResult>,
    /// A template that could not be rendered: that is an error of the project, and the end of the run.
    pub(crate) error: Option<Box<project::Error>>,
}

/// Who runs hooks, and where.
pub(crate) struct Hooks<'a> {
    pub(crate) project: &'a Arc<Project>,
    pub(crate) warehouse: &'a Warehouse,
    pub(crate) clock: &'a SharedClock,
    pub(crate) cancel: &'a CancellationToken,
    /// What results must not tell.
    pub(crate) secrets: Secrets,
}

impl Hooks<'_> {
    /// Runs the hooks `ids`, whose templates see `names` too.
    pub(crate) async fn run(
        &self,
        ids: &[String],
        names: &Map<String, Json>,
        renderer: &mut dyn Renderer,
    ) -> Result<Done, Error> {
        let mut results: Vec<HookResult> = Vec::new();
        let total = ids.len();
        let mut tell = |event| {
            let at = self.clock.now();
            renderer.render(&Happened { at, event });
        };
        if ids.first().is_some_and(|id| id.contains("-on-run-end-")) {
            // the nodes have a place of their own
            tell(Event::Said(Said::Log(String::new())));
        }
        for (index, id) in (1..).zip(ids) {
            if self.cancel.is_cancelled() {
                break;
            }
            let (name, began) = (shown(id), self.clock.now());
            let (mut end, mut sql) = (HookEnd::Skipped, None);
            if !results.iter().any(|done| done.end.error().is_some()) {
                let options = RunOptions {
                    cancel: self.cancel.clone(),
                    ..RunOptions::default()
                };
                let session = self.warehouse.session(&options);
                let adapter = self.warehouse.adapter().with_cancel(self.cancel.clone());
                let adapter: Arc<dyn Adapter> = Arc::new(adapter.within(session.clone()));
                let compiled = match self.compile(id, names, &adapter).await? {
                    Ok(compiled) => compiled,
                    Err(error) => {
                        session.end().await;
                        let error = Some(Box::new(error));
                        return Ok(Done { results, error });
                    }
                };
                for said in &compiled.messages {
                    tell(Event::Said(said.clone()));
                }
                tell(Event::HookStarted {
                    name: name.clone(),
                    index,
                    total,
                });
                end = execute(sql.insert(compiled.sql).clone(), adapter).await;
                session.end().await;
            }
            if let HookEnd::Passed(text) | HookEnd::Failed(text) = &mut end {
                self.secrets.strip(text);
            }
            let result = HookResult {
                unique_id: id.clone(),
                name,
                end,
                compiled: sql,
                began,
                took: (self.clock.now() - began).to_std().unwrap_or_default(),
            };
            tell(Event::HookFinished {
                result: result.clone(),
                index,
                total,
            });
            results.push(result);
        }
        Ok(Done {
            results,
            error: None,
        })
    }

    async fn compile(
        &self,
        id: &str,
        names: &Map<String, Json>,
        adapter: &Arc<dyn Adapter>,
    ) -> Result<Result<Compiled, project::Error>, Error> {
        let (project, adapter) = (Arc::clone(self.project), Arc::clone(adapter));
        let (id, names) = (id.to_owned(), names.clone());
        let compiled = spawn_blocking(move || project.compile_hook(&id, &names, adapter));
        compiled
            .await
            .map_err(|panic| Error::Bug(panic.to_string()))
    }
}

/// Runs `sql` and commits it.
async fn execute(sql: String, adapter: Arc<dyn Adapter>) -> HookEnd {
    let done = spawn_blocking(move || {
        let message = match sql.trim() {
            "" => "OK".to_owned(),
            sql => adapter.execute(sql, Transaction::Inside)?.message,
        };
        adapter.commit().map(|()| message)
    });
    match done.await {
        Ok(Ok(message)) => HookEnd::Passed(message),
        Ok(Err(AdapterError { message, .. })) => HookEnd::Failed(format!(
            "Database Error\n  {}",
            message.replace('\n', "\n  ")
        )),
        Err(panic) => HookEnd::Failed(format!("a bug: {panic}")),
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
pub(crate) fn names(
    project: &Project,
    nodes: &[PlannedNode],
    executed: &Executed,
    before: &[HookResult],
) -> Map<String, Json> {
    let ended = run_results::of_nodes(project, nodes, executed);
    let failed = before.iter().filter(|hook| hook.end.error().is_some());
    let results = failed.map(HookResult::artifact).chain(ended);
    // schemas in which something was built; a test has one where its rows are kept
    let built = |(ix, report): &(NodeIx, Report)| {
        let node = nodes.get(*ix as usize)?;
        let has_relation = matches!(node.resource_type, "model" | "seed" | "snapshot" | "test");
        let is_built = matches!(
            report.ending,
            Ending::Success | Ending::Warned | Ending::Partial
        );
        node.schema.as_deref().filter(|_| has_relation && is_built)
    };
    let schemas = executed.reports.iter().filter_map(built).collect();
    named(project, results, &schemas)
}

/// The same after sources were looked at: `checked`, as [`crate::artifacts::sources::seen`] has them. Nothing was built.
pub(crate) fn names_of_freshness(
    project: &Project,
    checked: impl IntoIterator<Item = Json>,
) -> Map<String, Json> {
    named(project, checked.into_iter(), &BTreeSet::new())
}

fn named(
    project: &Project,
    results: impl Iterator<Item = Json>,
    schemas: &BTreeSet<&str>,
) -> Map<String, Json> {
    let things = Things::of(project);
    let database = project.profile.target.dbname.as_str();
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
    let id = entry["unique_id"].as_str().unwrap_or_default().to_owned();
    let mut node = things.get(&id).unwrap_or_default();
    if let (Some(node), Some(entry)) = (node.as_object_mut(), entry.as_object_mut()) {
        for key in ["compiled", "compiled_code"] {
            if let Some(value) = entry.shift_remove(key).filter(|value| !value.is_null()) {
                node.insert(key.to_owned(), value);
            }
        }
        entry.shift_remove("relation_name");
        if !id.starts_with("source.") {
            entry.insert("agate_table".to_owned(), Json::Null);
        }
    }
    if let Some(test) = things.unit_test(&id) {
        let model = test.depends_on.nodes.first();
        let model = model
            .and_then(|model| things.get(model))
            .unwrap_or_default();
        as_unit_test(&mut node, &model);
    }
    entry["node"] = node;
    entry
}

/// dbt executes a unit test as a node of its own, made of the tested `model`.
fn as_unit_test(node: &mut Json, model: &Json) {
    for key in ["database", "schema", "raw_code"] {
        node[key] = model[key].clone();
    }
    node["alias"] = node["name"].clone();
    node["tested_node_unique_id"] = model["unique_id"].clone();
    node["fqn"] = model["unique_id"]
        .as_str()
        .into_iter()
        .flat_map(|id| id.split('.'))
        .collect();
    node["checksum"] = json!({ "name": "none", "checksum": "" });
    node["config"]["materialized"] = json!("unit");
    for (key, value) in [
        ("tags", json!([])),
        ("refs", json!([])),
        ("sources", json!([])),
        ("relation_name", Json::Null),
    ] {
        node[key] = value;
    }
}

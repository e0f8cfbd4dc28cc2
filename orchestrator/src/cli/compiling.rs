//! What `compile` and `docs generate` share: the SQL of nodes, written below `target/compiled`, and the
//! artifacts that tell of it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use project::Project;
use project::manifest::ResourceType;
use serde_json::{Map, Value as Json, json};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use warehouse::Warehouse;

use super::teller::Teller;
use crate::artifacts::manifest::Made;
use crate::artifacts::{self, Invocation, run_results};
use crate::clock::{Clock, SystemClock};
use crate::run::events::Event;
use crate::run::request::Request;

/// Nodes with their SQL.
#[derive(Debug, Default)]
pub(super) struct CompiledNodes {
    /// By unique id.
    pub(super) made: HashMap<String, Made>,
    /// What `run_results.json` says of each.
    results: Vec<Json>,
}

/// The kinds asked for; when none is, everything that has SQL, analyses too.
pub(super) fn compiled_kinds(asked: Vec<ResourceType>) -> Vec<ResourceType> {
    if !asked.is_empty() {
        return asked;
    }
    vec![
        ResourceType::Model,
        ResourceType::Test,
        ResourceType::Analysis,
        ResourceType::Seed,
        ResourceType::Snapshot,
    ]
}

/// What runs around the nodes: dbt compiles it too, when nothing is selected.
pub(super) fn hooks(project: &Project, request: &Request) -> Vec<String> {
    if !request.select.is_empty() || !request.exclude.is_empty() {
        return Vec::new();
    }
    let all = project.on_run_start.iter().chain(&project.on_run_end);
    all.cloned().collect()
}

/// Connects, and learns what is in the schemas that nodes are built in.
///
/// # Errors
/// The database is out of reach.
pub(super) async fn connect(project: &Project) -> Result<Warehouse, warehouse::Error> {
    let warehouse = Warehouse::connect(&project.profile.target, 1).await?;
    let schemas: BTreeSet<String> = project
        .manifest
        .nodes
        .values()
        .filter_map(|node| Some(node.relation_name.as_ref()?.stored().schema))
        .collect();
    warehouse.prepare(&schemas).await?;
    Ok(warehouse)
}

/// Compiles `chosen` in order and writes their SQL. Seeds have none and are only noted; ephemeral models are noted when
/// `ephemeral_too`.
///
/// # Errors
/// The first template that fails, or a file that cannot be written.
pub(super) async fn compile_nodes(
    project: &Arc<Project>,
    chosen: Vec<String>,
    warehouse: &Warehouse,
    ephemeral_too: bool,
    teller: &mut Teller,
) -> anyhow::Result<CompiledNodes> {
    let adapter = warehouse.adapter();
    let project = Arc::clone(project);
    let (says, mut said) = mpsc::unbounded_channel();
    let done = spawn_blocking(move || {
        let mut done = CompiledNodes::default();
        for id in chosen {
            let Some(node) = project.manifest.nodes.get(&id) else {
                continue;
            };
            let began = SystemClock.now();
            if node.resource_type == ResourceType::Seed {
                done.results.push(result(&project, &id, None, began));
                continue;
            }
            let compiled = if node.resource_type == ResourceType::Operation {
                // around no run there are no results
                let none = ["results", "schemas", "database_schemas"]
                    .map(|name| (name.to_owned(), json!([])));
                project.compile_hook(&id, &Map::from_iter(none), Arc::new(adapter.clone()))?
            } else {
                project.compile(&id, &adapter)?
            };
            for message in &compiled.messages {
                // who listens does so until the end
                let _ = says.send(message.clone());
            }
            let file = project.target_path.join("compiled").join(&compiled.path);
            if !compiled.sql.is_empty() && node.resource_type != ResourceType::Snapshot {
                let folder = file.parent().map_or(Ok(()), std::fs::create_dir_all);
                folder
                    .and_then(|()| std::fs::write(&file, &compiled.sql))
                    .with_context(|| format!("cannot write {}", file.display()))?;
            }
            if ephemeral_too || node.config.materialized != "ephemeral" {
                let mut result = result(&project, &id, Some(&compiled.sql), began);
                if node.config.materialized == "ephemeral" {
                    // dbt executes none, not even in the way it executes what is only compiled
                    if let Some(spans) = result["timing"].as_array_mut() {
                        spans.truncate(1);
                    }
                }
                done.results.push(result);
            }
            let made = Made::of(&project, &compiled);
            done.made.insert(id, made);
        }
        Ok(done)
    });
    while let Some(message) = said.recv().await {
        teller.tell(Event::Said(message));
    }
    done.await?
}

fn result(project: &Project, id: &str, sql: Option<&str>, began: DateTime<Utc>) -> Json {
    let ended = SystemClock.now();
    let span = |name| {
        json!({ "name": name, "started_at": artifacts::time(began),
                "completed_at": artifacts::time(ended) })
    };
    let mut entry = run_results::entry(project, id, "success");
    entry["timing"] = json!([span("compile"), span("execute")]);
    let took = (ended - began).to_std().unwrap_or_default();
    entry["execution_time"] = json!(took.as_secs_f64());
    if let Some(sql) = sql {
        entry["compiled"] = json!(true);
        entry["compiled_code"] = json!(sql);
    }
    entry
}

/// Writes `manifest.json` and `run_results.json`.
///
/// # Errors
/// The target folder cannot be written to.
pub(super) fn write_artifacts(
    about: &Invocation,
    request: &Request,
    project: &Project,
    compiled: CompiledNodes,
    took: Duration,
) -> anyhow::Result<()> {
    let folder = &project.target_path;
    let results = run_results::document(about, request, compiled.results, took);
    artifacts::write_manifest(about, project, &compiled.made)
        .and_then(|()| artifacts::write(folder, "run_results.json", &results))
        .with_context(|| format!("cannot write to {}", folder.display()))
}

//! From a request to the list of nodes and what each waits for.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use indexmap::IndexSet;
use project::batches::is_microbatch;
use project::manifest::{Node, ResourceType, UnitTest};
use project::select::select;
use project::state::Previous;
use project::{LoadOptions, Project, UniqueId, execution_edges};
use serde::Serialize;
use uuid::Uuid;

use super::plan::NodeIx;
use super::request::{Command, LakeWork, Request};
use crate::archive::policies;

/// Where this machine keeps the project: what a request leaves out.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// Folder of `dbt_project.yml`.
    pub project_dir: PathBuf,
    /// Folder of `profiles.yml`.
    pub profiles_dir: Option<PathBuf>,
    /// Folder of artifacts.
    pub target_path: Option<PathBuf>,
    /// Folder with the artifacts of an earlier run, below the project's.
    pub state: Option<PathBuf>,
    /// Take a project that asks for another version of dbt.
    pub skip_version_check: bool,
    /// The environment, for `env_var`.
    pub env: BTreeMap<String, String>,
}

/// A node as a run needs it: names and labels, no template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedNode {
    /// `model.package.name`.
    pub unique_id: UniqueId,
    /// Its name.
    pub name: String,
    /// `model`, `seed`, `test`, `snapshot`.
    pub resource_type: &'static str,
    /// How it is built; `None` for tests, the word of a [`LakeWork`] for what is archived.
    pub materialized: Option<String>,
    /// `schema.identifier`.
    pub relation: Option<String>,
    /// The schema it is built in.
    pub schema: Option<String>,
    /// File, below the project's root.
    pub path: String,
    /// Package.
    pub package: String,
    /// Positions of what it waits for.
    pub waits_for: Vec<i32>,
}

/// A loaded project and what of it is to be executed.
#[derive(Debug)]
pub struct Prepared {
    /// The project.
    pub project: Arc<Project>,
    /// The nodes in order; a position in this list is the node's number in the run.
    pub nodes: Arc<[PlannedNode]>,
    /// For each node, the numbers of those it waits for.
    pub prerequisites: Vec<Vec<NodeIx>>,
}

/// The word for a kind of node.
#[must_use]
pub fn kind_word(kind: ResourceType) -> &'static str {
    match kind {
        ResourceType::Model => "model",
        ResourceType::Test => "test",
        ResourceType::Seed => "seed",
        ResourceType::Snapshot => "snapshot",
        ResourceType::Analysis => "analysis",
        ResourceType::Operation => "operation",
        ResourceType::Source => "source",
        ResourceType::UnitTest => "unit_test",
        ResourceType::Exposure => "exposure",
        ResourceType::Metric => "metric",
        ResourceType::SemanticModel => "semantic_model",
        ResourceType::SavedQuery => "saved_query",
    }
}

/// The same word for one that came out of the store.
#[must_use]
pub fn known_kind(word: &str) -> &'static str {
    [
        "model",
        "test",
        "seed",
        "snapshot",
        "analysis",
        "operation",
        "source",
        "unit_test",
    ]
    .into_iter()
    .find(|known| *known == word)
    .unwrap_or("node")
}

/// Reads the project for `which` verb.
///
/// # Errors
/// Whatever is wrong with the project.
pub fn load(
    place: &Place,
    request: &Request,
    which: &str,
    started_at: DateTime<Utc>,
    invocation_id: Uuid,
) -> Result<Project, Box<project::Error>> {
    let mut project = project::load(&LoadOptions {
        project_dir: place.project_dir.clone(),
        profiles_dir: place.profiles_dir.clone(),
        profile: request.profile.clone(),
        target: request.target.clone(),
        vars: request.vars.clone(),
        threads: request.threads,
        target_path: place.target_path.clone(),
        full_refresh: request.full_refresh,
        env: place.env.clone(),
        started_at,
        invocation_id: invocation_id.to_string(),
        which: which.to_owned(),
        store_failures: request.store_failures,
        skip_version_check: place.skip_version_check,
        flags: request
            .empty
            .then(|| ("EMPTY".to_owned(), true.into()))
            .into_iter()
            .collect(),
        ..LoadOptions::default()
    })
    .map_err(Box::new)?;
    check_partitions(&project)?;
    let state = place
        .state
        .as_ref()
        .map(|state| place.project_dir.join(state));
    // a folder that holds no manifest is told of by the selector that needs one
    if let Some(state) = state.filter(|state| state.join("manifest.json").is_file()) {
        let previous = Previous::read(&state, &project.target_path).map_err(Box::new)?;
        project.previous = Some(Arc::new(previous));
    }
    Ok(project)
}

/// Refuses models that native partitions cannot keep, where the project asks for them.
fn check_partitions(project: &Project) -> Result<(), Box<project::Error>> {
    if !project.native_partitions() {
        return Ok(());
    }
    for node in project.manifest.nodes.values() {
        warehouse::check_partitions(node).map_err(|error| {
            let location = project::error::Location::line(&node.original_file_path, node.line);
            project::Error::Config {
                location: Some(location),
                message: error.to_string(),
                hint: error.hint().map(str::to_owned),
            }
        })?;
    }
    Ok(())
}

/// Chooses the nodes of `request` and orders them.
///
/// # Errors
/// A selector that is not understood.
pub fn prepare(project: Arc<Project>, request: &Request) -> Result<Prepared, Box<project::Error>> {
    let selected: IndexSet<UniqueId> = match &request.nodes {
        Some(wanted) => {
            let manifest = &project.manifest;
            let all = manifest.nodes.keys().chain(manifest.unit_tests.keys());
            all.filter(|id| wanted.contains(id)).cloned().collect()
        }
        None => select(&project, &request.spec(request.kinds())).map_err(Box::new)?,
    };
    if let Some(work) = request.command.of_lake() {
        return prepare_archive(project, &selected, work);
    }
    let chosen: IndexSet<UniqueId> = selected
        .into_iter()
        .filter(|id| {
            let manifest = &project.manifest;
            manifest.nodes.get(id).is_some_and(is_executed) || manifest.unit_tests.contains_key(id)
        })
        .collect();
    let edges = execution_edges(&project, &chosen, request.command == Command::Build);
    let number: HashMap<&str, NodeIx> =
        (0..).zip(&chosen).map(|(n, id)| (id.as_str(), n)).collect();
    let prerequisites: Vec<Vec<NodeIx>> = chosen
        .iter()
        .map(|id| {
            let inputs = edges.get(id).into_iter().flatten();
            inputs
                .filter_map(|input| number.get(input.as_str()).copied())
                .collect()
        })
        .collect();
    let nodes = chosen
        .iter()
        .zip(&prerequisites)
        .filter_map(|(id, inputs)| {
            let node = project.manifest.nodes.get(id);
            let node = node.map(|node| plan_node(node, inputs));
            let unit_test = || Some(plan_unit_test(project.manifest.unit_tests.get(id)?, inputs));
            node.or_else(unit_test)
        })
        .collect();
    Ok(Prepared {
        project,
        nodes,
        prerequisites,
    })
}

/// Tables with a policy, each on its own: none waits for another, as each has its own boundary.
fn prepare_archive(
    project: Arc<Project>,
    selected: &IndexSet<UniqueId>,
    work: LakeWork,
) -> Result<Prepared, Box<project::Error>> {
    let nodes: Arc<[PlannedNode]> = policies(&project)?
        .iter()
        .filter(|archived| selected.contains(&archived.unique_id))
        .map(|archived| PlannedNode {
            unique_id: archived.unique_id.clone(),
            name: archived.name.clone(),
            resource_type: kind_word(archived.kind),
            materialized: Some(work.word().to_owned()),
            relation: Some(archived.policy.table.to_string()),
            // nothing is built, so no schema is made
            schema: None,
            path: archived.path.display().to_string(),
            package: archived.package.clone(),
            waits_for: Vec::new(),
        })
        .collect();
    Ok(Prepared {
        project,
        prerequisites: vec![Vec::new(); nodes.len()],
        nodes,
    })
}

/// Ephemeral models live in the SQL of others, and an empty file has none; nothing executes them.
fn is_executed(node: &Node) -> bool {
    let ephemeral =
        node.resource_type == ResourceType::Model && node.config.materialized == "ephemeral";
    let empty = node.resource_type != ResourceType::Seed && node.raw_code.trim().is_empty();
    !ephemeral && !empty
}

/// How a node is built, in the word lines about it use.
fn how(node: &Node) -> String {
    if is_microbatch(node) {
        "microbatch".to_owned()
    } else {
        node.config.materialized.clone()
    }
}

fn plan_node(node: &Node, inputs: &[NodeIx]) -> PlannedNode {
    let is_test = node.resource_type == ResourceType::Test;
    PlannedNode {
        unique_id: node.unique_id.clone(),
        name: node.name.clone(),
        resource_type: kind_word(node.resource_type),
        materialized: (!is_test).then(|| how(node)),
        relation: node
            .relation_name
            .as_ref()
            .map(project::relation::RelationName::display),
        schema: node
            .relation_name
            .as_ref()
            .map(|relation| relation.schema.clone()),
        path: node.original_file_path.display().to_string(),
        package: node.package_name.clone(),
        waits_for: waits_for(inputs),
    }
}

fn plan_unit_test(test: &UnitTest, inputs: &[NodeIx]) -> PlannedNode {
    PlannedNode {
        unique_id: test.unique_id.clone(),
        name: test.shown(),
        resource_type: kind_word(ResourceType::UnitTest),
        materialized: None,
        relation: None,
        schema: None,
        path: test.original_file_path.display().to_string(),
        package: test.package_name.clone(),
        waits_for: waits_for(inputs),
    }
}

fn waits_for(inputs: &[NodeIx]) -> Vec<i32> {
    inputs
        .iter()
        .map(|&n| i32::try_from(n).unwrap_or(i32::MAX))
        .collect()
}

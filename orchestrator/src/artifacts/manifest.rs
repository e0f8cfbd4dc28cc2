//! `target/manifest.json`, schema v12: what the project declares.

mod config;
mod keys;
mod macros;
mod node;
mod others;

use std::collections::{BTreeMap, HashMap};

use indexmap::IndexMap;
use project::Project;
use project::manifest::Semantic;
use serde_json::{Map, Value as Json, json};

pub use others::freshness;

use super::{Invocation, metadata};

/// What the invocation made of a node; others have only been read.
#[derive(Debug, Clone, Default)]
pub struct Made {
    /// Its SQL.
    pub compiled_code: String,
    /// Where that lies; snapshots' is not told.
    pub compiled_path: Option<String>,
    /// Where the statement that was run lies.
    pub build_path: Option<String>,
}

/// The manifest of `project`; `made` by unique id.
#[must_use]
pub fn render(about: &Invocation, project: &Project, made: &HashMap<String, Made>) -> Json {
    let manifest = &project.manifest;
    let created = about.generated_at.timestamp_micros() as f64 / 1e6;
    let primary_keys = keys::primary(manifest);
    let of_node = |node| node::render(project, node, made, &primary_keys, created);
    let nodes: Map<String, Json> = manifest
        .nodes
        .iter()
        .map(|(id, node)| (id.clone(), of_node(node)))
        .collect();
    let sources: Map<String, Json> = manifest
        .sources
        .iter()
        .map(|(id, source)| (id.clone(), others::source(source, created)))
        .collect();
    let exposures: Map<String, Json> = manifest
        .exposures
        .iter()
        .map(|(id, exposure)| (id.clone(), others::exposure(exposure, created)))
        .collect();
    let docs: Map<String, Json> = manifest
        .docs
        .iter()
        .map(|(id, doc)| (id.clone(), others::doc(doc)))
        .collect();
    let disabled: Map<String, Json> = manifest
        .disabled
        .iter()
        .map(|(id, node)| (id.clone(), json!([of_node(node)])))
        .collect();
    let groups: Map<String, Json> = manifest
        .groups
        .iter()
        .map(|(id, group)| (id.clone(), others::group(group)))
        .collect();
    let schema = &project.profile.target.schema;
    let unit_tests: Map<String, Json> = manifest
        .unit_tests
        .iter()
        .map(|(id, test)| (id.clone(), others::unit_test(test, schema, created)))
        .collect();
    let (parents, children) = edges(project);
    json!({
        "metadata": head(about, project),
        "nodes": nodes,
        "sources": sources,
        "macros": macros::render(manifest, created),
        "docs": docs,
        "exposures": exposures,
        "metrics": semantics(&manifest.metrics, created),
        "groups": groups,
        "selectors": manifest.selectors,
        "disabled": disabled,
        "parent_map": parents,
        "child_map": children,
        "group_map": group_map(project),
        "saved_queries": semantics(&manifest.saved_queries, created),
        "semantic_models": semantics(&manifest.semantic_models, created),
        "unit_tests": unit_tests,
        "functions": {},
    })
}

/// One node, source, exposure, unit test, … as the manifest holds it.
#[must_use]
pub fn thing(project: &Project, id: &str) -> Option<Json> {
    let manifest = &project.manifest;
    let (made, keys) = (HashMap::new(), keys::primary(manifest));
    let node = manifest
        .nodes
        .get(id)
        .map(|node| node::render(project, node, &made, &keys, 0.0));
    node.or_else(|| {
        manifest
            .sources
            .get(id)
            .map(|source| others::source(source, 0.0))
    })
    .or_else(|| {
        manifest
            .exposures
            .get(id)
            .map(|exposure| others::exposure(exposure, 0.0))
    })
    .or_else(|| {
        let schema = &project.profile.target.schema;
        let test = manifest.unit_tests.get(id)?;
        Some(others::unit_test(test, schema, 0.0))
    })
    .or_else(|| {
        let semantics = [
            &manifest.metrics,
            &manifest.semantic_models,
            &manifest.saved_queries,
        ];
        let thing = semantics.iter().find_map(|things| things.get(id))?;
        Some(others::semantic(thing, 0.0))
    })
}

fn head(about: &Invocation, project: &Project) -> Json {
    let mut head = metadata(about, "manifest/v12");
    let name = &project.manifest.project_name;
    head["project_name"] = json!(name);
    // MD5 is dbt's choice: readers join on it
    head["project_id"] = json!(super::md5(name));
    head["user_id"] = Json::Null;
    head["send_anonymous_usage_stats"] = json!(false);
    head["adapter_type"] = json!("postgres");
    head["quoting"] =
        json!({ "database": true, "schema": true, "identifier": true, "column": null });
    head["run_started_at"] = json!(super::with_zone(about.started_at));
    head
}

fn semantics(things: &IndexMap<String, Semantic>, created: f64) -> Map<String, Json> {
    let of = |(id, thing): (&String, &Semantic)| (id.clone(), others::semantic(thing, created));
    things.iter().map(of).collect()
}

type Edges = BTreeMap<String, Vec<String>>;

/// Parents and children by id, each list sorted.
fn edges(project: &Project) -> (Edges, Edges) {
    let manifest = &project.manifest;
    let (mut parents, mut children) = (Edges::new(), Edges::new());
    let needs = manifest
        .nodes
        .iter()
        .map(|(id, node)| (id, node.depends_on.nodes.as_slice()))
        .chain(
            manifest
                .exposures
                .iter()
                .map(|(id, exposure)| (id, exposure.depends_on.nodes.as_slice())),
        )
        .chain(manifest.sources.keys().map(|id| (id, [].as_slice())))
        .chain(
            manifest
                .unit_tests
                .iter()
                .map(|(id, test)| (id, test.depends_on.nodes.as_slice())),
        )
        .chain(
            [
                &manifest.metrics,
                &manifest.semantic_models,
                &manifest.saved_queries,
            ]
            .into_iter()
            .flatten()
            .map(|(id, thing)| (id, thing.depends_on.nodes.as_slice())),
        );
    for (id, inputs) in needs {
        children.entry(id.clone()).or_default();
        for input in inputs {
            children.entry(input.clone()).or_default().push(id.clone());
        }
        let mut inputs = inputs.to_vec();
        inputs.sort();
        parents.insert(id.clone(), inputs);
    }
    for list in children.values_mut() {
        list.sort();
    }
    (parents, children)
}

/// Nodes by the group they are in.
fn group_map(project: &Project) -> Edges {
    let names = project.manifest.groups.values();
    let mut groups: Edges = names
        .map(|group| (group.name.clone(), Vec::new()))
        .collect();
    for (id, node) in &project.manifest.nodes {
        if let Some(members) = node.group.as_ref().and_then(|group| groups.get_mut(group)) {
            members.push(id.clone());
        }
    }
    groups
}

//! `target/manifest.json`, schema v12: what the project declares.

use std::collections::BTreeMap;

use project::Project;
use project::manifest::{Node, Source};
use serde_json::{Map, Value as Json, json};

use super::{Invocation, metadata};

/// The manifest of `project`. Sections this engine has nothing to say about are there and empty.
#[must_use]
pub fn render(about: &Invocation, project: &Project) -> Json {
    let manifest = &project.manifest;
    let mut head = metadata(about, "manifest/v12");
    head["project_name"] = json!(manifest.project_name);
    head["adapter_type"] = json!("postgres");

    let mut parents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for id in manifest.sources.keys().chain(manifest.nodes.keys()) {
        parents.insert(id, project.graph.parents(id));
        children.insert(id, project.graph.children(id));
    }
    let nodes: Map<String, Json> = manifest
        .nodes
        .iter()
        .map(|(id, node)| (id.clone(), of_node(project, node)))
        .collect();
    let sources: Map<String, Json> = manifest
        .sources
        .iter()
        .map(|(id, source)| (id.clone(), of_source(source)))
        .collect();
    json!({
        "metadata": head,
        "nodes": nodes,
        "sources": sources,
        "macros": manifest.macros,
        "docs": {}, "exposures": {}, "metrics": {}, "groups": {}, "selectors": {}, "disabled": {},
        "parent_map": parents,
        "child_map": children,
        "group_map": {}, "saved_queries": {}, "semantic_models": {}, "unit_tests": {},
    })
}

fn of_node(project: &Project, node: &Node) -> Json {
    let mut value = serde_json::to_value(node).unwrap_or_default();
    let target = &project.profile.target;
    let relation = node.relation_name.as_ref();
    let mut config = Map::new();
    config.insert("enabled".to_owned(), json!(node.config.enabled));
    config.insert("materialized".to_owned(), json!(node.config.materialized));
    config.insert("tags".to_owned(), json!(node.config.tags));
    config.insert("meta".to_owned(), json!(node.config.meta));
    for (key, written) in &node.config.raw {
        config.entry(key.clone()).or_insert_with(|| written.clone());
    }
    value["config"] = Json::Object(config);
    value["tags"] = json!(node.config.tags);
    value["meta"] = json!(node.config.meta);
    value["database"] = json!(relation.map_or(&target.dbname, |name| &name.database));
    value["schema"] = json!(relation.map_or(&target.schema, |name| &name.schema));
    value["relation_name"] = json!(relation.map(ToString::to_string));
    value["sources"] = json!(node.source_refs);
    value["language"] = json!("sql");
    value["compiled"] = json!(false);
    if let Some(object) = value.as_object_mut() {
        object.remove("source_refs");
    }
    value
}

fn of_source(source: &Source) -> Json {
    let mut value = serde_json::to_value(source).unwrap_or_default();
    value["resource_type"] = json!("source");
    value["database"] = json!(source.relation_name.database);
    value["schema"] = json!(source.relation_name.schema);
    value["identifier"] = json!(source.relation_name.identifier);
    value["relation_name"] = json!(source.relation_name.to_string());
    value
}

//! One node, with every key dbt writes.

use std::collections::HashMap;

use indexmap::IndexMap;
use project::Project;
use project::manifest::{ColumnInfo, Node, ResourceType};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use super::{Made, config};
use crate::artifacts::hex;
use crate::run::prepare::kind_word;

/// `node` as the manifest holds it.
pub(super) fn render(
    project: &Project,
    node: &Node,
    made: &HashMap<String, Made>,
    primary_keys: &HashMap<&str, Vec<String>>,
    created: f64,
) -> Json {
    let mut value = common(project, node, created);
    let mut add = |more: Json| {
        if let Json::Object(more) = more {
            value.extend(more);
        }
    };
    match node.resource_type {
        ResourceType::Seed => {
            add(json!({
                "root_path": std::path::absolute(project.root_of(node)).unwrap_or_default(),
                "depends_on": { "macros": node.depends_on.macros },
                "build_path": made.get(&node.unique_id).and_then(|made| made.build_path.as_ref()),
            }));
            return Json::Object(value);
        }
        ResourceType::Model => {
            let key = primary_keys.get(node.unique_id.as_str());
            add(json!({
                "access": node.access.as_deref().unwrap_or("protected"),
                "constraints": constraints(&node.constraints, true),
                "version": node.version,
                "latest_version": node.latest_version,
                "deprecation_date": node.deprecation_date.as_ref().map(midnight),
                "primary_key": key.map_or(&[][..], Vec::as_slice),
                "time_spine": node.time_spine,
            }));
        }
        ResourceType::Test => {
            if let Some(about) = &node.test_metadata {
                add(json!({
                    "column_name": node.column_name,
                    "file_key_name": file_key(project, node),
                    "attached_node": node.attached_node,
                    "test_metadata": about,
                }));
            }
        }
        ResourceType::Operation => add(json!({ "index": hook_index(project, node) })),
        _ => {}
    }
    add(compiled(node, made.get(&node.unique_id)));
    Json::Object(value)
}

/// Keys of every kind.
fn common(project: &Project, node: &Node, created: f64) -> Map<String, Json> {
    let target = &project.profile.target;
    let relation = node.relation_name.as_ref();
    let (database, schema) = relation.map_or_else(
        || {
            (
                target.dbname.clone(),
                schema_without_relation(project, node),
            )
        },
        |name| (name.database.clone(), name.schema.clone()),
    );
    let patch_path = node
        .patch_path
        .as_ref()
        .filter(|_| node.test_metadata.is_none())
        .map(|path| format!("{}://{}", node.package_name, path.display()));
    let value = json!({
        "database": database,
        "schema": schema,
        "name": node.name,
        "resource_type": kind_word(node.resource_type),
        "package_name": node.package_name,
        "path": node.path,
        "original_file_path": node.original_file_path,
        "unique_id": node.unique_id,
        "fqn": node.fqn,
        "alias": node.alias,
        "checksum": project.checksum(node),
        "config": config::render(node),
        "tags": node.tags,
        "description": node.description,
        "columns": columns(&node.columns),
        "meta": node.config.meta,
        "group": node.group,
        "docs": config::docs(node),
        "patch_path": patch_path,
        "build_path": null,
        "unrendered_config": node.unrendered_config,
        "created_at": created,
        "relation_name": relation.map(ToString::to_string),
        "raw_code": node.raw_code,
        "doc_blocks": node.doc_blocks,
    });
    match value {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

/// The schema of a node that builds nothing: what it would be built in.
fn schema_without_relation(project: &Project, node: &Node) -> String {
    let target = &project.profile.target.schema;
    match node.resource_type {
        ResourceType::Test => format!("{target}_dbt_test__audit"),
        _ => target.clone(),
    }
}

/// Keys of what has SQL.
fn compiled(node: &Node, made: Option<&Made>) -> Json {
    let mut contract = config::contract(node);
    contract["checksum"] = json!(contract_checksum(node));
    let mut value = json!({
        "language": "sql",
        "refs": node.refs,
        "sources": node.source_refs,
        "metrics": [],
        "functions": [],
        "depends_on": { "macros": node.depends_on.macros, "nodes": node.depends_on.nodes },
        "compiled_path": null,
        "contract": contract,
    });
    if let Some(made) = made {
        let snapshot = node.resource_type == ResourceType::Snapshot;
        value["compiled_path"] = json!(made.compiled_path.as_ref().filter(|_| !snapshot));
        value["build_path"] = json!(made.build_path);
        value["compiled"] = json!(true);
        value["compiled_code"] = json!(made.compiled_code);
        value["extra_ctes_injected"] = json!(true);
        value["extra_ctes"] = json!([]);
    }
    value
}

/// A day as the instant dbt makes of it.
fn midnight(written: &Json) -> Json {
    match written.as_str() {
        Some(day) if day.len() == "2030-01-01".len() => json!(format!("{day}T00:00:00+00:00")),
        _ => written.clone(),
    }
}

/// SHA-256 of a contract in dbt's own notation, which readers compare: that of Python's objects.
fn contract_checksum(node: &Node) -> Option<String> {
    if config::contract(node)["enforced"] != Json::Bool(true) {
        return None;
    }
    let mut columns: Vec<&ColumnInfo> = node.columns.values().collect();
    columns.sort_by_key(|column| &column.name);
    let mut state = String::new();
    for column in columns {
        let data_type = column.data_type.as_deref().unwrap_or("None");
        let constraints = notation(
            &constraints(&column.constraints, false),
            "ColumnLevelConstraint",
        );
        state.push_str(&format!("|{}{data_type}{constraints}", column.name));
    }
    if matches!(node.config.materialized.as_str(), "table" | "incremental") {
        state.push_str(&node.config.materialized);
        state.push_str(&notation(
            &constraints(&node.constraints, true),
            "ModelLevelConstraint",
        ));
    }
    Some(hex(&Sha256::digest(state.as_bytes())))
}

/// A list of constraints as Python prints it.
fn notation(constraints: &Json, class: &str) -> String {
    fn value(json: &Json) -> String {
        match json {
            Json::Null => "None".to_owned(),
            Json::Bool(true) => "True".to_owned(),
            Json::Bool(false) => "False".to_owned(),
            Json::String(text) if text.contains('\'') && !text.contains('"') => {
                format!("\"{text}\"")
            }
            Json::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
            Json::Array(items) => format!(
                "[{}]",
                items.iter().map(value).collect::<Vec<_>>().join(", ")
            ),
            other => other.to_string(),
        }
    }
    const FIELDS: [&str; 8] = [
        "type",
        "name",
        "expression",
        "warn_unenforced",
        "warn_unsupported",
        "to",
        "to_columns",
        "columns",
    ];
    let one = |constraint: &Json| {
        let kind = constraint["type"].as_str().unwrap_or_default();
        let fields = FIELDS
            .iter()
            .filter_map(|field| Some((*field, constraint.get(field)?)));
        let fields = fields.map(|(field, found)| match field {
            "type" => format!("type=<ConstraintType.{kind}: '{kind}'>"),
            _ => format!("{field}={}", value(found)),
        });
        format!("{class}({})", fields.collect::<Vec<_>>().join(", "))
    };
    let all: Vec<String> = constraints
        .as_array()
        .into_iter()
        .flatten()
        .map(one)
        .collect();
    format!("[{}]", all.join(", "))
}

/// Columns by name.
pub(super) fn columns(columns: &IndexMap<String, ColumnInfo>) -> Json {
    let of = |(name, column): (&String, &ColumnInfo)| {
        let value = json!({
            "name": column.name,
            "description": column.description,
            "meta": column.meta,
            "data_type": column.data_type,
            "constraints": constraints(&column.constraints, false),
            "quote": column.quote,
            "config": { "meta": column.meta, "tags": column.tags },
            "tags": column.tags,
            "granularity": column.granularity,
            "doc_blocks": column.doc_blocks,
        });
        (name.clone(), value)
    };
    Json::Object(columns.iter().map(of).collect())
}

/// Constraints with every key; those of a model name their columns.
fn constraints(written: &[Json], of_model: bool) -> Json {
    written
        .iter()
        .map(|constraint| {
            let mut full = json!({
                "type": null, "name": null, "expression": null, "warn_unenforced": true,
                "warn_unsupported": true, "to": null, "to_columns": [],
            });
            if of_model {
                full["columns"] = json!([]);
            }
            if let (Some(full), Json::Object(constraint)) = (full.as_object_mut(), constraint) {
                full.extend(constraint.clone());
            }
            full
        })
        .collect()
}

/// `models.orders`: where in a property file the test stands.
fn file_key(project: &Project, node: &Node) -> Option<String> {
    if let Some(source) = node
        .source_refs
        .first()
        .filter(|_| node.attached_node.is_none())
    {
        return Some(format!("sources.{}", source.first()?));
    }
    let attached = project.manifest.nodes.get(node.attached_node.as_ref()?);
    let section = match attached?.resource_type {
        ResourceType::Seed => "seeds",
        ResourceType::Snapshot => "snapshots",
        ResourceType::Analysis => "analyses",
        _ => "models",
    };
    Some(format!("{section}.{}", attached?.name))
}

/// Position among the hooks of its kind, from 1.
fn hook_index(project: &Project, node: &Node) -> Option<usize> {
    [&project.on_run_start, &project.on_run_end]
        .into_iter()
        .find_map(|hooks| Some(hooks.iter().position(|id| *id == node.unique_id)? + 1))
}

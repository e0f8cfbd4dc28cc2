//! What the manifest and `graph` hold of everything but nodes, with every key dbt writes. Pure.

use crate::manifest::{
    DocBlock, Exposure, Fixture, Group, ResourceType, Semantic, Source, UnitTest,
};
use serde_json::{Value as Json, json};

use crate::parse::nodes::kind_name;

mod columns;
mod notation;

pub use columns::{Columns, columns, constraints};

/// `source` as the manifest holds it.
#[must_use]
pub fn source(source: &Source, created: f64) -> Json {
    let relation = &source.relation_name;
    let freshness = freshness(source.freshness.as_ref());
    let mut config = json!({
        "enabled": true,
        "event_time": source.event_time,
        "freshness": freshness,
        "loaded_at_field": source.loaded_at_field,
        "loaded_at_query": source.loaded_at_query,
        "meta": source.meta,
        "tags": source.tags,
        "static_analysis": null,
    });
    for (key, value) in &source.more_config {
        config[key] = value.clone();
    }
    json!({
        "database": relation.database,
        "schema": relation.schema,
        "name": source.name,
        "resource_type": "source",
        "package_name": source.package_name,
        "path": source.original_file_path,
        "original_file_path": source.original_file_path,
        "unique_id": source.unique_id,
        "fqn": source.fqn,
        "source_name": source.source_name,
        "source_description": source.source_description,
        "loader": source.loader,
        "identifier": relation.identifier,
        "quoting": quoting(source),
        "loaded_at_field": source.loaded_at_field,
        "loaded_at_query": source.loaded_at_query,
        "freshness": freshness,
        "external": source.external,
        "description": source.description,
        "columns": columns(&source.columns),
        "meta": source.meta,
        "source_meta": source.source_meta,
        "tags": source.tags,
        "config": config,
        "patch_path": null,
        "unrendered_config": unrendered(source),
        "relation_name": relation.to_string(),
        "created_at": created,
        "unrendered_database": source.unrendered_place[0],
        "unrendered_schema": source.unrendered_place[1],
        "doc_blocks": source.doc_blocks,
    })
}

/// `quoting` of a source, every key.
pub(crate) fn quoting(source: &Source) -> Json {
    let part = |key: &str| source.quoting.get(key);
    json!({ "database": part("database"), "schema": part("schema"), "identifier": part("identifier"),
            "column": part("column") })
}

/// What is written of a source's configuration; thresholds with every key.
fn unrendered(source: &Source) -> Json {
    let mut written = source.unrendered_config.clone();
    if let Some(thresholds) = written.get_mut("freshness") {
        *thresholds = freshness(Some(thresholds));
    }
    json!(written)
}

/// Thresholds with every key; `null` switches the check off and stays.
#[must_use]
pub fn freshness(written: Option<&Json>) -> Json {
    let threshold = |key: &str| {
        let found = written.and_then(|written| written.get(key));
        match found {
            Some(Json::Null) => Json::Null,
            _ => {
                let of = |part: &str| found.and_then(|found| found.get(part)).cloned();
                json!({ "count": of("count"), "period": of("period") })
            }
        }
    };
    match written {
        Some(Json::Null) => Json::Null,
        _ => json!({
            "warn_after": threshold("warn_after"),
            "error_after": threshold("error_after"),
            "filter": written.and_then(|written| written.get("filter")),
        }),
    }
}

/// `exposure` as the manifest holds it.
#[must_use]
pub fn exposure(exposure: &Exposure, created: f64) -> Json {
    let mut owner = json!({ "email": null, "name": null });
    if let (Some(full), Some(written)) = (owner.as_object_mut(), exposure.owner.as_object()) {
        full.extend(written.clone());
    }
    json!({
        "name": exposure.name,
        "resource_type": "exposure",
        "package_name": exposure.package_name,
        "path": below_first_folder(&exposure.original_file_path),
        "original_file_path": exposure.original_file_path,
        "unique_id": exposure.unique_id,
        "fqn": exposure.fqn,
        "type": exposure.r#type,
        "owner": owner,
        "description": exposure.description,
        "label": exposure.label,
        "maturity": exposure.maturity,
        "meta": exposure.meta,
        "tags": exposure.tags,
        "config": { "enabled": true, "tags": exposure.tags, "meta": exposure.meta },
        "unrendered_config": exposure.unrendered_config,
        "url": exposure.url,
        "depends_on": { "macros": exposure.depends_on.macros, "nodes": exposure.depends_on.nodes },
        "refs": exposure.refs,
        "sources": exposure.source_refs,
        "metrics": exposure.metrics.iter().map(|name| vec![name]).collect::<Vec<_>>(),
        "created_at": created,
    })
}

/// A docs block as the manifest holds it.
#[must_use]
pub fn doc(doc: &DocBlock) -> Json {
    json!({
        "name": doc.name,
        "resource_type": "doc",
        "package_name": doc.package_name,
        "path": below_first_folder(&doc.original_file_path),
        "original_file_path": doc.original_file_path,
        "unique_id": doc.unique_id,
        "block_contents": doc.block_contents,
    })
}

/// A path below the folder that was searched.
fn below_first_folder(path: &std::path::Path) -> Json {
    let mut parts = path.components();
    match parts.next() {
        Some(_) if parts.clone().next().is_some() => json!(parts.as_path()),
        _ => json!(path),
    }
}

/// A group as the manifest holds it.
#[must_use]
pub fn group(group: &Group) -> Json {
    let mut owner = json!({ "email": null, "name": null });
    if let (Some(full), Some(written)) = (owner.as_object_mut(), group.owner.as_object()) {
        full.extend(written.clone());
    }
    let mut config = json!({ "meta": {} });
    if let Some(full) = config.as_object_mut() {
        full.extend(group.config.clone());
    }
    json!({
        "name": group.name,
        "resource_type": "group",
        "package_name": group.package_name,
        "path": group.path,
        "original_file_path": group.original_file_path,
        "unique_id": group.unique_id,
        "owner": owner,
        "description": group.description,
        "config": config,
    })
}

/// A unit test as the manifest holds it.
#[must_use]
pub fn unit_test(test: &UnitTest, schema: &str, created: f64) -> Json {
    let given: Vec<Json> = test
        .given
        .iter()
        .map(|fixture| {
            let mut value = rows(fixture);
            value["input"] = json!(fixture.input);
            value
        })
        .collect();
    let expect = rows(&test.expect);
    let versions = test.versions.as_ref().map(
        |written| json!({ "include": written.get("include"), "exclude": written.get("exclude") }),
    );
    json!({
        "model": test.model,
        "given": given,
        "expect": expect,
        "name": test.name,
        "resource_type": "unit_test",
        "package_name": test.package_name,
        "path": test.path,
        "original_file_path": test.original_file_path,
        "unique_id": test.unique_id,
        "fqn": test.fqn,
        "description": test.description,
        "overrides": test.overrides,
        "depends_on": { "macros": test.depends_on.macros, "nodes": test.depends_on.nodes },
        "config": { "tags": test.tags, "meta": test.meta, "enabled": test.enabled, "static_analysis": null },
        "checksum": notation::checksum(test),
        "schema": schema,
        "created_at": created,
        "versions": versions,
        "version": test.version,
    })
}

fn rows(fixture: &Fixture) -> Json {
    json!({ "rows": fixture.rows, "format": fixture.format, "fixture": fixture.fixture })
}

/// A metric, semantic model or saved query: what it says, and where it stands.
#[must_use]
pub fn semantic(thing: &Semantic, created: f64) -> Json {
    let mut config = json!({ "enabled": true, "group": null, "meta": {} });
    if thing.resource_type == ResourceType::SavedQuery {
        config["export_as"] = Json::Null;
        config["schema"] = Json::Null;
        config["cache"] = json!({ "enabled": false });
    }
    if let Some(whole) = config.as_object_mut() {
        let written = thing.config.iter();
        whole.extend(written.map(|(key, value)| (key.clone(), value.clone())));
    }
    let mut value = json!({
        "name": thing.name,
        "resource_type": kind_name(thing.resource_type),
        "package_name": thing.package_name,
        "path": thing.path,
        "original_file_path": thing.original_file_path,
        "unique_id": thing.unique_id,
        "fqn": thing.fqn,
        "description": thing.description,
        "group": thing.group,
        "config": config,
        "unrendered_config": thing.unrendered_config,
        "refs": thing.refs,
        "depends_on": { "macros": thing.depends_on.macros, "nodes": thing.depends_on.nodes },
        "created_at": created,
    });
    if thing.resource_type != ResourceType::SemanticModel {
        value["tags"] = json!(thing.tags);
    }
    // a body's numbers, words and texts are all JSON
    let body = serde_json::to_value(&thing.body).unwrap_or_default();
    if let (Json::Object(whole), Json::Object(body)) = (&mut value, body) {
        whole.extend(body);
    }
    value
}

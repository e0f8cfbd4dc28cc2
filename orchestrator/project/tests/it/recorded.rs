//! The fixture projects against what dbt 1.11 said of them (`tests/record.py` renews the records).

use std::collections::BTreeSet;
use std::fs;

use indexmap::IndexMap;
use project::manifest::{Node, ResourceType};
use project::select::{Indirect, Spec, select};
use project::{Project, load};
use serde_json::{Value as Json, json};

use crate::support::{Fake, fixture, options};

fn recorded(name: &str) -> Project {
    let mut options = options(&fixture(name));
    options
        .env
        .insert("RIDEHAIL_PG_DATABASE".into(), "warehouse".into());
    load(&options).unwrap()
}

fn record(name: &str) -> Json {
    let path = fixture(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// What a node says of `key`, in dbt's words.
fn said(node: &Node, key: &str) -> Json {
    match key {
        "alias" => json!(node.alias),
        "fqn" => json!(node.fqn),
        "path" => json!(node.path),
        "tags" => json!(node.tags),
        "relation_name" => json!(node.relation_name.as_ref().map(ToString::to_string)),
        "depends_on" => json!(node.depends_on.nodes),
        "description" => json!(node.description),
        "materialized" => json!(node.config.materialized),
        "meta" => json!(node.config.meta),
        "raw_code" => json!(node.raw_code),
        "version" => json!(node.version),
        "latest_version" => json!(node.latest_version),
        "group" => json!(node.group),
        "access" => json!(node.access),
        other => match other.strip_prefix("config.") {
            Some(key) => node.config.raw.get(key).cloned().unwrap_or(Json::Null),
            None => panic!("{other} is recorded, but not compared"),
        },
    }
}

/// `null` of dbt's defaults means the same as nothing.
fn without_nulls(value: &Json) -> Json {
    match value {
        Json::Object(map) => {
            let given = map.iter().filter(|(_, value)| !value.is_null());
            let kept: serde_json::Map<String, Json> = given
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            if kept.is_empty() {
                Json::Null
            } else {
                Json::Object(kept)
            }
        }
        other => other.clone(),
    }
}

fn check_nodes(name: &str) {
    let project = recorded(name);
    let record = record(&format!("{name}.nodes.json"));
    let record = record.as_object().unwrap();
    let ours: BTreeSet<&str> = project.manifest.nodes.keys().map(String::as_str).collect();
    let theirs: BTreeSet<&str> = record.keys().map(String::as_str).collect();
    assert_eq!(ours, theirs);
    for (id, expected) in record {
        let node = &project.manifest.nodes[id];
        for (key, value) in expected.as_object().unwrap() {
            if key != "compiled" {
                let (found, value) = (said(node, key), value.clone());
                let same = found == value
                    || (key.starts_with("config.")
                        && without_nulls(&found) == without_nulls(&value));
                assert!(same, "{key} of {id}: {found} is not {value}");
            }
        }
        if let Some(sql) = expected["compiled"].as_str() {
            let compiled = project.compile(id, &Fake::default()).unwrap();
            assert_eq!(compiled.sql, sql, "compiled SQL of {id}");
        }
    }
}

#[test]
fn nodes_are_dbts() {
    check_nodes("shop");
}

#[test]
fn versions_snapshots_and_groups_are_dbts() {
    check_nodes("depot");
}

#[test]
fn what_is_no_node_is_dbts() {
    let project = recorded("depot");
    let manifest = &project.manifest;
    let mut ours: IndexMap<&str, Json> = IndexMap::new();
    let sorted = |tags: &[String]| {
        let mut tags = tags.to_vec();
        tags.sort();
        tags
    };
    let mut add = |id, fqn: &[String], needs: &[String], tags: &[String], file| {
        let tags = sorted(tags);
        let what = json!({
            "fqn": fqn, "depends_on": needs, "tags": tags, "original_file_path": file,
        });
        ours.insert(id, what);
    };
    for (id, test) in &manifest.unit_tests {
        let file = json!(test.original_file_path);
        add(id, &test.fqn, &test.depends_on.nodes, &test.tags, file);
    }
    for (id, exposure) in &manifest.exposures {
        let file = json!(exposure.original_file_path);
        add(
            id,
            &exposure.fqn,
            &exposure.depends_on.nodes,
            &exposure.tags,
            file,
        );
    }
    for all in [
        &manifest.metrics,
        &manifest.semantic_models,
        &manifest.saved_queries,
    ] {
        for (id, thing) in all {
            let file = json!(thing.original_file_path);
            let tags = thing.config.get("tags").cloned().unwrap_or(json!([]));
            let tags: Vec<String> = serde_json::from_value(tags).unwrap();
            add(id, &thing.fqn, &thing.depends_on.nodes, &tags, file);
        }
    }
    for (id, group) in &manifest.groups {
        ours.insert(id, json!({"original_file_path": group.original_file_path}));
    }
    ours.sort_keys();
    assert_eq!(json!(ours), record("depot.others.json"));
}

fn kinds(word: &str) -> Vec<ResourceType> {
    match word {
        "default" => Vec::new(),
        "all" => [
            "model",
            "test",
            "seed",
            "snapshot",
            "analysis",
            "source",
            "unit_test",
            "exposure",
            "metric",
            "semantic_model",
            "saved_query",
        ]
        .map(kind)
        .to_vec(),
        word => vec![kind(word)],
    }
}

fn kind(name: &str) -> ResourceType {
    serde_json::from_value(Json::from(name)).unwrap()
}

fn check_selections(name: &str) {
    let project = recorded(name);
    let mut wrong = IndexMap::new();
    for case in record(&format!("{name}.selected.json")).as_array().unwrap() {
        let arguments: Vec<&str> = case["args"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| a.as_str().unwrap())
            .collect();
        let mut spec = Spec::default();
        for pair in arguments.chunks(2) {
            match pair {
                ["-s", value] => spec.select.push((*value).to_owned()),
                ["--exclude", value] => spec.exclude.push((*value).to_owned()),
                ["--selector", value] => spec.selector = Some((*value).to_owned()),
                ["--resource-type", value] => spec.resource_types.extend(kinds(value)),
                ["--exclude-resource-type", value] => {
                    spec.exclude_resource_types.push(kind(value));
                }
                ["--indirect-selection", "cautious"] => spec.indirect = Indirect::Cautious,
                ["--indirect-selection", "buildable"] => spec.indirect = Indirect::Buildable,
                ["--indirect-selection", "empty"] => spec.indirect = Indirect::Empty,
                other => panic!("{other:?}"),
            }
        }
        let expected: BTreeSet<&str> = case["ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_str().unwrap())
            .collect();
        let found = match select(&project, &spec) {
            Ok(found) => found,
            Err(error) => {
                wrong.insert(arguments.join(" "), error.to_string());
                continue;
            }
        };
        let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
        if found != expected {
            let missing: Vec<_> = expected.difference(&found).collect();
            let extra: Vec<_> = found.difference(&expected).collect();
            wrong.insert(
                arguments.join(" "),
                format!("missing {missing:?} extra {extra:?}"),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn selections_are_dbts() {
    check_selections("shop");
}

#[test]
fn selections_of_every_kind_are_dbts() {
    check_selections("depot");
}

//! The fixture project against what dbt 1.11 said of it (`tests/record.py` renews the records).

use std::collections::BTreeSet;
use std::fs;

use indexmap::IndexMap;
use project::manifest::ResourceType;
use project::select::{Indirect, Spec, select};
use project::{Project, load};
use serde_json::Value as Json;

use crate::support::{Fake, fixture, options};

fn shop() -> Project {
    let mut options = options(&fixture("shop"));
    options
        .env
        .insert("RIDEHAIL_PG_DATABASE".into(), "warehouse".into());
    load(&options).unwrap()
}

fn record(name: &str) -> Json {
    let path = fixture(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn nodes_are_dbts() {
    let project = shop();
    let recorded = record("shop.nodes.json");
    let recorded = recorded.as_object().unwrap();
    let ours: BTreeSet<&str> = project.manifest.nodes.keys().map(String::as_str).collect();
    let theirs: BTreeSet<&str> = recorded.keys().map(String::as_str).collect();
    assert_eq!(ours, theirs);
    for (id, expected) in recorded {
        let node = &project.manifest.nodes[id];
        let found = serde_json::json!({
            "alias": node.alias,
            "fqn": node.fqn,
            "path": node.path,
            "tags": node.tags,
            "relation_name": node.relation_name.as_ref().map(ToString::to_string),
            "depends_on": node.depends_on.nodes,
            "description": node.description,
            "materialized": node.config.materialized,
            "meta": node.config.meta,
        });
        for (key, value) in expected.as_object().unwrap() {
            if key != "compiled" {
                assert_eq!(&found[key], value, "{key} of {id}");
            }
        }
        if let Some(sql) = expected["compiled"].as_str() {
            let compiled = project.compile(id, &Fake::default()).unwrap();
            assert_eq!(compiled.sql, sql, "compiled SQL of {id}");
        }
    }
}

fn kind(name: &str) -> ResourceType {
    serde_json::from_value(Json::from(name)).unwrap()
}

#[test]
fn selections_are_dbts() {
    let project = shop();
    let mut wrong = IndexMap::new();
    for case in record("shop.selected.json").as_array().unwrap() {
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
                ["--resource-type", value] => spec.resource_types.push(kind(value)),
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
        let found = select(&project, &spec).unwrap();
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

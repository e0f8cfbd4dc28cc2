//! Selections over one small project: raw.orders -> stg -> (orders, left) -> mart, and their tests.

use super::*;
use crate::manifest::{Node, Source, TestMetadata};

fn node(manifest: &mut Manifest, kind: ResourceType, name: &str, folder: &str, parents: &[&str]) {
    let prefix = if kind == ResourceType::Test {
        "test"
    } else {
        "model"
    };
    let unique_id = format!("{prefix}.shop.{name}");
    let mut node = Node {
        unique_id: unique_id.clone(),
        resource_type: kind,
        name: name.to_owned(),
        package_name: "shop".to_owned(),
        original_file_path: format!("models/{folder}/{name}.sql").into(),
        fqn: vec!["shop".to_owned(), folder.to_owned(), name.to_owned()],
        ..Node::default()
    };
    node.depends_on.nodes = parents.iter().map(|parent| (*parent).to_owned()).collect();
    node.config.materialized = if folder == "staging" { "view" } else { "table" }.to_owned();
    if folder == "marts" {
        node.config.tags = vec!["nightly".to_owned()];
    }
    if kind == ResourceType::Test && name.starts_with("unique") {
        node.test_metadata = Some(TestMetadata {
            name: "unique".to_owned(),
            namespace: None,
            kwargs: Default::default(),
        });
    }
    manifest.nodes.insert(unique_id, node);
}

fn shop() -> Manifest {
    let mut m = Manifest {
        project_name: "shop".to_owned(),
        ..Manifest::default()
    };
    let source: Source = serde_json::from_value(serde_json::json!({
        "unique_id": "source.shop.raw.orders", "source_name": "raw", "name": "orders",
        "package_name": "shop", "original_file_path": "models/src.yml", "fqn": ["shop", "raw", "orders"],
        "description": "", "relation_name": {"database": "d", "schema": "raw", "identifier": "orders"},
        "loaded_at_field": null, "freshness": null, "tags": [], "meta": {}, "columns": {}
    }))
    .unwrap();
    m.sources.insert(source.unique_id.clone(), source);
    let model = ResourceType::Model;
    node(&mut m, model, "stg", "staging", &["source.shop.raw.orders"]);
    node(&mut m, model, "orders", "marts", &["model.shop.stg"]);
    node(&mut m, model, "left", "marts", &["model.shop.stg"]);
    node(
        &mut m,
        model,
        "mart",
        "marts",
        &["model.shop.orders", "model.shop.left"],
    );
    node(
        &mut m,
        ResourceType::Test,
        "unique_stg",
        "staging",
        &["model.shop.stg"],
    );
    node(
        &mut m,
        ResourceType::Test,
        "related",
        "marts",
        &["model.shop.orders", "model.shop.left"],
    );
    m
}

fn check_with(spec: &Spec, expected: &str) {
    let manifest = shop();
    let graph = Graph::of(&manifest).unwrap();
    let shown = match select_in(&manifest, &graph, spec) {
        Ok(ids) => {
            let names: Vec<&str> = ids
                .iter()
                .filter_map(|id| id.splitn(3, '.').nth(2))
                .collect();
            names.join(" ")
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(shown, expected, "{spec:?}");
}

fn check(select: &str, expected: &str) {
    let spec = Spec {
        select: vec![select.to_owned()],
        ..Spec::default()
    };
    check_with(&spec, expected);
}

#[test]
fn names_and_signs() {
    check("stg", "stg unique_stg");
    check(
        "+mart",
        "stg orders left mart unique_stg related raw.orders",
    );
    check("1+mart", "orders left mart related");
    check("stg+1", "stg orders left unique_stg related");
    check(
        "@left",
        "stg orders left mart unique_stg related raw.orders",
    );
    check("source:raw+1", "stg unique_stg raw.orders");
    check("nothing", "");
}

#[test]
fn union_and_intersection() {
    check("stg mart", "stg mart unique_stg");
    check("+mart,tag:nightly", "orders left mart related");
    check("tag:nightly,config.materialized:view", "");
}

#[test]
fn methods() {
    check("path:models/staging", "stg unique_stg");
    check("path:models/*/orders.sql", "orders related");
    check("models/staging/stg.sql", "stg unique_stg");
    check("file:mart", "mart");
    check("tag:night*", "orders left mart related");
    check("package:this,resource_type:source", "raw.orders");
    check("resource_type:test", "unique_stg related");
    check("test_type:singular", "related");
    check("test_name:unique", "unique_stg");
    check("shop.staging.*", "stg unique_stg");
    check(
        "colour:red",
        "cannot select by 'colour:red': 'colour' is no selector method",
    );
}

#[test]
fn excluding_takes_tests_along() {
    let spec = |select: &[&str], exclude: &str| Spec {
        select: select.iter().map(|s| (*s).to_owned()).collect(),
        exclude: vec![exclude.to_owned()],
        ..Spec::default()
    };
    check_with(&spec(&[], "stg"), "orders left mart related raw.orders");
    check_with(
        &spec(&["+mart"], "left"),
        "stg orders mart unique_stg raw.orders",
    );
}

#[test]
fn tests_follow_as_told() {
    let spec = |indirect, select: &str| Spec {
        select: vec![select.to_owned()],
        indirect,
        ..Spec::default()
    };
    check_with(&spec(Indirect::Eager, "orders"), "orders related");
    check_with(&spec(Indirect::Cautious, "orders"), "orders");
    check_with(
        &spec(Indirect::Cautious, "orders left"),
        "orders left related",
    );
    check_with(&spec(Indirect::Buildable, "orders"), "orders");
    check_with(&spec(Indirect::Buildable, "mart"), "mart");
    check_with(&spec(Indirect::Empty, "orders left"), "orders left");
    check_with(&spec(Indirect::Empty, "related"), "related");
}

#[test]
fn kinds_are_filtered_last() {
    let spec = Spec {
        resource_types: vec![ResourceType::Test],
        ..Spec::default()
    };
    check_with(&spec, "unique_stg related");
}

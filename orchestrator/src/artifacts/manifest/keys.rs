//! The primary key dbt infers for a model: a constraint's columns, or what tests say is unique. Pure.

use std::collections::HashMap;

use project::Manifest;
use project::manifest::{Node, ResourceType};
use serde_json::Value as Json;

/// Columns that tests of one model speak of.
#[derive(Debug, Default)]
struct Tested<'a> {
    unique: Vec<&'a str>,
    unique_disabled: Vec<&'a str>,
    not_null: Vec<&'a str>,
}

/// Key columns by model.
pub(super) fn primary(manifest: &Manifest) -> HashMap<&str, Vec<String>> {
    let mut tested: HashMap<&str, Tested<'_>> = HashMap::new();
    for test in manifest.nodes.values().chain(manifest.disabled.values()) {
        let (Some(attached), Some(about)) = (&test.attached_node, &test.test_metadata) else {
            continue;
        };
        let entry = tested.entry(attached).or_default();
        let into = match about.name.as_str() {
            "unique" | "unique_combination_of_columns" if test.config.enabled => &mut entry.unique,
            "unique" | "unique_combination_of_columns" => &mut entry.unique_disabled,
            "not_null" => &mut entry.not_null,
            _ => continue,
        };
        match (
            about.kwargs.get("column_name"),
            about.kwargs.get("combination_of_columns"),
        ) {
            (Some(Json::String(column)), _) => into.push(column),
            (_, Some(Json::Array(columns))) => into.extend(columns.iter().filter_map(Json::as_str)),
            _ => {}
        }
    }
    manifest
        .nodes
        .values()
        .filter(|node| node.resource_type == ResourceType::Model)
        .map(|node| {
            let by_tests = tested.get(node.unique_id.as_str());
            (
                node.unique_id.as_str(),
                declared(node)
                    .or_else(|| by_tests.map(inferred))
                    .unwrap_or_default(),
            )
        })
        .collect()
}

fn declared(node: &Node) -> Option<Vec<String>> {
    let is_key = |constraint: &&Json| constraint["type"] == "primary_key";
    let Some(key) = node.constraints.iter().find(is_key) else {
        let of_column = |column: &&project::manifest::ColumnInfo| {
            column
                .constraints
                .iter()
                .any(|constraint| is_key(&constraint))
        };
        let column = node.columns.values().find(of_column)?;
        return Some(vec![column.name.clone()]);
    };
    let columns = key["columns"].as_array()?;
    Some(
        columns
            .iter()
            .filter_map(|column| Some(column.as_str()?.to_owned()))
            .collect(),
    )
}

fn inferred(tested: &Tested<'_>) -> Vec<String> {
    let is_unique =
        |column: &&&str| tested.unique.contains(column) || tested.unique_disabled.contains(column);
    let both: Vec<&str> = tested.not_null.iter().filter(is_unique).copied().collect();
    let mut columns: Vec<String> = [both, tested.unique.clone(), tested.unique_disabled.clone()]
        .into_iter()
        .find(|columns| !columns.is_empty())
        .unwrap_or_default()
        .into_iter()
        .map(str::to_owned)
        .collect();
    columns.sort();
    columns.dedup();
    columns
}

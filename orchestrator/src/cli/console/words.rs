//! What nodes are called, and counts of them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::run::prepare::{CLONE, PlannedNode};
use crate::run::request::LakeWork;

/// `sql view model analytics.stg_orders`, `seed file analytics.raw_orders`, `test not_null_orders_id`.
#[must_use]
pub fn label(node: &PlannedNode) -> String {
    let relation = relation(node);
    match node.resource_type {
        _ if let Some(work) = lake_work(node) => format!("{} of {relation}", work.word()),
        "model" => {
            let how = node.materialized.as_deref().unwrap_or("view");
            format!("sql {how} model {relation}")
        }
        "seed" => format!("seed file {relation}"),
        "snapshot" => format!("snapshot {relation}"),
        "source" => format!("freshness of {}", node.name),
        "saved_query" => format!("saved query {}", node.name),
        kind => format!("{kind} {}", node.name),
    }
}

/// The same on lines that say what became of it: a snapshot is its relation there.
pub(super) fn built(node: &PlannedNode) -> String {
    match node.resource_type {
        "snapshot" => relation(node).to_owned(),
        _ => label(node),
    }
}

/// On lines that say it is skipped: a relation is its schema and the node's name there, whatever its alias; a unit test
/// has its own name.
pub(super) fn skipped(node: &PlannedNode) -> String {
    let name = node
        .name
        .split_once("::")
        .map_or(&*node.name, |(_, name)| name);
    match (node.resource_type, &node.schema) {
        ("model" | "seed" | "snapshot", Some(schema)) => format!("SKIP relation {schema}.{name}"),
        (kind, _) => format!("SKIP {kind} {name}"),
    }
}

pub(super) fn relation(node: &PlannedNode) -> &str {
    node.relation.as_deref().unwrap_or(&node.name)
}

pub(super) fn is_clone(node: &PlannedNode) -> bool {
    node.materialized.as_deref() == Some(CLONE)
}

/// Whether a line says that it starts: nothing does of which there is nothing to do.
pub(super) fn starts(node: &PlannedNode) -> bool {
    !is_clone(node) && !matches!(node.resource_type, "exposure" | "saved_query")
}

pub(super) fn lake_work(node: &PlannedNode) -> Option<LakeWork> {
    LakeWork::of(node.materialized.as_deref()?)
}

/// dbt's word for what a project declares.
pub(in crate::cli) fn declared(kind: &str) -> &str {
    if kind == "test" { "data test" } else { kind }
}

/// `3 seeds, 2 table models, 20 data tests`: sorted by dbt's internal word for each.
pub(super) fn kinds(nodes: &[PlannedNode], hooks: usize) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    if hooks > 0 {
        counts.insert("project hook".to_owned(), hooks);
    }
    for node in nodes {
        let kind = match (node.materialized.as_deref(), node.resource_type) {
            (Some(how), _) if lake_work(node).is_some() => how.to_owned(),
            (Some("microbatch"), "model") => "incremental model".to_owned(),
            (Some(how), "model") => format!("{how} model"),
            (_, kind) => kind.to_owned(),
        };
        *counts.entry(kind).or_default() += 1;
    }
    let words: Vec<String> = counts
        .iter()
        .map(|(kind, count)| plural(*count, &declared(kind).replace('_', " ")))
        .collect();
    words.join(", ")
}

pub(in crate::cli) fn plural(count: usize, word: &str) -> String {
    match (count, word) {
        // dbt's word for one is not that for several
        (1, "data test") => "1 test".to_owned(),
        (1, _) => format!("1 {word}"),
        (_, "analysis") => format!("{count} analyses"),
        (_, "saved query") => format!("{count} saved queries"),
        _ => format!("{count} {word}s"),
    }
}

/// `0 hours 0 minutes and 2.28 seconds (2.28s)`.
pub(super) fn duration(took: Duration) -> String {
    let seconds = took.as_secs_f64();
    let (hours, minutes) = (took.as_secs() / 3_600, took.as_secs() % 3_600 / 60);
    let rest = seconds - f64::from(u32::try_from(hours * 3_600 + minutes * 60).unwrap_or_default());
    format!("{hours} hours {minutes} minutes and {rest:.2} seconds ({seconds:.2}s)")
}

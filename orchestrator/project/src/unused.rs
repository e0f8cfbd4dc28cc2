//! Paths of the config trees of `dbt_project.yml` that nothing lies at: mostly names that are misspelt. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::manifest::{Manifest, ResourceType};
use crate::warnings::{UNUSED_CONFIG_PATH, Warning};

type Tree = Map<String, Json>;

/// One warning about all such paths of `trees`.
pub(crate) fn warning(
    trees: &BTreeMap<&'static str, Tree>,
    manifest: &Manifest,
) -> Option<Warning> {
    let nodes = manifest.disabled.values().chain(&manifest.disabled_again);
    let nodes = nodes.map(|node| &*node.fqn);
    let semantics = manifest.disabled_semantics.values().map(|one| &*one.fqn);
    let disabled: Vec<&[String]> = nodes.chain(semantics).collect();
    let mut unused = Vec::new();
    for (key, kind, shown) in [
        ("models", ResourceType::Model, "models"),
        ("seeds", ResourceType::Seed, "seeds"),
        ("snapshots", ResourceType::Snapshot, "snapshots"),
        ("sources", ResourceType::Source, "sources"),
        ("tests", ResourceType::Test, "data_tests"),
        ("unit_tests", ResourceType::UnitTest, "unit_tests"),
        ("metrics", ResourceType::Metric, "metrics"),
        (
            "semantic-models",
            ResourceType::SemanticModel,
            "semantic_models",
        ),
        ("saved-queries", ResourceType::SavedQuery, "saved_queries"),
        ("exposures", ResourceType::Exposure, "exposures"),
    ] {
        let Some(tree) = trees.get(key) else {
            continue;
        };
        let (mut paths, mut open) = (Vec::new(), Vec::new());
        collect(tree, &mut open, is_remembered(kind), &mut paths);
        let used = names(manifest, kind);
        let applies = |path: &[&str], fqn: &[String]| {
            path.len() <= fqn.len() && path.iter().zip(fqn).all(|(a, b)| a == b)
        };
        let all = used.iter().chain(&disabled);
        paths.retain(|path: &Vec<&str>| !all.clone().any(|fqn| applies(path, fqn)));
        unused.extend(paths.into_iter().map(|path| {
            let parts: Vec<&str> = std::iter::once(shown).chain(path).collect();
            format!("- {}", parts.join("."))
        }));
    }
    (!unused.is_empty()).then(|| Warning {
        event: UNUSED_CONFIG_PATH,
        text: format!(
            "Configuration paths exist in your dbt_project.yml file which do not apply to any resources.\n\
             There are {} unused configuration paths:\n{}",
            unused.len(),
            unused.join("\n")
        ),
    })
}

/// The paths at which something is configured. Of some kinds nothing is known once they are disabled: a path that
/// disables is taken for used then.
fn collect<'a>(
    tree: &'a Tree,
    at: &mut Vec<&'a str>,
    remembered: bool,
    into: &mut Vec<Vec<&'a str>>,
) {
    let is_level = |key: &str, value: &Json| value.is_object() && !key.starts_with('+');
    let disables = || {
        ["enabled", "+enabled"]
            .iter()
            .any(|key| tree.get(*key) == Some(&Json::Bool(false)))
    };
    let configures = tree.iter().any(|(key, value)| !is_level(key, value));
    if configures && (remembered || !disables()) {
        into.push(at.clone());
    }
    for (key, value) in tree.iter().filter(|(key, value)| is_level(key, value)) {
        let Some(below) = value.as_object() else {
            continue;
        };
        at.push(key);
        collect(below, at, remembered, into);
        at.pop();
    }
}

fn is_remembered(kind: ResourceType) -> bool {
    matches!(
        kind,
        ResourceType::Model
            | ResourceType::Seed
            | ResourceType::Snapshot
            | ResourceType::Test
            | ResourceType::Metric
            | ResourceType::SemanticModel
            | ResourceType::SavedQuery
    )
}

/// The places of everything of a kind.
fn names(manifest: &Manifest, kind: ResourceType) -> Vec<&[String]> {
    match kind {
        ResourceType::Source => manifest.sources.values().map(|one| &*one.fqn).collect(),
        ResourceType::Exposure => manifest.exposures.values().map(|one| &*one.fqn).collect(),
        ResourceType::UnitTest => manifest.unit_tests.values().map(|one| &*one.fqn).collect(),
        ResourceType::Metric => manifest.metrics.values().map(|one| &*one.fqn).collect(),
        ResourceType::SemanticModel => manifest
            .semantic_models
            .values()
            .map(|one| &*one.fqn)
            .collect(),
        ResourceType::SavedQuery => manifest
            .saved_queries
            .values()
            .map(|one| &*one.fqn)
            .collect(),
        kind => {
            let nodes = manifest
                .nodes
                .values()
                .filter(|node| node.resource_type == kind);
            nodes.map(|node| &*node.fqn).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::Node;

    #[test]
    fn paths_that_nothing_lies_at_are_told() {
        let mut manifest = Manifest::default();
        let fqn = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect();
        let node = |parts: &[&str]| Node {
            fqn: fqn(parts),
            ..Node::default()
        };
        manifest
            .nodes
            .insert("m".into(), node(&["p", "marts", "m"]));
        manifest
            .disabled
            .insert("d".into(), node(&["p", "off", "d"]));
        let tree = |value: Json| value.as_object().cloned().unwrap_or_default();
        let models = json!({
            "+materialized": "view",
            "p": { "marts": { "+tags": "x", "m": { "enabled": true } }, "off": { "+enabled": false },
                   "typo": { "+tags": "y", "deeper": { "schema": "z" } }, "empty": {} },
        });
        let sources = json!({ "q": { "+enabled": false }, "r": { "+tags": "z" } });
        let trees = BTreeMap::from([("models", tree(models)), ("sources", tree(sources))]);
        insta::assert_snapshot!(warning(&trees, &manifest).unwrap(), @r"
        Configuration paths exist in your dbt_project.yml file which do not apply to any resources.
        There are 3 unused configuration paths:
        - models.p.typo
        - models.p.typo.deeper
        - sources.r
        ");
    }
}

//! What each selector method matches.

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value as Json;

use super::criterion::Criterion;
use super::fqn::{glob, names};
use crate::error::Error;
use crate::manifest::{Manifest, Node, ResourceType, UniqueId};

const METHODS: &str = "fqn, tag, path, file, package, source, resource_type, config, test_type, \
                       test_name, exposure";

/// What selectors see of anything selectable.
struct Item<'a> {
    id: &'a UniqueId,
    package: &'a str,
    file: &'a Path,
    tags: &'a [String],
    node: Option<&'a Node>,
}

/// The ids that `criterion` matches by itself.
pub(super) fn matching(
    manifest: &Manifest,
    criterion: &Criterion,
) -> Result<HashSet<UniqueId>, Error> {
    let (method, arguments) = match criterion.method.split_first() {
        Some((method, arguments)) => (method.as_str(), arguments),
        None => ("fqn", &[][..]),
    };
    let value = criterion.value.as_str();
    let refused = |message: String, hint: String| {
        Err(Error::Selection {
            selector: criterion.text.clone(),
            message,
            hint: Some(hint),
        })
    };
    let of_nodes = |test: &dyn Fn(&Node) -> bool| {
        manifest
            .nodes
            .values()
            .filter(|node| test(node))
            .map(|node| node.unique_id.clone())
            .collect()
    };
    let of_all = |test: &dyn Fn(&Item<'_>) -> bool| {
        items(manifest)
            .filter(test)
            .map(|item| item.id.clone())
            .collect()
    };
    Ok(match method {
        "fqn" => of_nodes(&|node| names(value, &node.fqn)),
        "tag" => of_all(&|item| item.tags.iter().any(|tag| glob(value, tag))),
        "path" => of_all(&|item| lies_in(value, item.file)),
        "file" => of_all(&|item| {
            let part = |part: Option<&std::ffi::OsStr>| {
                part.and_then(std::ffi::OsStr::to_str)
                    .is_some_and(|part| glob(value, part))
            };
            part(item.file.file_name()) || part(item.file.file_stem())
        }),
        "package" => {
            let wanted = if value == "this" {
                manifest.project_name.as_str()
            } else {
                value
            };
            of_all(&|item| glob(wanted, item.package))
        }
        "source" => {
            if value.split('.').count() > 3 {
                return refused(
                    "a source has at most three parts".to_owned(),
                    "write source:NAME, source:NAME.TABLE or source:PACKAGE.NAME.TABLE".to_owned(),
                );
            }
            sources(manifest, value)
        }
        "resource_type" => match kind(value) {
            Some(kind) => of_all(&|item| kind_of(item) == kind),
            None if value == "exposure" => manifest.exposures.keys().cloned().collect(),
            None => {
                let hint =
                    "one of model, test, seed, snapshot, analysis, source, exposure".to_owned();
                return refused(format!("'{value}' is no resource type"), hint);
            }
        },
        "config" if !arguments.is_empty() => of_nodes(&|node| configured(node, arguments, value)),
        "test_type" => match value {
            "generic" | "schema" => of_nodes(&|node| is_test(node) && node.test_metadata.is_some()),
            "singular" => of_nodes(&|node| is_test(node) && node.test_metadata.is_none()),
            "data" => of_nodes(&is_test),
            "unit" => HashSet::new(),
            _ => {
                let hint = "one of generic, singular, data, unit".to_owned();
                return refused(format!("'{value}' is no test type"), hint);
            }
        },
        "test_name" => of_nodes(&|node| {
            node.test_metadata
                .as_ref()
                .is_some_and(|test| glob(value, &test.name))
        }),
        "exposure" => manifest
            .exposures
            .keys()
            .filter(|id| id.rsplit('.').next().is_some_and(|name| glob(value, name)))
            .cloned()
            .collect(),
        _ => {
            return refused(
                format!("'{method}' is no selector method"),
                format!("methods: {METHODS}"),
            );
        }
    })
}

fn items(manifest: &Manifest) -> impl Iterator<Item = Item<'_>> {
    let nodes = manifest.nodes.values().map(|node| Item {
        id: &node.unique_id,
        package: &node.package_name,
        file: &node.original_file_path,
        tags: &node.config.tags,
        node: Some(node),
    });
    let sources = manifest.sources.values().map(|source| Item {
        id: &source.unique_id,
        package: &source.package_name,
        file: &source.original_file_path,
        tags: &source.tags,
        node: None,
    });
    nodes.chain(sources)
}

fn is_test(node: &Node) -> bool {
    node.resource_type == ResourceType::Test
}

fn kind_of(item: &Item<'_>) -> ResourceType {
    item.node
        .map_or(ResourceType::Source, |node| node.resource_type)
}

fn kind(name: &str) -> Option<ResourceType> {
    Some(match name {
        "model" => ResourceType::Model,
        "test" => ResourceType::Test,
        "seed" => ResourceType::Seed,
        "snapshot" => ResourceType::Snapshot,
        "analysis" => ResourceType::Analysis,
        "source" => ResourceType::Source,
        _ => return None,
    })
}

/// A pattern of the file itself or of a folder above it.
fn lies_in(pattern: &str, file: &Path) -> bool {
    let pattern = pattern.trim_end_matches('/').trim_start_matches("./");
    let parts = pattern.split('/').count();
    // a star never crosses a folder, so compare part by part with the ancestor of equal depth
    file.ancestors()
        .filter(|path| path.components().count() == parts)
        .any(|path| {
            let names = path.iter().map(|part| part.to_str().unwrap_or_default());
            pattern
                .split('/')
                .zip(names)
                .all(|(wanted, name)| glob(wanted, name))
        })
}

fn sources(manifest: &Manifest, value: &str) -> HashSet<UniqueId> {
    let parts: Vec<&str> = value.split('.').collect();
    let (package, source, table) = match parts[..] {
        [package, source, table] => (package, source, table),
        [source, table] => ("*", source, table),
        _ => ("*", value, "*"),
    };
    manifest
        .sources
        .values()
        .filter(|s| {
            glob(package, &s.package_name) && glob(source, &s.source_name) && glob(table, &s.name)
        })
        .map(|s| s.unique_id.clone())
        .collect()
}

/// Whether the configuration at `path` is `value`, holds it (a list) or has it as key (a dict).
fn configured(node: &Node, path: &[String], value: &str) -> bool {
    let typed = match path {
        [key] if key == "materialized" => Some(Json::from(node.config.materialized.as_str())),
        [key] if key == "tags" => Some(Json::from(node.config.tags.clone())),
        [key] if key == "enabled" => Some(Json::from(node.config.enabled)),
        [key] if key == "severity" => Some(Json::from(node.config.severity.as_str())),
        _ => None,
    };
    let mut found = typed.as_ref().or_else(|| node.config.raw.get(&path[0]));
    if typed.is_none() {
        for key in &path[1..] {
            found = found.and_then(|value| value.get(key));
        }
    }
    let same = |candidate: &Json| match candidate {
        Json::String(text) => glob(value, text),
        Json::Bool(flag) => value.eq_ignore_ascii_case(if *flag { "true" } else { "false" }),
        Json::Number(number) => number.to_string() == value,
        _ => false,
    };
    match found {
        Some(Json::Array(entries)) => entries.iter().any(same),
        Some(Json::Object(map)) => map.contains_key(value),
        Some(scalar) => same(scalar),
        None => false,
    }
}

//! Methods: which nodes a criterion names, its relatives aside.

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value as Json;

use crate::config;
use crate::error::Error;
use crate::manifest::{Exposure, Manifest, Node, ResourceType, Source, UniqueId};
use crate::parse::nodes::kind_name;
use crate::select::criteria::{Criteria, Method};
use crate::select::pattern::{matches, path_matches};

/// Anything that can be selected.
#[derive(Clone, Copy)]
enum Item<'a> {
    Node(&'a Node),
    Source(&'a Source),
    Exposure(&'a Exposure),
}

impl<'a> Item<'a> {
    fn id(self) -> &'a UniqueId {
        match self {
            Self::Node(node) => &node.unique_id,
            Self::Source(source) => &source.unique_id,
            Self::Exposure(exposure) => &exposure.unique_id,
        }
    }

    fn fqn(self) -> &'a [String] {
        match self {
            Self::Node(node) => &node.fqn,
            Self::Source(source) => &source.fqn,
            Self::Exposure(exposure) => &exposure.fqn,
        }
    }

    fn tags(self) -> &'a [String] {
        match self {
            Self::Node(node) => &node.tags,
            Self::Source(source) => &source.tags,
            Self::Exposure(exposure) => &exposure.tags,
        }
    }

    fn package(self) -> &'a str {
        match self {
            Self::Node(node) => &node.package_name,
            Self::Source(source) => &source.package_name,
            Self::Exposure(exposure) => &exposure.package_name,
        }
    }

    fn file(self) -> &'a Path {
        match self {
            Self::Node(node) => &node.original_file_path,
            Self::Source(source) => &source.original_file_path,
            Self::Exposure(exposure) => &exposure.original_file_path,
        }
    }

    /// dbt's word for its kind.
    fn kind(self) -> &'static str {
        match self {
            Self::Node(node) => kind_name(node.resource_type),
            Self::Source(_) => "source",
            Self::Exposure(_) => "exposure",
        }
    }
}

/// The members of `manifest` that `criteria` names.
pub(super) fn search(manifest: &Manifest, criteria: &Criteria) -> Result<HashSet<UniqueId>, Error> {
    let matcher = Matcher::new(manifest, criteria)?;
    let nodes = manifest.nodes.values().map(Item::Node);
    let sources = manifest.sources.values().map(Item::Source);
    let exposures = manifest.exposures.values().map(Item::Exposure);
    Ok(nodes
        .chain(sources)
        .chain(exposures)
        .filter(|item| matcher.matches(*item))
        .map(|item| item.id().clone())
        .collect())
}

struct Matcher<'a> {
    criteria: &'a Criteria,
    value: &'a str,
    /// The value in parts: at dots, or at slashes for paths.
    parts: Vec<&'a str>,
    project: &'a str,
}

const KINDS: [&str; 14] = [
    "model",
    "test",
    "seed",
    "snapshot",
    "analysis",
    "operation",
    "source",
    "exposure",
    "metric",
    "semantic_model",
    "saved_query",
    "unit_test",
    "macro",
    "doc",
];

impl<'a> Matcher<'a> {
    fn new(manifest: &'a Manifest, criteria: &'a Criteria) -> Result<Self, Error> {
        let value = criteria.value.as_str();
        let wrong = |message: String, hint: &str| Error::Selection {
            selector: criteria.raw.clone(),
            message,
            hint: Some(hint.to_owned()),
        };
        let parts: Vec<&str> = match criteria.method {
            Method::Path => value
                .split('/')
                .filter(|part| !part.is_empty() && *part != ".")
                .collect(),
            _ => value.split('.').collect(),
        };
        match criteria.method {
            Method::Source if parts.len() > 3 => {
                return Err(wrong(
                    "too many dots".into(),
                    "write source:NAME, source:NAME.TABLE or source:PACKAGE.NAME.TABLE",
                ));
            }
            Method::Exposure if parts.len() > 2 => {
                return Err(wrong(
                    "too many dots".into(),
                    "write exposure:NAME or exposure:PACKAGE.NAME",
                ));
            }
            Method::ResourceType if !KINDS.contains(&value) => {
                return Err(wrong(
                    format!("there is no resource type '{value}'"),
                    "one of model, test, seed, snapshot, analysis, source, exposure",
                ));
            }
            Method::TestType
                if !matches!(value, "generic" | "schema" | "singular" | "data" | "unit") =>
            {
                return Err(wrong(
                    format!("there is no test type '{value}'"),
                    "one of generic, singular, data, unit",
                ));
            }
            _ => {}
        }
        Ok(Self {
            criteria,
            value,
            parts,
            project: &manifest.project_name,
        })
    }

    fn matches(&self, item: Item<'_>) -> bool {
        let value = self.value;
        match (self.criteria.method, item) {
            (Method::Fqn, Item::Source(_)) => false,
            (Method::Fqn, item) => {
                let fqn = item.fqn();
                self.fqn(fqn) || self.fqn(fqn.get(1..).unwrap_or_default())
            }
            (Method::Tag, item) => item.tags().iter().any(|tag| matches(tag, value)),
            (Method::Path, item) => self.path(item),
            (Method::File, item) => {
                let part = |part: Option<&std::ffi::OsStr>| {
                    part.is_some_and(|part| matches(&part.to_string_lossy(), value))
                };
                part(item.file().file_name()) || part(item.file().file_stem())
            }
            (Method::Package, item) => matches(
                item.package(),
                if value == "this" { self.project } else { value },
            ),
            (Method::Source, Item::Source(source)) => {
                let (package, name, table) = match self.parts[..] {
                    [name] => ("*", name, "*"),
                    [name, table] => ("*", name, table),
                    [package, name, table, ..] => (package, name, table),
                    [] => return false,
                };
                matches(&source.package_name, package)
                    && matches(&source.source_name, name)
                    && matches(&source.name, table)
            }
            (Method::Exposure, Item::Exposure(exposure)) => {
                let (package, name) = match self.parts[..] {
                    [package, name] => (package, name),
                    _ => ("*", value),
                };
                matches(&exposure.package_name, package) && matches(&exposure.name, name)
            }
            (Method::ResourceType, item) => item.kind() == value,
            (Method::TestName, Item::Node(node)) => node
                .test_metadata
                .as_ref()
                .is_some_and(|test| matches(&test.name, value)),
            (Method::TestType, Item::Node(node)) if node.resource_type == ResourceType::Test => {
                match value {
                    "generic" | "schema" => node.test_metadata.is_some(),
                    "singular" => node.test_metadata.is_none(),
                    "data" => true,
                    _ => false,
                }
            }
            (Method::Config, item) => self.config(item),
            (Method::Group, Item::Node(node)) => {
                let group = node.config.raw.get("group").and_then(Json::as_str);
                group.is_some_and(|group| matches(group, value))
            }
            (Method::Access, Item::Node(node)) if node.resource_type == ResourceType::Model => {
                let access = node.config.raw.get("access").and_then(Json::as_str);
                access.unwrap_or("protected") == value
            }
            _ => false,
        }
    }

    /// dbt's rules: the last part alone, a dotted prefix, or wildcards.
    fn fqn(&self, fqn: &[String]) -> bool {
        let Some(leaf) = fqn.last() else { return false };
        if leaf == self.value {
            return true;
        }
        let flat: Vec<&str> = fqn.iter().flat_map(|part| part.split('.')).collect();
        if flat.len() < self.parts.len() {
            return false;
        }
        for (i, part) in self.parts.iter().enumerate() {
            if part.contains(['*', '?', '[', ']']) {
                return matches(&flat[i..].join("."), &self.parts[i..].join("."))
                    || (!self.value.contains('.') && matches(leaf, self.value));
            }
            if flat[i] != *part {
                return false;
            }
        }
        true
    }

    /// The node's file, the property file that describes it, or a folder above its file.
    fn path(&self, item: Item<'_>) -> bool {
        let matches = |path: &Path| {
            let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
            let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
            path_matches(&parts, &self.parts)
        };
        let patch = match item {
            Item::Node(node) => node.patch_path.as_deref(),
            Item::Source(_) | Item::Exposure(_) => None,
        };
        item.file().ancestors().chain(patch).any(matches)
    }

    fn config(&self, item: Item<'_>) -> bool {
        let full: Json = match item {
            Item::Node(node) => {
                let full = config::with_defaults(&node.config.raw, node.resource_type);
                Json::Object(full.into_iter().collect())
            }
            Item::Source(source) => serde_json::json!({
                "enabled": true, "tags": source.tags, "meta": source.meta,
                "loaded_at_field": source.loaded_at_field, "freshness": source.freshness,
            }),
            Item::Exposure(_) => return false,
        };
        let mut found = &full;
        for part in &self.criteria.arguments {
            let Some(next) = found.get(config::canonical(part)) else {
                return false;
            };
            found = next;
        }
        let severity = self.criteria.arguments == ["severity"];
        let one = |value: &Json| match value {
            Json::String(text) if severity => text.eq_ignore_ascii_case(self.value),
            Json::String(text) => text == self.value,
            Json::Bool(flag) => {
                self.value
                    .eq_ignore_ascii_case(if *flag { "true" } else { "false" })
            }
            _ => false,
        };
        match found {
            Json::Array(items) => items.iter().any(one),
            other => one(other),
        }
    }
}

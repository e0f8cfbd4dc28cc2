//! Methods: which nodes a criterion names, its relatives aside.

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value as Json;

use crate::config;
use crate::error::Error;
use crate::manifest::{Manifest, Node, ResourceType, UniqueId};
use crate::parse::versions::above;
use crate::select::criteria::{Criteria, Method};
use crate::select::item::{Item, items};
use crate::select::pattern::{matches, path_matches};

/// The members of `manifest` that `criteria` names.
pub(super) fn search(manifest: &Manifest, criteria: &Criteria) -> Result<HashSet<UniqueId>, Error> {
    let matcher = Matcher::new(manifest, criteria)?;
    Ok(items(manifest)
        .filter(|item| matcher.matches(*item))
        .map(|item| item.id().clone())
        .collect())
}

/// Where `node` stands among the versions of its model.
fn is_version(node: &Node, wanted: &str) -> bool {
    match (wanted, &node.version, &node.latest_version) {
        ("none", version, _) => version.is_none(),
        ("latest", Some(own), Some(latest)) => own == latest,
        ("prerelease", Some(own), Some(latest)) => above(own, latest),
        ("old", Some(own), Some(latest)) => above(latest, own),
        _ => false,
    }
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
            Method::Exposure
            | Method::Metric
            | Method::SemanticModel
            | Method::SavedQuery
            | Method::UnitTest
                if parts.len() > 2 =>
            {
                return Err(wrong(
                    "too many dots".into(),
                    "write METHOD:NAME or METHOD:PACKAGE.NAME",
                ));
            }
            Method::Version if !matches!(value, "latest" | "prerelease" | "old" | "none") => {
                return Err(wrong(
                    format!("there is no version type '{value}'"),
                    "one of latest, prerelease, old, none",
                ));
            }
            Method::ResourceType if !KINDS.contains(&value) => {
                return Err(wrong(
                    format!("there is no resource type '{value}'"),
                    "one of model, test, unit_test, seed, snapshot, analysis, source, exposure, metric, \
                     semantic_model, saved_query",
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
                let (fqn, versioned) = (item.fqn(), item.is_versioned());
                self.fqn(fqn, versioned) || self.fqn(fqn.get(1..).unwrap_or_default(), versioned)
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
            (Method::Exposure, Item::Exposure(_)) | (Method::UnitTest, Item::UnitTest(_)) => {
                self.name(item)
            }
            (Method::Metric, Item::Semantic(thing)) => {
                thing.resource_type == ResourceType::Metric && self.name(item)
            }
            (Method::SemanticModel, Item::Semantic(thing)) => {
                thing.resource_type == ResourceType::SemanticModel && self.name(item)
            }
            (Method::SavedQuery, Item::Semantic(thing)) => {
                thing.resource_type == ResourceType::SavedQuery && self.name(item)
            }
            (Method::ResourceType, item) => item.kind() == value,
            (Method::TestName, Item::Node(node)) => node
                .test_metadata
                .as_ref()
                .is_some_and(|test| matches(&test.name, value)),
            (Method::TestName, Item::UnitTest(test)) => matches(&test.name, value),
            (Method::TestType, Item::UnitTest(_)) => value == "unit",
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
            (Method::Group, Item::Semantic(thing)) => {
                let metric = thing.resource_type == ResourceType::Metric;
                let group = thing.group.as_deref().filter(|_| metric);
                group.is_some_and(|group| matches(group, value))
            }
            (Method::Access, Item::Node(node)) => node.access.as_deref() == Some(value),
            (Method::Version, Item::Node(node)) if node.resource_type == ResourceType::Model => {
                is_version(node, value)
            }
            _ => false,
        }
    }

    /// `NAME` or `PACKAGE.NAME`.
    fn name(&self, item: Item<'_>) -> bool {
        let (package, name) = match self.parts[..] {
            [package, name] => (package, name),
            _ => ("*", self.value),
        };
        matches(item.package(), package) && matches(item.name(), name)
    }

    /// dbt's rules: the last part alone, a dotted prefix, or wildcards.
    /// For a version, the name is the last part but one, and `name.v2` and `name_v2` mean it.
    fn fqn(&self, fqn: &[String], versioned: bool) -> bool {
        let own = if versioned { fqn.split_last() } else { None };
        let Some(leaf) = own.map_or(fqn, |(_, rest)| rest).last() else {
            return false;
        };
        if leaf == self.value {
            return true;
        }
        if let Some((version, _)) = own {
            let ends = self.parts.len().saturating_sub(2);
            if self.parts[ends..].join("_") == format!("{leaf}_{version}") {
                return true;
            }
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
            _ => None,
        };
        item.file().ancestors().chain(patch).any(matches)
    }

    fn config(&self, item: Item<'_>) -> bool {
        let full: Json = match item {
            Item::Node(node) => {
                let full = config::with_defaults(&node.config.raw, node.resource_type);
                Json::Object(full.into_iter().collect())
            }
            Item::Source(source) => {
                let mut full = serde_json::json!({
                    "enabled": true, "tags": source.tags, "meta": source.meta,
                    "loaded_at_field": source.loaded_at_field, "freshness": source.freshness,
                });
                for (key, value) in &source.more_config {
                    full[key] = value.clone();
                }
                full
            }
            _ => return false,
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

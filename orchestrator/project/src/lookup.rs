//! Which node or source a name means.

use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;

use crate::manifest::{Manifest, Node, RefArgs, ResourceType, UniqueId, version_text};

/// Names to ids, by package.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    refs: HashMap<String, Vec<(String, UniqueId)>>,
    disabled: HashMap<String, Vec<String>>,
    sources: HashMap<(String, String), Vec<(String, UniqueId)>>,
    disabled_sources: HashSet<(String, String)>,
}

/// What a `ref` leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// This node.
    Node(UniqueId),
    /// A node that is switched off.
    Disabled,
    /// No node has that name.
    Nothing,
}

/// Kinds of node that `ref` can name.
pub(crate) fn referable(kind: ResourceType) -> bool {
    matches!(
        kind,
        ResourceType::Model | ResourceType::Seed | ResourceType::Snapshot
    )
}

fn versioned_name(name: &str, version: &Json) -> String {
    format!("{name}.v{}", version_text(version))
}

/// What `ref` may call `node`: a version by its number, the latest one by the bare name too.
fn names(node: &Node) -> Vec<String> {
    let Some(version) = &node.version else {
        return vec![node.name.clone()];
    };
    let latest = (node.latest_version.as_ref() == Some(version)).then(|| node.name.clone());
    std::iter::once(versioned_name(&node.name, version))
        .chain(latest)
        .collect()
}

/// The entry of the first package wanted; the root project, then the node's own, then any.
fn first<'a, T>(
    entries: &'a [(String, T)],
    root: &str,
    own: &str,
    package: Option<&str>,
) -> Option<&'a T> {
    let of = |wanted: &str| {
        entries
            .iter()
            .find(|(p, _)| p == wanted)
            .map(|(_, found)| found)
    };
    match package {
        Some(package) => of(package),
        None => of(root)
            .or_else(|| of(own))
            .or_else(|| entries.first().map(|(_, found)| found)),
    }
}

impl Lookup {
    /// The names of `manifest`.
    pub(crate) fn of(manifest: &Manifest) -> Self {
        let mut lookup = Self::default();
        for node in manifest
            .nodes
            .values()
            .filter(|node| referable(node.resource_type))
        {
            for name in names(node) {
                let entries = lookup.refs.entry(name).or_default();
                entries.push((node.package_name.clone(), node.unique_id.clone()));
            }
        }
        for node in manifest
            .disabled
            .values()
            .filter(|node| referable(node.resource_type))
        {
            lookup
                .disabled
                .entry(node.name.clone())
                .or_default()
                .push(node.package_name.clone());
        }
        for source in manifest.sources.values() {
            let key = (source.source_name.clone(), source.name.clone());
            let entries = lookup.sources.entry(key).or_default();
            entries.push((source.package_name.clone(), source.unique_id.clone()));
        }
        let off = manifest.disabled_sources.values();
        lookup.disabled_sources = off
            .map(|source| (source.source_name.clone(), source.name.clone()))
            .collect();
        lookup
    }

    /// Whether `[source, table]` is a source that is switched off.
    pub(crate) fn is_disabled_source(&self, wanted: &[String]) -> bool {
        let [source, table] = wanted else {
            return false;
        };
        let key = (source.clone(), table.clone());
        self.disabled_sources.contains(&key)
    }

    /// What `ref` with these arguments means in a node of package `own`.
    pub(crate) fn find_ref(&self, root: &str, own: &str, wanted: &RefArgs) -> Found {
        let (package, name) = (wanted.package.as_deref(), &wanted.name);
        let versioned = wanted.version.as_ref().map(|v| versioned_name(name, v));
        let entries = self
            .refs
            .get(versioned.as_ref().unwrap_or(name))
            .map_or(&[][..], Vec::as_slice);
        if let Some(id) = first(entries, root, own, package) {
            return Found::Node(id.clone());
        }
        let disabled = self.disabled.get(name).map_or(&[][..], Vec::as_slice);
        if disabled
            .iter()
            .any(|p| package.is_none_or(|wanted| wanted == p))
        {
            return Found::Disabled;
        }
        Found::Nothing
    }

    /// The source `[source, table]` means in a node of package `own`.
    pub(crate) fn find_source(&self, root: &str, own: &str, wanted: &[String]) -> Option<UniqueId> {
        let [source, table] = wanted else { return None };
        let entries = self.sources.get(&(source.clone(), table.clone()))?;
        first(entries, root, own, None).cloned()
    }

    /// Every name that `ref` knows.
    pub(crate) fn ref_names(&self) -> impl Iterator<Item = &str> {
        self.refs.keys().map(String::as_str)
    }

    /// Every `source.table`.
    pub(crate) fn source_names(&self) -> impl Iterator<Item = String> {
        self.sources
            .keys()
            .map(|(source, table)| format!("{source}.{table}"))
    }
}

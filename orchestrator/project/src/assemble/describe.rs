//! Entries of property files that describe none of their own package's nodes: they may describe another package's.

use std::collections::HashSet;
use std::path::PathBuf;

use serde_json::Value as Json;

use super::Assembly;
use crate::error::{Error, Location};
use crate::manifest::{Node, ResourceType, UniqueId};
use crate::parse::properties::{Patch, Patches};
use crate::parse::{Package, nodes};
use crate::warnings::{NO_NODE_FOR_YAML_KEY, Warning};

impl Assembly<'_> {
    /// Gives what `patches`, of `owner`, say of other packages' nodes to them, and warns of entries that describe
    /// nothing. Every package's files were read.
    pub(super) fn describe_others(
        &mut self,
        packages: &[Package],
        owner: &Package,
        patches: &Patches,
    ) -> Result<(), Error> {
        for (kind, file, patch) in self.left_over(owner, patches) {
            let id = match patch.version {
                None => self.elsewhere(owner, kind, &patch.name),
                Some(_) => None,
            };
            match id {
                Some(id) => self.describe_one(packages, owner, &id, patch)?,
                None => self.done.warnings.push(Warning {
                    event: NO_NODE_FOR_YAML_KEY,
                    text: format!(
                        "Did not find matching node for patch with name '{file}' in the '{}' \
                         section of file '{}'",
                        section(kind),
                        patch.file.path.display()
                    ),
                }),
            }
        }
        Ok(())
    }

    /// The entries that no node of their own package took.
    fn left_over<'p>(
        &self,
        owner: &Package,
        patches: &'p Patches,
    ) -> Vec<(ResourceType, &'p str, &'p Patch)> {
        type Key<'n> = (&'n str, Option<&'n Json>, &'n PathBuf);
        fn key(node: &Node) -> Option<Key<'_>> {
            let path = node.patch_path.as_ref()?;
            Some((node.name.as_str(), node.version.as_ref(), path))
        }
        let manifest = &self.done.manifest;
        let own = |node: &&Node| node.package_name == owner.name();
        let described: HashSet<Key<'_>> = manifest
            .nodes
            .values()
            .filter(own)
            .filter_map(key)
            .collect();
        let off = manifest.disabled.values().filter(own);
        let off: HashSet<Key<'_>> = off.filter_map(key).collect();
        [
            (ResourceType::Model, &patches.models),
            (ResourceType::Model, &patches.versions),
            (ResourceType::Seed, &patches.seeds),
            (ResourceType::Snapshot, &patches.snapshots),
            (ResourceType::Analysis, &patches.analyses),
        ]
        .into_iter()
        .flat_map(|(kind, entries)| {
            let entries = entries.iter();
            entries.map(move |(file, patch)| (kind, file.as_str(), patch))
        })
        .filter(|(kind, _, patch)| {
            let version = patch.version.as_ref().map(|version| &version.v);
            let key = (patch.name.as_str(), version, &patch.file.path);
            // what stands in for a node that is switched off is described in its place
            let stands_in =
                || version.is_none() && self.elsewhere(owner, *kind, &patch.name).is_some();
            !described.contains(&key) && (!off.contains(&key) || stands_in())
        })
        .collect()
    }

    /// The first node of that name that is another package's.
    fn elsewhere(&self, owner: &Package, kind: ResourceType, name: &str) -> Option<UniqueId> {
        let mut nodes = self.done.manifest.nodes.values();
        let found = nodes.find(|node| {
            node.resource_type == kind
                && node.name == name
                && node.version.is_none()
                && node.package_name != owner.name()
        });
        found
            .filter(|_| kind != ResourceType::Analysis)
            .map(|node| node.unique_id.clone())
    }

    fn describe_one(
        &mut self,
        packages: &[Package],
        owner: &Package,
        id: &UniqueId,
        patch: &Patch,
    ) -> Result<(), Error> {
        let manifest = &mut self.done.manifest;
        let Some(node) = manifest.nodes.get_mut(id) else {
            return Ok(());
        };
        if let Some(first) = &node.patch_path {
            return Err(Error::Duplicate {
                what: format!(
                    "the patch of {} '{}'",
                    nodes::kind_name(node.resource_type),
                    node.name
                ),
                first: Location::file(first),
                second: patch.location(),
            });
        }
        let Some(package) = packages.iter().find(|p| p.name() == node.package_name) else {
            return Ok(());
        };
        let mut fresh = nodes::again(self.shared, &self.names, package, node, patch)?;
        fresh.patch_package = Some(owner.name().to_owned());
        if fresh.config.enabled {
            *node = fresh;
        } else {
            manifest.nodes.shift_remove(id);
            manifest.set_aside(fresh);
        }
        Ok(())
    }
}

/// The list of a property file that describes nodes of `kind`.
fn section(kind: ResourceType) -> String {
    match kind {
        ResourceType::Analysis => "analyses".to_owned(),
        kind => format!("{}s", nodes::kind_name(kind)),
    }
}

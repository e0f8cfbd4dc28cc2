//! Groups, and who may refer to whom.

use std::collections::{BTreeSet, HashMap};

use crate::config::Raw;
use crate::error::{Error, Location};
use crate::manifest::{Group, Manifest, Node, ResourceType};
use crate::parse::Package;
use crate::parse::properties::Patches;
use crate::parse::resolve::place;

/// The groups of `package`.
pub(crate) fn parse(package: &Package, patches: &Patches) -> Result<Vec<Group>, Error> {
    let mut found = Vec::new();
    for file in &patches.files {
        for entry in file.entries("groups")? {
            let name = entry.name()?;
            let owner = entry.mapping("owner")?;
            if !owner.contains_key("name") && !owner.contains_key("email") {
                return Err(entry.wrong(format!(
                    "group '{name}': 'owner' needs at least one of 'name' and 'email'"
                )));
            }
            let mut fqn = vec![package.name().to_owned()];
            fqn.extend(file.folders.iter().cloned());
            fqn.push(name.clone());
            // a group has no tree of its own: dbt configures it as it does models, but for their hooks
            let own = entry.mapping("config")?;
            let mut config = package.configure("models", &fqn, &own, &Raw::new());
            config.retain(|key, _| !matches!(key.as_str(), "pre-hook" | "post-hook"));
            found.push(Group {
                unique_id: format!("group.{}.{name}", package.name()),
                name,
                package_name: package.name().to_owned(),
                path: file.below(),
                original_file_path: file.path.clone(),
                owner: owner.into(),
                description: entry.text("description")?,
                config: config.into_iter().collect(),
            });
        }
    }
    Ok(found)
}

fn wrong(node: &Node, message: String, hint: Option<&str>) -> Error {
    let path = node.patch_path.clone();
    Error::Config {
        location: Some(match path {
            Some(path) => Location::file(path),
            None => place(node),
        }),
        message,
        hint: hint.map(str::to_owned),
    }
}

/// Refuses groups that there are not, access that means nothing, and references that it forbids.
/// `restricted` are packages that let nobody in by default.
pub(crate) fn check(manifest: &Manifest, restricted: &BTreeSet<&str>) -> Result<(), Error> {
    let groups: BTreeSet<&str> = manifest.groups.values().map(|g| g.name.as_str()).collect();
    let of_semantics = [
        &manifest.metrics,
        &manifest.semantic_models,
        &manifest.saved_queries,
    ];
    for thing in of_semantics.iter().flat_map(|all| all.values()) {
        let group = thing.group.as_deref();
        if let Some(group) = group.filter(|group| !groups.contains(group)) {
            return Err(Error::Config {
                location: Some(thing.location()),
                message: unknown_group(group, &groups),
                hint: None,
            });
        }
    }
    for node in manifest.nodes.values() {
        if let Some(group) = node.group.as_deref().filter(|g| !groups.contains(g)) {
            return Err(wrong(node, unknown_group(group, &groups), None));
        }
        let Some(access) = &node.access else { continue };
        if !matches!(access.as_str(), "private" | "protected" | "public") {
            let message = format!(
                "Node {} has an invalid value ({access}) for the access field",
                node.unique_id
            );
            return Err(wrong(
                node,
                message,
                Some("one of private, protected, public"),
            ));
        }
        if access == "public" && node.config.materialized == "ephemeral" {
            let message = format!(
                "Node {} with 'ephemeral' materialization has an invalid value (public) for the \
                 access field",
                node.unique_id
            );
            return Err(wrong(node, message, None));
        }
    }
    references(manifest, restricted)
}

fn unknown_group(group: &str, groups: &BTreeSet<&str>) -> String {
    let known: Vec<String> = groups.iter().map(|name| format!("'{name}'")).collect();
    format!(
        "Invalid group '{group}', expected one of [{}]",
        known.join(", ")
    )
}

/// Who refers: its id, package and group, and the file that says so.
struct Asker<'a> {
    id: &'a str,
    package: &'a str,
    group: Option<&'a str>,
    location: Location,
    parents: &'a [String],
}

fn references(manifest: &Manifest, restricted: &BTreeSet<&str>) -> Result<(), Error> {
    let limited: HashMap<&str, &Node> = manifest
        .nodes
        .iter()
        .filter(|(_, node)| {
            let access = node.access.as_deref();
            access == Some("private")
                || (access == Some("protected") && restricted.contains(node.package_name.as_str()))
        })
        .map(|(id, node)| (id.as_str(), node))
        .collect();
    if limited.is_empty() {
        return Ok(());
    }
    let nodes = manifest
        .nodes
        .values()
        .filter(|node| node.resource_type != ResourceType::Operation)
        .map(|node| Asker {
            id: &node.unique_id,
            package: &node.package_name,
            group: node.group.as_deref(),
            location: place(node),
            parents: &node.depends_on.nodes,
        });
    let exposures = manifest.exposures.values().map(|exposure| Asker {
        id: &exposure.unique_id,
        package: &exposure.package_name,
        group: None,
        location: Location::file(&exposure.original_file_path),
        parents: &exposure.depends_on.nodes,
    });
    for asker in nodes.chain(exposures) {
        for parent in asker.parents {
            let Some(target) = limited.get(parent.as_str()) else {
                continue;
            };
            let foreign = asker.package != target.package_name
                && restricted.contains(target.package_name.as_str());
            let private = target.access.as_deref() == Some("private");
            let refused = if private {
                asker.group.is_none() || asker.group != target.group.as_deref() || foreign
            } else {
                foreign
            };
            if refused {
                let (scope, kind) = if private {
                    (target.group.as_deref().unwrap_or("None"), "group")
                } else {
                    (target.package_name.as_str(), "package")
                };
                return Err(Error::Config {
                    location: Some(asker.location),
                    message: format!(
                        "Node {} attempted to reference node {parent}, which is not allowed \
                         because the referenced node is {} to the '{scope}' {kind}.",
                        asker.id,
                        if private { "private" } else { "protected" },
                    ),
                    hint: Some(if private {
                        "put both into one group, or give the model 'access: protected'".into()
                    } else {
                        "give the model 'access: public'".into()
                    }),
                });
            }
        }
    }
    Ok(())
}

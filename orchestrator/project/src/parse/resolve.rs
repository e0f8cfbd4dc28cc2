//! Names to ids: what every node depends on, and what nobody may name twice.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::error::{Error, Location};
use crate::files;
use crate::hint::closest;
use crate::lookup::{Found, Lookup, referable};
use crate::manifest::{Manifest, Node, RefArgs, ResourceType, UniqueId, version_text};
use crate::parallel;
use crate::parse::generic::attached_ref;
use crate::warnings::{DISABLED_TARGET, NODE_NOT_FOUND, PACKAGE_ON_ROOT, Warning};

/// Who asks, for messages.
struct Asker<'a> {
    kind: ResourceType,
    id: &'a str,
    package: &'a str,
    path: &'a std::path::Path,
    root: &'a std::path::Path,
}

impl Asker<'_> {
    fn subject(&self) -> String {
        format!("{} '{}'", label(self.kind), self.id)
    }

    fn doubt(&self, event: &'static str, what: &str) -> Warning {
        let (subject, path) = (self.subject(), self.path.display());
        let text = format!("{subject} ({path}) depends on {what}");
        Warning { event, text }
    }

    /// dbt warns of a package whose node stands on one of the root project's.
    fn stands_on_root(&self, id: &str, project: &str, wanted: &RefArgs) -> Option<Warning> {
        let is_of_root = id.split('.').nth(1) == Some(project);
        let is_meant = self.package == project || wanted.package.as_deref() == Some(project);
        let name = self.id.split('.').nth(2).unwrap_or(self.id);
        (is_of_root && !is_meant).then(|| Warning {
            event: PACKAGE_ON_ROOT,
            text: format!(
                "The node '{name}'in package '{}' depends on the root project node '{id}'.This may lead to \
                 unexpected cycles downstream. Please set the 'require_ref_prefers_node_package_to_root' behavior \
                 change flag to True to avoid this issue.For more information, see the documentation at \
                 https://docs.getdbt.com/reference/global-configs/behavior-changes#require_ref_prefers_node_package_to_root",
                self.package
            ),
        })
    }

    fn unknown(&self, wanted: String, name: &str, reason: &str, hint: Option<String>) -> Error {
        // reading the file again costs nothing: the load has failed
        let text = files::read(&self.root.join(self.path)).unwrap_or_default();
        let quoted = [format!("'{name}'"), format!("\"{name}\"")];
        let line = text
            .lines()
            .position(|line| quoted.iter().any(|q| line.contains(q.as_str())))
            .map_or(0, |index| index + 1);
        Error::UnknownDependency {
            subject: self.subject(),
            wanted,
            reason: reason.into(),
            location: Box::new(Location::line(self.path, line)),
            hint,
        }
    }

    fn resolve(
        &self,
        lookup: &Lookup,
        project: &str,
        refs: &[RefArgs],
        sources: &[Vec<String>],
    ) -> Result<Resolved, Error> {
        let mut ids: Vec<UniqueId> = Vec::new();
        let mut disabled = false;
        let mut missing = Vec::new();
        let mut push = |id: UniqueId| {
            if !ids.contains(&id) {
                ids.push(id);
            }
        };
        for wanted in sources {
            match lookup.find_source(project, self.package, wanted) {
                Some(id) => push(id),
                None if self.kind == ResourceType::Test && lookup.is_disabled_source(wanted) => {
                    disabled = true;
                    let what = format!("a source named '{}' which is disabled", wanted.join("."));
                    missing.push(self.doubt(DISABLED_TARGET, &what));
                }
                None => {
                    let name = wanted.join(".");
                    let known: Vec<String> = lookup.source_names().collect();
                    let hint = closest(&name, known.iter().map(String::as_str))
                        .map(|found| format!("did you mean '{found}'?"));
                    let table = wanted.last().map_or("", String::as_str);
                    let off = lookup.is_disabled_source(wanted);
                    let wanted = format!("a source named '{name}'");
                    return Err(match off {
                        true => self.unknown(wanted, table, "is disabled", None),
                        false => self.unknown(wanted, table, "was not found", hint),
                    });
                }
            }
        }
        for wanted in refs {
            let name = wanted.name.as_str();
            match lookup.find_ref(project, self.package, wanted) {
                Found::Node(id) => {
                    missing.extend(self.stands_on_root(&id, project, wanted));
                    push(id);
                }
                Found::Disabled => {
                    disabled = true;
                    if self.kind != ResourceType::Test {
                        let wanted = format!("a node named '{name}'");
                        let hint = Some(format!("enable '{name}', or do not depend on it"));
                        return Err(self.unknown(wanted, name, "is disabled", hint));
                    }
                }
                // a package may carry tests of models that only some databases have
                Found::Nothing if self.kind == ResourceType::Test => {
                    disabled = true;
                    let package = wanted.package.as_deref().unwrap_or_default();
                    let what =
                        format!("a node named '{name}' in package '{package}' which was not found");
                    missing.push(self.doubt(NODE_NOT_FOUND, &what));
                }
                Found::Nothing => {
                    let hint = closest(name, lookup.ref_names());
                    let hint = hint.map(|found| format!("did you mean '{found}'?"));
                    let wanted = format!("a node named '{name}'");
                    return Err(self.unknown(wanted, name, "was not found", hint));
                }
            }
        }
        Ok(Resolved {
            ids,
            disabled,
            missing,
        })
    }
}

struct Resolved {
    ids: Vec<UniqueId>,
    /// A test names a disabled node, or none: it goes with it.
    disabled: bool,
    /// Warnings of the nodes that there are not.
    missing: Vec<Warning>,
}

/// Refuses names with blanks, unless the project's flags let them pass.
pub(crate) fn without_spaces(
    manifest: &Manifest,
    flags: &IndexMap<String, Json>,
) -> Result<(), Error> {
    if flags.get("require_resource_names_without_spaces") == Some(&Json::Bool(false)) {
        return Ok(());
    }
    let spaced: Vec<String> = (manifest.nodes.values())
        .filter(|node| node.name.contains(' '))
        .map(|node| {
            let path = node.original_file_path.display();
            format!("  * '{}' ({path})", node.unique_id)
        })
        .collect();
    if spaced.is_empty() {
        return Ok(());
    }
    Err(Error::Config {
        location: None,
        message: format!("Resource names cannot contain spaces:\n{}", spaced.join("\n")),
        hint: Some(
            "rename them, or set the flag require_resource_names_without_spaces to false in dbt_project.yml"
                .to_owned(),
        ),
    })
}

/// Sets `depends_on.nodes` everywhere. Tests of disabled nodes become disabled, and so do those of nodes that are
/// not there, with a warning; what else they name they keep.
pub(crate) fn dependencies(
    manifest: &mut Manifest,
    lookup: &Lookup,
    root: &std::path::Path,
) -> Result<Vec<Warning>, Error> {
    let project = manifest.project_name.clone();
    let mut gone = Vec::new();
    let mut warnings = Vec::new();
    let all = manifest.nodes.values().chain(manifest.disabled.values());
    let groups: HashMap<UniqueId, String> = all
        .filter_map(|node| Some((node.unique_id.clone(), node.group.clone()?)))
        .collect();
    let off = manifest.disabled.values();
    let off: HashMap<String, UniqueId> = off
        .filter(|node| referable(node.resource_type))
        .map(|node| (node.name.clone(), node.unique_id.clone()))
        .collect();
    // a generic test stands in the group of the node it is about
    let attachment = |node: &Node| {
        let about = node.resource_type == ResourceType::Test && node.test_metadata.is_some();
        about.then(|| {
            let attached = attached(node, lookup, &off, &project);
            let group = attached.as_ref().and_then(|id| groups.get(id)).cloned();
            (attached, group)
        })
    };
    let nodes: Vec<&Node> = manifest.nodes.values().collect();
    let found = parallel::map(&nodes, &|node: &&Node| {
        let asker = Asker {
            kind: node.resource_type,
            id: &node.unique_id,
            package: &node.package_name,
            path: &node.original_file_path,
            root,
        };
        let found = asker.resolve(lookup, &project, &node.refs, &node.source_refs)?;
        Ok((found, attachment(node)))
    })?;
    let attach = |node: &mut Node, attachment| {
        if let Some((attached, group)) = attachment {
            (node.attached_node, node.group) = (attached, group);
        }
    };
    for (node, (found, attachment)) in manifest.nodes.values_mut().zip(found) {
        warnings.extend(found.missing);
        if found.disabled {
            gone.push(node.unique_id.clone());
        }
        node.depends_on.nodes = found.ids;
        attach(node, attachment);
    }
    for node in manifest.disabled.values_mut() {
        let found = attachment(node);
        attach(node, found);
    }
    for id in gone {
        if let Some(mut node) = manifest.nodes.shift_remove(&id) {
            node.config.enabled = false;
            manifest.untargeted.insert(id.clone());
            manifest.disabled.insert(id, node);
        }
    }
    for model in manifest.semantic_models.values_mut() {
        let asker = Asker {
            kind: ResourceType::SemanticModel,
            id: &model.unique_id,
            package: &model.package_name,
            path: &model.original_file_path,
            root,
        };
        model.depends_on.nodes = asker.resolve(lookup, &project, &model.refs, &[])?.ids;
    }
    for exposure in manifest.exposures.values_mut() {
        let asker = Asker {
            kind: ResourceType::Exposure,
            id: &exposure.unique_id,
            package: &exposure.package_name,
            path: &exposure.original_file_path,
            root,
        };
        let found = asker.resolve(lookup, &project, &exposure.refs, &exposure.source_refs)?;
        exposure.depends_on.nodes = found.ids;
        for name in &exposure.metrics {
            let metric = manifest
                .metrics
                .values()
                .find(|metric| metric.name == *name);
            let Some(metric) = metric else {
                let wanted = format!("a metric named '{name}'");
                return Err(asker.unknown(wanted, name, "was not found", None));
            };
            exposure.depends_on.nodes.push(metric.unique_id.clone());
        }
    }
    Ok(warnings)
}

/// The node a generic test stands on: the one its `model` argument names, switched on or `off`.
fn attached(
    node: &Node,
    lookup: &Lookup,
    off: &HashMap<String, UniqueId>,
    project: &str,
) -> Option<UniqueId> {
    // as in dbt the package of the property file has it, or nobody
    let wanted = RefArgs {
        package: Some(node.package_name.clone()),
        ..attached_ref(node)?
    };
    match lookup.find_ref(project, &node.package_name, &wanted) {
        Found::Node(id) => Some(id),
        Found::Disabled | Found::Nothing => off.get(&wanted.name).cloned(),
    }
}

pub(crate) fn label(kind: ResourceType) -> &'static str {
    match kind {
        ResourceType::Model => "Model",
        ResourceType::Test => "Test",
        ResourceType::Seed => "Seed",
        ResourceType::Snapshot => "Snapshot",
        ResourceType::Analysis => "Analysis",
        ResourceType::Operation => "Operation",
        ResourceType::Source => "Source",
        ResourceType::UnitTest => "Unit test",
        ResourceType::Exposure => "Exposure",
        ResourceType::Metric => "Metric",
        ResourceType::SemanticModel => "Semantic model",
        ResourceType::SavedQuery => "Saved query",
    }
}

/// The place of a node.
pub(crate) fn place(node: &Node) -> Location {
    Location::line(
        &node.original_file_path,
        if node.line > 1 { node.line } else { 0 },
    )
}

/// Refuses two nodes of one package with one name, and two that would build one relation.
pub(crate) fn unique(manifest: &Manifest) -> Result<(), Error> {
    let mut names: HashMap<(&str, String), &Node> = HashMap::new();
    let mut relations: HashMap<String, &Node> = HashMap::new();
    for node in manifest
        .nodes
        .values()
        .filter(|node| referable(node.resource_type))
    {
        let kind = label(node.resource_type).to_lowercase();
        let version = node
            .version
            .iter()
            .map(|v| format!(".v{}", version_text(v)));
        let name: String = std::iter::once(node.name.clone()).chain(version).collect();
        if let Some(first) = names.insert((&node.package_name, name), node) {
            return Err(Error::Duplicate {
                what: format!("{kind} '{}'", node.name),
                first: place(first),
                second: place(node),
            });
        }
        if let Some(name) = &node.relation_name
            && let Some(first) = relations.insert(name.to_string(), node)
        {
            return Err(Error::Duplicate {
                what: format!("relation {name}"),
                first: place(first),
                second: place(node),
            });
        }
    }
    Ok(())
}

//! `--select` and `--exclude`: which nodes.
//!
//! A selection is a union of intersections of criteria. Every step keeps two sets: what is selected,
//! and tests that would be if their other parents were ([`Indirect`]).

use std::collections::HashSet;

use indexmap::{IndexMap, IndexSet};
use serde_json::Value as Json;

use crate::error::Error;
use crate::graph::Graph;
use crate::load::Project;
use crate::manifest::{Manifest, ResourceType, UniqueId};
use crate::select::criteria::{Criteria, Method};
use crate::select::definition::Definition;

mod compare;
mod criteria;
pub(crate) mod definition;
mod item;
mod methods;
mod pattern;

/// Which tests come with selected nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Indirect {
    /// Tests of which any parent is selected.
    #[default]
    Eager,
    /// Tests of which every parent is selected.
    Cautious,
    /// Tests of which every parent is selected or an ancestor of a selected node.
    Buildable,
    /// Only tests selected themselves.
    Empty,
}

/// A selection as the command line gives it.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    /// `--select` arguments; each may hold several, separated by blanks. Empty = everything.
    pub select: Vec<String>,
    /// `--exclude` arguments.
    pub exclude: Vec<String>,
    /// Kinds that the verb handles; empty = what `dbt ls` lists: everything, exposures included,
    /// but analyses and hooks.
    pub resource_types: Vec<ResourceType>,
    /// Kinds taken away from those.
    pub exclude_resource_types: Vec<ResourceType>,
    /// `--selector`: a name in selectors.yml, in the place of `select` and `exclude`.
    pub selector: Option<String>,
    /// How tests follow their nodes.
    pub indirect: Indirect,
}

/// What is selected, and what else would be once all its parents are.
#[derive(Debug, Clone, Default)]
struct Bundle {
    direct: HashSet<UniqueId>,
    indirect: HashSet<UniqueId>,
}

/// The nodes that `spec` means, in file order.
///
/// # Errors
/// [`Error::Selection`] for an unknown method or malformed selector.
pub fn select(project: &Project, spec: &Spec) -> Result<IndexSet<UniqueId>, Error> {
    select_in(&project.manifest, &project.graph, spec, Some(project))
}

/// `project` is what `state:` and its like compare; tests of the other methods have none.
fn select_in(
    manifest: &Manifest,
    graph: &Graph,
    spec: &Spec,
    project: Option<&Project>,
) -> Result<IndexSet<UniqueId>, Error> {
    let selection = Selection {
        project,
        manifest,
        graph,
        indirect: spec.indirect,
    };
    let chosen = selection.of(&spec.definition(&manifest.selectors)?)?.direct;
    let wanted = |kind: ResourceType| {
        let asked = match spec.resource_types.as_slice() {
            [] => !matches!(kind, ResourceType::Analysis | ResourceType::Operation),
            kinds => kinds.contains(&kind),
        };
        asked && !spec.exclude_resource_types.contains(&kind)
    };
    let nodes = manifest
        .nodes
        .values()
        .map(|node| (&node.unique_id, node.resource_type));
    let of_kind = |kind| move |id| (id, kind);
    let semantics = [
        &manifest.metrics,
        &manifest.semantic_models,
        &manifest.saved_queries,
    ];
    let semantics = semantics.into_iter().flat_map(|all| all.values());
    Ok(nodes
        .chain(manifest.sources.keys().map(of_kind(ResourceType::Source)))
        .chain(
            manifest
                .exposures
                .keys()
                .map(of_kind(ResourceType::Exposure)),
        )
        .chain(
            manifest
                .unit_tests
                .keys()
                .map(of_kind(ResourceType::UnitTest)),
        )
        .chain(semantics.map(|thing| (&thing.unique_id, thing.resource_type)))
        .filter(|(id, kind)| wanted(*kind) && chosen.contains(*id))
        .map(|(id, _)| id.clone())
        .collect())
}

impl Spec {
    /// What it means: the selector it names, the project's default one, or its own words.
    fn definition(&self, selectors: &IndexMap<String, Json>) -> Result<Definition, Error> {
        let unsaid = self.select.is_empty() && self.exclude.is_empty();
        let default = definition::default_of(selectors).filter(|_| unsaid);
        if let Some(name) = self.selector.as_deref().or(default) {
            return definition::named(selectors, name);
        }
        let everything = [
            "fqn:*",
            "source:*",
            "exposure:*",
            "metric:*",
            "semantic_model:*",
        ];
        let included = if self.select.is_empty() {
            self.union(&everything.map(str::to_owned))?
        } else {
            self.union(&self.select)?
        };
        let excluded = self.union(&self.exclude)?;
        Ok(Definition::Difference(
            Box::new((included, excluded)),
            Indirect::Eager,
        ))
    }

    /// Arguments, each split at blanks, added up; `a,b` is what both select.
    fn union(&self, arguments: &[String]) -> Result<Definition, Error> {
        let parts = arguments
            .iter()
            .flat_map(|argument| argument.split_whitespace());
        let each = parts.map(|part| {
            let criteria = part
                .split(',')
                .map(|part| Ok(Definition::One(Box::new(Criteria::parse(part)?), None)))
                .collect::<Result<_, Error>>()?;
            Ok(Definition::Intersection(criteria, self.indirect))
        });
        Ok(Definition::Union(
            each.collect::<Result<_, Error>>()?,
            self.indirect,
        ))
    }
}

struct Selection<'a> {
    project: Option<&'a Project>,
    manifest: &'a Manifest,
    graph: &'a Graph,
    indirect: Indirect,
}

/// How the sets of several parts become one.
type Join = fn(&[HashSet<UniqueId>]) -> HashSet<UniqueId>;

fn united(sets: &[HashSet<UniqueId>]) -> HashSet<UniqueId> {
    sets.iter().flat_map(|set| set.iter().cloned()).collect()
}

fn common(sets: &[HashSet<UniqueId>]) -> HashSet<UniqueId> {
    let Some((first, rest)) = sets.split_first() else {
        return HashSet::new();
    };
    first
        .iter()
        .filter(|id| rest.iter().all(|set| set.contains(*id)))
        .cloned()
        .collect()
}

fn remaining(sets: &[HashSet<UniqueId>]) -> HashSet<UniqueId> {
    let Some((first, rest)) = sets.split_first() else {
        return HashSet::new();
    };
    first
        .iter()
        .filter(|id| !rest.iter().any(|set| set.contains(*id)))
        .cloned()
        .collect()
}

impl Selection<'_> {
    fn of(&self, definition: &Definition) -> Result<Bundle, Error> {
        let all = |parts: &[Definition]| -> Result<Vec<Bundle>, Error> {
            parts.iter().map(|part| self.of(part)).collect()
        };
        Ok(match definition {
            Definition::One(criteria, indirect) => {
                self.criterion(criteria, indirect.unwrap_or(self.indirect))?
            }
            Definition::Union(parts, indirect) => self.combine(&all(parts)?, united, *indirect),
            Definition::Intersection(parts, indirect) => {
                self.combine(&all(parts)?, common, *indirect)
            }
            Definition::Difference(two, indirect) => {
                let bundles = [self.of(&two.0)?, self.of(&two.1)?];
                self.combine(&bundles, remaining, *indirect)
            }
        })
    }

    /// Joins parts, direct and possible sets each, then takes in what has become direct.
    fn combine(&self, bundles: &[Bundle], join: Join, indirect: Indirect) -> Bundle {
        let direct: Vec<_> = bundles.iter().map(|bundle| bundle.direct.clone()).collect();
        let possible: Vec<_> = bundles
            .iter()
            .map(|bundle| &bundle.direct | &bundle.indirect)
            .collect();
        let (direct, possible) = (join(&direct), join(&possible));
        Bundle {
            direct: self.take_in(direct, &possible, indirect),
            indirect: possible,
        }
    }

    /// `direct` and those tests of `possible` whose parents it holds.
    fn take_in(
        &self,
        mut direct: HashSet<UniqueId>,
        possible: &HashSet<UniqueId>,
        indirect: Indirect,
    ) -> HashSet<UniqueId> {
        let mut enough = match indirect {
            Indirect::Eager | Indirect::Empty => return direct,
            Indirect::Cautious | Indirect::Buildable => direct.clone(),
        };
        if indirect == Indirect::Buildable {
            enough.extend(self.parents(&direct, None));
        }
        for id in possible {
            if self.is_test(id) && self.parents_in(id, &enough) {
                direct.insert(id.clone());
            }
        }
        direct
    }

    /// Whether `id` is a data test or a unit test: what follows the nodes it stands on.
    fn is_test(&self, id: &str) -> bool {
        let node = self.manifest.nodes.get(id);
        node.is_some_and(|node| node.resource_type == ResourceType::Test)
            || self.manifest.unit_tests.contains_key(id)
    }

    /// Whether every parent of test `id` is in `set`.
    fn parents_in(&self, id: &str, set: &HashSet<UniqueId>) -> bool {
        let node = self.manifest.nodes.get(id).map(|node| &node.depends_on);
        let test = self.manifest.unit_tests.get(id);
        node.or(test.map(|test| &test.depends_on))
            .is_some_and(|needs| needs.nodes.iter().all(|parent| set.contains(parent)))
    }

    fn parents(&self, of: &HashSet<UniqueId>, depth: Option<usize>) -> HashSet<UniqueId> {
        self.layers(of, depth, |graph, id| graph.parents(id))
    }

    fn children(&self, of: &HashSet<UniqueId>, depth: Option<usize>) -> HashSet<UniqueId> {
        self.layers(of, depth, |graph, id| graph.children(id))
    }

    /// Everything at most `depth` steps from `of`; a member of `of` only if another leads to it.
    fn layers(
        &self,
        of: &HashSet<UniqueId>,
        depth: Option<usize>,
        next: for<'g> fn(&'g Graph, &str) -> Vec<&'g str>,
    ) -> HashSet<UniqueId> {
        let mut found: HashSet<UniqueId> = HashSet::new();
        let mut layer: Vec<&str> = of.iter().map(String::as_str).collect();
        let mut steps = 0;
        while !layer.is_empty() && depth.is_none_or(|depth| steps < depth) {
            let mut reached = Vec::new();
            for id in layer {
                for neighbour in next(self.graph, id) {
                    if found.insert(neighbour.to_owned()) {
                        reached.push(neighbour);
                    }
                }
            }
            layer = reached;
            steps += 1;
        }
        found
    }

    /// One criterion with its `+` and `@`, and the tests that follow it.
    fn criterion(&self, criteria: &Criteria, indirect: Indirect) -> Result<Bundle, Error> {
        let mut selected = match criteria.method {
            Method::State | Method::Result | Method::SourceStatus => {
                compare::search(self.manifest, self.project, criteria)?
            }
            _ => methods::search(self.manifest, criteria)?,
        };
        let mut more = HashSet::new();
        if criteria.childrens_parents {
            let down = &self.children(&selected, None) | &selected;
            more.extend(self.parents(&down, None));
            more.extend(down);
        }
        if criteria.parents {
            more.extend(self.parents(&selected, criteria.parents_depth));
        }
        if criteria.children {
            more.extend(self.children(&selected, criteria.children_depth));
        }
        selected.extend(more);
        Ok(self.with_tests(selected, indirect))
    }

    fn with_tests(&self, selected: HashSet<UniqueId>, indirect: Indirect) -> Bundle {
        let mut enough = selected.clone();
        match indirect {
            Indirect::Empty => {
                return Bundle {
                    direct: selected,
                    indirect: HashSet::new(),
                };
            }
            Indirect::Buildable => {
                enough.extend(self.parents(&selected, None));
                enough.extend(self.manifest.sources.keys().cloned());
            }
            Indirect::Eager | Indirect::Cautious => {}
        }
        let mut bundle = Bundle {
            direct: selected.clone(),
            indirect: HashSet::new(),
        };
        for id in selected.iter().flat_map(|id| self.graph.children(id)) {
            if !self.is_test(id) {
                continue;
            }
            if indirect == Indirect::Eager || self.parents_in(id, &enough) {
                bundle.direct.insert(id.to_owned());
            } else {
                bundle.indirect.insert(id.to_owned());
            }
        }
        bundle
    }
}

#[cfg(test)]
mod tests;

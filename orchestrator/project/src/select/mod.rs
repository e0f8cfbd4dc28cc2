//! `--select` and `--exclude`: which nodes.
//!
//! A selection is a union of intersections of criteria. Every step keeps two sets: what is selected,
//! and tests that would be if their other parents were ([`Indirect`]).

use std::cell::RefCell;
use std::collections::HashSet;

use indexmap::IndexSet;

use crate::error::Error;
use crate::graph::Graph;
use crate::load::Project;
use crate::manifest::{Manifest, ResourceType, UniqueId};
use crate::select::criteria::{Criteria, Method};
use crate::select::definition::Definition;
use crate::warnings::{NO_NODES_FOR_CRITERION, Warning};

mod compare;
mod criteria;
pub(crate) mod definition;
mod item;
mod methods;
mod pattern;
mod spec;

pub use definition::written as written_selectors;
pub use spec::{Indirect, Spec};

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
    selected(project, spec).map(|found| found.ids)
}

/// The same, and words of `spec` that match nothing.
///
/// # Errors
/// As [`select`].
pub fn selected(project: &Project, spec: &Spec) -> Result<Selected, Error> {
    select_in(&project.manifest, &project.graph, spec, Some(project))
}

/// What a selection means.
#[derive(Debug, Clone, Default)]
pub struct Selected {
    /// The nodes, in file order.
    pub ids: IndexSet<UniqueId>,
    /// What a person should know of its words.
    pub warnings: Vec<Warning>,
}

/// `project` is what `state:` and its like compare; tests of the other methods have none.
fn select_in(
    manifest: &Manifest,
    graph: &Graph,
    spec: &Spec,
    project: Option<&Project>,
) -> Result<Selected, Error> {
    let selection = Selection {
        project,
        manifest,
        graph,
        indirect: spec.indirect,
        unmatched: RefCell::default(),
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
    let ids = nodes
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
        .collect();
    let warning = |words: String| Warning {
        event: NO_NODES_FOR_CRITERION,
        text: format!("The selection criterion '{words}' does not match any enabled nodes"),
    };
    let unmatched = selection.unmatched.into_inner();
    Ok(Selected {
        ids,
        warnings: unmatched.into_iter().map(warning).collect(),
    })
}

struct Selection<'a> {
    project: Option<&'a Project>,
    manifest: &'a Manifest,
    graph: &'a Graph,
    indirect: Indirect,
    /// Words that meant nothing.
    unmatched: RefCell<Vec<String>>,
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
            Definition::Expected(one, words) => {
                let bundle = self.of(one)?;
                if bundle.direct.is_empty() {
                    self.unmatched.borrow_mut().push(words.clone());
                }
                bundle
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

//! `--select` and `--exclude`: which nodes.
//!
//! A selection is a union of intersections of criteria. Every step keeps two sets: what is selected,
//! and tests that would be if their other parents were ([`Indirect`]).

use std::collections::HashSet;

use indexmap::IndexSet;

use crate::error::Error;
use crate::graph::Graph;
use crate::load::Project;
use crate::manifest::{Manifest, ResourceType, UniqueId};
use crate::select::criteria::Criteria;

mod criteria;
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
    select_in(&project.manifest, &project.graph, spec)
}

fn select_in(manifest: &Manifest, graph: &Graph, spec: &Spec) -> Result<IndexSet<UniqueId>, Error> {
    let selection = Selection {
        manifest,
        graph,
        indirect: spec.indirect,
    };
    let included = if spec.select.is_empty() {
        selection.union(&["fqn:*", "source:*", "exposure:*"].map(str::to_owned))?
    } else {
        selection.union(&spec.select)?
    };
    let excluded = selection.union(&spec.exclude)?;
    let wanted = |kind: ResourceType| match spec.resource_types.as_slice() {
        [] => !matches!(kind, ResourceType::Analysis | ResourceType::Operation),
        kinds => kinds.contains(&kind),
    };
    let chosen = |id: &UniqueId| included.direct.contains(id) && !excluded.direct.contains(id);
    let nodes = manifest
        .nodes
        .values()
        .filter(|node| wanted(node.resource_type))
        .map(|node| &node.unique_id);
    let sources = manifest
        .sources
        .keys()
        .filter(|_| wanted(ResourceType::Source));
    let exposures = manifest
        .exposures
        .keys()
        .filter(|_| spec.resource_types.is_empty());
    Ok(nodes
        .chain(sources)
        .chain(exposures)
        .filter(|id| chosen(id))
        .cloned()
        .collect())
}

struct Selection<'a> {
    manifest: &'a Manifest,
    graph: &'a Graph,
    indirect: Indirect,
}

impl Selection<'_> {
    /// Arguments, each split at blanks, added up.
    fn union(&self, arguments: &[String]) -> Result<Bundle, Error> {
        let parts = arguments
            .iter()
            .flat_map(|argument| argument.split_whitespace());
        let bundles = parts
            .map(|part| self.intersection(part))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.combine(&bundles, |sets| {
            sets.iter().flat_map(|set| set.iter().cloned()).collect()
        }))
    }

    /// `a,b`: what every part selects.
    fn intersection(&self, text: &str) -> Result<Bundle, Error> {
        let bundles = text
            .split(',')
            .map(|part| self.criterion(part))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.combine(&bundles, |sets| {
            let Some((first, rest)) = sets.split_first() else {
                return HashSet::new();
            };
            first
                .iter()
                .filter(|id| rest.iter().all(|set| set.contains(*id)))
                .cloned()
                .collect()
        }))
    }

    /// Joins parts by `join`, direct and possible sets each, then takes in what has become direct.
    fn combine(
        &self,
        bundles: &[Bundle],
        join: fn(&[HashSet<UniqueId>]) -> HashSet<UniqueId>,
    ) -> Bundle {
        let direct: Vec<_> = bundles.iter().map(|bundle| bundle.direct.clone()).collect();
        let possible: Vec<_> = bundles
            .iter()
            .map(|bundle| &bundle.direct | &bundle.indirect)
            .collect();
        let (direct, indirect) = (join(&direct), join(&possible));
        let direct = self.take_in(direct, &indirect);
        Bundle { direct, indirect }
    }

    /// `direct` and those tests of `indirect` whose parents it holds.
    fn take_in(
        &self,
        mut direct: HashSet<UniqueId>,
        indirect: &HashSet<UniqueId>,
    ) -> HashSet<UniqueId> {
        let mut enough = match self.indirect {
            Indirect::Eager | Indirect::Empty => return direct,
            Indirect::Cautious | Indirect::Buildable => direct.clone(),
        };
        if self.indirect == Indirect::Buildable {
            enough.extend(self.parents(&direct, None));
        }
        for id in indirect {
            if self.parents_in(id, &enough) {
                direct.insert(id.clone());
            }
        }
        direct
    }

    /// Whether every parent of node `id` is in `set`.
    fn parents_in(&self, id: &str, set: &HashSet<UniqueId>) -> bool {
        self.manifest.nodes.get(id).is_some_and(|node| {
            node.depends_on
                .nodes
                .iter()
                .all(|parent| set.contains(parent))
        })
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
    fn criterion(&self, text: &str) -> Result<Bundle, Error> {
        let criteria = Criteria::parse(text)?;
        let mut selected = methods::search(self.manifest, &criteria)?;
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
        Ok(self.with_tests(selected))
    }

    fn with_tests(&self, selected: HashSet<UniqueId>) -> Bundle {
        let mut enough = selected.clone();
        match self.indirect {
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
            let test = self.manifest.nodes.get(id);
            if test.is_none_or(|node| node.resource_type != ResourceType::Test) {
                continue;
            }
            if self.indirect == Indirect::Eager || self.parents_in(id, &enough) {
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

//! `--select` and `--exclude`: which nodes. Pure.
//!
//! The rules are dbt's: blanks and repeated arguments unite, commas intersect, `+m`, `m+`, `2+m+3`
//! and `@m` reach along the graph, `method:value` chooses how a value is matched, and tests follow
//! the nodes they stand on as [`Indirect`] says.

mod criterion;
mod fqn;
mod method;

use std::collections::HashSet;

use indexmap::IndexSet;

use self::criterion::Criterion;
use crate::error::Error;
use crate::graph::Graph;
use crate::load::Project;
use crate::manifest::{Manifest, ResourceType, UniqueId};

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
    /// Kinds that the verb handles; empty = every kind.
    pub resource_types: Vec<ResourceType>,
    /// How tests follow their nodes.
    pub indirect: Indirect,
}

/// The nodes that `spec` means: in file order, sources behind them. Exposures are never among them.
///
/// # Errors
/// [`Error::Selection`] for an unknown method or malformed selector.
pub fn select(project: &Project, spec: &Spec) -> Result<IndexSet<UniqueId>, Error> {
    select_in(&project.manifest, &project.graph, spec)
}

/// [`select`] on the parts of a project that it reads.
fn select_in(manifest: &Manifest, graph: &Graph, spec: &Spec) -> Result<IndexSet<UniqueId>, Error> {
    let scope = Scope {
        manifest,
        graph,
        indirect: spec.indirect,
    };
    let mut chosen = if spec.select.iter().all(|arg| arg.trim().is_empty()) {
        Chosen {
            direct: scope.everything(),
            waiting: HashSet::new(),
        }
    } else {
        scope.union(&spec.select)?
    };
    if !spec.exclude.is_empty() {
        let excluded = scope.union(&spec.exclude)?;
        let excluded = scope.settle(excluded);
        chosen.direct.retain(|id| !excluded.contains(id));
        chosen.waiting.retain(|id| !excluded.contains(id));
    }
    let settled = scope.settle(chosen);
    let wanted = |kind| spec.resource_types.is_empty() || spec.resource_types.contains(&kind);
    let nodes = manifest
        .nodes
        .values()
        .map(|node| (&node.unique_id, node.resource_type));
    let sources = manifest.sources.keys().map(|id| (id, ResourceType::Source));
    Ok(nodes
        .chain(sources)
        .filter(|(id, kind)| settled.contains(*id) && wanted(*kind))
        .map(|(id, _)| id.clone())
        .collect())
}

/// What a selection has so far, and tests that join once all their parents are in.
struct Chosen {
    direct: HashSet<UniqueId>,
    waiting: HashSet<UniqueId>,
}

struct Scope<'a> {
    manifest: &'a Manifest,
    graph: &'a Graph,
    indirect: Indirect,
}

impl Scope<'_> {
    fn everything(&self) -> HashSet<UniqueId> {
        let exposures = self.manifest.exposures.keys();
        self.manifest
            .nodes
            .keys()
            .chain(self.manifest.sources.keys())
            .chain(exposures)
            .cloned()
            .collect()
    }

    fn union(&self, arguments: &[String]) -> Result<Chosen, Error> {
        let mut united = Chosen {
            direct: HashSet::new(),
            waiting: HashSet::new(),
        };
        for group in arguments
            .iter()
            .flat_map(|argument| argument.split_whitespace())
        {
            let part = self.intersection(group)?;
            united.direct.extend(part.direct);
            united.waiting.extend(part.waiting);
        }
        Ok(united)
    }

    fn intersection(&self, group: &str) -> Result<Chosen, Error> {
        let mut parts = group
            .split(',')
            .map(|text| self.one(&Criterion::parse(text)?));
        let mut common = match parts.next() {
            Some(first) => first?,
            None => Chosen {
                direct: HashSet::new(),
                waiting: HashSet::new(),
            },
        };
        for part in parts {
            let part = part?;
            common.direct.retain(|id| part.direct.contains(id));
            common.waiting.retain(|id| part.waiting.contains(id));
        }
        Ok(common)
    }

    /// What one criterion chooses, with what its signs reach and the tests that follow.
    fn one(&self, criterion: &Criterion) -> Result<Chosen, Error> {
        let mut direct = method::matching(self.manifest, criterion)?;
        let reached = self.reach(&direct, criterion);
        direct.extend(reached);
        let mut waiting = HashSet::new();
        if self.indirect == Indirect::Empty {
            return Ok(Chosen { direct, waiting });
        }
        let at_hand: HashSet<UniqueId> = match self.indirect {
            Indirect::Buildable => {
                let above = self
                    .graph
                    .ancestors(direct.iter().map(String::as_str), None);
                direct.iter().cloned().chain(above).collect()
            }
            Indirect::Eager | Indirect::Cautious | Indirect::Empty => direct.clone(),
        };
        let mut followers = Vec::new();
        for id in &direct {
            for child in self.graph.children(id) {
                let Some(node) = self.manifest.nodes.get(child) else {
                    continue;
                };
                if node.resource_type != ResourceType::Test || direct.contains(child) {
                    continue;
                }
                let complete = node
                    .depends_on
                    .nodes
                    .iter()
                    .all(|parent| at_hand.contains(parent));
                if self.indirect == Indirect::Eager || complete {
                    followers.push(child.to_owned());
                } else {
                    waiting.insert(child.to_owned());
                }
            }
        }
        direct.extend(followers);
        Ok(Chosen { direct, waiting })
    }

    fn reach(&self, from: &HashSet<UniqueId>, criterion: &Criterion) -> Vec<UniqueId> {
        let roots = || from.iter().map(String::as_str);
        let mut reached = Vec::new();
        if criterion.build_subtree {
            // @m: m, all below it, and all that those need
            let below = self.graph.descendants(roots(), None);
            let family = roots().chain(below.iter().map(String::as_str));
            reached.extend(self.graph.ancestors(family, None));
            reached.extend(below);
        }
        if let Some(depth) = criterion.parents {
            reached.extend(self.graph.ancestors(roots(), depth));
        }
        if let Some(depth) = criterion.children {
            reached.extend(self.graph.descendants(roots(), depth));
        }
        reached
    }

    /// Lets those tests in that wait for parents which are all there.
    fn settle(&self, chosen: Chosen) -> HashSet<UniqueId> {
        let complete = |id: &&UniqueId| {
            let parents = &self.manifest.nodes[*id].depends_on.nodes;
            parents.iter().all(|parent| chosen.direct.contains(parent))
        };
        let joining: Vec<UniqueId> = chosen.waiting.iter().filter(complete).cloned().collect();
        chosen.direct.into_iter().chain(joining).collect()
    }
}

#[cfg(test)]
mod tests;

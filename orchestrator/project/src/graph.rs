//! Who needs whom, by unique id.

use std::collections::{HashMap, HashSet, VecDeque};

use indexmap::IndexSet;
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::error::Error;
use crate::manifest::{Manifest, UniqueId};

mod gates;

pub use gates::{Edges, Gates, execution_edges};

/// Nodes and sources as a directed acyclic graph; an edge points from a parent to its child.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    dag: DiGraph<UniqueId, ()>,
    index: HashMap<UniqueId, NodeIndex>,
}

impl Graph {
    /// The graph of every source and node of `manifest`.
    ///
    /// # Errors
    /// [`Error::Cycle`] names one circle.
    pub fn of(manifest: &Manifest) -> Result<Self, Error> {
        let ids = manifest.sources.keys().map(|id| (id, None));
        let nodes = manifest
            .nodes
            .iter()
            .map(|(id, node)| (id, Some(&node.depends_on.nodes)));
        let exposures = manifest
            .exposures
            .iter()
            .map(|(id, exposure)| (id, Some(&exposure.depends_on.nodes)));
        let units = manifest
            .unit_tests
            .iter()
            .map(|(id, test)| (id, Some(&test.depends_on.nodes)));
        let semantics = [
            &manifest.semantic_models,
            &manifest.metrics,
            &manifest.saved_queries,
        ];
        let semantics = semantics
            .into_iter()
            .flatten()
            .map(|(id, thing)| (id, Some(&thing.depends_on.nodes)));
        let others = exposures.chain(units).chain(semantics);
        Self::from_parents(ids.chain(nodes).chain(others).map(|(id, parents)| {
            (
                id.as_str(),
                parents
                    .map_or(&[][..], Vec::as_slice)
                    .iter()
                    .map(String::as_str),
            )
        }))
    }

    fn from_parents<'a, P>(nodes: impl Iterator<Item = (&'a str, P)> + Clone) -> Result<Self, Error>
    where
        P: Iterator<Item = &'a str>,
    {
        let mut graph = Self::default();
        for (id, _) in nodes.clone() {
            let at = graph.dag.add_node(id.to_owned());
            graph.index.insert(id.to_owned(), at);
        }
        for (id, parents) in nodes {
            let child = graph.index[id];
            for parent in parents {
                if let Some(&parent) = graph.index.get(parent) {
                    graph.dag.update_edge(parent, child, ());
                }
            }
        }
        match petgraph::algo::toposort(&graph.dag, None) {
            Ok(_) => Ok(graph),
            Err(cycle) => Err(Error::Cycle {
                path: graph.circle_through(cycle.node_id()),
            }),
        }
    }

    /// The shortest way from `start` back to itself, parents after children.
    fn circle_through(&self, start: NodeIndex) -> Vec<String> {
        let mut came_from: HashMap<NodeIndex, NodeIndex> = HashMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(at) = queue.pop_front() {
            for parent in self.dag.neighbors_directed(at, Direction::Incoming) {
                if parent == start {
                    let mut path = vec![self.dag[start].clone()];
                    let mut step = at;
                    while step != start {
                        path.push(self.dag[step].clone());
                        step = came_from[&step];
                    }
                    path.push(self.dag[start].clone());
                    path.reverse();
                    return path;
                }
                came_from.entry(parent).or_insert_with(|| {
                    queue.push_back(parent);
                    at
                });
            }
        }
        vec![self.dag[start].clone()]
    }

    /// Whether the graph knows `id`.
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.index.contains_key(id)
    }

    fn around(&self, id: &str, direction: Direction) -> Vec<&str> {
        let Some(&at) = self.index.get(id) else {
            return Vec::new();
        };
        let mut found: Vec<&str> = self
            .dag
            .neighbors_directed(at, direction)
            .map(|n| self.dag[n].as_str())
            .collect();
        found.reverse(); // petgraph walks the newest edge first
        found
    }

    /// Direct parents, in the order of first mention.
    #[must_use]
    pub fn parents(&self, id: &str) -> Vec<&str> {
        self.around(id, Direction::Incoming)
    }

    /// Direct children, in file order.
    #[must_use]
    pub fn children(&self, id: &str) -> Vec<&str> {
        self.around(id, Direction::Outgoing)
    }

    fn reach<'a>(
        &self,
        from: impl IntoIterator<Item = &'a str>,
        direction: Direction,
        depth: Option<usize>,
    ) -> IndexSet<UniqueId> {
        let mut seen: HashSet<NodeIndex> = HashSet::new();
        let mut queue: VecDeque<(NodeIndex, usize)> = VecDeque::new();
        for id in from {
            if let Some(&at) = self.index.get(id)
                && seen.insert(at)
            {
                queue.push_back((at, 0));
            }
        }
        let roots = queue.len();
        let mut order = Vec::new();
        while let Some((at, steps)) = queue.pop_front() {
            order.push(at);
            if depth.is_some_and(|limit| steps >= limit) {
                continue;
            }
            for next in self.dag.neighbors_directed(at, direction) {
                if seen.insert(next) {
                    queue.push_back((next, steps + 1));
                }
            }
        }
        order
            .into_iter()
            .skip(roots)
            .map(|n| self.dag[n].clone())
            .collect()
    }

    /// Everything `from` needs, at most `depth` steps away; `from` itself is left out.
    #[must_use]
    pub fn ancestors<'a>(
        &self,
        from: impl IntoIterator<Item = &'a str>,
        depth: Option<usize>,
    ) -> IndexSet<UniqueId> {
        self.reach(from, Direction::Incoming, depth)
    }

    /// Everything that needs `from`, at most `depth` steps away; `from` itself is left out.
    #[must_use]
    pub fn descendants<'a>(
        &self,
        from: impl IntoIterator<Item = &'a str>,
        depth: Option<usize>,
    ) -> IndexSet<UniqueId> {
        self.reach(from, Direction::Outgoing, depth)
    }

    /// Every id, parents before children; ties in file order.
    #[must_use]
    pub fn topological_order(&self) -> Vec<&str> {
        let mut waiting: Vec<usize> = self
            .dag
            .node_indices()
            .map(|n| self.dag.neighbors_directed(n, Direction::Incoming).count())
            .collect();
        let mut ready: std::collections::BTreeSet<NodeIndex> = self
            .dag
            .node_indices()
            .filter(|n| waiting[n.index()] == 0)
            .collect();
        let mut order = Vec::with_capacity(waiting.len());
        while let Some(at) = ready.pop_first() {
            order.push(self.dag[at].as_str());
            for child in self.dag.neighbors_directed(at, Direction::Outgoing) {
                waiting[child.index()] -= 1;
                if waiting[child.index()] == 0 {
                    ready.insert(child);
                }
            }
        }
        order
    }
}

//! Who needs whom, by unique id, and which of the selected nodes wait for which.

use std::collections::{HashMap, HashSet, VecDeque};

use indexmap::{IndexMap, IndexSet};
use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::error::Error;
use crate::load::Project;
use crate::manifest::{Manifest, ResourceType, UniqueId};

/// Nodes and sources as a directed acyclic graph; an edge points from a parent to its child.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    dag: DiGraph<UniqueId, ()>,
    index: HashMap<UniqueId, NodeIndex>,
}

/// For each selected node, the selected nodes that must end before it starts.
pub type Edges = IndexMap<UniqueId, IndexSet<UniqueId>>;

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

/// What each of `selected` waits for: the nearest selected nodes above it, through unselected ones.
///
/// With `build`, a node also waits for the tests of what it needs.
#[must_use]
pub fn execution_edges(project: &Project, selected: &IndexSet<UniqueId>, build: bool) -> Edges {
    edges_among(&project.manifest, &project.graph, selected, build)
}

fn edges_among(
    manifest: &Manifest,
    graph: &Graph,
    selected: &IndexSet<UniqueId>,
    build: bool,
) -> Edges {
    // Nearest selected nodes at or above an unselected node; filled parents first.
    let mut through: HashMap<&str, IndexSet<UniqueId>> = HashMap::new();
    let mut edges = Edges::with_capacity(selected.len());
    for id in graph.topological_order() {
        let mut nearest = IndexSet::new();
        for parent in graph.parents(id) {
            if selected.contains(parent) {
                nearest.insert(parent.to_owned());
            } else if let Some(above) = through.get(parent) {
                nearest.extend(above.iter().cloned());
            }
        }
        if selected.contains(id) {
            edges.insert(id.to_owned(), nearest);
        } else if !nearest.is_empty() {
            through.insert(id, nearest);
        }
    }
    if build {
        put_unit_tests_first(manifest, &mut edges);
        add_test_edges(manifest, graph, &mut edges);
    }
    let mut in_order = Edges::with_capacity(edges.len());
    for id in selected {
        in_order.insert(id.clone(), edges.swap_remove(id).unwrap_or_default());
    }
    in_order
}

/// A unit test needs what its model needs, and the model waits for it: a wrong model is not built.
fn put_unit_tests_first(manifest: &Manifest, edges: &mut Edges) {
    for (id, test) in &manifest.unit_tests {
        let Some(model) = test.depends_on.nodes.first() else {
            continue;
        };
        if !edges.contains_key(id) || !edges.contains_key(model) {
            continue;
        }
        let inputs: IndexSet<UniqueId> = edges[model]
            .iter()
            .filter(|need| !manifest.unit_tests.contains_key(*need))
            .cloned()
            .collect();
        edges.insert(id.clone(), inputs);
        edges[model].insert(id.clone());
    }
}

/// A test holds back exactly the nodes that have everything it depends on above them, sources and nodes that were not
/// selected included (dbt's rule: anything looser can make two tests wait for each other). An edge to the first
/// such nodes is enough: what lies below them waits for them anyway, so the edges never grow with the square of the
/// graph.
fn add_test_edges(manifest: &Manifest, graph: &Graph, edges: &mut Edges) {
    let is_test = |id: &str| {
        let node = manifest.nodes.get(id);
        node.is_some_and(|node| node.resource_type == ResourceType::Test)
    };
    let below = Below {
        graph,
        // who only uses the project is told of, whatever tests say
        is_built: &|id| manifest.nodes.contains_key(id) && !is_test(id),
        is_unit_test: &|id| manifest.unit_tests.contains_key(id),
    };
    let mut first: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut all: HashMap<&str, HashSet<&str>> = HashMap::new();
    let mut held_back: Vec<(UniqueId, UniqueId)> = Vec::new();
    for test in edges.keys().filter(|id| is_test(id)) {
        let parents = graph.parents(test);
        match *parents {
            [] => {}
            [only] => {
                let held = first
                    .entry(only)
                    .or_insert_with(|| below.first(only, |id| edges.contains_key(id)));
                held_back.extend(held.iter().map(|id| ((*id).to_owned(), test.clone())));
            }
            [one, ref others @ ..] => {
                for parent in &parents {
                    all.entry(parent).or_insert_with(|| below.all(parent));
                }
                let common: HashSet<&str> = all[one]
                    .iter()
                    .filter(|id| others.iter().all(|parent| all[parent].contains(*id)))
                    .copied()
                    .collect();
                let held = common.iter().filter(|id| {
                    let needs = edges.get(**id);
                    needs.is_some_and(|needs| !needs.iter().any(|need| common.contains(&**need)))
                });
                held_back.extend(held.map(|id| ((*id).to_owned(), test.clone())));
            }
        }
    }
    for (child, test) in held_back {
        if let Some(needs) = edges.get_mut(&child) {
            needs.insert(test);
        }
    }
}

/// What is built below a node, in the whole graph.
struct Below<'a, 'f> {
    graph: &'a Graph,
    is_built: &'f dyn Fn(&str) -> bool,
    is_unit_test: &'f dyn Fn(&str) -> bool,
}

impl<'a> Below<'a, '_> {
    /// A unit test stands beside its model: it needs what that needs, and is no child of it.
    fn children(&self, id: &str) -> Vec<&'a str> {
        let children = self.graph.children(id).into_iter();
        let mut found: Vec<&str> = children.filter(|child| (self.is_built)(child)).collect();
        for at in 0..found.len() {
            let beside = self.graph.children(found[at]).into_iter();
            found.extend(beside.filter(|child| (self.is_unit_test)(child)));
        }
        found
    }

    /// The nearest ones that are `wanted`.
    fn first(&self, id: &str, wanted: impl Fn(&str) -> bool) -> Vec<&'a str> {
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        let mut open = self.children(id);
        while let Some(at) = open.pop() {
            if !seen.insert(at) {
                continue;
            }
            if wanted(at) {
                found.push(at);
            } else {
                open.extend(self.children(at));
            }
        }
        found
    }

    fn all(&self, id: &str) -> HashSet<&'a str> {
        let mut seen = HashSet::new();
        let mut open = self.children(id);
        while let Some(at) = open.pop() {
            if seen.insert(at) {
                open.extend(self.children(at));
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests;

//! Which of the selected nodes wait for which.

use std::collections::{HashMap, HashSet};

use indexmap::{IndexMap, IndexSet};

use super::Graph;
use crate::load::Project;
use crate::manifest::{Manifest, ResourceType, UniqueId};

/// For each selected node, the selected nodes that must end before it starts.
pub type Edges = IndexMap<UniqueId, IndexSet<UniqueId>>;

/// What nodes wait for beside the nodes they need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gates {
    /// Nothing.
    None,
    /// The tests of what they need, and a model for its unit tests.
    Tests,
    /// The tests of what they need. A `build` that is tried again has, as in dbt, unit tests behind their model.
    TestsAgain,
}

/// What each of `selected` waits for: the nearest selected nodes above it, through unselected ones, and its `gates`.
#[must_use]
pub fn execution_edges(project: &Project, selected: &IndexSet<UniqueId>, gates: Gates) -> Edges {
    edges_among(&project.manifest, &project.graph, selected, gates)
}

fn edges_among(
    manifest: &Manifest,
    graph: &Graph,
    selected: &IndexSet<UniqueId>,
    gates: Gates,
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
    if gates == Gates::Tests {
        put_unit_tests_first(manifest, &mut edges);
    }
    if gates != Gates::None {
        add_test_edges(manifest, graph, &mut edges);
    }
    let mut in_order = Edges::with_capacity(edges.len());
    for id in selected {
        in_order.insert(id.clone(), edges.swap_remove(id).unwrap_or_default());
    }
    in_order
}

/// A unit test needs what its model needs, and the model waits for it: a wrong model is not built. Those of one model
/// go in a row, so that the first that fails spares the others.
fn put_unit_tests_first(manifest: &Manifest, edges: &mut Edges) {
    let mut last: HashMap<&str, &UniqueId> = HashMap::new();
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
            .chain(last.insert(model, id))
            .cloned()
            .collect();
        // the row leads to the model: it waits for the last
        edges[model]
            .retain(|need| !inputs.contains(need) || !manifest.unit_tests.contains_key(need));
        edges[model].insert(id.clone());
        edges.insert(id.clone(), inputs);
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

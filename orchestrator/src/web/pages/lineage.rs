//! `/lineage`: the project's graph, laid out here, moved about by `web/static/dag.js`.
//!
//! Tests are not boxes but a count on the node they stand on: there are three times as many of them, and they
//! say nothing about where data flows.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{Page, render};
use crate::store::graphs::{self, GraphNode};
use crate::store::{node_runs, runs};
use crate::web::App;
use crate::web::error::Error;
use crate::web::layout::{HEIGHT, Point, WIDTH, layout};

/// Characters of a name that fit into a box.
const LABEL: usize = 26;

/// What part of it, as of when.
#[derive(Debug, Deserialize)]
pub struct View {
    run: Option<i64>,
    focus: Option<String>,
}

pub(in crate::web) async fn page(State(app): State<App>, Query(view): Query<View>) -> Page {
    let pool = app.store.pool();
    let (hash, states) = match view.run {
        Some(id) => {
            let run = runs::get(pool, id).await?;
            let run = run.ok_or_else(|| Error::NotFound(format!("there is no run {id}")))?;
            let nodes = node_runs::list(pool, id).await?;
            let states: HashMap<String, String> = nodes
                .into_iter()
                .map(|node| (node.unique_id, node.state))
                .collect();
            (run.graph_hash, states)
        }
        None => {
            let hash = graphs::latest_hash(pool).await?;
            let states = match &hash {
                Some(hash) => node_runs::latest_states(pool, hash).await?,
                None => Vec::new(),
            };
            (
                hash,
                states
                    .into_iter()
                    .map(|(id, state, _, _)| (id, state))
                    .collect(),
            )
        }
    };
    let stored = match &hash {
        Some(hash) => graphs::latest(pool, Some(hash)).await?,
        None => None,
    };
    let Some(stored) = stored else {
        return render(
            &app,
            "lineage.html",
            json!({ "page": "lineage", "nodes": [], "project": null }),
        );
    };
    let mut values = picture(&stored.graph, &states, view.focus.as_deref());
    values["page"] = json!("lineage");
    values["project"] = json!(stored.project);
    values["run_id"] = json!(view.run);
    render(&app, "lineage.html", values)
}

/// Everything the template draws. Pure.
fn picture(graph: &[GraphNode], states: &HashMap<String, String>, focus: Option<&str>) -> Json {
    let boxes: Vec<&GraphNode> = graph.iter().filter(|node| node.r#type != "test").collect();
    let kept: Vec<&GraphNode> = match focus {
        Some(focus) => around(&boxes, focus),
        None => boxes.clone(),
    };
    let number: HashMap<&str, usize> = kept
        .iter()
        .enumerate()
        .map(|(n, node)| (node.id.as_str(), n))
        .collect();
    let edges: Vec<(usize, usize)> = kept
        .iter()
        .enumerate()
        .flat_map(|(to, node)| {
            node.parents
                .iter()
                .filter_map(|id| number.get(id.as_str()))
                .map(move |&from| (from, to))
        })
        .collect();
    let placed = layout(kept.len(), &edges);

    let mut tests: HashMap<&str, (usize, usize)> = HashMap::new();
    for test in graph.iter().filter(|node| node.r#type == "test") {
        let fails = states.get(&test.id).is_some_and(|state| state == "failed");
        for parent in &test.parents {
            let count = tests.entry(parent).or_default();
            count.0 += 1;
            count.1 += usize::from(fails);
        }
    }
    let nodes: Vec<Json> = kept
        .iter()
        .zip(&placed.nodes)
        .enumerate()
        .map(|(n, (node, at))| {
            let (count, failing) = tests.get(node.id.as_str()).copied().unwrap_or_default();
            json!({
                "number": n, "id": node.id, "label": short(&node.name), "kind": node.r#type,
                "how": node.materialized.as_deref().unwrap_or(&node.r#type),
                "path": node.path, "description": node.description.trim(),
                "state": states.get(&node.id), "tests": count, "failing": failing,
                "x": at.x.round(), "y": at.y.round(),
            })
        })
        .collect();
    let lines: Vec<Json> = edges
        .iter()
        .zip(&placed.edges)
        .map(|(&(from, to), line)| json!({ "from": from, "to": to, "path": curve(line) }))
        .collect();
    let focus_name = focus.and_then(|id| kept.iter().find(|node| node.id == id));
    json!({
        "nodes": nodes, "edges": lines, "total": boxes.len(),
        "width": placed.width.max(WIDTH), "height": placed.height.max(HEIGHT),
        "focus": focus, "focus_name": focus_name.map_or("", |node| &node.name),
        "names": boxes.iter().map(|node| &node.name).collect::<Vec<_>>(),
    })
}

/// A node with everything above and below it.
fn around<'a>(boxes: &[&'a GraphNode], focus: &str) -> Vec<&'a GraphNode> {
    let mut children: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut parents: HashMap<&str, Vec<&str>> = HashMap::new();
    for node in boxes {
        for parent in &node.parents {
            children.entry(parent).or_default().push(&node.id);
            parents.entry(&node.id).or_default().push(parent);
        }
    }
    let mut kept: HashSet<&str> = HashSet::new();
    for links in [&children, &parents] {
        let mut queue = vec![focus];
        let mut seen: HashSet<&str> = HashSet::from([focus]);
        while let Some(id) = queue.pop() {
            for &next in links.get(id).into_iter().flatten() {
                if seen.insert(next) {
                    queue.push(next);
                }
            }
        }
        kept.extend(seen);
    }
    boxes
        .iter()
        .copied()
        .filter(|node| kept.contains(node.id.as_str()))
        .collect()
}

/// A smooth line through the points: straight across boxes' layers, bending between them.
fn curve(line: &[Point]) -> String {
    let mut path = String::new();
    for pair in line.windows(2) {
        let [a, b] = pair else { continue };
        if path.is_empty() {
            let _ = write!(path, "M{:.0} {:.1}", a.x, a.y);
        }
        let bend = (b.x - a.x) / 2.0;
        if (a.y - b.y).abs() < 0.5 {
            let _ = write!(path, "H{:.0}", b.x);
        } else {
            let (x1, x2) = (a.x + bend, b.x - bend);
            let _ = write!(
                path,
                "C{x1:.0} {:.1} {x2:.0} {:.1} {:.0} {:.1}",
                a.y, b.y, b.x, b.y
            );
        }
    }
    path
}

fn short(name: &str) -> String {
    if name.chars().count() <= LABEL {
        return name.to_owned();
    }
    name.chars().take(LABEL - 1).chain(['…']).collect()
}

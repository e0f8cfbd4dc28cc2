//! `graph`: everything of the project by unique id, as templates look through it.

use std::sync::{Mutex, PoisonError};

use indexmap::IndexMap;
use jinja::json;
use jinja::list::dict;
use minijinja::value::Value;
use serde_json::Value as Json;

use crate::context::{Run, node_value};
use crate::manifest::UniqueId;
use crate::rendered;
use crate::roots::Roots;

const KEYS: [&str; 8] = [
    "nodes",
    "sources",
    "exposures",
    "metrics",
    "groups",
    "semantic_models",
    "saved_queries",
    "functions",
];

/// The one graph of an invocation: what a template changes in it, others see.
#[derive(Debug, Default)]
pub(crate) struct Shown(Mutex<Option<Value>>);

/// The graph; empty while parsing.
pub(crate) fn value(run: Option<&Run>, roots: &Roots) -> Value {
    let Some(run) = run else {
        return dict(KEYS.map(|key| (Value::from(key), dict([]))));
    };
    let mut shown = run.graph.0.lock().unwrap_or_else(PoisonError::into_inner);
    shown.get_or_insert_with(|| whole(run, roots)).clone()
}

fn whole(run: &Run, roots: &Roots) -> Value {
    let manifest = &run.manifest;
    let nodes = manifest.nodes.values().map(|node| {
        (
            Value::from(node.unique_id.as_str()),
            node_value::value(node, roots),
        )
    });
    let created = run.created;
    let semantic = |thing: &_| rendered::semantic(thing, created);
    let parts = [
        dict(nodes),
        part(&manifest.sources, |source| {
            rendered::source(source, created)
        }),
        part(&manifest.exposures, |exposure| {
            rendered::exposure(exposure, created)
        }),
        part(&manifest.metrics, semantic),
        part(&manifest.groups, rendered::group),
        part(&manifest.semantic_models, semantic),
        part(&manifest.saved_queries, semantic),
        dict([]),
    ];
    dict(KEYS.map(Value::from).into_iter().zip(parts))
}

fn part<T>(things: &IndexMap<UniqueId, T>, of: impl Fn(&T) -> Json) -> Value {
    let pairs = things.iter();
    dict(pairs.map(|(id, thing)| (Value::from(id.as_str()), json::to_value(&of(thing)))))
}

//! `graph`: everything of the project by unique id, as templates look through it.

use jinja::json;
use jinja::list::dict;
use minijinja::value::Value;
use serde::Serialize;
use serde_json::Value as Json;

use crate::context::{Run, node_value};
use crate::manifest::{Source, UniqueId};

const KEYS: [&str; 4] = ["nodes", "sources", "exposures", "metrics"];

/// The graph; empty while parsing.
pub(crate) fn value(run: Option<&Run>) -> Value {
    match run {
        Some(run) => run.graph.get_or_init(|| whole(run)).clone(),
        None => dict(KEYS.map(|key| (Value::from(key), dict([])))),
    }
}

fn whole(run: &Run) -> Value {
    let manifest = &run.manifest;
    let nodes = manifest.nodes.values().map(|node| {
        (
            Value::from(node.unique_id.as_str()),
            node_value::value(node),
        )
    });
    let sources = manifest
        .sources
        .values()
        .map(|found| (Value::from(found.unique_id.as_str()), source(found)));
    let exposures = manifest
        .exposures
        .iter()
        .map(|found| entry(found, "exposure"));
    let metrics = manifest.metrics.iter().map(|found| entry(found, "metric"));
    let parts = [dict(nodes), dict(sources), dict(exposures), dict(metrics)];
    dict(KEYS.map(Value::from).into_iter().zip(parts))
}

fn entry((id, found): (&UniqueId, &impl Serialize), kind: &str) -> (Value, Value) {
    let mut json = serde_json::to_value(found).unwrap_or(Json::Null);
    if let Some(map) = json.as_object_mut() {
        map.insert("resource_type".into(), kind.into());
    }
    (Value::from(id.as_str()), json::to_value(&json))
}

/// A source with the names dbt gives its parts.
fn source(found: &Source) -> Value {
    let mut json = serde_json::to_value(found).unwrap_or(Json::Null);
    if let Some(map) = json.as_object_mut() {
        let name = &found.relation_name;
        let path = found.original_file_path.display().to_string();
        for (key, value) in [
            ("resource_type", "source".into()),
            ("database", name.database.as_str().into()),
            ("schema", name.schema.as_str().into()),
            ("identifier", name.identifier.as_str().into()),
            ("relation_name", name.to_string().into()),
            ("path", Json::from(path)),
        ] {
            map.insert(key.to_owned(), value);
        }
    }
    json::to_value(&json)
}

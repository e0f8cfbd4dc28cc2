//! `semantic_manifest.json`: what the semantic layer reads of a project. Pure.

use serde_json::{Value as Json, json};

use super::check::Spine;
use crate::manifest::Manifest;
use crate::rendered;

/// The keys of an object that are kept, and what is kept of their values.
enum Keys {
    /// The value as it is.
    All,
    /// These keys, of an object or of every object of a list.
    Of(&'static [(&'static str, Keys)]),
    /// All keys but these.
    But(&'static [&'static str]),
}

use Keys::{All, But, Of};

/// Of what is configured only `meta` is told.
const CONFIG: Keys = Of(&[("meta", All)]);

const METRIC: Keys = Of(&[
    ("name", All),
    ("description", All),
    ("type", All),
    (
        "type_params",
        Of(&[
            ("measure", All),
            ("input_measures", All),
            ("numerator", All),
            ("denominator", All),
            ("expr", All),
            ("window", All),
            ("grain_to_date", All),
            ("metrics", All),
            ("conversion_type_params", All),
            ("cumulative_type_params", But(&["metric"])),
        ]),
    ),
    ("filter", All),
    ("metadata", All),
    ("label", All),
    ("config", CONFIG),
    ("time_granularity", All),
]);

const MODEL: Keys = Of(&[
    ("name", All),
    ("defaults", All),
    ("description", All),
    ("node_relation", All),
    ("primary_entity", All),
    ("entities", All),
    ("measures", All),
    ("dimensions", All),
    ("label", All),
    ("metadata", All),
    ("config", CONFIG),
]);

const QUERY: Keys = Of(&[
    ("name", All),
    ("query_params", All),
    ("description", All),
    ("metadata", All),
    ("label", All),
    (
        "exports",
        Of(&[("name", All), ("config", But(&["database"]))]),
    ),
    ("tags", All),
]);

impl Keys {
    fn pick(&self, value: Json) -> Json {
        match (self, value) {
            (All, value) => value,
            (keys, Json::Array(items)) => items.into_iter().map(|item| keys.pick(item)).collect(),
            (Of(kept), Json::Object(mut map)) => kept
                .iter()
                .filter_map(|(key, keys)| Some(((*key).to_owned(), keys.pick(map.remove(*key)?))))
                .collect(),
            (But(gone), Json::Object(mut map)) => {
                map.retain(|key, _| !gone.contains(&key.as_str()));
                Json::Object(map)
            }
            (Of(_) | But(_), value) => value,
        }
    }
}

/// What the semantic layer reads of the project.
#[must_use]
pub fn semantic_manifest(manifest: &Manifest) -> Json {
    let metrics = manifest.metrics.values().map(|thing| {
        let mut value = METRIC.pick(rendered::semantic(thing, 0.0));
        in_lower_case(&mut value["type_params"]);
        value
    });
    let models = manifest.semantic_models.values().map(|thing| {
        let mut value = MODEL.pick(rendered::semantic(thing, 0.0));
        for key in ["entities", "measures"] {
            for part in value[key].as_array_mut().into_iter().flatten() {
                part["metadata"] = Json::Null;
            }
        }
        value
    });
    let queries = manifest.saved_queries.values();
    let queries = queries.map(|thing| QUERY.pick(rendered::semantic(thing, 0.0)));
    let spines: Vec<Json> = Spine::of(manifest).map(|spine| spine.json()).collect();
    let legacy: Vec<Json> = Spine::legacy(manifest).into_iter().collect();
    json!({
        "semantic_models": models.collect::<Json>(),
        "metrics": metrics.collect::<Json>(),
        "project_configuration": {
            "time_spine_table_configurations": legacy,
            "metadata": null,
            // of the rules that these documents follow
            "dsi_package_version": { "major_version": "0", "minor_version": "9", "patch_version": "0" },
            "time_spines": spines,
        },
        "saved_queries": queries.collect::<Json>(),
    })
}

/// Spans of time that the manifest has as they were written.
fn in_lower_case(parameters: &mut Json) {
    let lower = |value: &mut Json| {
        if let Json::String(text) = value {
            *text = text.to_lowercase();
        }
    };
    let nested = parameters.get_mut("cumulative_type_params");
    if let Some(grain) = nested.and_then(|nested| nested.get_mut("grain_to_date")) {
        lower(grain);
    }
    for input in parameters["metrics"].as_array_mut().into_iter().flatten() {
        lower(&mut input["offset_to_grain"]);
    }
}

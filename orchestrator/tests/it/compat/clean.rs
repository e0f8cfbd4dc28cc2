//! What changes from run to run is taken out, as the recorder takes it out of dbt's answers.

use serde_json::{Map, Value as Json};

use crate::bed::Bed;

/// Times and hashes of one run.
const VOLATILE: [&str; 5] = [
    "created_at",
    "invocation_id",
    "invocation_started_at",
    "generated_at",
    "supported_languages",
];

/// What comes with the engine: compared by what it does, and by who needs it.
fn built_in(text: &str) -> bool {
    ["macro.dbt.", "macro.dbt_postgres.", "doc.dbt."]
        .iter()
        .any(|prefix| text.starts_with(prefix))
}

/// `value` without what changes.
pub(super) fn clean(bed: &Bed, value: &Json) -> Json {
    match value {
        Json::Object(map) => map
            .iter()
            .filter(|(key, _)| !VOLATILE.contains(&key.as_str()) && !built_in(key))
            .map(|(key, entry)| (key.clone(), clean(bed, entry)))
            .collect::<Map<_, _>>()
            .into(),
        Json::Array(entries) => entries.iter().map(|entry| clean(bed, entry)).collect(),
        Json::String(text) => bed.anonymous(text).into(),
        other => other.clone(),
    }
}

/// One entry of `run_results.json`.
pub(super) fn result(bed: &Bed, result: &Json) -> Json {
    let mut kept = result.as_object().cloned().unwrap_or_default();
    for key in ["execution_time", "thread_id"] {
        kept.shift_remove(key);
    }
    let timing = kept
        .get("timing")
        .and_then(Json::as_array)
        .cloned()
        .unwrap_or_default();
    kept.insert(
        "timing".to_owned(),
        timing.iter().map(|span| span["name"].clone()).collect(),
    );
    clean(bed, &Json::Object(kept))
}

/// The results of `sources.json` by id.
pub(super) fn sources(written: &Json) -> Json {
    const KEPT: [&str; 4] = ["status", "criteria", "error", "adapter_response"];
    let results = written["results"].as_array().cloned().unwrap_or_default();
    let by_id = results.iter().map(|result| {
        let entries = result.as_object().cloned().unwrap_or_default();
        let kept: Map<String, Json> = entries
            .into_iter()
            .filter(|(key, _)| KEPT.contains(&key.as_str()))
            .collect();
        (
            result["unique_id"].as_str().unwrap_or("?").to_owned(),
            Json::Object(kept),
        )
    });
    by_id.collect::<Map<_, _>>().into()
}

//! One file a page: read the store, shape what the template needs, render.

pub mod health;
pub mod jobs;
pub mod lake;
pub mod lineage;
pub mod overview;
pub mod run;
pub mod runs;

use axum::response::Html;
use chrono::{DateTime, SecondsFormat, Utc};
use minijinja::Value;
use serde_json::{Value as Json, json};

use super::App;
use super::error::Error;
use super::words;
use crate::store::runs::Run;

/// A page, or why not.
pub(super) type Page = Result<Html<String>, Error>;

fn render(app: &App, name: &str, values: Json) -> Page {
    Ok(Html(
        app.templates.get_template(name)?.render(value(values))?,
    ))
}

/// JSON as templates take it.
fn value(json: Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(truth) => Value::from(truth),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::from(whole),
            None => Value::from(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::from(text),
        Json::Array(items) => items.into_iter().map(value).collect(),
        Json::Object(pairs) => {
            Value::from_pairs(pairs.into_iter().map(|(key, json)| (key, value(json))))
        }
    }
}

/// A run as templates show it.
fn shown(run: &Run, now: DateTime<Utc>) -> Json {
    json!({
        "run_id": run.run_id,
        "state": run.state,
        "is_final": run.finished_at.is_some(),
        "command": run.command,
        "selection": run.request.selection(),
        "job": run.job,
        "project": run.project,
        "target": run.target,
        "trigger_word": match run.trigger.as_str() {
            "cli" => "by hand",
            "schedule" => "by schedule",
            _ => "by a trigger",
        },
        "due": run.due_at.map(words::instant),
        "created": words::instant(run.created_at),
        "created_iso": iso(run.created_at),
        "created_ago": words::relative(run.created_at, now),
        "started": run.started_at.map(words::instant),
        "started_ms": run.started_at.map(|at| at.timestamp_millis()),
        "finished_ms": run.finished_at.map(|at| at.timestamp_millis()),
        "took": run.duration(now).map(words::duration).unwrap_or_default(),
        "nodes": run.nodes,
        "succeeded": run.succeeded,
        "warned": run.warned,
        "failed": run.failed,
        "skipped": run.skipped,
        "error": run.error,
    })
}

fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

//! Reads a project as a request and a machine say.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use project::deferral::Deferral;
use project::state::Previous;
use project::warnings::{STATE_IS_TARGET, Warning};
use project::{LoadOptions, PARSE_CACHE, Project};
use serde_json::Value as Json;
use uuid::Uuid;

use super::Place;
use crate::artifacts;
use crate::run::request::Request;

/// How `which` verb reads the project.
#[must_use]
pub fn options(
    place: &Place,
    request: &Request,
    which: &str,
    started_at: DateTime<Utc>,
    invocation_id: Uuid,
) -> LoadOptions {
    LoadOptions {
        project_dir: place.project_dir.clone(),
        profiles_dir: place.profiles_dir.clone(),
        profile: request.profile.clone(),
        target: request.target.clone(),
        vars: request.vars.clone(),
        threads: request.threads,
        target_path: place.target_path.clone(),
        full_refresh: request.full_refresh,
        env: place.env.clone(),
        started_at,
        invocation_id: invocation_id.to_string(),
        which: which.to_owned(),
        store_failures: request.store_failures,
        skip_version_check: place.skip_version_check,
        flags: flags(request),
        sample: request.sample,
        warn_error: request.warn_error,
        warn_error_options: request.warn_error_options.clone(),
        parse_cache: place.parse_cache,
        binary: binary(),
    }
}

/// Reads the project for `which` verb.
///
/// # Errors
/// Whatever is wrong with the project.
pub fn load(
    place: &Place,
    request: &Request,
    which: &str,
    started_at: DateTime<Utc>,
    invocation_id: Uuid,
) -> Result<Project, Box<project::Error>> {
    let options = options(place, request, which, started_at, invocation_id);
    let mut project = project::load(&options).map_err(Box::new)?;
    if let Some(kept) = project.parse_cache.take()
        && let Err(error) = artifacts::write_text(&project.target_path, PARSE_CACHE, &kept)
    {
        tracing::debug!(%error, "what was parsed is not kept");
    }
    check_partitions(&project)?;
    let state = place
        .state
        .as_ref()
        .map(|state| place.project_dir.join(state));
    // a folder that holds no manifest is told of by the selector that needs one
    if let Some(state) = state.filter(|state| state.join("manifest.json").is_file()) {
        let previous = Previous::read(&state, &project.target_path).map_err(Box::new)?;
        project.previous = Some(Arc::new(previous));
    }
    if let (Some(state), Some(target)) = (&place.state, project.target_path.file_name())
        && state.as_os_str() == target
    {
        project.warnings.push(Warning {
            event: STATE_IS_TARGET,
            text: format!(
                "Warning: The state and target directories are the same: '{}'. This could lead to missing changes \
                 due to overwritten state including non-idempotent retries.",
                state.display()
            ),
        });
    }
    project.deferral = deferral(place, request, which)
        .map_err(Box::new)?
        .map(Arc::new);
    Ok(project)
}

/// This build of the program: its version, and the size and age of its file.
fn binary() -> String {
    let file = std::env::current_exe().and_then(std::fs::metadata);
    let facts = file.map(|file| (file.len(), file.modified().ok()));
    format!("{} {facts:?}", env!("CARGO_PKG_VERSION"))
}

/// Refuses models that native partitions cannot keep, where the project asks for them.
fn check_partitions(project: &Project) -> Result<(), Box<project::Error>> {
    if !project.native_partitions() {
        return Ok(());
    }
    for node in project.manifest.nodes.values() {
        warehouse::check_partitions(node).map_err(|error| {
            let location = project::error::Location::line(&node.original_file_path, node.line);
            project::Error::Config {
                location: Some(location),
                message: error.to_string(),
                hint: error.hint().map(str::to_owned),
            }
        })?;
    }
    Ok(())
}

/// `flags.*` of templates that this request sets.
fn flags(request: &Request) -> IndexMap<String, Json> {
    let on = |name: &str, set: bool| set.then(|| (name.to_owned(), Json::from(true)));
    let sample = request
        .sample
        .and_then(|sample| Some(("SAMPLE".to_owned(), serde_json::to_value(sample).ok()?)));
    let indirect = serde_json::to_value(request.indirect).unwrap_or_default();
    let words = |name: &str, words: &[String]| Some((name.to_owned(), Json::from(words.to_vec())));
    [
        Some(("INDIRECT_SELECTION".to_owned(), indirect)),
        Some(("VARS".to_owned(), Json::Object(request.vars.clone()))),
        words("SELECT", &request.select),
        words("EXCLUDE", &request.exclude),
        on("EMPTY", request.empty),
        on("DEFER", request.defer),
        on("FAVOR_STATE", request.favor_state),
        on("FAIL_FAST", request.fail_fast),
        sample,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What another environment has, for the verbs that can read there.
fn deferral(
    place: &Place,
    request: &Request,
    which: &str,
) -> Result<Option<Deferral>, project::Error> {
    let reads = matches!(
        which,
        "build" | "run" | "test" | "seed" | "snapshot" | "compile" | "show" | "generate"
    );
    if !(which == "clone" || (reads && request.defer)) {
        return Ok(None);
    }
    let shown = place.defer_state.as_ref().or(place.state.as_ref());
    let shown = shown.ok_or_else(project::deferral::no_state)?;
    let mut read = Deferral::read(&place.project_dir.join(shown), shown)?;
    read.refs = request.defer;
    read.favor = request.favor_state;
    Ok(Some(read))
}

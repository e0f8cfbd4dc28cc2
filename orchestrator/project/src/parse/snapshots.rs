//! Snapshots: `{% snapshot %}` blocks, and YAML entries that name a relation.

use std::sync::Arc;

use jinja::blocks::{BlockKind, blocks};
use serde_json::Value as Json;

use crate::config::Raw;
use crate::context::Shared;
use crate::error::{Error, Location};
use crate::files::{self, SourceFile};
use crate::manifest::{Node, ResourceType};
use crate::parse::Package;
use crate::parse::nodes::{draft, finish, references};
use crate::parse::properties::{Patches, PropertyFile};
use crate::yaml::{self, Entry};

/// The snapshots of `package`: those of `snapshot-paths`' SQL files, then those of property files.
pub(crate) fn parse(
    shared: &Arc<Shared>,
    package: &Package,
    patches: &Patches,
) -> Result<Vec<Node>, Error> {
    let mut drafts = Vec::new();
    let file = &package.file;
    for found in files::find(&file.root, &file.snapshot_paths, &["sql"])? {
        drafts.extend(of_file(package, &found)?);
    }
    for file in &patches.files {
        for entry in file.entries("snapshots")? {
            if entry.map.contains_key("relation") {
                drafts.push(of_entry(package, file, &entry)?);
            }
        }
    }
    for node in &mut drafts {
        let found = references(shared, node)?;
        let patch = patches.snapshots.get(&node.name);
        finish(package, node, patch, &found)?;
        if node.config.enabled {
            validate(&node.config.raw).map_err(|message| Error::Config {
                location: Some(Location::line(&node.original_file_path, node.line)),
                message: format!("snapshot '{}': {message}", node.name),
                hint: None,
            })?;
        }
    }
    Ok(drafts)
}

/// One draft a block. Unlike a model's, the name of the file is part of the `fqn`.
fn of_file(package: &Package, file: &SourceFile) -> Result<Vec<Node>, Error> {
    let shown = file.original.to_string_lossy();
    let text = file.read()?;
    let found = blocks(&text, &shown).map_err(|error| Error::Template {
        subject: "snapshot file".into(),
        location: Box::new(Location::line(&file.original, error.line.unwrap_or(0))),
        message: error.message,
        stack: Vec::new(),
        hint: None,
    })?;
    let snapshots = found
        .into_iter()
        .filter(|block| block.kind == BlockKind::Snapshot);
    Ok(snapshots
        .map(|block| {
            let mut node = draft(package, ResourceType::Snapshot, &block.name);
            node.path.clone_from(&file.path);
            node.original_file_path.clone_from(&file.original);
            node.fqn = vec![package.name().to_owned()];
            node.fqn.extend(file.folders());
            node.fqn.extend([file.stem(), block.name]);
            node.line = block.body_line;
            node.raw_code = block.body;
            node
        })
        .collect())
}

/// `- name: x, relation: ref('y')`: the whole of `y`.
fn of_entry(package: &Package, file: &Arc<PropertyFile>, entry: &Entry<'_>) -> Result<Node, Error> {
    let name = entry.name()?;
    let relation = entry.text("relation")?.unwrap_or_default();
    if !is_reference(&relation) {
        return Err(entry.wrong(format!(
            "snapshot '{name}': Invalid ref or source expression: {relation}"
        )));
    }
    let mut node = draft(package, ResourceType::Snapshot, &name);
    node.path = file.below().join(format!("{name}.sql"));
    node.original_file_path.clone_from(&file.path);
    node.fqn = vec![package.name().to_owned()];
    node.fqn.extend(file.folders.iter().cloned());
    node.fqn.push(name.clone());
    node.line = yaml::line_of_name(&file.text, &name).max(1);
    node.raw_code = format!("select * from {{{{ {relation} }}}}");
    Ok(node)
}

/// One call of `ref` or `source`.
fn is_reference(text: &str) -> bool {
    let call = ["ref", "source"]
        .iter()
        .find_map(|name| text.trim().strip_prefix(name));
    call.map(str::trim_start)
        .is_some_and(|rest| rest.starts_with('(') && rest.ends_with(')'))
}

fn is_texts(value: &Json) -> bool {
    match value {
        Json::Array(items) => items.iter().all(Json::is_string),
        other => other.is_string(),
    }
}

fn is_given(raw: &Raw, key: &str) -> bool {
    match raw.get(key) {
        None | Some(Json::Null) => false,
        Some(Json::String(text)) => !text.is_empty(),
        Some(Json::Array(items)) => !items.is_empty(),
        Some(_) => true,
    }
}

/// What dbt refuses before anything runs; strategies of a project's own are not looked into.
fn validate(raw: &Raw) -> Result<(), String> {
    for key in ["strategy", "updated_at", "dbt_valid_to_current"] {
        if let Some(value) = raw.get(key).filter(|v| !v.is_null() && !v.is_string()) {
            return Err(format!(
                "config '{key}': expected text, found {}",
                yaml::kind(value)
            ));
        }
    }
    for key in ["unique_key", "check_cols"] {
        if let Some(value) = raw.get(key).filter(|v| !v.is_null() && !is_texts(v)) {
            return Err(format!(
                "config '{key}': expected text or a list of texts, found {}",
                yaml::kind(value)
            ));
        }
    }
    if !is_given(raw, "strategy") || !is_given(raw, "unique_key") {
        return Err("Snapshots must be configured with a 'strategy' and 'unique_key'.".into());
    }
    match raw.get("strategy").and_then(Json::as_str) {
        Some("check") if !is_given(raw, "check_cols") => {
            return Err(
                "A snapshot configured with the check strategy must specify a check_cols \
                 configuration."
                    .into(),
            );
        }
        Some("check") => {
            if let Some(Json::String(columns)) = raw.get("check_cols")
                && columns != "all"
            {
                return Err(format!(
                    "Invalid value for 'check_cols': {columns}. Expected 'all' or a list of \
                     strings."
                ));
            }
        }
        Some("timestamp") if !is_given(raw, "updated_at") => {
            return Err(
                "A snapshot configured with the timestamp strategy must specify an updated_at \
                 configuration."
                    .into(),
            );
        }
        Some("timestamp") if is_given(raw, "check_cols") => {
            return Err("A 'timestamp' snapshot should not have 'check_cols'".into());
        }
        _ => {}
    }
    match raw.get("materialized").and_then(Json::as_str) {
        None | Some("snapshot") => Ok(()),
        Some(_) => Err("A snapshot must have a materialized value of 'snapshot'".into()),
    }
}

//! Loads a project and writes its manifest and compiled SQL, to be compared with dbt's.
//!
//! `dump PROJECT_DIR OUT_DIR [SELECTOR …]` writes `manifest.json`, `compiled/…` and, for every
//! selector, a line of `selected.jsonl`. There is no database: relations do not exist yet.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::DateTime;
use project::adapter::{Adapter, AdapterError, Column, Table};
use project::relation::{RelationKind, RelationName};
use project::select::{Spec, select};
use project::{LoadOptions, load};

/// An empty database.
#[derive(Debug, Clone)]
struct Empty;

impl Adapter for Empty {
    fn relation(&self, _: &RelationName) -> Result<Option<RelationKind>, AdapterError> {
        Ok(None)
    }

    fn columns(&self, _: &RelationName) -> Result<Vec<Column>, AdapterError> {
        Ok(Vec::new())
    }

    fn query(&self, _: &str) -> Result<Table, AdapterError> {
        Ok(Table::default())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let project_dir = PathBuf::from(arguments.next().ok_or("no project folder given")?);
    let out = PathBuf::from(arguments.next().ok_or("no output folder given")?);
    let options = LoadOptions {
        project_dir,
        env: std::env::vars().collect(),
        started_at: DateTime::UNIX_EPOCH,
        which: "compile".into(),
        ..LoadOptions::default()
    };
    let project = load(&options).map_err(|error| match error.hint() {
        Some(hint) => format!("{error}\nhint: {hint}"),
        None => error.to_string(),
    })?;
    fs::create_dir_all(&out)?;
    fs::write(
        out.join("manifest.json"),
        serde_json::to_string_pretty(&*project.manifest)?,
    )?;
    fs::write(
        out.join("warnings.txt"),
        project
            .warnings
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n"),
    )?;
    for id in project
        .manifest
        .nodes
        .keys()
        .filter(|id| !id.starts_with("seed."))
    {
        let text = project
            .compile(id, &Empty)
            .map_or_else(|error| format!("ERROR {error}"), |c| c.sql);
        write(&out.join("compiled").join(id), &text)?;
    }
    let mut lines = Vec::new();
    for selector in arguments {
        let spec = Spec {
            select: vec![selector.clone()],
            ..Spec::default()
        };
        let line = match select(&project, &spec) {
            Ok(ids) => serde_json::json!({"selector": selector, "ids": ids}),
            Err(error) => serde_json::json!({"selector": selector, "error": error.to_string()}),
        };
        lines.push(line.to_string());
    }
    write(&out.join("selected.jsonl"), &lines.join("\n"))?;
    Ok(())
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)
}

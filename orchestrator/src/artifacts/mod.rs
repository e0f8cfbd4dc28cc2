//! The JSON files dbt leaves in `target/`: other tools read them.

pub mod catalog;
mod document;
pub mod lineage;
pub mod manifest;
pub mod run_results;
pub mod sources;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use project::Project;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// What every artifact says about the invocation that wrote it.
#[derive(Debug, Clone, Copy)]
pub struct Invocation {
    /// Invocation.
    pub invocation_id: Uuid,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When the artifact was made.
    pub generated_at: DateTime<Utc>,
    /// The verb.
    pub which: &'static str,
}

/// The `metadata` of an artifact of `schema`, e.g. `manifest/v12`.
fn metadata(about: &Invocation, schema: &str) -> Json {
    json!({
        "dbt_schema_version": format!("https://schemas.getdbt.com/dbt/{schema}.json"),
        // readers compare this with dbt's releases to know what to expect; it is the contract followed
        "dbt_version": "1.11.16",
        "generated_at": time(about.generated_at),
        "invocation_id": about.invocation_id,
        "invocation_started_at": time(about.started_at),
        "env": {},
    })
}

/// dbt's way to write an instant.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The same with the zone written out, as dbt's manifest has `run_started_at`.
fn with_zone(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, false)
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// MD5 of `text`, hex: an id that others compute too.
fn md5(text: &str) -> String {
    use md5::Digest;
    hex(&md5::Md5::digest(text.as_bytes()))
}

/// Writes one artifact, whole or not at all: a reader never sees half a file.
///
/// # Errors
/// The folder cannot be made or written to.
pub fn write(target: &Path, name: &str, artifact: &Json) -> io::Result<()> {
    write_by(target, name, &mut |out| {
        Ok(serde_json::to_writer(out, artifact)?)
    })
}

/// Writes a text, as [`write`] does.
///
/// # Errors
/// As [`write`].
pub fn write_text(target: &Path, name: &str, text: &str) -> io::Result<()> {
    write_by(target, name, &mut |out| out.write_all(text.as_bytes()))
}

/// Writes `manifest.json`, and `semantic_manifest.json` beside it; `made` by unique id.
///
/// # Errors
/// As [`write`].
pub fn write_manifest(
    about: &Invocation,
    project: &Project,
    made: &HashMap<String, manifest::Made>,
) -> io::Result<()> {
    let macros = manifest::macros(project, about.generated_at);
    write_manifest_with(about, project, made, &macros)
}

/// The same with macros that were rendered before.
///
/// # Errors
/// As [`write`].
pub fn write_manifest_with(
    about: &Invocation,
    project: &Project,
    made: &HashMap<String, manifest::Made>,
    macros: &[u8],
) -> io::Result<()> {
    write_by(&project.target_path, "manifest.json", &mut |out| {
        manifest::write(out, about, project, made, macros)
    })?;
    let semantic = project::semantic::semantic_manifest(&project.manifest);
    write(&project.target_path, "semantic_manifest.json", &semantic)
}

fn write_by(
    target: &Path,
    name: &str,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    std::fs::create_dir_all(target)?;
    let aside = target.join(format!(".{name}.{}", std::process::id()));
    let mut out = BufWriter::with_capacity(1 << 16, File::create(&aside)?);
    write(&mut out)?;
    out.into_inner()?.flush()?;
    std::fs::rename(aside, target.join(name))
}

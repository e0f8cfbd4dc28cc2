//! Which tables of a project leave Postgres for the lake, and when. Pure, but for reading a file again to name
//! the line of a mistake.
//!
//! A policy stands in the `meta` of an incremental model or of a source's table:
//!
//! ```yaml
//! config:
//!   meta:
//!     archive:
//!       after: 30 days            # or 30d, 4 weeks, 720h, or a number of days
//!       partition: event_time     # the partition column [default: the model's partition_by]
//!       key: [topic, offset]      # what identifies a row [default: the model's unique_key]
//!       live:                     # optional: where the newest hours can be had (lake::view::Live)
//!         relation: druid.druid.events
//!         time: __time
//!         columns: {event_time: "with_timezone(__time, 'UTC')"}
//! ```
//!
//! `archive: false` takes an inherited policy back. [`options`]: how fast and how far one run goes. [`report`]:
//! what it says at its end. [`upkeep`]: the same of what keeps the lake in order.

pub mod options;
pub mod report;
pub mod upkeep;
pub mod views;
pub mod words;

use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use indexmap::IndexMap;
use lake::ledger::TableId;
use lake::mover::Policy;
use lake::view::Live;
use project::error::Location;
use project::manifest::{Node, ResourceType, Source};
use project::relation::RelationName;
use project::{Error, Project, UniqueId};
use serde::Deserialize;
use serde_json::Value as Json;

/// Key in `meta`.
const KEY: &str = "archive";

/// A table with a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Model or source.
    pub unique_id: UniqueId,
    /// Its name; `source.table` of a source.
    pub name: String,
    /// Which of the two.
    pub kind: ResourceType,
    /// File, below the project's root.
    pub path: PathBuf,
    /// Package.
    pub package: String,
    /// What is to become of it.
    pub policy: Policy,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    after: Json,
    partition: Option<String>,
    key: Option<Names>,
    live: Option<Live>,
}

/// One name, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Many(Vec<String>),
}

/// A mistake in a policy: what, and what to write.
type Mistake = (String, String);

/// Every policy of the project: sources first, as rows come from there, then models, in file order.
///
/// # Errors
/// [`Error::Config`]: the first policy that cannot be meant, with its line.
pub fn policies(project: &Project) -> Result<Vec<Archived>, Box<Error>> {
    let mut found = Vec::new();
    for source in project.manifest.sources.values() {
        let Some(value) = written(&source.meta) else {
            continue;
        };
        let policy = of_source(source, value).map_err(|mistake| {
            let files = [Some(source.original_file_path.as_path()), None];
            wrong(&project.root, &source.name, files, mistake)
        })?;
        found.push(Archived {
            unique_id: source.unique_id.clone(),
            name: format!("{}.{}", source.source_name, source.name),
            kind: ResourceType::Source,
            path: source.original_file_path.clone(),
            package: source.package_name.clone(),
            policy,
        });
    }
    for node in project.manifest.nodes.values() {
        let Some(value) = written(&node.config.meta) else {
            continue;
        };
        if node.resource_type == ResourceType::Test {
            continue;
        }
        let policy = of_model(node, value).map_err(|mistake| {
            let files = [
                node.patch_path.as_deref(),
                Some(node.original_file_path.as_path()),
            ];
            wrong(&project.root, &node.name, files, mistake)
        })?;
        found.push(Archived {
            unique_id: node.unique_id.clone(),
            name: node.name.clone(),
            kind: node.resource_type,
            path: node.original_file_path.clone(),
            package: node.package_name.clone(),
            policy,
        });
    }
    Ok(found)
}

fn written(meta: &IndexMap<String, Json>) -> Option<&Json> {
    meta.get(KEY)
        .filter(|value| !matches!(value, Json::Null | Json::Bool(false)))
}

fn of_source(source: &Source, value: &Json) -> Result<Policy, Mistake> {
    let written = read(value)?;
    let field = written.partition.ok_or_else(|| {
        mistake(
            "the archive policy of a source names no partition column",
            "name the column that the table is partitioned by: `partition: event_time`",
        )
    })?;
    let key = names(written.key);
    if key.is_empty() {
        return Err(mistake(
            "the archive policy of a source names no key",
            "name the columns that identify a row: `key: [a, b]`",
        ));
    }
    Ok(Policy {
        table: table(&source.relation_name),
        field,
        key,
        after: written.after,
        live: written.live,
    })
}

fn of_model(node: &Node, value: &Json) -> Result<Policy, Mistake> {
    let how = node.config.materialized.as_str();
    let relation = match (&node.relation_name, node.resource_type, how) {
        (Some(relation), ResourceType::Model, "incremental") => relation,
        (_, ResourceType::Model, _) => {
            return Err(mistake(
                &format!("a {how} model cannot be archived: a run makes it anew"),
                "archive incremental models with `partition_by`",
            ));
        }
        (_, kind, _) => {
            let kind = crate::run::prepare::kind_word(kind);
            return Err(mistake(
                &format!("a {kind} cannot be archived"),
                "archive incremental models and sources",
            ));
        }
    };
    let written = read(value)?;
    let by = node.config.partition_by.as_ref();
    if let Some(by) = by.filter(|by| by.granularity != "day") {
        return Err(mistake(
            &format!("it is partitioned by {}", by.granularity),
            "partition it by day: `partition_by: {field: …, granularity: day}`",
        ));
    }
    let field = match (written.partition, by) {
        (Some(field), Some(by)) if field != by.field => {
            return Err(mistake(
                &format!(
                    "the archive policy says `partition: {field}`, and the model is partitioned by `{}`",
                    by.field
                ),
                "leave `partition` out: the model's own column is the default",
            ));
        }
        (Some(field), _) => field,
        (None, Some(by)) => by.field.clone(),
        (None, None) => {
            return Err(mistake(
                "the model is not partitioned",
                "give it `partition_by: {field: …, granularity: day}`",
            ));
        }
    };
    let mut key = names(written.key);
    if key.is_empty() {
        key.clone_from(&node.config.unique_key);
    }
    if key.is_empty() {
        return Err(mistake(
            "the archive policy names no key, and the model has no unique_key",
            "name the columns that identify a row: `key: [a, b]`",
        ));
    }
    Ok(Policy {
        table: table(relation),
        field,
        key,
        after: written.after,
        live: written.live,
    })
}

/// A policy with its age understood.
struct Read {
    after: TimeDelta,
    partition: Option<String>,
    key: Option<Names>,
    live: Option<Live>,
}

fn read(value: &Json) -> Result<Read, Mistake> {
    if !value.is_object() {
        return Err(mistake(
            &format!("this is no archive policy: {}", shown(value)),
            "its keys are: after, partition, key, live; e.g. `archive: {after: 30 days}`",
        ));
    }
    let written: Written = serde_json::from_value(value.clone()).map_err(|error| {
        mistake(
            &format!("this is no archive policy: {error}"),
            "its keys are: after, partition, key, live; e.g. `archive: {after: 30 days}`",
        )
    })?;
    let after = age(&written.after).ok_or_else(|| {
        mistake(
            &format!("`after: {}` is no age", shown(&written.after)),
            "write `30 days`, `30d`, `4 weeks`, `720h`, or a number of days",
        )
    })?;
    Ok(Read {
        after,
        partition: written.partition,
        key: written.key,
        live: written.live,
    })
}

/// `30 days`, `30d`, `4 weeks`, `720h`; a number means days. Nothing below an hour: days leave whole.
pub(crate) fn age(value: &Json) -> Option<TimeDelta> {
    let text = match value {
        Json::Number(days) => days.to_string(),
        Json::String(text) => text.trim().to_lowercase(),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => return None,
    };
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let number: i64 = text[..digits].parse().ok().filter(|&n| n > 0)?;
    match text[digits..].trim() {
        "" | "d" | "day" | "days" => TimeDelta::try_days(number),
        "w" | "week" | "weeks" => TimeDelta::try_weeks(number),
        "h" | "hour" | "hours" => TimeDelta::try_hours(number),
        _ => None,
    }
}

fn shown(value: &Json) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn names(names: Option<Names>) -> Vec<String> {
    match names {
        None => Vec::new(),
        Some(Names::One(name)) => vec![name],
        Some(Names::Many(names)) => names,
    }
}

fn table(relation: &RelationName) -> TableId {
    TableId::new(&relation.schema, &relation.identifier)
}

fn mistake(what: &str, hint: &str) -> Mistake {
    (what.to_owned(), hint.to_owned())
}

/// The mistake with its place: the line of `archive` in the first of the files that has it.
fn wrong(root: &Path, name: &str, files: [Option<&Path>; 2], (what, hint): Mistake) -> Box<Error> {
    let line_in = |path: &Path| {
        let text = std::fs::read_to_string(root.join(path)).ok()?;
        line(&text, name)
    };
    let mut files = files.into_iter().flatten().peekable();
    let fallback = files.peek().map(|path| Location::file(*path));
    let location = files
        .find_map(|path| Some(Location::line(path, line_in(path)?)))
        .or(fallback);
    Box::new(Error::Config {
        location,
        message: format!("{name}: {what}"),
        hint: Some(hint),
    })
}

/// Where `text` sets the policy of `name`, from 1: the word in the entry of that name, else anywhere.
fn line(text: &str, name: &str) -> Option<usize> {
    let is_policy = |line: &str| {
        let line = line.split('#').next().unwrap_or_default();
        line.split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| word == KEY)
    };
    let indent = |line: &str| line.len() - line.trim_start().len();
    let lines: Vec<&str> = text.lines().collect();
    let is_entry = |line: &str| {
        let value = line.trim().strip_prefix("- name:").map(str::trim);
        value.is_some_and(|value| value.trim_matches(['"', '\'']) == name)
    };
    // a column may have the same name: the entry that has a policy is meant
    let inside = (0..lines.len())
        .filter(|&start| is_entry(lines[start]))
        .find_map(|start| {
            let within = |line: &str| line.trim().is_empty() || indent(line) > indent(lines[start]);
            (start + 1..lines.len())
                .take_while(|&at| within(lines[at]))
                .find(|&at| is_policy(lines[at]))
        });
    inside
        .or_else(|| lines.iter().position(|line| is_policy(line)))
        .map(|at| at + 1)
}

#[cfg(test)]
#[path = "archive/tests.rs"]
mod tests;

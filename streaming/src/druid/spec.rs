//! Spec files: what Druid should run, one file a datasource. Pure but for [`load`].
//!
//! A file holds `description`, `supervisor` (posted to the overlord), `rules` (retention) and
//! optionally `compaction`. Text values may name the variables of [`Variables`] as `${NAME}`.

use std::path::Path;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::error::Error;

/// Key in a supervisor's `context` under which apply leaves its mark.
///
/// The mark says which prefix owns the supervisor (so that an orphan is told from a stranger) and
/// the fingerprint of the file it was made from (so that a field taken out of the file is seen).
pub const MARK: &str = "ridehail";

/// Values for `${NAME}` in the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variables {
    /// `${BROKERS}`: bootstrap servers as Druid reaches them.
    pub brokers: String,
    /// `${TOPIC_PREFIX}`: put before every topic.
    pub topic_prefix: String,
    /// `${DATASOURCE_PREFIX}`: put before every datasource.
    pub datasource_prefix: String,
    /// `${TASK_DURATION}`: ISO-8601, how long a task reads before it publishes segments.
    pub task_duration: String,
}

impl Variables {
    fn value(&self, name: &str) -> Option<&str> {
        match name {
            "BROKERS" => Some(&self.brokers),
            "TOPIC_PREFIX" => Some(&self.topic_prefix),
            "DATASOURCE_PREFIX" => Some(&self.datasource_prefix),
            "TASK_DURATION" => Some(&self.task_duration),
            _ => None,
        }
    }
}

/// What one file asks for, variables filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The file's name without `.json`: what a person calls it, prefix or not.
    pub name: String,
    /// Datasource and supervisor id, prefix included.
    pub datasource: String,
    /// Kafka topic, prefix included.
    pub topic: String,
    /// Supervisor spec as the file has it, without the mark.
    pub supervisor: Value,
    /// Retention rules in order.
    pub rules: Value,
    /// Compaction config without `dataSource`, when the file has one.
    pub compaction: Option<Value>,
    /// Owner in the mark: the datasource prefix.
    pub prefix: String,
    /// SHA-256 of `supervisor`, 16 hex digits.
    pub fingerprint: String,
}

impl Desired {
    /// The body to post: the spec with the mark, and suspended when it is to stay so.
    #[must_use]
    pub fn body(&self, suspended: bool) -> Value {
        let mut body = self.supervisor.clone();
        if let Some(fields) = body.as_object_mut() {
            let context = fields
                .entry("context")
                .or_insert_with(|| Value::Object(Map::new()));
            if let Some(context) = context.as_object_mut() {
                context.insert(
                    MARK.into(),
                    json!({"prefix": self.prefix, "fingerprint": self.fingerprint}),
                );
            }
            if suspended {
                fields.insert("suspended".into(), Value::Bool(true));
            }
        }
        body
    }

    /// The compaction config to post.
    #[must_use]
    pub fn compaction_body(&self) -> Option<Value> {
        let mut body = self.compaction.clone()?;
        body.as_object_mut()?
            .insert("dataSource".into(), Value::from(self.datasource.clone()));
        Some(body)
    }

    /// Worker slots while the old tasks publish and the new ones read.
    #[must_use]
    pub fn slots(&self) -> u64 {
        let count = |key| {
            self.supervisor["spec"]["ioConfig"][key]
                .as_u64()
                .unwrap_or(1)
        };
        2 * count("taskCount") * count("replicas")
    }
}

/// Reads every `*.json` of `dir`, in name order.
///
/// # Errors
/// The folder or a file cannot be read or used; two files name one datasource.
pub fn load(dir: &Path, variables: &Variables) -> Result<Vec<Desired>, Error> {
    let fail = |source: std::io::Error| Error::SpecFile {
        path: dir.to_path_buf(),
        message: format!("{source}\nhint: --specs or RIDEHAIL_DRUID_SPECS names the folder"),
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_some_and(|ending| ending == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut all: Vec<Desired> = Vec::with_capacity(paths.len());
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(|source| Error::SpecFile {
            path: path.clone(),
            message: source.to_string(),
        })?;
        let desired = parse(&path, &text, variables)?;
        if let Some(other) = all
            .iter()
            .find(|other| other.datasource == desired.datasource)
        {
            return Err(Error::SpecFile {
                path,
                message: format!(
                    "{} is already declared by {}.json",
                    desired.datasource, other.name
                ),
            });
        }
        all.push(desired);
    }
    Ok(all)
}

/// Reads one file's text; `path` gives the name and stands in errors.
///
/// # Errors
/// Not JSON, an unknown variable, or a part that is missing or of the wrong shape.
pub fn parse(path: &Path, text: &str, variables: &Variables) -> Result<Desired, Error> {
    let fail = |message: String| Error::SpecFile {
        path: path.to_path_buf(),
        message,
    };
    let mut file: Value =
        serde_json::from_str(text).map_err(|source| fail(format!("not JSON: {source}")))?;
    fill(&mut file, variables).map_err(fail)?;
    for key in file.as_object().into_iter().flat_map(Map::keys) {
        if !["description", "supervisor", "rules", "compaction"].contains(&key.as_str()) {
            return Err(fail(format!("unknown part {key}")));
        }
    }
    let supervisor = file["supervisor"].take();
    let text_at = |pointer: &str| {
        supervisor
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| {
                fail(format!(
                    "supervisor{} must be a text",
                    pointer.replace('/', ".")
                ))
            })
    };
    let datasource = text_at("/spec/dataSchema/dataSource")?;
    let topic = text_at("/spec/ioConfig/topic")?;
    // the name stands in URLs and in quoted SQL: no character that either would need escaped
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if datasource.is_empty() || !datasource.chars().all(plain) || datasource.starts_with('.') {
        return Err(fail(format!("{datasource:?} is no usable datasource name")));
    }
    let rules = file["rules"].take();
    if !rules.is_array() {
        return Err(fail("rules must be a list".into()));
    }
    let compaction = match file.get_mut("compaction").map(Value::take) {
        None | Some(Value::Null) => None,
        Some(config @ Value::Object(_)) => Some(config),
        Some(_) => return Err(fail("compaction must be an object".into())),
    };
    let digest = Sha256::digest(supervisor.to_string().as_bytes());
    Ok(Desired {
        name: path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default(),
        datasource,
        topic,
        rules,
        compaction,
        prefix: variables.datasource_prefix.clone(),
        fingerprint: digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        supervisor,
    })
}

fn fill(value: &mut Value, variables: &Variables) -> Result<(), String> {
    match value {
        Value::String(text) => *text = filled(text, variables)?,
        Value::Array(list) => list.iter_mut().try_for_each(|item| fill(item, variables))?,
        Value::Object(fields) => {
            fields
                .values_mut()
                .try_for_each(|item| fill(item, variables))?;
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

fn filled(text: &str, variables: &Variables) -> Result<String, String> {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| format!("a variable is not closed in {text:?}"))?;
        let value = variables
            .value(name)
            .ok_or_else(|| format!("unknown variable {name}"))?;
        done.push_str(before);
        done.push_str(value);
        rest = after;
    }
    done.push_str(rest);
    Ok(done)
}

#[cfg(test)]
#[path = "spec_tests.rs"]
mod tests;

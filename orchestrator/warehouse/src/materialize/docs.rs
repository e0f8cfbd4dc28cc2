//! `persist_docs`: descriptions as comments of the server. Pure.

use project::Node;
use project::relation::RelationName;
use serde_json::Value;

use crate::error::Error;
use crate::names::quote;

/// Encloses a description, so that it may contain anything but this.
const FENCE: &str = "$dbt_comment_literal_block$";

/// Whether `persist_docs` asks for anything.
pub(crate) fn any(node: &Node) -> bool {
    asked(node, "relation") || asked(node, "columns")
}

/// Whether `persist_docs` asks for comments on columns.
pub(crate) fn on_columns(node: &Node) -> bool {
    asked(node, "columns") && !node.columns.is_empty()
}

/// The comment on the relation itself, when it is asked for and there is one.
pub(crate) fn on_relation(
    node: &Node,
    noun: &str,
    relation: &RelationName,
) -> Result<Option<String>, Error> {
    if !asked(node, "relation") || node.description.is_empty() {
        return Ok(None);
    }
    let text = fenced(&node.description)?;
    Ok(Some(format!("comment on {noun} {relation} is {text}")))
}

/// Comments on those described columns that `existing` names.
pub(crate) fn columns(
    node: &Node,
    relation: &RelationName,
    existing: &[String],
) -> Result<Vec<String>, Error> {
    let described = node.columns.values().filter(|c| existing.contains(&c.name));
    described
        .map(|column| {
            let text = fenced(&column.description)?;
            Ok(format!(
                "comment on column {relation}.{} is {text}",
                quote(&column.name)
            ))
        })
        .collect()
}

/// What is said of described columns that `existing` does not name. Those in quotes are looked for letter by letter.
pub(crate) fn missing(node: &Node, relation: &RelationName, existing: &[String]) -> Option<String> {
    let is_there = |name: &str, quoted: bool| {
        let same = |there: &String| match quoted {
            true => there == name,
            false => there.to_lowercase() == name.to_lowercase(),
        };
        existing.iter().any(same)
    };
    let described = node.columns.values();
    let missing = described.filter(|column| !is_there(&column.name, column.quote == Some(true)));
    let missing: Vec<&str> = missing.map(|column| column.name.as_str()).collect();
    (!missing.is_empty()).then(|| {
        format!(
            "In relation {relation}: The following columns are specified in the schema but are not present in the \
             database: {}",
            missing.join(", ")
        )
    })
}

fn asked(node: &Node, what: &str) -> bool {
    let docs = node.config.raw.get("persist_docs");
    docs.and_then(|d| d.get(what)).and_then(Value::as_bool) == Some(true)
}

fn fenced(text: &str) -> Result<String, Error> {
    if text.contains(FENCE) {
        return Err(Error::Compilation {
            message: format!("The string {FENCE} is not allowed in comments."),
        });
    }
    Ok(format!("{FENCE}{text}{FENCE}"))
}

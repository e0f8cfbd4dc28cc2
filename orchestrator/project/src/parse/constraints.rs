//! Constraints of models: what they point to, and what dbt refuses of them.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::config::Raw;
use crate::context::Shared;
use crate::error::{Error, Location};
use crate::manifest::{Node, ResourceType};
use crate::parse::nodes::{draft, references};
use crate::parse::properties::Patch;
use crate::parse::{Found, Package};

/// dbt's kinds of constraint.
const TYPES: [&str; 6] = [
    "check",
    "not_null",
    "unique",
    "primary_key",
    "foreign_key",
    "custom",
];

/// What foreign keys point to: a model waits for it as for any other it names.
pub(crate) fn foreign_keys(
    shared: &Arc<Shared>,
    package: &Package,
    patch: &Patch,
) -> Result<Found, Error> {
    let of_columns = patch
        .columns
        .values()
        .flat_map(|column| &column.constraints);
    let calls: Vec<String> = of_columns
        .chain(&patch.constraints)
        .filter(|constraint| kind(constraint) == Some("foreign_key"))
        .filter_map(|constraint| constraint.get("to")?.as_str())
        .filter(|to| to.starts_with("ref") || to.starts_with("source"))
        .map(|to| format!("{{{{ {to} }}}}"))
        .collect();
    let mut node = draft(package, ResourceType::Analysis, &patch.name);
    node.original_file_path.clone_from(&patch.file.path);
    node.line = patch.location().line.max(1);
    node.raw_code = calls.concat();
    references(shared, &node)
}

/// Refuses a model whose contract is enforced and that is built bit by bit, but may get other columns. dbt looks at the
/// configuration after every level that says something, with and without the property file
/// (`NodeConfig.__post_init__` of `dbt/artifacts/resources/v1/config.py`).
pub(crate) fn check_levels(
    package: &Package,
    node: &Node,
    patch: Option<&Patch>,
    call: &Raw,
) -> Result<(), Error> {
    // whatever is configured is there in the end, if another value of it
    if !node.config.raw.contains_key("contract") {
        return Ok(());
    }
    let nothing = Map::new();
    let mut steps = package.steps("models", &node.fqn, &nothing, call);
    if let Some(patch) = patch {
        steps.extend(package.steps("models", &node.fqn, &patch.config, call));
    }
    for raw in steps {
        let text = |key: &str| raw.get(key).and_then(Json::as_str);
        let contract = raw.get("contract");
        let enforced = contract.and_then(|contract| contract.get("enforced"));
        let handling = text("on_schema_change").unwrap_or("ignore");
        if enforced == Some(&Json::Bool(true))
            && text("materialized") == Some("incremental")
            && !matches!(handling, "append_new_columns" | "fail")
        {
            return Err(Error::Config {
                location: Some(Location::file(&node.original_file_path)),
                message: format!(
                    "Invalid value for on_schema_change: {handling}. Models materialized as \
                     incremental with contracts enabled must set on_schema_change to \
                     'append_new_columns' or 'fail'"
                ),
                hint: None,
            });
        }
    }
    Ok(())
}

fn kind(constraint: &Json) -> Option<&str> {
    constraint.get("type")?.as_str()
}

/// Refuses what `node`'s property file says of its constraints, where that cannot be.
pub(crate) fn check(node: &Node, patch: &Patch) -> Result<(), Error> {
    let file = node.original_file_path.display();
    let wrong = |message: String| Error::Config {
        location: Some(patch.location()),
        message,
        hint: None,
    };
    if node.config.enforces_contract() {
        if node.columns.is_empty() {
            return Err(wrong(format!(
                "Contract enforcement failed for: ({file})\nConstraints must be defined in a `yml` \
                 schema configuration file like `schema.yml`."
            )));
        }
        let of_columns = node.columns.values().flat_map(|column| &column.constraints);
        let mut all = of_columns.chain(&node.constraints);
        if all.any(|constraint| kind(constraint).is_none_or(|kind| !TYPES.contains(&kind))) {
            let known: Vec<String> = TYPES.iter().map(|kind| format!("'{kind}'")).collect();
            return Err(wrong(format!(
                "Invalid constraint type on model {}: Type must be one of [{}]",
                node.name,
                known.join(", ")
            )));
        }
    }
    let is_primary = |constraint: &Json| kind(constraint) == Some("primary_key");
    let columns: Vec<String> = node
        .columns
        .values()
        .filter(|column| column.constraints.iter().any(is_primary))
        .map(|column| format!("'{}'", column.name))
        .collect();
    let mut errors = Vec::new();
    if columns.len() > 1 {
        errors.push(format!(
            "Found {} columns ([{}]) with primary key constraints defined. Primary keys for \
             multiple columns must be defined as a model level constraint.",
            columns.len(),
            columns.join(", ")
        ));
    }
    if !columns.is_empty() && node.constraints.iter().any(is_primary) {
        errors.push(
            "Primary key constraints defined at the model level and the columns level. Primary \
             keys can be defined at the model level or the column level, not both."
                .to_owned(),
        );
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(wrong(format!(
        "Primary key constraint error: ({file})\n{}",
        errors.join("\n")
    )))
}

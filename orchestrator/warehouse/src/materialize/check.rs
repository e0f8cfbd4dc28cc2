//! What a node's configuration must satisfy before anything runs. Pure.

use project::Node;
use project::manifest::{ColumnInfo, ResourceType};
use serde_json::Value;

use crate::error::Error;
use crate::names;
use crate::partition::Granularity;

/// Refuses a model whose configuration cannot work; call it when a run is planned, so that nothing
/// is built before the person is told. `native_partitions` as in [`crate::RunOptions`].
///
/// # Errors
/// [`Error::Config`] with a hint.
pub fn check(node: &Node, native_partitions: bool) -> Result<(), Error> {
    let config = &node.config;
    if node.resource_type != ResourceType::Model || config.materialized != "incremental" {
        return Ok(());
    }
    if let Some(strategy) = &config.incremental_strategy
        && !matches!(
            strategy.as_str(),
            "append" | "delete+insert" | "merge" | "default"
        )
    {
        return Err(Error::Config {
            message: format!(
                "the incremental strategy `{strategy}` of {} is not valid on Postgres",
                node.unique_id
            ),
            hint: Some("use append, delete+insert or merge".to_owned()),
        });
    }
    let is_set = |key: &str| config.raw.get(key).is_some_and(|v| !v.is_null());
    if is_set("merge_update_columns") && is_set("merge_exclude_columns") {
        return Err(Error::Config {
            message: format!(
                "{} sets both merge_update_columns and merge_exclude_columns",
                node.unique_id
            ),
            hint: Some("keep one of the two".to_owned()),
        });
    }
    if native_partitions {
        check_partitions(node)?;
    }
    Ok(())
}

/// More partitions than this made ahead cost every plan more than they are worth.
const MOST_AHEAD: u64 = 1_000;

/// Refuses a relation whose name the server would cut off; counted in characters, as dbt does.
///
/// # Errors
/// [`Error::NameTooLong`].
pub fn check_name(node: &Node) -> Result<(), Error> {
    match &node.relation_name {
        Some(relation) if relation.identifier.chars().count() > names::MAX => {
            Err(Error::NameTooLong {
                name: relation.identifier.clone(),
            })
        }
        Some(_) | None => Ok(()),
    }
}

/// Refuses an incremental model that cannot be kept in native partitions: its granularity is
/// unknown, or something that is to be unique lacks the field. Call it where a project is read.
///
/// # Errors
/// [`Error::Config`] with a hint.
pub fn check_partitions(node: &Node) -> Result<(), Error> {
    let config = &node.config;
    let Some(partition_by) = (config.partition_by.as_ref()).filter(|_| {
        node.resource_type == ResourceType::Model && config.materialized == "incremental"
    }) else {
        return Ok(());
    };
    Granularity::parse(&partition_by.granularity).ok_or_else(|| Error::Config {
        message: format!(
            "the granularity `{}` of {} is unknown",
            partition_by.granularity, node.unique_id
        ),
        hint: Some("use hour, day, month or year".to_owned()),
    })?;
    let ahead = config
        .raw
        .get("partition_by")
        .and_then(|by| by.get("ahead"));
    if ahead.is_some_and(|ahead| ahead.as_u64().is_none_or(|periods| periods > MOST_AHEAD)) {
        return Err(Error::Config {
            message: format!(
                "`ahead` in partition_by of {} is no number from 0 to {MOST_AHEAD}",
                node.unique_id
            ),
            hint: Some("it says how many periods get their partitions before any row".to_owned()),
        });
    }
    if config.incremental_strategy.as_deref() == Some("microbatch") && config.unique_key.is_empty()
    {
        return Err(Error::Config {
            message: format!(
                "{} is a microbatch model and has no unique_key",
                node.unique_id
            ),
            hint: Some(format!(
                "write unique_key=['{}', …]: on Postgres the rows of a window are merged",
                partition_by.field
            )),
        });
    }
    let field = &partition_by.field;
    let has_field = |columns: &[String]| columns.iter().any(|c| same_column(c, field));
    if !config.unique_key.is_empty() && !has_field(&config.unique_key) {
        return Err(Error::Config {
            message: format!(
                "the unique_key of {} lacks `{field}`, the field it is partitioned by",
                node.unique_id
            ),
            hint: Some(format!(
                "write unique_key=['{}', '{field}']: a unique index of a partitioned table \
                 contains the field, and the field of a key never changes",
                config.unique_key.join("', '")
            )),
        });
    }
    for columns in unique_constraints(node) {
        if !has_field(&columns) {
            return Err(Error::Config {
                message: format!(
                    "the unique constraint ({}) of {} lacks `{field}`, the field it is partitioned by",
                    columns.join(", "),
                    node.unique_id
                ),
                hint: Some(format!(
                    "make it a constraint of the model, with '{field}' among its columns"
                )),
            });
        }
    }
    for index in &config.indexes {
        if index.unique && !has_field(&index.columns) {
            return Err(Error::Config {
                message: format!(
                    "the unique index ({}) of {} lacks `{field}`, the field it is partitioned by",
                    index.columns.join(", "),
                    node.unique_id
                ),
                hint: Some(format!("add '{field}' to its columns")),
            });
        }
    }
    Ok(())
}

/// The columns of everything that an enforced contract wants to be unique.
fn unique_constraints(node: &Node) -> Vec<Vec<String>> {
    if !node.config.enforces_contract() {
        return Vec::new();
    }
    let is_unique = |constraint: &&Value| {
        matches!(
            constraint.get("type").and_then(Value::as_str),
            Some("unique" | "primary_key")
        )
    };
    let of_column = |column: &ColumnInfo| {
        let unique = column.constraints.iter().filter(is_unique);
        unique
            .map(|_| vec![column.name.clone()])
            .collect::<Vec<_>>()
    };
    let of_model = node.constraints.iter().filter(is_unique).map(|constraint| {
        let columns = constraint.get("columns").and_then(Value::as_array);
        let names = columns.into_iter().flatten().filter_map(Value::as_str);
        names.map(str::to_owned).collect()
    });
    node.columns
        .values()
        .flat_map(of_column)
        .chain(of_model)
        .collect()
}

/// Unquoted names are the same in any case, quoted ones as written.
fn same_column(a: &str, b: &str) -> bool {
    column_name(a) == column_name(b)
}

/// The name Postgres stores for a column as a configuration writes it.
pub(crate) fn column_name(written: &str) -> String {
    match written.strip_prefix('"').and_then(|w| w.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => written.to_lowercase(),
    }
}

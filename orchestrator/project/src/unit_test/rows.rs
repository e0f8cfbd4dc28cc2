//! Rows of a unit test as SQL, in dbt's words.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::scope::Input;
use super::wrong;
use crate::adapter::{Adapter, Column};
use crate::error::{Error, Location};
use crate::manifest::UnitTest;

/// Columns by lower-case name.
pub(super) type Types<'c> = IndexMap<String, &'c Column>;

pub(super) fn types(columns: &[Column]) -> Types<'_> {
    let named = columns.iter().map(|c| (c.name.to_lowercase(), c));
    named.collect()
}

pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(super) fn columns(
    test: &UnitTest,
    input: &Input,
    adapter: &dyn Adapter,
) -> Result<Vec<Column>, Error> {
    let mut found = Vec::new();
    for relation in [&input.relation, &input.deferred].into_iter().flatten() {
        if found.is_empty() {
            found = adapter.columns(relation).map_err(|source| Error::Adapter {
                subject: format!("unit_test {}", test.name),
                location: Location::file(&test.original_file_path),
                source,
            })?;
        }
    }
    if found.is_empty() {
        let relation = input.relation.as_ref().map(ToString::to_string);
        return Err(Error::Template {
            subject: format!("unit_test {}", test.name),
            location: Box::new(Location::line(&test.original_file_path, test.line)),
            message: format!(
                "Not able to get columns for unit test '{}' from relation {} because the relation \
                 doesn't exist",
                input.name,
                relation.unwrap_or_else(|| input.name.clone())
            ),
            stack: Vec::new(),
            hint: Some(
                "build it first ('ridehail run --empty' is enough), or give rows as 'format: sql'"
                    .into(),
            ),
        });
    }
    Ok(found)
}

/// Rows as a query of the columns' own types; columns that a row leaves out are null.
pub(super) fn fixture_sql(
    test: &UnitTest,
    name: &str,
    rows: &Json,
    columns: &[Column],
) -> Result<String, Error> {
    let types = types(columns);
    let nothing: IndexMap<String, String> = types
        .iter()
        .map(|(name, column)| (name.clone(), format!("cast(null as {})", column.data_type)))
        .collect();
    let rows = rows.as_array().map_or(&[][..], Vec::as_slice);
    if rows.is_empty() {
        return Ok(format!(
            "\n-- Fixture for {name}\n{}\n    limit 0",
            select(&nothing, &types)
        ));
    }
    let lines = rows.iter().map(|row| {
        let mut whole = nothing.clone();
        whole.extend(formatted(test, &format!("'{name}'"), row, &types)?);
        Ok(select(&whole, &types))
    });
    let lines = lines.collect::<Result<Vec<_>, Error>>()?;
    Ok(format!(
        "\n-- Fixture for {name}\n{}",
        lines.join("\nunion all\n")
    ))
}

/// `select value as "column", …`, dbt's blanks kept.
pub(super) fn select(row: &IndexMap<String, String>, types: &Types<'_>) -> String {
    let columns: Vec<String> = row
        .iter()
        .map(|(name, value)| {
            let column = types.get(name).map_or(name.as_str(), |column| &column.name);
            format!(" {value} as {}", quote(column))
        })
        .collect();
    format!("select{}", columns.join(","))
}

/// The values of `row`, each cast to its column's type.
pub(super) fn formatted(
    test: &UnitTest,
    of: &str,
    row: &Json,
    types: &Types<'_>,
) -> Result<IndexMap<String, String>, Error> {
    let mut values = IndexMap::new();
    let Json::Object(row) = row else {
        return Ok(values);
    };
    for (name, value) in row {
        let name = name.to_lowercase();
        let Some(column) = types.get(&name) else {
            let known: Vec<String> = types.keys().map(|key| format!("'{key}'")).collect();
            return Err(wrong(
                test,
                format!(
                    "Invalid column name: '{name}' in unit test fixture for {of}.\nAccepted columns \
                     for {of} are: [{}]",
                    known.join(", ")
                ),
            ));
        };
        let mut kind = column.data_type.as_str();
        let literal = match value {
            Json::Null => "null".to_owned(),
            Json::String(text) => {
                // a length would cut the text off without a word
                if kind.contains("varying") {
                    kind = kind.split('(').next().unwrap_or(kind);
                }
                format!("'{}'", text.replace('\'', "''"))
            }
            Json::Bool(true) => "True".to_owned(),
            Json::Bool(false) => "False".to_owned(),
            Json::Array(_) | Json::Object(_) => {
                format!("'{}'", value.to_string().replace('\'', "''"))
            }
            Json::Number(number) => number.to_string(),
        };
        values.insert(name, format!("\n    \n    cast({literal} as {kind})\n"));
    }
    Ok(values)
}

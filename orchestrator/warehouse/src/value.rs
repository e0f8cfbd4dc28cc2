//! Server values as JSON, for templates. Everything here comes through the simple protocol, so
//! every value is the text the server prints.

use project::adapter::Table;
use serde_json::Value;
use sqlx::postgres::{PgRow, PgTypeInfo};
use sqlx::{Column, Row, TypeInfo, ValueRef};

use crate::error::Error;

/// Text of a column, `None` for NULL.
pub(crate) fn text(row: &PgRow, index: usize) -> Result<Option<String>, Error> {
    let value = row.try_get_raw(index).map_err(|e| Error::Answer {
        message: e.to_string(),
    })?;
    if value.is_null() {
        return Ok(None);
    }
    let text = value.as_str().map_err(|e| Error::Answer {
        message: e.to_string(),
    })?;
    Ok(Some(text.to_owned()))
}

/// Text of a column that is never NULL.
pub(crate) fn required(row: &PgRow, index: usize) -> Result<String, Error> {
    text(row, index)?.ok_or_else(|| Error::Answer {
        message: format!("column {index} is NULL"),
    })
}

/// Rows as templates see them.
pub(crate) fn table(rows: &[PgRow]) -> Result<Table, Error> {
    let Some(first) = rows.first() else {
        return Ok(Table::default());
    };
    let columns: Vec<String> = first
        .columns()
        .iter()
        .map(|c| c.name().to_owned())
        .collect();
    let types: Vec<&PgTypeInfo> = first.columns().iter().map(Column::type_info).collect();
    let rows = rows
        .iter()
        .map(|row| {
            (0..types.len())
                .map(|i| Ok(text(row, i)?.map_or(Value::Null, |t| json(types[i].name(), t))))
                .collect()
        })
        .collect::<Result<_, Error>>()?;
    let types = types.iter().map(|kind| kind.name().to_owned()).collect();
    Ok(Table {
        columns,
        types,
        rows,
    })
}

/// Truth values and whole numbers as JSON has them; all else as the server prints it.
fn json(type_name: &str, text: String) -> Value {
    match type_name {
        "BOOL" => Value::Bool(text == "t"),
        "INT2" | "INT4" | "INT8" | "OID" => {
            text.parse::<i64>().map_or(Value::String(text), Value::from)
        }
        "TIMESTAMPTZ" => Value::String(full_offset(text)),
        _ => Value::String(text),
    }
}

/// `…+00` -> `…+00:00`, so that the text is ISO 8601 apart from its blank.
fn full_offset(text: String) -> String {
    let bytes = text.as_bytes();
    match bytes.len().checked_sub(3).and_then(|i| bytes.get(i)) {
        Some(b'+' | b'-') => text + ":00",
        Some(_) | None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::json as convert;

    #[test]
    fn digits_stay() {
        let check = |type_name: &str, text: &str, expected| {
            assert_eq!(
                convert(type_name, text.to_owned()),
                expected,
                "{type_name} {text}"
            );
        };
        check("BOOL", "t", json!(true));
        check("INT8", "9007199254740993", json!(9_007_199_254_740_993_i64));
        check("NUMERIC", "1.50", json!("1.50"));
        check("FLOAT8", "Infinity", json!("Infinity"));
        check(
            "TIMESTAMPTZ",
            "2026-11-22 23:24:12.123+00",
            json!("2026-11-22 23:24:12.123+00:00"),
        );
        check(
            "TIMESTAMPTZ",
            "2026-11-22 23:24:12+05:30",
            json!("2026-11-22 23:24:12+05:30"),
        );
        check("TIMESTAMPTZ", "infinity", json!("infinity"));
    }
}

//! Contracts: constraints as DDL, and what is told when a query does not keep its contract.

use jinja::functions::function;
use jinja::json;
use minijinja::Error;
use minijinja::value::Value;
use serde_json::{Map, Value as Json};

/// Where a constraint stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Column,
    Model,
}

fn text<'a>(map: &'a Map<String, Json>, key: &str) -> Option<&'a str> {
    map.get(key)?.as_str().filter(|text| !text.is_empty())
}

fn names(map: &Map<String, Json>, key: &str) -> Vec<String> {
    crate::yaml::texts(map.get(key))
}

/// The relation that a foreign key's `to` means: `ref('orders')` or a name as SQL has it.
pub(crate) type Place<'p> = dyn Fn(&str) -> Result<String, Error> + 'p;

/// A constraint's words; `None` for one that says nothing (a `check` without its expression).
fn constraint(given: &Json, level: Level, place: &Place<'_>) -> Result<Option<String>, Error> {
    let unknown = || jinja::raise(format!("Could not parse constraint: {given}"));
    let map = given.as_object().ok_or_else(unknown)?;
    let kind = text(map, "type").ok_or_else(unknown)?;
    let expression = text(map, "expression").unwrap_or_default();
    let columns = names(map, "columns").join(", ");
    let of_columns = |words: &str| match level {
        Level::Column => format!("{words} {expression}"),
        Level::Model if expression.is_empty() => format!("{words} ({columns})"),
        Level::Model => format!("{words} {expression} ({columns})"),
    };
    let references = match text(map, "to") {
        Some(to) => Some(format!(
            "{} ({})",
            place(to)?,
            names(map, "to_columns").join(", ")
        )),
        None => Some(expression.to_owned()).filter(|words| !words.is_empty()),
    };
    let words = match kind {
        "check" if expression.is_empty() => None,
        "check" => Some(format!("check ({expression})")),
        "not_null" if level == Level::Column => Some(format!("not null {expression}")),
        "unique" => Some(of_columns("unique")),
        "primary_key" => Some(of_columns("primary key")),
        "foreign_key" => references.map(|references| match level {
            Level::Column => format!("references {references}"),
            Level::Model => format!("foreign key ({columns}) references {references}"),
        }),
        "custom" if !expression.is_empty() => Some(expression.to_owned()),
        "custom" | "not_null" => None,
        _ => return Err(unknown()),
    };
    let named = text(map, "name").filter(|_| level == Level::Model);
    Ok(words.map(|words| match named {
        Some(name) => format!("constraint {name} {}", words.trim()),
        None => words.trim().to_owned(),
    }))
}

fn constraints(
    given: Option<&Json>,
    level: Level,
    place: &Place<'_>,
) -> Result<Vec<String>, Error> {
    let all = given.and_then(Json::as_array).into_iter().flatten();
    all.filter_map(|one| constraint(one, level, place).transpose())
        .collect()
}

/// `render_raw_columns_constraints(raw_columns)`: `name type constraint…`, one text a column.
pub(crate) fn columns(given: &Value, place: &Place<'_>) -> Result<Vec<String>, Error> {
    let columns = json::from_value(given).unwrap_or_default();
    let columns = columns.as_object().cloned().unwrap_or_default();
    let one = |column: &Json| {
        let empty = Map::new();
        let map = column.as_object().unwrap_or(&empty);
        let name = text(map, "name").unwrap_or_default();
        let shown = if map.get("quote") == Some(&Json::Bool(true)) {
            format!("\"{name}\"")
        } else {
            name.to_owned()
        };
        let mut parts = vec![shown];
        parts.push(text(map, "data_type").unwrap_or_default().to_owned());
        parts.extend(constraints(map.get("constraints"), Level::Column, place)?);
        Ok(parts.join(" "))
    };
    columns.values().map(one).collect()
}

/// `render_raw_model_constraints(raw_constraints)`.
pub(crate) fn model(given: &Value, place: &Place<'_>) -> Result<Vec<String>, Error> {
    constraints(json::from_value(given).as_ref(), Level::Model, place)
}

/// `raise_contract_error(yaml_columns, sql_columns)`: a table of what differs.
pub(crate) fn raise() -> Value {
    function("raise_contract_error", |_, arguments| {
        let read = |at, name| {
            let given = arguments.get(at, name).unwrap_or_default();
            let pairs = json::from_value(&given).unwrap_or_default();
            let pairs = pairs.as_array().cloned().unwrap_or_default();
            let part = |column: &Json, key: &str| column[key].as_str().unwrap_or("").to_owned();
            pairs
                .iter()
                .map(|column| (part(column, "name"), part(column, "data_type")))
                .collect::<Vec<_>>()
        };
        let (contract, definition) = (read(0, "yaml_columns"), read(1, "sql_columns"));
        Err::<Value, _>(jinja::raise(broken(&contract, &definition)))
    })
}

type Columns = [(String, String)];

/// The words of a contract that is not kept; dbt's layout.
fn broken(contract: &Columns, definition: &Columns) -> String {
    const HEAD: &str = "This model has an enforced contract that failed.\n";
    if contract.is_empty() {
        return "This model has an enforced contract, and its 'columns' specification is missing"
            .into();
    }
    let find = |columns: &Columns, name: &str| {
        let found = columns
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, kind)| kind.clone())
    };
    let mut rows: Vec<[String; 4]> = Vec::new();
    for (name, wanted) in contract {
        match find(definition, name) {
            None => rows.push([
                name.clone(),
                String::new(),
                wanted.clone(),
                "missing in definition".into(),
            ]),
            Some(found) if found != *wanted => {
                rows.push([
                    name.clone(),
                    found,
                    wanted.clone(),
                    "data type mismatch".into(),
                ]);
            }
            Some(_) => {}
        }
    }
    for (name, found) in definition {
        if find(contract, name).is_none() {
            rows.push([
                name.clone(),
                found.clone(),
                String::new(),
                "missing in contract".into(),
            ]);
        }
    }
    rows.sort();
    format!(
        "{HEAD}Please ensure the name, data_type, and number of columns in your contract match the columns in your \
         model's definition.\n\n{}",
        table(&rows)
    )
}

fn table(rows: &[[String; 4]]) -> String {
    const NAMES: [&str; 4] = [
        "column_name",
        "definition_type",
        "contract_type",
        "mismatch_reason",
    ];
    let names = NAMES.map(str::to_owned);
    let widths: [usize; 4] = std::array::from_fn(|i| {
        rows.iter()
            .chain([&names])
            .map(|row| row[i].chars().count())
            .max()
            .unwrap_or(0)
    });
    let line = |row: &[String; 4]| {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("| {} |", cells.join(" | "))
    };
    let rule = widths.map(|width| "-".repeat(width));
    let mut lines = vec![line(&names), line(&rule)];
    lines.extend(rows.iter().map(line));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Level, broken, constraint};

    #[test]
    fn constraints_are_ddl() {
        let place = |to: &str| Ok(to.replace("ref('t')", "s.t"));
        let words = |given, level| {
            constraint(&given, level, &place)
                .unwrap()
                .unwrap_or_default()
        };
        assert_eq!(
            words(json!({"type": "not_null"}), Level::Column),
            "not null"
        );
        assert_eq!(
            words(
                json!({"type": "check", "expression": "id > 0"}),
                Level::Column
            ),
            "check (id > 0)"
        );
        assert_eq!(
            words(
                json!({"type": "foreign_key", "to": "s.t", "to_columns": ["id"]}),
                Level::Column
            ),
            "references s.t (id)"
        );
        assert_eq!(
            words(
                json!({"type": "primary_key", "columns": ["a", "b"], "name": "pk"}),
                Level::Model
            ),
            "constraint pk primary key (a, b)"
        );
        assert_eq!(
            words(
                json!({"type": "foreign_key", "columns": ["a"], "to": "ref('t')", "to_columns": ["id"]}),
                Level::Model
            ),
            "foreign key (a) references s.t (id)"
        );
        assert!(constraint(&json!({"type": "odd"}), Level::Model, &place).is_err());
    }

    #[test]
    fn a_broken_contract_is_a_table() {
        let column = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
        let contract = [column("id", "INTEGER"), column("at", "DATE")];
        let definition = [column("id", "TEXT"), column("more", "DATE")];
        insta::assert_snapshot!(broken(&contract, &definition), @r"
        This model has an enforced contract that failed.
        Please ensure the name, data_type, and number of columns in your contract match the columns in your model's definition.

        | column_name | definition_type | contract_type | mismatch_reason       |
        | ----------- | --------------- | ------------- | --------------------- |
        | at          |                 | DATE          | missing in definition |
        | id          | TEXT            | INTEGER       | data type mismatch    |
        | more        | DATE            |               | missing in contract   |
        ");
    }
}

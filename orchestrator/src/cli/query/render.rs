//! Rows of an answer as text. Pure.

use lake::trino::Column;
use serde_json::{Map, Value as Json};
use unicode_width::UnicodeWidthStr as _;

use crate::cli::printer::{Color, Printer};

/// Rows that are kept until their columns' widths are known. `None` is NULL.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    rows: Vec<Vec<Option<String>>>,
}

/// How a table shows that there is no value.
const NULL: &str = "NULL";

impl Sheet {
    pub(super) fn push(&mut self, row: &[Json]) {
        self.rows.push(row.iter().map(cell).collect());
    }

    /// All of it: names, a rule, rows; numbers to the right.
    pub(super) fn text(&self, columns: &[Column], printer: &Printer) -> String {
        let mut widths: Vec<usize> = columns.iter().map(|column| width(&column.name)).collect();
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell.as_deref().unwrap_or(NULL)));
            }
        }
        let mut text = String::new();
        let mut line = |cells: Vec<String>| {
            text.push_str(cells.join(" | ").trim_end());
            text.push('\n');
        };
        let heading = columns.iter().zip(&widths);
        line(
            heading
                .map(|(column, &width)| pad(&column.name, width, column.is_number()))
                .collect(),
        );
        let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
        line(vec![rule.join("-+-")]);
        for row in &self.rows {
            let cells = row.iter().zip(columns).zip(&widths);
            line(
                cells
                    .map(|((cell, column), &width)| match cell {
                        Some(cell) => pad(cell, width, column.is_number()),
                        None => printer.paint(Color::Dim, &pad(NULL, width, column.is_number())),
                    })
                    .collect(),
            );
        }
        text
    }
}

/// In a terminal's cells: a letter of Chinese takes two.
fn width(text: &str) -> usize {
    text.width()
}

fn pad(text: &str, to: usize, right: bool) -> String {
    let blank = " ".repeat(to.saturating_sub(width(text)));
    if right {
        format!("{blank}{text}")
    } else {
        format!("{text}{blank}")
    }
}

/// A value in one line; what would break the table is escaped.
fn cell(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => {
            let escaped = |c: char| match c {
                '\n' => "\\n".to_owned(),
                '\r' => "\\r".to_owned(),
                '\t' => "\\t".to_owned(),
                c if c.is_control() => c.escape_unicode().to_string(),
                c => c.to_string(),
            };
            Some(text.chars().map(escaped).collect())
        }
        Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => {
            Some(value.to_string())
        }
    }
}

/// A row as one JSON object, in a line. Of two columns of one name the second is `name_2`.
pub(super) fn object(columns: &[Column], row: Vec<Json>) -> String {
    let mut object = Map::new();
    for (column, value) in columns.iter().zip(row) {
        let names = (1..).map(|nth| match nth {
            1 => column.name.clone(),
            nth => format!("{}_{nth}", column.name),
        });
        if let Some(name) = names.into_iter().find(|name| !object.contains_key(name)) {
            object.insert(name, value);
        }
    }
    format!("{}\n", Json::Object(object))
}

/// A row as CSV (RFC 4180, but with plain line ends).
pub(super) fn csv(row: &[Json]) -> String {
    let texts: Vec<Option<String>> = row
        .iter()
        .map(|value| match value {
            Json::Null => None,
            Json::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        })
        .collect();
    csv_line(texts.iter().map(Option::as_deref))
}

/// Cells of a line; no value is nothing, and an empty text is two quotes.
pub(super) fn csv_line<'a>(cells: impl Iterator<Item = Option<&'a str>>) -> String {
    let quoted = |text: &str| {
        if text.is_empty() || text.contains(['"', ',', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    };
    let cells: Vec<String> = cells
        .map(|cell| cell.map(quoted).unwrap_or_default())
        .collect();
    format!("{}\n", cells.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn columns() -> Vec<Column> {
        let column = |name: &str, data_type: &str| Column {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
        };
        vec![column("city", "varchar"), column("total_rides", "bigint")]
    }

    #[test]
    fn a_table() {
        let mut sheet = Sheet::default();
        sheet.push(&[json!("São\nPaulo"), json!(12)]);
        sheet.push(&[Json::Null, Json::Null]);
        sheet.push(&[json!(""), json!(1_234_567)]);
        insta::assert_snapshot!(sheet.text(&columns(), &Printer::capturing()), @r"
        city       | total_rides
        -----------+------------
        São\nPaulo |          12
        NULL       |        NULL
                   |     1234567
        ");
    }

    #[test]
    fn columns_of_one_name_all_stay() {
        let [column, _] = <[Column; 2]>::try_from(columns()).unwrap();
        let line = object(
            &[column.clone(), column.clone(), column],
            vec![json!(1), json!(2), json!(3)],
        );
        assert_eq!(line, "{\"city\":1,\"city_2\":2,\"city_3\":3}\n");
    }

    #[test]
    fn csv_tells_null_from_empty() {
        assert_eq!(csv(&[json!("a,\"b\""), json!(1)]), "\"a,\"\"b\"\"\",1\n");
        assert_eq!(csv(&[Json::Null, json!("")]), ",\"\"\n");
        assert_eq!(csv(&[json!([1, null]), json!(true)]), "\"[1,null]\",true\n");
    }

    #[test]
    fn objects_keep_the_order_of_columns() {
        let row = vec![json!("Lima"), json!(3)];
        assert_eq!(
            object(&columns(), row),
            "{\"city\":\"Lima\",\"total_rides\":3}\n"
        );
    }
}

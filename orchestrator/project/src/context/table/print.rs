//! Tables as text and JSON, as agate prints them. Pure.

use jinja::format;
use minijinja::value::Value;
use serde_json::{Map, Value as Json};

use super::{TableValue, values};
use crate::adapter::Table;

/// Bounds of a printed table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Letters of a cell or name.
    pub(super) width: usize,
    /// Digits of a number behind its point.
    pub(super) precision: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            rows: 20,
            columns: 6,
            width: 20,
            precision: 3,
        }
    }
}

const ELLIPSIS: &str = "...";

/// The rows of `table` as text: six columns of it at most, cells cut after 20 letters, as `dbt show` prints them.
#[must_use]
pub fn preview(table: &Table) -> String {
    let bounds = Bounds {
        rows: usize::MAX,
        ..Bounds::default()
    };
    TableValue::of(table, None).text(bounds)
}

/// Every row and column of a seed's `table` as text. Its numbers are those of a file, where none is an integer.
#[must_use]
pub fn preview_of_seed(table: &Table) -> String {
    let mut shown = TableValue::of(table, None);
    for (column, kind) in shown.types.iter_mut().enumerate() {
        if *kind == "Integer" {
            *kind = "Number";
            for row in &mut shown.rows {
                let number = jinja::decimal::decimal(&row[column].to_string());
                row[column] = number.unwrap_or_else(|| row[column].clone());
            }
        }
    }
    shown.text(Bounds {
        rows: usize::MAX,
        columns: usize::MAX,
        ..Bounds::default()
    })
}

/// The rows of `table` as objects: times as ISO 8601, decimals as floats.
#[must_use]
pub fn rows_as_json(table: &Table) -> Vec<Map<String, Json>> {
    TableValue::of(table, None).objects()
}

impl TableValue {
    /// Bars and a rule of dashes; texts to the left, all else to the right.
    pub(super) fn text(&self, bounds: Bounds) -> String {
        let columns = self.names.len().min(bounds.columns);
        let more = columns < self.names.len();
        let cut = |text: String| match text.chars().count() > bounds.width {
            true => {
                let kept = bounds.width.saturating_sub(ELLIPSIS.len());
                text.chars().take(kept).collect::<String>() + ELLIPSIS
            }
            false => text,
        };
        let mut names: Vec<String> = self.names.iter().take(columns).cloned().map(cut).collect();
        let shown = &self.rows[..self.rows.len().min(bounds.rows)];
        let places: Vec<Option<Places>> = (0..columns)
            .map(|column| {
                let numbers = shown.iter().map(|row| &row[column]);
                (self.types[column] == "Number").then(|| Places::of(numbers, bounds.precision))
            })
            .collect();
        let cell = |(column, value): (usize, &Value)| {
            let text = match &places[column] {
                _ if value.is_none() => String::new(),
                Some(places) => places.shown(value),
                None => format::text(value).into_owned(),
            };
            cut(text)
        };
        let mut rows: Vec<Vec<String>> = shown
            .iter()
            .map(|row| row.iter().take(columns).enumerate().map(cell).collect())
            .collect();
        if more {
            names.push(ELLIPSIS.to_owned());
            for row in &mut rows {
                row.push(ELLIPSIS.to_owned());
            }
        }
        let widths: Vec<usize> = (0..names.len())
            .map(|column| {
                let cells = rows.iter().map(|row| row[column].chars().count());
                let name = names[column].chars().count();
                cells.chain([name]).max().unwrap_or(0)
            })
            .collect();
        let line = |cells: &[String]| {
            let pad = |(column, text): (usize, &String)| match self.types[column] {
                "Text" => format!("{text:<width$}", width = widths[column]),
                _ => format!("{text:>width$}", width = widths[column]),
            };
            let cells: Vec<String> = cells.iter().enumerate().map(pad).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
        let mut out = line(&names);
        out.push_str(&format!("| {} |\n", rule.join(" | ")));
        out.extend(rows.iter().map(|row| line(row)));
        if shown.len() < self.rows.len() {
            out.push_str(&line(&vec![ELLIPSIS.to_owned(); names.len()]));
        }
        out
    }

    pub(super) fn csv(&self) -> String {
        let quoted = |text: String| match text.contains(['"', ',', '\n', '\r']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text,
        };
        let line = |cells: Vec<String>| cells.into_iter().map(quoted).collect::<Vec<_>>().join(",");
        let cell = |(value, kind): (&Value, &&'static str)| match value.is_none() {
            true => String::new(),
            false => format::text(&values::plain(value, kind)).into_owned(),
        };
        let rows = self
            .rows
            .iter()
            .map(|row| line(row.iter().zip(&self.types).map(cell).collect()));
        let lines: Vec<String> = [line(self.names.clone())].into_iter().chain(rows).collect();
        lines.join("\n")
    }

    pub(super) fn objects(&self) -> Vec<Map<String, Json>> {
        let cell = |(value, kind): (&Value, &&'static str)| {
            jinja::json::from_value(&values::plain(value, kind)).unwrap_or_default()
        };
        self.rows
            .iter()
            .map(|row| {
                let cells = row.iter().zip(&self.types).map(cell);
                self.names.iter().cloned().zip(cells).collect()
            })
            .collect()
    }
}

/// How the numbers of a column print: with as many digits behind the point as the finest of them needs.
#[derive(Debug)]
struct Places {
    count: usize,
    /// Some number has more.
    cut: bool,
}

impl Places {
    fn of<'v>(numbers: impl Iterator<Item = &'v Value>, most: usize) -> Self {
        let needed = numbers.filter_map(|number| {
            let text = jinja::decimal::plain(number)?;
            let (_, fraction) = text.split_once('.')?;
            Some(fraction.trim_end_matches('0').len())
        });
        let needed = needed.max().unwrap_or(0);
        Self {
            count: needed.min(most),
            cut: needed > most,
        }
    }

    /// `1,234.50`; what has no digits as it is.
    fn shown(&self, number: &Value) -> String {
        let Some(text) = jinja::decimal::rounded(number, self.count) else {
            return format::text(number).into_owned();
        };
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", text.as_str()),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) => (whole, format!(".{fraction}")),
            None => (digits, String::new()),
        };
        let mut grouped = String::new();
        for (at, digit) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        // agate marks digits left away like this
        let more = if self.cut { "…" } else { "" };
        format!("{sign}{grouped}{fraction}{more}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Bounds, TableValue, preview, preview_of_seed, rows_as_json};
    use crate::adapter::Table;

    fn table() -> Table {
        let columns = ["n", "i", "t", "d", "b", "z", "long", "e"];
        let types = [
            "NUMERIC", "INT4", "TEXT", "DATE", "BOOL", "TEXT", "NUMERIC", "FLOAT8",
        ];
        let row = |cells: serde_json::Value| cells.as_array().cloned().unwrap_or_default();
        Table {
            columns: columns.map(str::to_owned).to_vec(),
            types: types.map(str::to_owned).to_vec(),
            rows: vec![
                row(json!([
                    "1.50",
                    2,
                    "x",
                    "2024-01-02",
                    true,
                    null,
                    "12345.6789",
                    "1e+20"
                ])),
                row(json!([
                    "2.5",
                    30000,
                    "a text that is quite long indeed",
                    null,
                    false,
                    null,
                    "1",
                    null
                ])),
            ],
        }
    }

    // what dbt 1.11.16 printed of these rows
    #[test]
    fn tables_print_as_agate_prints_them() {
        assert_eq!(
            preview(&table()),
            "\
|   n |     i | t                    |          d |     b | z | ... |
| --- | ----- | -------------------- | ---------- | ----- | - | --- |
| 1.5 |     2 | x                    | 2024-01-02 |  True |   | ... |
| 2.5 | 30000 | a text that is qu... |            | False |   | ... |
"
        );
        let all = Bounds {
            columns: usize::MAX,
            rows: 1,
            ..Bounds::default()
        };
        let mut table = table();
        table.columns[7] = "n".to_owned();
        table.types[7] = "DATE".to_owned();
        table.rows[0][7] = json!("2026-11-27");
        assert_eq!(
            TableValue::of(&table, None).text(all),
            "\
|   n | i | t |          d |    b | z |        long |        n_2 |
| --- | - | - | ---------- | ---- | - | ----------- | ---------- |
| 1.5 | 2 | x | 2024-01-02 | True |   | 12,345.679… | 2026-11-27 |
| ... | ... | ... |        ... |  ... | ... |         ... |        ... |
"
        );
    }

    #[test]
    fn numbers_of_seeds_are_those_of_a_file() {
        let table = Table {
            columns: vec!["id".to_owned(), "v".to_owned()],
            types: vec!["INT4".to_owned(), "NUMERIC".to_owned()],
            rows: vec![
                vec![json!(1), json!("1.5")],
                vec![json!(20000), json!("2.25")],
            ],
        };
        assert_eq!(
            preview_of_seed(&table),
            "\
|     id |    v |
| ------ | ---- |
|      1 | 1.50 |
| 20,000 | 2.25 |
"
        );
    }

    #[test]
    fn json_and_csv_have_plain_values() {
        let objects = json!(rows_as_json(&table()));
        assert_eq!(objects[0]["n"], json!(1.5));
        assert_eq!(objects[0]["d"], json!("2024-01-02"));
        assert_eq!(objects[0]["e"], json!(1e20));
        assert_eq!(objects[1]["long"], json!(1.0));
        let csv = TableValue::of(&table(), None).csv();
        let first = "n,i,t,d,b,z,long,e\n1.50,2,x,2024-01-02,True,,12345.6789,1E+20\n";
        assert!(csv.starts_with(first), "{csv}");
    }
}

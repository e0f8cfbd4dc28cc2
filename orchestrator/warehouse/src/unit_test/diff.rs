//! Two sets of rows side by side, as dbt prints them. Pure.

use std::cmp::Ordering;

use serde_json::Value as Json;

/// One cell as it is compared and printed.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Null,
    Text(String),
    Number(f64, String),
}

impl Cell {
    fn of(value: &Json, numeric: bool) -> Self {
        let number = |text: &str| match text.parse::<f64>() {
            // trailing zeros say nothing: 5.00 is 5.0
            Ok(value) => {
                let plain = text.contains('.') && !text.contains(['e', 'E']);
                let shown = if plain {
                    text.trim_end_matches('0').trim_end_matches('.')
                } else {
                    text
                };
                Self::Number(value, shown.to_owned())
            }
            Err(_) => Self::Text(text.to_owned()),
        };
        match value {
            Json::Null => Self::Null,
            Json::Bool(true) => Self::Text("True".to_owned()),
            Json::Bool(false) => Self::Text("False".to_owned()),
            Json::Number(value) => number(&value.to_string()),
            Json::String(text) if numeric => number(text),
            Json::String(text) => Self::Text(text.clone()),
            other => Self::Text(other.to_string()),
        }
    }

    fn shown(&self, null: &str) -> String {
        match self {
            Self::Null => null.to_owned(),
            Self::Text(text) | Self::Number(_, text) => text.clone(),
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Less,
            (_, Self::Null) => Ordering::Greater,
            (Self::Number(a, x), Self::Number(b, y)) => a.total_cmp(b).then_with(|| x.cmp(y)),
            (a, b) => a.shown("").cmp(&b.shown("")),
        }
    }
}

type Row = Vec<Cell>;

/// What became of a row.
#[derive(Debug, Clone, PartialEq)]
enum Change {
    Same(Row),
    Changed { expected: Row, actual: Row },
    Added(Row),
    Missing(Row),
}

impl Change {
    fn key(&self) -> &Row {
        match self {
            Self::Same(row) | Self::Added(row) | Self::Missing(row) => row,
            Self::Changed { expected, .. } => expected,
        }
    }
}

fn cells(rows: &[Vec<Json>], numeric: &[bool]) -> Vec<Row> {
    let mut rows: Vec<Row> = rows
        .iter()
        .map(|row| {
            let kinds = numeric.iter().chain(std::iter::repeat(&false));
            row.iter()
                .zip(kinds)
                .map(|(v, n)| Cell::of(v, *n))
                .collect()
        })
        .collect();
    rows.sort_by(order);
    rows
}

fn order(a: &Row, b: &Row) -> Ordering {
    let cells = a.iter().zip(b).map(|(a, b)| a.order(b));
    cells
        .into_iter()
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// The differences as a table; `None` when the rows are the same in whatever order. `numeric` tells the columns
/// whose text is a number.
pub(super) fn table(
    names: &[String],
    numeric: &[bool],
    expected: &[Vec<Json>],
    actual: &[Vec<Json>],
) -> Option<String> {
    let changes = changes(cells(expected, numeric), cells(actual, numeric));
    if changes
        .iter()
        .all(|change| matches!(change, Change::Same(_)))
    {
        return None;
    }
    let mut lines = vec![
        std::iter::once("@@".to_owned())
            .chain(names.iter().cloned())
            .collect::<Vec<_>>(),
    ];
    // a row that is the same is told when it stands beside one that is not
    let is_same = |at: usize| matches!(changes.get(at), Some(Change::Same(_)) | None);
    let mut skipping = false;
    for (at, change) in changes.iter().enumerate() {
        let beside = (at > 0 && !is_same(at - 1)) || !is_same(at + 1);
        if is_same(at) && !beside {
            if !skipping {
                lines.push(vec!["...".to_owned(); names.len() + 1]);
            }
            skipping = true;
            continue;
        }
        skipping = false;
        lines.push(line(change));
    }
    Some(padded(&lines))
}

fn line(change: &Change) -> Vec<String> {
    let cells = |mark: &str, row: &Row, null: &str| {
        std::iter::once(mark.to_owned())
            .chain(row.iter().map(|cell| cell.shown(null)))
            .collect()
    };
    match change {
        Change::Same(row) => cells("", row, "NULL"),
        Change::Added(row) => cells("+++", row, "null"),
        Change::Missing(row) => cells("---", row, "null"),
        Change::Changed { expected, actual } => std::iter::once("→".to_owned())
            .chain(expected.iter().zip(actual).map(|(before, after)| {
                if before == after {
                    before.shown("NULL")
                } else {
                    format!("{}→{}", before.shown("NULL"), after.shown("NULL"))
                }
            }))
            .collect(),
    }
}

fn padded(lines: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(at, (cell, width))| {
                // nothing is put behind the last one
                let gap = if at + 1 == line.len() {
                    0
                } else {
                    width - cell.chars().count()
                };
                format!("{cell}{}", " ".repeat(gap))
            })
            .collect();
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

/// Pairs equal rows, then those that agree in most columns; the rest is added or missing.
fn changes(expected: Vec<Row>, mut actual: Vec<Row>) -> Vec<Change> {
    let mut found = Vec::new();
    let mut open: Vec<Row> = Vec::new();
    for row in expected {
        match actual.iter().position(|other| *other == row) {
            Some(at) => {
                actual.remove(at);
                found.push(Change::Same(row));
            }
            None => open.push(row),
        }
    }
    for row in open {
        let agree = |other: &Row| row.iter().zip(other).filter(|(a, b)| a == b).count();
        let best = actual
            .iter()
            .enumerate()
            .map(|(at, other)| (agree(other), std::cmp::Reverse(at)))
            .max();
        match best {
            // a pair shares its first column, or most of them
            Some((count, at))
                if count * 2 > row.len() || (count > 0 && row[0] == actual[at.0][0]) =>
            {
                let other = actual.remove(at.0);
                found.push(Change::Changed {
                    expected: row,
                    actual: other,
                });
            }
            _ => found.push(Change::Missing(row)),
        }
    }
    found.extend(actual.into_iter().map(Change::Added));
    found.sort_by(|a, b| order(a.key(), b.key()));
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::table;

    fn rows(value: Json) -> Vec<Vec<Json>> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn differences_are_told_as_dbt_tells_them() {
        let names = ["part_id", "price", "name"].map(str::to_owned);
        let expected = rows(json!([
            [2, 61, null],
            [3, 70, null],
            [4, 80, null],
            [5, 90, null],
            [7, 1, "x"],
        ]));
        let actual = rows(json!([
            [1, 40, "it's"],
            [2, 60, null],
            [3, 70, null],
            [4, 80, null],
            [5, 90, null],
        ]));
        let expected_text = "\
@@ ,part_id,price,name
+++,1      ,40   ,it's
→  ,2      ,61→60,NULL
   ,3      ,70   ,NULL
...,...    ,...  ,...
   ,5      ,90   ,NULL
---,7      ,1    ,x
";
        let found = table(&names, &[false; 3], &expected, &actual).unwrap();
        assert_eq!(found, expected_text);
    }

    #[test]
    fn order_and_trailing_zeros_do_not_matter() {
        let names = ["a".to_owned()];
        let check =
            |left: Json, right: Json| table(&names, &[true], &rows(left), &rows(right)).is_none();
        assert!(check(json!([[1], [2]]), json!([[2], [1]])));
        assert!(check(json!([["5.00"]]), json!([["5.0"]])));
        assert!(!check(json!([[1], [1]]), json!([[1]])));
        assert!(!check(json!([]), json!([[1]])));
        assert!(check(json!([]), json!([])));
    }
}

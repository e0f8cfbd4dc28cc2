//! Values that Postgres has and Iceberg has not: what to ask before a day is frozen for good. Pure.
//!
//! Types that have none ask for nothing. Text that is no UTF-8 cannot be found this way; copying finds it.

use super::{Shape, quoted};
use crate::types::{DataType, Scalar};

/// A condition that a value which cannot be archived fulfils.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unfit {
    /// The column.
    pub(crate) column: String,
    /// Of a row, in SQL.
    pub(crate) condition: String,
    /// What such a value is.
    pub(crate) what: &'static str,
}

/// One condition for each column that may hold such values. `but` is a column that is known to hold none.
pub(crate) fn unfit(shape: &Shape, but: Option<&str>) -> Vec<Unfit> {
    let others = |name: &str| Some(name) != but;
    (shape.columns.iter())
        .filter(|column| others(&column.name))
        .filter_map(|column| {
            let (condition, what) = match column.data_type {
                DataType::Scalar(scalar) => of_value(scalar)?,
                DataType::List(scalar) => of_list(scalar),
            };
            Some(Unfit {
                column: column.name.clone(),
                condition: condition.replace('$', &quoted(&column.name)),
                what,
            })
        })
        .collect()
}

/// With `$` for the value. A NULL fulfils none.
fn of_value(scalar: Scalar) -> Option<(String, &'static str)> {
    let (condition, what) = match scalar {
        // Iceberg counts microseconds from 1970 and Postgres from 2000: its last thirty years are beyond
        Scalar::Timestamp => (
            "(not isfinite($) or $ > timestamp '294247-01-10 04:00:54.775807')",
            "infinite, or beyond Iceberg's last instant",
        ),
        Scalar::Timestamptz => (
            // Trino has milliseconds from 1970 in 52 bits (DateTimeEncoding.packDateTimeWithZone)
            "(not isfinite($) or $ >= timestamptz '73326-09-11 20:14:45.248+00')",
            "infinite, or after September of the year 73326, which Trino cannot read",
        ),
        Scalar::Date => ("(not isfinite($))", "infinite"),
        Scalar::Time => (
            "($ = time '24:00')",
            "24:00, which Iceberg's day ends before",
        ),
        Scalar::Numeric { .. } => ("($ = 'NaN')", "`NaN`, which Iceberg's decimals have not"),
        Scalar::Bool
        | Scalar::Int2
        | Scalar::Int4
        | Scalar::Int8
        | Scalar::Float4
        | Scalar::Float8
        | Scalar::Text
        | Scalar::Char
        | Scalar::Uuid
        | Scalar::Json
        | Scalar::Jsonb
        | Scalar::Bytea => return None,
    };
    Some((condition.to_owned(), what))
}

fn of_list(scalar: Scalar) -> (String, &'static str) {
    let shape = "array_ndims($) > 1 or array_lower($, 1) <> 1";
    match of_value(scalar) {
        None => (
            format!("({shape})"),
            "an array of several dimensions, or one that does not count from 1",
        ),
        Some((condition, _)) => {
            let condition = condition.replace('$', "e");
            (
                format!("({shape} or exists (select from unnest($) e where {condition}))"),
                "an array of several dimensions, one that does not count from 1, or one with a value that Iceberg has not",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Column;

    #[test]
    fn only_what_may_be_unfit_is_asked_for() {
        let numeric = Scalar::Numeric {
            precision: 10,
            scale: 2,
        };
        let columns = [
            ("at", DataType::Scalar(Scalar::Timestamptz)),
            ("n", DataType::Scalar(Scalar::Int4)),
            ("a \"b\"", DataType::Scalar(numeric)),
            ("list", DataType::List(Scalar::Text)),
            ("days", DataType::List(Scalar::Date)),
        ];
        let columns = columns.map(|(name, data_type)| Column {
            name: name.to_owned(),
            data_type,
            nullable: true,
            declared: String::new(),
        });
        let shape = Shape {
            columns: columns.to_vec(),
        };
        let found: Vec<String> = unfit(&shape, Some("at"))
            .into_iter()
            .map(|u| u.condition)
            .collect();
        assert_eq!(
            found,
            [
                r#"("a ""b""" = 'NaN')"#,
                r#"(array_ndims("list") > 1 or array_lower("list", 1) <> 1)"#,
                r#"(array_ndims("days") > 1 or array_lower("days", 1) <> 1 or exists (select from unnest("days") e where (not isfinite(e))))"#,
            ]
        );
    }
}

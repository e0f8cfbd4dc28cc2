//! The facts that Postgres is asked for, and how. Pure.
//!
//! Of every type as much as is exact and cheap. Sums of doubles depend on their order, bounds of bytea, json and lists
//! would need functions that Postgres lacks or are slow: there counts and lengths must do.

use crate::shape::{Shape, quoted};
use crate::types::{DataType, Scalar};

/// One row of text columns but for the first: the number of rows, then every fact of every column.
#[must_use]
pub fn query(from: &str, shape: &Shape) -> String {
    let mut sql = String::from("select count(*)");
    for column in &shape.columns {
        let name = quoted(&column.name);
        for (_, expression) in facts(column.data_type) {
            sql.push_str(",\n    ");
            sql.push_str(&expression.replace('$', &name));
        }
    }
    sql.push('\n');
    sql.push_str(from);
    sql
}

/// Names of facts, and SQL with `$` for the column.
pub(super) fn facts(data_type: DataType) -> Vec<(&'static str, &'static str)> {
    let count = ("count", "count($)::text");
    let scalar = match data_type {
        DataType::List(_) => {
            return vec![count, ("values", "sum(cardinality($))::text")];
        }
        DataType::Scalar(scalar) => scalar,
    };
    let mut facts = vec![count];
    facts.extend(match scalar {
        Scalar::Bool => vec![("true", "count(*) filter (where $)::text")],
        Scalar::Int2 | Scalar::Int4 | Scalar::Int8 | Scalar::Numeric { .. } => vec![
            ("min", "min($)::text"),
            ("max", "max($)::text"),
            ("sum", "sum($)::text"),
        ],
        // -0 is 0 to Postgres, and either may come out as the bound: adding 0 (as text, to stay real) leaves one
        Scalar::Float4 | Scalar::Float8 => vec![
            ("nan", "count(*) filter (where $ = 'NaN')::text"),
            ("min", "(min(nullif($, 'NaN')) + '0')::text"),
            ("max", "(max(nullif($, 'NaN')) + '0')::text"),
        ],
        // format() keeps the padding that a cast of char(n) to text drops
        Scalar::Char => vec![
            ("bytes", "sum(octet_length($))::text"),
            (
                "min",
                "min(format('%s', $) collate \"C\") filter (where $ is not null)",
            ),
            (
                "max",
                "max(format('%s', $) collate \"C\") filter (where $ is not null)",
            ),
        ],
        Scalar::Text | Scalar::Uuid => vec![
            ("bytes", "sum(octet_length($::text))::text"),
            ("min", "min($::text collate \"C\")"),
            ("max", "max($::text collate \"C\")"),
        ],
        Scalar::Json | Scalar::Jsonb => vec![("bytes", "sum(octet_length($::text))::text")],
        Scalar::Bytea => vec![("bytes", "sum(octet_length($))::text")],
        Scalar::Date => vec![
            ("min", "(min($) - date '1970-01-01')::text"),
            ("max", "(max($) - date '1970-01-01')::text"),
            ("sum", "sum($ - date '1970-01-01')::text"),
        ],
        // microseconds; extract() is exact, a numeric
        Scalar::Time => vec![
            ("min", "(extract(epoch from min($)) * 1000000)::int8::text"),
            ("max", "(extract(epoch from max($)) * 1000000)::int8::text"),
            ("sum", "sum((extract(epoch from $) * 1000000)::int8)::text"),
        ],
        Scalar::Timestamp | Scalar::Timestamptz => vec![
            ("min", "(extract(epoch from min($)) * 1000000)::int8::text"),
            ("max", "(extract(epoch from max($)) * 1000000)::int8::text"),
            ("sum", "sum((extract(epoch from $) * 1000000)::int8)::text"),
        ],
    });
    facts
}

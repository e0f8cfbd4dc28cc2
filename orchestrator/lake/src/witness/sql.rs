//! The facts that Postgres is asked for, and how. Pure.
//!
//! Contents are compared by the sum of Postgres' own hashes, which is also cheaper than bounds of text or of numbers;
//! sums of numbers and bounds of times are there for the reader. Of lists, only their values are counted.

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
    let hash = |sql| ("hash", sql);
    let mut facts = vec![count];
    facts.extend(match scalar {
        Scalar::Bool => vec![("true", "count(*) filter (where $)::text")],
        Scalar::Int2 | Scalar::Int4 | Scalar::Int8 => {
            vec![("sum", "sum($)::text"), hash("sum(hashint8($))::text")]
        }
        Scalar::Numeric { .. } => {
            vec![("sum", "sum($)::text"), hash("sum(hash_numeric($))::text")]
        }
        Scalar::Float4 => vec![hash("sum(hashfloat4($))::text")],
        Scalar::Float8 => vec![hash("sum(hashfloat8($))::text")],
        // the cast drops the padding of char(n), so it does not count here
        Scalar::Text | Scalar::Char | Scalar::Uuid | Scalar::Json | Scalar::Jsonb => {
            vec![hash("sum(hashtext($::text collate \"C\"))::text")]
        }
        Scalar::Bytea => vec![hash("sum(hashtext(encode($, 'hex')))::text")],
        Scalar::Date => vec![
            ("min", "(min($) - date '1970-01-01')::text"),
            ("max", "(max($) - date '1970-01-01')::text"),
            hash("sum(hashint4($ - date '2000-01-01'))::text"),
        ],
        // bounds in microseconds, once a column: extract() is exact, and slow
        Scalar::Time => vec![MIN, MAX, hash("sum(time_hash($))::text")],
        Scalar::Timestamp => vec![MIN, MAX, hash("sum(timestamp_hash($))::text")],
        // an instant has no hash of its own that can be called in every version; its distance from 2000 has
        Scalar::Timestamptz => vec![
            MIN,
            MAX,
            hash("sum(interval_hash($ - timestamptz '2000-01-01 00:00:00+00'))::text"),
        ],
    });
    facts
}

const MIN: (&str, &str) = ("min", "(extract(epoch from min($)) * 1000000)::int8::text");
const MAX: (&str, &str) = ("max", "(extract(epoch from max($)) * 1000000)::int8::text");

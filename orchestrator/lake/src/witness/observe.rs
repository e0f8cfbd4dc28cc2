//! The same facts from batches. Pure.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::i256;
use arrow_schema::DataType as ArrowType;

use crate::copy::{EPOCH_DAYS, EPOCH_MICROS};
use crate::shape::Shape;
use crate::types::widen::integers;
use crate::types::{DataType, Form, Scalar, Wire};

use super::{Facts, Witness, jenkins};

/// Collects facts batch by batch.
pub struct Observer {
    rows: u64,
    columns: Vec<(String, DataType, Seen)>,
}

/// What was seen of a column; what is meaningless for its type stays at its default.
#[derive(Default)]
struct Seen {
    count: u64,
    sum: Sum,
    bounds: Option<(i64, i64)>,
    /// True ones of booleans, values of lists.
    tally: u64,
    /// Sum of Postgres' hashes.
    hash: i64,
}

/// Of numbers that may have 38 digits each: 128 bits do not hold many of them.
#[derive(Default)]
struct Sum {
    large: i256,
    /// Added to `large` before it overflows.
    small: i128,
}

impl Sum {
    #[inline]
    fn add(&mut self, value: i128) {
        match self.small.checked_add(value) {
            Some(small) => self.small = small,
            None => {
                self.large = self.total();
                self.small = value;
            }
        }
    }

    fn total(&self) -> i256 {
        self.large.wrapping_add(i256::from_i128(self.small))
    }
}

impl Observer {
    /// Of batches whose columns are those of `shape`, in its order; columns after them do not count.
    #[must_use]
    pub fn new(shape: &Shape) -> Self {
        let columns = shape.columns.iter();
        Self {
            rows: 0,
            columns: columns
                .map(|c| (c.name.clone(), c.data_type, Seen::default()))
                .collect(),
        }
    }

    /// Takes a batch in.
    pub fn observe(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        for ((_, data_type, seen), array) in self.columns.iter_mut().zip(batch.columns()) {
            seen.count += (array.len() - array.null_count()) as u64;
            match data_type {
                DataType::List(_) => seen.tally += list_values(array),
                DataType::Scalar(scalar) => seen.scalar(*scalar, array),
            }
        }
    }

    /// What all batches say.
    #[must_use]
    pub fn finish(self) -> Witness {
        let columns = self.columns.into_iter();
        let columns: BTreeMap<String, Facts> = columns
            .map(|(name, data_type, seen)| (name, seen.facts(data_type)))
            .collect();
        Witness {
            rows: self.rows,
            columns,
        }
    }
}

fn list_values(array: &ArrayRef) -> u64 {
    let list = array.as_list::<i32>();
    (0..list.len())
        .filter(|row| list.is_valid(*row))
        .map(|row| u64::from(list.value_length(row).cast_unsigned()))
        .sum()
}

impl Seen {
    fn scalar(&mut self, scalar: Scalar, array: &ArrayRef) {
        match scalar.row().form {
            Form::Bool => self.tally += array.as_boolean().true_count() as u64,
            Form::Decimal { scale } => {
                for value in array.as_primitive::<Decimal128Type>().iter().flatten() {
                    self.sum.add(value);
                    self.hash(jenkins::decimal(value, scale));
                }
            }
            Form::F32 => {
                for value in array.as_primitive::<Float32Type>().iter().flatten() {
                    self.hash(jenkins::float(value.into()));
                }
            }
            Form::F64 => {
                for value in array.as_primitive::<Float64Type>().iter().flatten() {
                    self.hash(jenkins::float(value));
                }
            }
            Form::Text => {
                for value in array.as_string::<i32>().iter().flatten() {
                    let value = match scalar {
                        Scalar::Char => value.trim_end_matches(' '),
                        _ => value,
                    };
                    self.hash(jenkins::bytes(value.as_bytes()));
                }
            }
            Form::Binary => {
                let mut hex = Vec::new();
                for value in array.as_binary::<i32>().iter().flatten() {
                    hex.clear();
                    let digits = value.iter().flat_map(|byte| [byte >> 4, byte & 15]);
                    hex.extend(digits.map(|digit| b"0123456789abcdef"[usize::from(digit)]));
                    self.hash(jenkins::bytes(&hex));
                }
            }
            Form::I32 | Form::I64 => self.integers(scalar.row().wire, array),
        }
    }

    fn hash(&mut self, hash: i32) {
        self.hash += i64::from(hash);
    }

    /// Folds within the batch first: 64 bits are quicker.
    fn integers(&mut self, wire: Wire, array: &ArrayRef) {
        let (mut low, mut high, mut sum, mut hash) = (i64::MAX, i64::MIN, 0_i128, 0_i64);
        // Postgres hashes a time as it keeps it
        let epoch = match wire {
            Wire::Micros => EPOCH_MICROS,
            Wire::Days => EPOCH_DAYS.into(),
            _ => 0,
        };
        let mut take = |value: i64| {
            (low, high) = (low.min(value), high.max(value));
            sum += i128::from(value);
            hash += i64::from(jenkins::integer(value.wrapping_sub(epoch)));
        };
        let rows = (0..array.len()).filter(|row| array.is_valid(*row));
        match array.data_type() {
            ArrowType::Int32 => {
                let values = array.as_primitive::<Int32Type>().values();
                rows.for_each(|row| take(values[row].into()));
            }
            ArrowType::Int64 => {
                let values = array.as_primitive::<Int64Type>().values();
                rows.for_each(|row| take(values[row]));
            }
            other => {
                let values = integers(array)
                    .unwrap_or_else(|| unreachable!("the table of types has no {other}"));
                rows.for_each(|row| take(values[row]));
            }
        }
        if low <= high {
            self.sum.add(sum);
            self.hash += hash;
            let (lowest, highest) = self.bounds.unwrap_or((low, high));
            self.bounds = Some((lowest.min(low), highest.max(high)));
        }
    }

    /// Those that Postgres is asked for: see [`super::sql`].
    fn facts(&self, data_type: DataType) -> Facts {
        let mut facts = Facts::new();
        let mut fact = |name: &str, value: String| facts.insert(name.to_owned(), value);
        fact("count", self.count.to_string());
        let DataType::Scalar(scalar) = data_type else {
            if self.count > 0 {
                fact("values", self.tally.to_string());
            }
            return facts;
        };
        let row = scalar.row();
        if row.form == Form::Bool {
            fact("true", self.tally.to_string());
            return facts;
        }
        if self.count == 0 {
            return facts;
        }
        fact("hash", self.hash.to_string());
        match (row.wire, row.form) {
            (Wire::Int2 | Wire::Int4 | Wire::Int8, _) => {
                fact("sum", self.sum.total().to_string());
            }
            (_, Form::Decimal { scale }) => {
                fact("sum", decimal_text(&self.sum.total().to_string(), scale));
            }
            (Wire::Days | Wire::Micros | Wire::TimeOfDay, _) => {
                let (low, high) = self.bounds.expect("there are values");
                fact("min", low.to_string());
                fact("max", high.to_string());
            }
            _ => {}
        }
        facts
    }
}

/// As Postgres prints a numeric of this scale.
fn decimal_text(digits: &str, scale: u8) -> String {
    let scale = usize::from(scale);
    if scale == 0 {
        return digits.to_owned();
    }
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, places) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}.{places}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_postgres_prints_them() {
        assert_eq!(decimal_text("5", 2), "0.05");
        assert_eq!(decimal_text("-12345", 2), "-123.45");
        assert_eq!(decimal_text("0", 3), "0.000");
        assert_eq!(decimal_text("7", 0), "7");
    }
}

//! The same facts from batches. Pure.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::i256;
use arrow_schema::DataType as ArrowType;

use crate::copy::EPOCH_MICROS;
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
    bounds: Option<(i128, i128)>,
    floats: Option<(f64, f64)>,
    /// NaNs of floats, true ones of booleans, bytes of bytea, values of lists.
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
            Form::Decimal { .. } => {
                for value in array.as_primitive::<Decimal128Type>().iter().flatten() {
                    self.number(value);
                }
            }
            Form::F32 => {
                for value in array.as_primitive::<Float32Type>().iter().flatten() {
                    self.float(value.into());
                }
            }
            Form::F64 => {
                for value in array.as_primitive::<Float64Type>().iter().flatten() {
                    self.float(value);
                }
            }
            Form::Text => {
                for value in array.as_string::<i32>().iter().flatten() {
                    let value = match scalar {
                        Scalar::Char => value.trim_end_matches(' '),
                        _ => value,
                    };
                    self.hash += i64::from(jenkins::bytes(value.as_bytes()));
                }
            }
            Form::Binary => {
                let mut hex = Vec::new();
                for value in array.as_binary::<i32>().iter().flatten() {
                    self.tally += value.len() as u64;
                    hex.clear();
                    let digits = value.iter().flat_map(|byte| [byte >> 4, byte & 15]);
                    hex.extend(digits.map(|digit| b"0123456789abcdef"[usize::from(digit)]));
                    self.hash += i64::from(jenkins::bytes(&hex));
                }
            }
            Form::I32 | Form::I64 => self.integers(array),
        }
    }

    /// Folds within the batch first: 64 bits are quicker.
    fn integers(&mut self, array: &ArrayRef) {
        let rows = (0..array.len()).filter(|row| array.is_valid(*row));
        let (mut low, mut high, mut sum, mut hash) = (i64::MAX, i64::MIN, 0_i128, 0_i64);
        // Postgres hashes a timestamp as it keeps it
        let epoch = match array.data_type() {
            ArrowType::Timestamp(..) => EPOCH_MICROS,
            _ => 0,
        };
        let mut take = |value: i64| {
            (low, high) = (low.min(value), high.max(value));
            sum += i128::from(value);
            hash += i64::from(jenkins::integer(value.wrapping_sub(epoch)));
        };
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
            self.bound(low.into());
            self.bound(high.into());
        }
    }

    fn number(&mut self, value: i128) {
        self.sum.add(value);
        self.bound(value);
    }

    fn bound(&mut self, value: i128) {
        let (low, high) = self.bounds.unwrap_or((value, value));
        self.bounds = Some((low.min(value), high.max(value)));
    }

    fn float(&mut self, value: f64) {
        if value.is_nan() {
            self.tally += 1;
            return;
        }
        let (low, high) = self.floats.unwrap_or((value, value));
        self.floats = Some((low.min(value), high.max(value)));
    }

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
        match row.form {
            Form::Bool => {
                fact("true", self.tally.to_string());
            }
            Form::F32 | Form::F64 => {
                fact("nan", self.tally.to_string());
                if let Some((low, high)) = self.floats {
                    let narrow = row.form == Form::F32;
                    fact("min", float_text(low + 0.0, narrow));
                    fact("max", float_text(high + 0.0, narrow));
                }
            }
            Form::Text | Form::Binary => {
                if self.count > 0 {
                    fact("hash", self.hash.to_string());
                    if row.form == Form::Binary {
                        fact("bytes", self.tally.to_string());
                    }
                }
            }
            Form::I32 | Form::I64 | Form::Decimal { .. } => {
                let scale = match row.form {
                    Form::Decimal { scale } => scale,
                    _ => 0,
                };
                let Some((low, high)) = self.bounds else {
                    return facts;
                };
                fact("min", decimal_text(&low.to_string(), scale));
                fact("max", decimal_text(&high.to_string(), scale));
                // what Postgres is asked for: see `sql`
                let (sum, hash) = match row.wire {
                    Wire::Int2 | Wire::Int4 | Wire::Int8 => (true, true),
                    Wire::Micros | Wire::TimeOfDay => (false, true),
                    _ => (true, false),
                };
                if sum {
                    fact("sum", decimal_text(&self.sum.total().to_string(), scale));
                }
                if hash {
                    fact("hash", self.hash.to_string());
                }
            }
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

/// A fact as Postgres says it, in the form that it has here. Bounds of floats alone differ: the two print the same
/// number differently.
pub(super) fn canonical(data_type: DataType, fact: &str, value: String) -> String {
    let DataType::Scalar(scalar @ (Scalar::Float4 | Scalar::Float8)) = data_type else {
        return value;
    };
    let narrow = scalar == Scalar::Float4;
    // a real is read as one: by way of a double it would be rounded twice
    let number = if narrow {
        value.parse::<f32>().map(f64::from)
    } else {
        value.parse()
    };
    match number {
        Ok(number) if fact == "min" || fact == "max" => float_text(number, narrow),
        _ => value,
    }
}

/// Digits enough to tell it from every other number of its type.
fn float_text(value: f64, narrow: bool) -> String {
    if narrow {
        format!("{:e}", value as f32)
    } else {
        format!("{value:e}")
    }
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

    #[test]
    fn floats_are_compared_as_numbers() {
        let check = |data_type: &str, said: &str, seen: f64| {
            let data_type: DataType = data_type.parse().unwrap();
            let narrow = data_type.scalar() == Scalar::Float4;
            let said = canonical(data_type, "min", said.to_owned());
            assert_eq!(said, float_text(seen, narrow));
        };
        check("float8", "1e+15", 1e15);
        check("float8", "-Infinity", f64::NEG_INFINITY);
        check("float8", "5e-324", 5e-324);
        check("float4", "3.4028235e+38", f32::MAX.into());
        check("float4", "0.1", 0.1_f32.into());
        check("float4", "1e-45", f32::from_bits(1).into());
    }
}

//! The same facts from batches. Pure.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::i256;
use arrow_schema::DataType as ArrowType;

use crate::shape::Shape;
use crate::types::widen::integers;
use crate::types::{DataType, Form, Scalar};

use super::{Facts, Witness};

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
    /// NaNs of floats, true ones of booleans, bytes of text, values of lists.
    tally: u64,
    text: Option<(Vec<u8>, Vec<u8>)>,
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
        .map(|row| list.value_length(row).cast_unsigned().into())
        .fold(0, |sum: u64, length: u64| sum + length)
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
                let bounds = matches!(scalar, Scalar::Text | Scalar::Char | Scalar::Uuid);
                for value in array.as_string::<i32>().iter().flatten() {
                    self.tally += value.len() as u64;
                    if bounds {
                        self.text(value.as_bytes());
                    }
                }
            }
            Form::Binary => {
                for value in array.as_binary::<i32>().iter().flatten() {
                    self.tally += value.len() as u64;
                }
            }
            Form::I32 | Form::I64 => self.integers(array),
        }
    }

    /// Folds within the batch first: 64 bits are quicker.
    fn integers(&mut self, array: &ArrayRef) {
        let valid = |row: &usize| array.is_valid(*row);
        let rows = (0..array.len()).filter(valid);
        let (mut low, mut high, mut sum) = (i64::MAX, i64::MIN, 0_i128);
        let mut take = |value: i64| {
            (low, high) = (low.min(value), high.max(value));
            sum += i128::from(value);
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

    fn text(&mut self, value: &[u8]) {
        match &mut self.text {
            None => self.text = Some((value.to_vec(), value.to_vec())),
            Some((low, high)) => {
                if value < low.as_slice() {
                    value.clone_into(low);
                } else if value > high.as_slice() {
                    value.clone_into(high);
                }
            }
        }
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
                    fact("bytes", self.tally.to_string());
                }
                if let Some((low, high)) = &self.text {
                    fact("min", String::from_utf8_lossy(low).into_owned());
                    fact("max", String::from_utf8_lossy(high).into_owned());
                }
            }
            Form::I32 | Form::I64 | Form::Decimal { .. } => {
                let scale = match row.form {
                    Form::Decimal { scale } => scale,
                    _ => 0,
                };
                if let Some((low, high)) = self.bounds {
                    fact("min", decimal_text(&low.to_string(), scale));
                    fact("max", decimal_text(&high.to_string(), scale));
                    fact("sum", decimal_text(&self.sum.total().to_string(), scale));
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

//! Arrow -> binary COPY, for rows that go back to Postgres. Pure.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};

use crate::Error;
use crate::shape::Shape;
use crate::types::widen::integers;
use crate::types::{DataType, Form, Scalar, Wire};

use super::{EPOCH_DAYS, EPOCH_MICROS, SIGNATURE};

/// What a binary COPY starts with.
#[must_use]
pub fn header() -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    header.extend([0; 8]); // no flags, no extension
    header
}

/// What it ends with.
pub const TRAILER: &[u8] = &(-1_i16).to_be_bytes();

/// Makes rows of batches. An array names the type of its elements, by a number that only the target table knows:
/// see [`element_types`].
pub struct Encoder {
    columns: Vec<(String, DataType, u32)>,
}

/// For every column of a table its array's element type, 0 for other columns, as `pg_type` says; `$1` and `$2` are
/// schema and table. In the table's order, which is the shape's.
pub const ELEMENT_TYPES: &str = "
select t.typelem from pg_attribute a
join pg_type t on t.oid = a.atttypid
join pg_class c on c.oid = a.attrelid
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relname = $2 and a.attnum > 0 and not a.attisdropped
order by a.attnum";

/// The element types of a table's columns, for [`Encoder::new`].
///
/// # Errors
/// When Postgres fails.
pub async fn element_types(
    connection: &mut sqlx::PgConnection,
    schema: &str,
    table: &str,
) -> Result<Vec<u32>, Error> {
    use crate::error::Doing as _;
    let types: Vec<sqlx::postgres::types::Oid> = sqlx::query_scalar(ELEMENT_TYPES)
        .bind(schema)
        .bind(table)
        .fetch_all(connection)
        .await
        .doing("list its arrays")?;
    Ok(types.into_iter().map(|oid| oid.0).collect())
}

impl Encoder {
    /// For batches of `shape`; `elements` has one number a column.
    #[must_use]
    pub fn new(shape: &Shape, elements: &[u32]) -> Self {
        let columns = shape.columns.iter().zip(elements);
        Self {
            columns: columns
                .map(|(column, element)| (column.name.clone(), column.data_type, *element))
                .collect(),
        }
    }

    /// Appends the rows of a batch; columns after those of the shape are left out.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a value that is larger than a row of COPY can be.
    pub fn encode(&self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), Error> {
        let cells: Vec<Cells<'_>> = self
            .columns
            .iter()
            .zip(batch.columns())
            .map(|((_, data_type, element), array)| Cells::new(*data_type, *element, array))
            .collect();
        let count = i16::try_from(cells.len()).expect("a table has at most 1,600 columns");
        for row in 0..batch.num_rows() {
            out.extend(count.to_be_bytes());
            for (cell, (name, ..)) in cells.iter().zip(&self.columns) {
                let start = out.len();
                out.extend((-1_i32).to_be_bytes());
                if cell.array.is_null(row) {
                    continue;
                }
                cell.write(row, out);
                let length = out.len() - start - 4;
                let length = i32::try_from(length).map_err(|_| Error::Malformed {
                    what: format!("column `{name}`"),
                    message: "a value of more than 2 GiB".to_owned(),
                })?;
                out[start..start + 4].copy_from_slice(&length.to_be_bytes());
            }
        }
        Ok(())
    }
}

/// A column of a batch.
struct Cells<'a> {
    array: &'a ArrayRef,
    scalar: Scalar,
    wire: Wire,
    form: Form,
    /// Times and timestamps as integers.
    integers: Option<Vec<i64>>,
    /// A list's values and their type.
    list: Option<(Box<Cells<'a>>, u32)>,
}

impl<'a> Cells<'a> {
    fn new(data_type: DataType, element: u32, array: &'a ArrayRef) -> Self {
        let scalar = data_type.scalar();
        let row = scalar.row();
        let list = match data_type {
            DataType::Scalar(_) => None,
            DataType::List(_) => {
                let values = array.as_list::<i32>().values();
                let values = Self::new(DataType::Scalar(scalar), 0, values);
                Some((Box::new(values), element))
            }
        };
        Self {
            array,
            scalar,
            wire: row.wire,
            form: row.form,
            integers: integers(array),
            list,
        }
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) {
        if let Some((values, element)) = &self.list {
            return self.write_list(row, values, *element, out);
        }
        let integer = |row: usize| match (&self.integers, self.form) {
            (Some(integers), _) => integers[row],
            (None, Form::I32) => self.array.as_primitive::<Int32Type>().value(row).into(),
            (None, _) => self.array.as_primitive::<Int64Type>().value(row),
        };
        match self.wire {
            Wire::Bool => out.push(u8::from(self.array.as_boolean().value(row))),
            Wire::Int2 => out.extend((integer(row) as i16).to_be_bytes()),
            Wire::Int4 => out.extend((integer(row) as i32).to_be_bytes()),
            Wire::Int8 | Wire::TimeOfDay => out.extend(integer(row).to_be_bytes()),
            Wire::Days => {
                let days = self.array.as_primitive::<Date32Type>().value(row);
                out.extend(days.wrapping_sub(EPOCH_DAYS).to_be_bytes());
            }
            Wire::Micros => out.extend(integer(row).wrapping_sub(EPOCH_MICROS).to_be_bytes()),
            Wire::Float4 => {
                let value = self.array.as_primitive::<Float32Type>().value(row);
                out.extend(value.to_be_bytes());
            }
            Wire::Float8 => {
                let value = self.array.as_primitive::<Float64Type>().value(row);
                out.extend(value.to_be_bytes());
            }
            Wire::Numeric => {
                let value = self.array.as_primitive::<Decimal128Type>().value(row);
                let Form::Decimal { scale } = self.form else {
                    unreachable!("{} is a decimal", self.scalar)
                };
                numeric(value, scale, out);
            }
            Wire::Uuid => {
                let text = self.array.as_string::<i32>().value(row);
                // what Postgres printed, Postgres reads; anything else it refuses by its length
                match uuid::Uuid::try_parse(text) {
                    Ok(uuid) => out.extend_from_slice(uuid.as_bytes()),
                    Err(_) => out.extend_from_slice(text.as_bytes()),
                }
            }
            Wire::Jsonb => {
                out.push(1);
                out.extend_from_slice(self.array.as_string::<i32>().value(row).as_bytes());
            }
            Wire::Bytes if self.form == Form::Binary => {
                out.extend_from_slice(self.array.as_binary::<i32>().value(row));
            }
            Wire::Bytes => {
                out.extend_from_slice(self.array.as_string::<i32>().value(row).as_bytes());
            }
        }
    }

    fn write_list(&self, row: usize, values: &Cells<'_>, element: u32, out: &mut Vec<u8>) {
        let offsets = self.array.as_list::<i32>().value_offsets();
        let (start, end) = (offsets[row], offsets[row + 1]);
        let rows = start as usize..end as usize;
        let has_nulls = rows.clone().any(|row| values.array.is_null(row));
        out.extend(i32::from(start != end).to_be_bytes());
        out.extend(i32::from(has_nulls).to_be_bytes());
        out.extend(element.to_be_bytes());
        if start == end {
            return;
        }
        out.extend((end - start).to_be_bytes());
        out.extend(1_i32.to_be_bytes());
        for row in rows {
            let at = out.len();
            out.extend((-1_i32).to_be_bytes());
            if values.array.is_valid(row) {
                values.write(row, out);
                let length = (out.len() - at - 4) as i32;
                out[at..at + 4].copy_from_slice(&length.to_be_bytes());
            }
        }
    }
}

/// As Postgres makes them.
fn numeric(value: i128, scale: u8, out: &mut Vec<u8>) {
    let digits = Digits::new(value.unsigned_abs(), scale);
    out.extend((digits.all().len() as u16).to_be_bytes());
    out.extend(digits.weight.to_be_bytes());
    out.extend(if value < 0 { 0x4000_u16 } else { 0 }.to_be_bytes());
    out.extend(u16::from(scale).to_be_bytes());
    for digit in digits.all() {
        out.extend(digit.to_be_bytes());
    }
}

/// A decimal's digits to the base of 10,000, without zeros at either end.
pub(crate) struct Digits {
    /// The last ones are used.
    digits: [u16; 12],
    used: std::ops::Range<usize>,
    /// The first one counts 10,000 to this power.
    pub(crate) weight: i16,
}

impl Digits {
    pub(crate) fn new(mut rest: u128, scale: u8) -> Self {
        let mut digits = [0; 12];
        let mut first = digits.len();
        // The last digit holds four decimal places: the number is shifted until its places fill digits.
        let padding = (4 - u32::from(scale % 4)) % 4;
        let mut weight = -i16::from(scale.div_ceil(4));
        let mut push = |digit: u16| {
            first -= 1;
            digits[first] = digit;
            weight += 1;
        };
        if rest > 0 && padding > 0 {
            let cut = 10_u128.pow(4 - padding);
            push((rest % cut * 10_u128.pow(padding)) as u16);
            rest /= cut;
        }
        // most numbers are small, and small divisions are quick
        while rest > u128::from(u64::MAX) {
            push((rest % 10_000) as u16);
            rest /= 10_000;
        }
        let mut rest = rest as u64;
        while rest > 0 {
            push((rest % 10_000) as u16);
            rest /= 10_000;
        }
        let zeros = digits[first..]
            .iter()
            .rev()
            .take_while(|digit| **digit == 0);
        let used = first..digits.len() - zeros.count();
        Self {
            weight: if used.is_empty() { 0 } else { weight - 1 },
            digits,
            used,
        }
    }

    /// The first one first.
    pub(crate) fn all(&self) -> &[u16] {
        &self.digits[self.used.clone()]
    }
}

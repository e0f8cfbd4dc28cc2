//! Values of one type, taken from the wire into Arrow's memory.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType as ArrowType, TimeUnit};

use crate::copy::{DAY_MICROS, EPOCH_DAYS, EPOCH_MICROS};
use crate::types::{Form, Row, Scalar, Wire};

use super::TOO_MUCH;

/// Values that have come so far.
pub(super) struct Values {
    row: Row,
    /// Of a numeric: 10^precision.
    limit: i128,
    nulls: NullBufferBuilder,
    store: Store,
}

enum Store {
    Bool(BooleanBufferBuilder),
    I32(Vec<i32>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    I128(Vec<i128>),
    /// Where each value ends, starting with 0; the values themselves.
    Bytes(Vec<i32>, Vec<u8>),
}

impl Store {
    fn new(form: Form, rows: usize) -> Self {
        match form {
            Form::Bool => Self::Bool(BooleanBufferBuilder::new(rows)),
            Form::I32 => Self::I32(Vec::with_capacity(rows)),
            Form::I64 => Self::I64(Vec::with_capacity(rows)),
            Form::F32 => Self::F32(Vec::with_capacity(rows)),
            Form::F64 => Self::F64(Vec::with_capacity(rows)),
            Form::Decimal { .. } => Self::I128(Vec::with_capacity(rows)),
            Form::Text | Form::Binary => {
                let mut ends = Vec::with_capacity(rows + 1);
                ends.push(0);
                Self::Bytes(ends, Vec::new())
            }
        }
    }
}

impl Values {
    pub(super) fn new(scalar: Scalar, rows: usize) -> Self {
        let limit = match scalar {
            Scalar::Numeric { precision, .. } => 10_i128.pow(precision.into()),
            _ => 0,
        };
        let row = scalar.row();
        Self {
            limit,
            nulls: NullBufferBuilder::new(rows),
            store: Store::new(row.form, rows),
            row,
        }
    }

    pub(super) fn len(&self) -> usize {
        match &self.store {
            Store::Bool(bits) => bits.len(),
            Store::I32(values) => values.len(),
            Store::I64(values) => values.len(),
            Store::F32(values) => values.len(),
            Store::F64(values) => values.len(),
            Store::I128(values) => values.len(),
            Store::Bytes(ends, _) => ends.len() - 1,
        }
    }

    pub(super) fn push_null(&mut self) {
        match &mut self.store {
            Store::Bool(bits) => bits.append(false),
            Store::I32(values) => values.push(0),
            Store::I64(values) => values.push(0),
            Store::F32(values) => values.push(0.0),
            Store::F64(values) => values.push(0.0),
            Store::I128(values) => values.push(0),
            Store::Bytes(ends, bytes) => ends.push(bytes.len() as i32),
        }
        self.nulls.append_null();
    }

    #[inline]
    pub(super) fn push(&mut self, value: &[u8]) -> Result<(), String> {
        match &mut self.store {
            Store::I64(values) => values.push(match self.row.wire {
                Wire::Micros => micros(i64::from_be_bytes(fixed(value)?))?,
                Wire::TimeOfDay => time_of_day(i64::from_be_bytes(fixed(value)?))?,
                _ => i64::from_be_bytes(fixed(value)?),
            }),
            Store::I32(values) => values.push(match self.row.wire {
                Wire::Int2 => i16::from_be_bytes(fixed(value)?).into(),
                Wire::Days => days(i32::from_be_bytes(fixed(value)?))?,
                _ => i32::from_be_bytes(fixed(value)?),
            }),
            Store::Bytes(ends, bytes) => {
                match self.row.wire {
                    Wire::Uuid => bytes.extend_from_slice(
                        uuid::Uuid::from_bytes(fixed(value)?)
                            .hyphenated()
                            .encode_lower(&mut [0; 36])
                            .as_bytes(),
                    ),
                    Wire::Jsonb => match value.split_first() {
                        Some((1, text)) => bytes.extend_from_slice(text),
                        _ => return Err("jsonb of a version that is not known".to_owned()),
                    },
                    _ => bytes.extend_from_slice(value),
                }
                ends.push(i32::try_from(bytes.len()).map_err(|_| TOO_MUCH)?);
            }
            Store::F64(values) => values.push(f64::from_be_bytes(fixed(value)?)),
            Store::F32(values) => values.push(f32::from_be_bytes(fixed(value)?)),
            Store::I128(values) => {
                let Form::Decimal { scale } = self.row.form else {
                    unreachable!("decimals alone are stored so")
                };
                values.push(numeric(value, scale, self.limit)?);
            }
            Store::Bool(bits) => bits.append(match value {
                [0] => false,
                [1] => true,
                _ => return Err("no boolean".to_owned()),
            }),
        }
        self.nulls.append_non_null();
        Ok(())
    }

    /// What has come, as an array; begins anew.
    pub(super) fn finish(&mut self, rows: usize) -> Result<ArrayRef, String> {
        let nulls = self.nulls.finish();
        let store = std::mem::replace(&mut self.store, Store::new(self.row.form, rows));
        Ok(match (store, &self.row.arrow) {
            (Store::Bool(mut bits), _) => Arc::new(BooleanArray::new(bits.finish(), nulls)),
            (Store::I32(values), ArrowType::Date32) => primitive::<Date32Type>(values, nulls),
            (Store::I32(values), _) => primitive::<Int32Type>(values, nulls),
            (Store::I64(values), ArrowType::Timestamp(TimeUnit::Microsecond, zone)) => {
                let values = PrimitiveArray::<TimestampMicrosecondType>::new(values.into(), nulls);
                Arc::new(values.with_timezone_opt(zone.clone()))
            }
            (Store::I64(values), ArrowType::Time64(_)) => {
                primitive::<Time64MicrosecondType>(values, nulls)
            }
            (Store::I64(values), _) => primitive::<Int64Type>(values, nulls),
            (Store::F32(values), _) => primitive::<Float32Type>(values, nulls),
            (Store::F64(values), _) => primitive::<Float64Type>(values, nulls),
            (Store::I128(values), arrow) => {
                let values = PrimitiveArray::<Decimal128Type>::new(values.into(), nulls);
                Arc::new(values.with_data_type(arrow.clone()))
            }
            (Store::Bytes(ends, bytes), arrow) => {
                let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
                let bytes = Buffer::from_vec(bytes);
                if *arrow == ArrowType::Utf8 {
                    // one check of all values' bytes, and of where they are cut
                    let text = StringArray::try_new(ends, bytes, nulls);
                    Arc::new(text.map_err(|_| "text that is not UTF-8")?)
                } else {
                    let binary = BinaryArray::try_new(ends, bytes, nulls);
                    Arc::new(binary.map_err(|e| e.to_string())?)
                }
            }
        })
    }
}

fn primitive<T: ArrowPrimitiveType>(
    values: Vec<T::Native>,
    nulls: Option<arrow_buffer::NullBuffer>,
) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(values.into(), nulls))
}

fn fixed<const N: usize>(value: &[u8]) -> Result<[u8; N], String> {
    value
        .try_into()
        .map_err(|_| format!("{} bytes where {N} belong", value.len()))
}

fn micros(since_2000: i64) -> Result<i64, String> {
    match since_2000 {
        i64::MAX => Err("`infinity`; Iceberg has no such timestamp".to_owned()),
        i64::MIN => Err("`-infinity`; Iceberg has no such timestamp".to_owned()),
        finite => finite
            .checked_add(EPOCH_MICROS)
            .ok_or_else(|| "a timestamp beyond the year 294246, Iceberg's last".to_owned()),
    }
}

fn days(since_2000: i32) -> Result<i32, String> {
    match since_2000 {
        i32::MAX => Err("`infinity`; Iceberg has no such date".to_owned()),
        i32::MIN => Err("`-infinity`; Iceberg has no such date".to_owned()),
        finite => finite
            .checked_add(EPOCH_DAYS)
            .ok_or_else(|| "a date beyond Iceberg's last".to_owned()),
    }
}

fn time_of_day(micros: i64) -> Result<i64, String> {
    if (0..DAY_MICROS).contains(&micros) {
        Ok(micros)
    } else {
        Err("24:00; Iceberg's day ends before it".to_owned())
    }
}

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;

/// Postgres' digits to the base of 10,000 as one number with `scale` decimal places.
fn numeric(value: &[u8], scale: u8, limit: i128) -> Result<i128, String> {
    let (head, digits) = value.split_first_chunk::<8>().ok_or("cut short")?;
    let short = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let (weight, sign) = (i32::from(short(2).cast_signed()), short(4));
    if usize::from(short(0)) * 2 != digits.len() {
        return Err("digits that do not fit their count".to_owned());
    }
    match sign {
        POSITIVE | NEGATIVE => {}
        NAN => return Err("`NaN`; Iceberg's decimals have no such value".to_owned()),
        _ => return Err("`Infinity`; Iceberg's decimals have no such value".to_owned()),
    }
    let mut number: i128 = 0;
    // decimal places that the digits so far have: below zero while they stand before the point
    let mut places = -4 * (weight + 1);
    for digit in digits.chunks_exact(2) {
        let digit = i128::from(u16::from_be_bytes([digit[0], digit[1]]));
        places += 4;
        let over = places - i32::from(scale);
        if over <= 0 {
            number = append(number, 10_000, digit)?;
        } else {
            // the last digits of a number at this scale: the places beyond it are zeros
            let cut = 10_i128.pow(over.min(4).cast_unsigned());
            if digit % cut != 0 {
                return Err(format!("more than {scale} decimal places"));
            }
            if over < 4 {
                number = append(number, 10_000 / cut, digit / cut)?;
            }
            places = i32::from(scale);
        }
    }
    for _ in places..i32::from(scale) {
        number = append(number, 10, 0)?;
    }
    if number >= limit {
        return Err(TOO_LARGE.to_owned());
    }
    Ok(if sign == NEGATIVE { -number } else { number })
}

const TOO_LARGE: &str = "a number of more digits than its type has";

fn append(number: i128, base: i128, digit: i128) -> Result<i128, String> {
    number
        .checked_mul(base)
        .and_then(|number| number.checked_add(digit))
        .ok_or_else(|| TOO_LARGE.to_owned())
}

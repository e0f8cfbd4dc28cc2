//! One value, one hash.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType as ArrowType;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::types::widen::integers;

/// Of a column's values.
pub(super) fn seed(name: &str) -> u64 {
    xxh3_64(name.as_bytes())
}

/// A bijection that leaves no bit alone.
pub(super) fn mix(value: u64) -> u64 {
    let value = (value ^ 0x9e37_79b9_7f4a_7c15 ^ (value >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let value = (value ^ (value >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    value ^ (value >> 32)
}

/// Calls `found` with row and hash of every value that is not NULL.
pub(super) fn each(array: &ArrayRef, seed: u64, mut found: impl FnMut(usize, u64)) {
    let Some(list) = array.as_list_opt::<i32>() else {
        return scalars(array, seed, found);
    };
    // Values are hashed as a column of their own, then a list is the hash of its values' hashes in order.
    let mut hashes: Vec<Option<u64>> = vec![None; list.values().len()];
    scalars(list.values(), seed, |at, hash| hashes[at] = Some(hash));
    let mut bytes = Vec::new();
    for (row, ends) in list.offsets().windows(2).enumerate() {
        if list.is_null(row) {
            continue;
        }
        bytes.clear();
        for value in &hashes[ends[0] as usize..ends[1] as usize] {
            bytes.push(u8::from(value.is_some()));
            bytes.extend(value.unwrap_or_default().to_le_bytes());
        }
        found(row, xxh3_64_with_seed(&bytes, seed));
    }
}

fn scalars(array: &ArrayRef, seed: u64, mut found: impl FnMut(usize, u64)) {
    match array.data_type() {
        ArrowType::Utf8 => {
            let text = array.as_string::<i32>();
            let (ends, bytes) = (text.value_offsets(), text.value_data());
            valid(array.len(), text.nulls(), |row| {
                let value = &bytes[ends[row] as usize..ends[row + 1] as usize];
                found(row, xxh3_64_with_seed(value, seed));
            });
        }
        ArrowType::Binary => {
            let binary = array.as_binary::<i32>();
            valid(array.len(), binary.nulls(), |row| {
                found(row, xxh3_64_with_seed(binary.value(row), seed));
            });
        }
        ArrowType::Boolean => {
            let bits = array.as_boolean();
            let hashes = [number(0, seed), number(1, seed)];
            valid(array.len(), bits.nulls(), |row| {
                found(row, hashes[usize::from(bits.value(row))]);
            });
        }
        ArrowType::Int32 => {
            let values = array.as_primitive::<Int32Type>().values();
            valid(array.len(), array.nulls(), |row| {
                found(row, number(i64::from(values[row]), seed));
            });
        }
        ArrowType::Int64 => {
            let values = array.as_primitive::<Int64Type>().values();
            valid(array.len(), array.nulls(), |row| {
                found(row, number(values[row], seed));
            });
        }
        ArrowType::Float32 => {
            let values = array.as_primitive::<Float32Type>().values();
            valid(array.len(), array.nulls(), |row| {
                found(row, float(f64::from(values[row]), seed));
            });
        }
        ArrowType::Float64 => {
            let values = array.as_primitive::<Float64Type>().values();
            valid(array.len(), array.nulls(), |row| {
                found(row, float(values[row], seed));
            });
        }
        ArrowType::Decimal128(_, scale) => {
            let values = array.as_primitive::<Decimal128Type>().values();
            valid(array.len(), array.nulls(), |row| {
                found(row, decimal(values[row], *scale, seed));
            });
        }
        other => {
            let values = integers(array)
                .unwrap_or_else(|| unreachable!("the table of types has no {other}"));
            valid(array.len(), array.nulls(), |row| {
                found(row, number(values[row], seed));
            });
        }
    }
}

fn valid(rows: usize, nulls: Option<&NullBuffer>, found: impl FnMut(usize)) {
    match nulls {
        Some(nulls) if nulls.null_count() > 0 => nulls.valid_indices().for_each(found),
        _ => (0..rows).for_each(found),
    }
}

#[inline]
fn number(value: i64, seed: u64) -> u64 {
    xxh3_64_with_seed(&value.to_le_bytes(), seed)
}

/// As a double, which every `real` is. All NaNs are one, as in Postgres; -0 is not 0.
#[inline]
fn float(value: f64, seed: u64) -> u64 {
    let value = if value.is_nan() { f64::NAN } else { value };
    xxh3_64_with_seed(&value.to_bits().to_le_bytes(), seed)
}

/// The number, however many zeros follow it.
#[inline]
fn decimal(value: i128, scale: i8, seed: u64) -> u64 {
    let (digits, places) = match i64::try_from(value) {
        Ok(small) => {
            let (digits, places) = stripped(small, scale);
            (i128::from(digits), places)
        }
        Err(_) => stripped_wide(value, scale),
    };
    let mut bytes = [0; 17];
    bytes[..16].copy_from_slice(&digits.to_le_bytes());
    bytes[16] = places.cast_unsigned();
    xxh3_64_with_seed(&bytes, seed)
}

fn stripped(mut digits: i64, mut places: i8) -> (i64, i8) {
    while places > 0 && digits % 10 == 0 {
        (digits, places) = (digits / 10, places - 1);
    }
    (digits, places)
}

fn stripped_wide(mut digits: i128, mut places: i8) -> (i128, i8) {
    while places > 0 && digits % 10 == 0 {
        (digits, places) = (digits / 10, places - 1);
    }
    (digits, places)
}

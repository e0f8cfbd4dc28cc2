//! What Iceberg lets a column's type become, and the same done to values. Pure.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, ListArray};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use iceberg::spec::PrimitiveType;

use super::{DataType, element};

/// Whether every value of `from` is a value of `to`, read by Iceberg's rules: the type itself, int in long,
/// float in double, more digits at the same scale.
pub(crate) fn fits(from: &PrimitiveType, to: &PrimitiveType) -> bool {
    match (from, to) {
        (PrimitiveType::Int, PrimitiveType::Long)
        | (PrimitiveType::Float, PrimitiveType::Double) => true,
        (
            PrimitiveType::Decimal { precision, scale },
            PrimitiveType::Decimal {
                precision: wider,
                scale: same,
            },
        ) => precision <= wider && scale == same,
        _ => from == to,
    }
}

/// The values of an array as `to`, which they must fit.
pub(crate) fn widen(array: &ArrayRef, to: DataType) -> Result<ArrayRef, String> {
    match to {
        DataType::Scalar(scalar) => widen_to(array, &scalar.row().arrow),
        DataType::List(scalar) => {
            let list: &ListArray = array
                .as_list_opt()
                .ok_or_else(|| mismatch(array.data_type(), &to.arrow()))?;
            let values = widen_to(list.values(), &scalar.row().arrow)?;
            let field = Arc::new(element(scalar));
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            ListArray::try_new(field, offsets, values, nulls)
                .map(|list| Arc::new(list) as ArrayRef)
                .map_err(|e| e.to_string())
        }
    }
}

fn widen_to(array: &ArrayRef, to: &ArrowType) -> Result<ArrayRef, String> {
    use ArrowType as A;
    let from = array.data_type();
    if from == to {
        return Ok(Arc::clone(array));
    }
    Ok(match (from, to) {
        (A::Int32, A::Int64) => Arc::new(
            array
                .as_primitive::<Int32Type>()
                .unary::<_, Int64Type>(i64::from),
        ),
        (A::Float32, A::Float64) => Arc::new(
            array
                .as_primitive::<Float32Type>()
                .unary::<_, Float64Type>(f64::from),
        ),
        (A::Decimal128(narrow, scale), A::Decimal128(wide, same))
            if narrow <= wide && scale == same =>
        {
            let values = array.as_primitive::<Decimal128Type>().clone();
            let values = values.with_precision_and_scale(*wide, *same);
            Arc::new(values.map_err(|e| e.to_string())?)
        }
        // an instant is an instant, whatever its zone is called
        (
            A::Timestamp(TimeUnit::Microsecond, Some(_)),
            A::Timestamp(TimeUnit::Microsecond, Some(zone)),
        ) => Arc::new(
            array
                .as_primitive::<TimestampMicrosecondType>()
                .clone()
                .with_timezone(Arc::clone(zone)),
        ),
        _ => return Err(mismatch(from, to)),
    })
}

/// An array without a value.
pub(crate) fn nulls(of: DataType, rows: usize) -> ArrayRef {
    arrow_array::new_null_array(&of.arrow(), rows)
}

fn mismatch(from: &ArrowType, to: &ArrowType) -> String {
    format!("holds {from}, not {to}")
}

/// The integers of a column that is stored as such: days, microseconds, numbers.
pub(crate) fn integers(array: &ArrayRef) -> Option<Vec<i64>> {
    Some(match array.data_type() {
        ArrowType::Date32 => array
            .as_primitive::<Date32Type>()
            .values()
            .iter()
            .map(|day| i64::from(*day))
            .collect(),
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => array
            .as_primitive::<TimestampMicrosecondType>()
            .values()
            .to_vec(),
        ArrowType::Time64(TimeUnit::Microsecond) => array
            .as_primitive::<Time64MicrosecondType>()
            .values()
            .to_vec(),
        _ => return None,
    })
}

//! Shapes and batches of any types and values, for property tests.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, ListArray, PrimitiveArray, RecordBatch, StringArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;

use crate::copy::{DAY_MICROS, EPOCH_DAYS, EPOCH_MICROS};
use crate::shape::{Column, Shape};
use crate::types::{DataType, Form, Scalar, Wire, element};

/// Columns `c0`, `c1`, …
pub(crate) fn shape_of(types: &[DataType]) -> Shape {
    let columns = types.iter().enumerate().map(|(n, data_type)| Column {
        name: format!("c{n}"),
        data_type: *data_type,
        nullable: true,
        declared: data_type.to_string(),
    });
    Shape {
        columns: columns.collect(),
    }
}

pub(crate) fn shape_from(types: &[&str]) -> Shape {
    let types: Vec<DataType> = types.iter().map(|t| t.parse().unwrap()).collect();
    shape_of(&types)
}

pub(crate) fn shape() -> impl Strategy<Value = Shape> {
    vec(data_type(), 1..7).prop_map(|types| shape_of(&types))
}

/// A shape, and rows of it.
pub(crate) fn batch(rows: Range<usize>) -> impl Strategy<Value = (Shape, RecordBatch)> {
    (shape(), rows).prop_flat_map(|(shape, rows)| {
        let columns: Vec<_> = shape
            .columns
            .iter()
            .map(|c| array(c.data_type, rows))
            .collect();
        columns.prop_map(move |columns| (shape.clone(), batch_of(&shape, columns)))
    })
}

pub(crate) fn batch_of(shape: &Shape, columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(shape.arrow(), columns).unwrap()
}

fn data_type() -> impl Strategy<Value = DataType> {
    let plain = [
        "bool",
        "int2",
        "int4",
        "int8",
        "float4",
        "float8",
        "text",
        "uuid",
        "json",
        "jsonb",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "bytea",
    ];
    let plain = prop::sample::select(plain.map(|name| name.parse().unwrap()).to_vec());
    let numeric = (1..=38_u8)
        .prop_flat_map(|precision| (Just(precision), 0..=precision))
        .prop_map(|(precision, scale)| Scalar::Numeric { precision, scale });
    let scalar = prop_oneof![4 => plain, 1 => numeric];
    (scalar, prop::bool::weighted(0.2)).prop_map(|(scalar, list)| {
        if list {
            DataType::List(scalar)
        } else {
            DataType::Scalar(scalar)
        }
    })
}

pub(crate) fn array(data_type: DataType, rows: usize) -> BoxedStrategy<ArrayRef> {
    let DataType::List(scalar) = data_type else {
        return values(data_type.scalar(), rows);
    };
    vec(weighted(0.8, 0..4_usize), rows)
        .prop_flat_map(move |lengths| {
            let total = lengths.iter().flatten().sum();
            (Just(lengths), values(scalar, total))
        })
        .prop_map(move |(lengths, values)| {
            let nulls: NullBuffer = lengths.iter().map(Option::is_some).collect();
            let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|n| n.unwrap_or(0)));
            let nulls = (nulls.null_count() > 0).then_some(nulls);
            let list = ListArray::new(Arc::new(element(scalar)), offsets, values, nulls);
            Arc::new(list) as ArrayRef
        })
        .boxed()
}

fn values(scalar: Scalar, rows: usize) -> BoxedStrategy<ArrayRef> {
    let row = scalar.row();
    let wire = row.wire;
    match row.form {
        Form::Bool => column(any::<bool>(), rows, |v| Arc::new(BooleanArray::from(v))),
        Form::I32 if wire == Wire::Int2 => column(any::<i16>(), rows, |v| {
            let wide = v.into_iter().map(|v| v.map(i32::from));
            Arc::new(wide.collect::<PrimitiveArray<Int32Type>>())
        }),
        Form::I32 if wire == Wire::Days => {
            let days = prop_oneof![
                any::<i16>().prop_map(i32::from),
                i32::MIN + EPOCH_DAYS + 1..=i32::MAX
            ];
            column(days, rows, |v| {
                Arc::new(PrimitiveArray::<Date32Type>::from(v))
            })
        }
        Form::I32 => column(any::<i32>(), rows, |v| {
            Arc::new(PrimitiveArray::<Int32Type>::from(v))
        }),
        Form::I64 => match row.arrow {
            ArrowType::Time64(_) => column(0..DAY_MICROS, rows, |v| {
                Arc::new(PrimitiveArray::<Time64MicrosecondType>::from(v))
            }),
            ArrowType::Timestamp(TimeUnit::Microsecond, zone) => {
                let micros = prop_oneof![
                    0..2_000_000_000_000_000_i64,
                    i64::MIN + EPOCH_MICROS + 1..=i64::MAX
                ];
                column(micros, rows, move |v| {
                    let values = PrimitiveArray::<TimestampMicrosecondType>::from(v);
                    Arc::new(values.with_timezone_opt(zone.clone()))
                })
            }
            _ => column(any::<i64>(), rows, |v| {
                Arc::new(PrimitiveArray::<Int64Type>::from(v))
            }),
        },
        Form::F32 => {
            let special = prop::sample::select(vec![f32::NAN, f32::INFINITY, -0.0, 0.0, f32::MAX]);
            column(prop_oneof![3 => any::<f32>(), 1 => special], rows, |v| {
                Arc::new(PrimitiveArray::<Float32Type>::from(v))
            })
        }
        Form::F64 => {
            let special =
                prop::sample::select(vec![f64::NAN, f64::NEG_INFINITY, -0.0, 0.0, 5e-324]);
            column(prop_oneof![3 => any::<f64>(), 1 => special], rows, |v| {
                Arc::new(PrimitiveArray::<Float64Type>::from(v))
            })
        }
        Form::Decimal { .. } => {
            let Scalar::Numeric { precision, .. } = scalar else {
                unreachable!()
            };
            let limit = 10_i128.pow(precision.into()) - 1;
            let number = prop_oneof![
                -limit..=limit,
                -limit.min(20_000)..=limit.min(20_000),
                Just(limit),
                Just(-limit)
            ];
            column(number, rows, move |v| {
                let values = PrimitiveArray::<Decimal128Type>::from(v);
                Arc::new(values.with_data_type(row.arrow.clone()))
            })
        }
        Form::Text if wire == Wire::Uuid => column(any::<u128>(), rows, |v| {
            let text = v.into_iter();
            let text = text.map(|v| v.map(|v| uuid::Uuid::from_u128(v).to_string()));
            Arc::new(text.collect::<StringArray>())
        }),
        Form::Text => column("[^\0]{0,12}", rows, |v| {
            Arc::new(v.into_iter().collect::<StringArray>())
        }),
        Form::Binary => column(vec(any::<u8>(), 0..12), rows, |v| {
            Arc::new(v.into_iter().collect::<BinaryArray>())
        }),
    }
}

fn column<S: Strategy + 'static>(
    value: S,
    rows: usize,
    make: impl Fn(Vec<Option<S::Value>>) -> ArrayRef + 'static,
) -> BoxedStrategy<ArrayRef> {
    vec(weighted(0.85, value), rows).prop_map(make).boxed()
}

use std::sync::Arc;

use arrow_array::{
    Array as _, ArrayRef, Float32Array, Float64Array, Int32Array, Int64Array, UInt32Array,
    new_null_array,
};
use proptest::prelude::*;

use super::*;
use crate::arbitrary::{batch, batch_of, shape_from};
use crate::copy::encode::Encoder;
use crate::shape::Column;

fn ints(values: &[Option<i32>]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn of(columns: Vec<ArrayRef>) -> Digest {
    let shape = shape_from(&vec!["int4"; columns.len()]);
    Digest::of(&shape, &batch_of(&shape, columns))
}

#[test]
fn what_changed_is_named() {
    let (a, b) = (ints(&[Some(1), Some(2)]), ints(&[Some(3), None]));
    let was = of(vec![Arc::clone(&a), Arc::clone(&b)]);
    assert!(was.differences(&was).is_empty());
    // columns swapped
    let now = of(vec![Arc::clone(&b), Arc::clone(&a)]);
    assert_eq!(
        was.differences(&now),
        [
            "column `c0`: 1 values, not 2",
            "column `c1`: 2 values, not 1"
        ]
    );
    // a cell in another row
    let now = of(vec![Arc::clone(&a), ints(&[None, Some(3)])]);
    assert_eq!(
        was.differences(&now),
        ["the same values, but in other rows"]
    );
    // another value
    let now = of(vec![ints(&[Some(1), Some(4)]), Arc::clone(&b)]);
    assert_eq!(was.differences(&now), ["column `c0`: other values"]);
    // a row twice
    let now = of(vec![
        ints(&[Some(1), Some(2), Some(2)]),
        ints(&[Some(3), None, None]),
    ]);
    assert_eq!(
        was.differences(&now),
        ["3 rows, not 2", "column `c0`: 3 values, not 2"]
    );
}

#[test]
fn width_does_not_matter() {
    let digest = |data_type: &str, column: ArrayRef| {
        let shape = shape_from(&[data_type]);
        Digest::of(&shape, &batch_of(&shape, vec![column]))
    };
    let narrow = digest("int2", ints(&[Some(-3), None, Some(7)]));
    let wide = digest(
        "int8",
        Arc::new(Int64Array::from(vec![Some(-3), None, Some(7)])),
    );
    assert_eq!(narrow, wide);
    let values = [0.1_f32, f32::NAN, -0.0, f32::INFINITY];
    let narrow = digest("float4", Arc::new(Float32Array::from(values.to_vec())));
    let doubles: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
    let wide = digest("float8", Arc::new(Float64Array::from(doubles)));
    assert_eq!(narrow, wide);
    let zero = digest("float4", Arc::new(Float32Array::from(vec![0.0])));
    let minus = digest("float4", Arc::new(Float32Array::from(vec![-0.0])));
    assert_ne!(zero, minus);
    let decimal = |data_type: &str, values: Vec<i128>| {
        let values = arrow_array::Decimal128Array::from(values);
        let arrow = data_type.parse::<crate::types::DataType>().unwrap().arrow();
        digest(data_type, Arc::new(values.with_data_type(arrow)))
    };
    assert_eq!(
        decimal("numeric(9,2)", vec![100, 12345]),
        decimal("numeric(38,4)", vec![10_000, 1_234_500])
    );
}

#[test]
fn it_survives_json() {
    let digest = of(vec![ints(&[Some(1), None])]);
    let json = serde_json::to_value(&digest).unwrap();
    insta::assert_snapshot!(json, @r#"{"rows":2,"row_sum":"b61426e76a33e10a","columns":{"c0":{"count":1,"sum":"0a8159bab4832b2f","xor":"0a8159bab4832b2f"}}}"#);
    assert_eq!(serde_json::from_value::<Digest>(json).unwrap(), digest);
}

fn shuffled(rows: &RecordBatch, seed: u64) -> RecordBatch {
    let mut order: Vec<u32> = (0..rows.num_rows() as u32).collect();
    order.sort_by_key(|n| mix(u64::from(*n) ^ seed));
    arrow_select::take::take_record_batch(rows, &UInt32Array::from(order)).unwrap()
}

proptest! {
    #[test]
    fn order_does_not_matter_and_parts_add_up((shape, rows) in batch(1..20), seed: u64, at in 0..20_usize) {
        let whole = Digest::of(&shape, &rows);
        prop_assert_eq!(&Digest::of(&shape, &shuffled(&rows, seed)), &whole);
        let at = at.min(rows.num_rows());
        let mut sum = Digest::of(&shape, &rows.slice(0, at));
        sum.add(&Digest::of(&shape, &rows.slice(at, rows.num_rows() - at)));
        prop_assert_eq!(&sum, &whole);
        prop_assert_eq!(whole.rows(), rows.num_rows() as u64);
    }

    #[test]
    fn an_added_column_without_values_changes_nothing((shape, rows) in batch(1..10)) {
        let mut wider = shape.clone();
        wider.columns.push(Column { name: "added".to_owned(), ..shape.columns[0].clone() });
        let mut columns = rows.columns().to_vec();
        columns.push(new_null_array(columns[0].data_type(), rows.num_rows()));
        let digest = Digest::of(&wider, &batch_of(&wider, columns));
        prop_assert_eq!(digest, Digest::of(&shape, &rows));
    }

    /// Each other content has another digest: a row left out, a row doubled, a column's rows turned round.
    #[test]
    fn other_rows_are_seen((shape, rows) in batch(2..10), n in 0..10_usize) {
        let whole = Digest::of(&shape, &rows);
        let n = n % rows.num_rows();
        let mut order: Vec<u32> = (0..rows.num_rows() as u32).collect();
        order[n] = order[(n + 1) % rows.num_rows()];
        let other = arrow_select::take::take_record_batch(&rows, &UInt32Array::from(order)).unwrap();
        prop_assert_eq!(sorted_rows(&shape, &other) == sorted_rows(&shape, &rows), Digest::of(&shape, &other) == whole);
        let reversed: Vec<u32> = (0..rows.num_rows() as u32).rev().collect();
        let mut columns = rows.columns().to_vec();
        columns[0] = arrow_select::take::take(&columns[0], &UInt32Array::from(reversed), None).unwrap();
        let other = batch_of(&shape, columns);
        prop_assert_eq!(sorted_rows(&shape, &other) == sorted_rows(&shape, &rows), Digest::of(&shape, &other) == whole);
    }
}

/// The rows as a multiset, each as COPY has it.
fn sorted_rows(shape: &Shape, rows: &RecordBatch) -> Vec<Vec<u8>> {
    let encoder = Encoder::new(shape, &vec![0; shape.columns.len()]);
    let mut all: Vec<Vec<u8>> = (0..rows.num_rows())
        .map(|row| {
            let mut bytes = Vec::new();
            encoder.encode(&rows.slice(row, 1), &mut bytes).unwrap();
            bytes
        })
        .collect();
    all.sort();
    all
}

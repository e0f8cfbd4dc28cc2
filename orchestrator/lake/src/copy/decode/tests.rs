use arrow_array::cast::AsArray as _;
use arrow_array::types::Decimal128Type;
use proptest::prelude::*;

use super::*;
use crate::arbitrary::{batch, shape_from};
use crate::copy::encode::{Encoder, TRAILER, header};

fn limits(rows: usize) -> Limits {
    Limits {
        rows,
        ..Limits::default()
    }
}

/// A COPY of one row, of one column.
fn stream(value: &[u8]) -> Vec<u8> {
    let mut bytes = header();
    bytes.extend(1_i16.to_be_bytes());
    bytes.extend((value.len() as i32).to_be_bytes());
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(TRAILER);
    bytes
}

fn decode(shape: &Shape, bytes: &[u8]) -> Result<RecordBatch, Error> {
    let mut decoder = Decoder::new("s.t", shape, limits(100));
    decoder.push(bytes, &mut Vec::new())?;
    Ok(decoder.finish()?.expect("there are rows"))
}

fn refused(data_type: &str, value: &[u8]) -> String {
    let error = decode(&shape_from(&[data_type]), &stream(value)).unwrap_err();
    assert!(matches!(error, Error::Value { .. }), "{error}");
    error.to_string()
}

fn numeric_wire(weight: i16, sign: u16, digits: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend((digits.len() as u16).to_be_bytes());
    bytes.extend(weight.to_be_bytes());
    bytes.extend(sign.to_be_bytes());
    bytes.extend(4_u16.to_be_bytes());
    digits.iter().for_each(|d| bytes.extend(d.to_be_bytes()));
    bytes
}

#[test]
fn numerics_keep_every_digit() {
    let check = |data_type: &str, wire: Vec<u8>, expected: i128| {
        let batch = decode(&shape_from(&[data_type]), &stream(&wire)).unwrap();
        let values = batch.column(0).as_primitive::<Decimal128Type>();
        assert_eq!(values.value(0), expected);
    };
    check("numeric(12,2)", numeric_wire(0, 0, &[12, 3400]), 1234);
    check("numeric(12,2)", numeric_wire(0, 0x4000, &[12]), -1200);
    check("numeric(12,2)", numeric_wire(1, 0, &[1]), 1_000_000);
    check("numeric(12,2)", numeric_wire(0, 0, &[]), 0);
    check("numeric(8,8)", numeric_wire(-2, 0, &[1]), 1);
    check("numeric(9,5)", numeric_wire(-1, 0, &[1, 2000]), 12);
    // digits that are all zeros beyond the scale lose nothing
    check("numeric(4,0)", numeric_wire(0, 0, &[7, 0, 0]), 7);
}

#[test]
fn values_without_a_counterpart_are_errors_that_name_the_column() {
    insta::assert_snapshot!(refused("numeric(12,2)", &numeric_wire(0, 0xc000, &[])), @"s.t: column `c0`: `NaN`; Iceberg's decimals have no such value");
    insta::assert_snapshot!(refused("numeric(12,2)", &numeric_wire(0, 0xd000, &[])), @"s.t: column `c0`: `Infinity`; Iceberg's decimals have no such value");
    insta::assert_snapshot!(refused("numeric(12,2)", &numeric_wire(-1, 0, &[1])), @"s.t: column `c0`: more than 2 decimal places");
    insta::assert_snapshot!(refused("numeric(3,1)", &numeric_wire(0, 0, &[100])), @"s.t: column `c0`: a number of more digits than its type has");
    insta::assert_snapshot!(refused("timestamptz", &i64::MAX.to_be_bytes()), @"s.t: column `c0`: `infinity`; Iceberg has no such timestamp");
    insta::assert_snapshot!(refused("timestamp", &(i64::MAX - 1).to_be_bytes()), @"s.t: column `c0`: a timestamp beyond the year 294246, Iceberg's last");
    insta::assert_snapshot!(refused("date", &i32::MIN.to_be_bytes()), @"s.t: column `c0`: `-infinity`; Iceberg has no such date");
    insta::assert_snapshot!(refused("time", &86_400_000_000_i64.to_be_bytes()), @"s.t: column `c0`: 24:00; Iceberg's day ends before it");
    insta::assert_snapshot!(refused("jsonb", b"\x02{}"), @"s.t: column `c0`: jsonb of a version that is not known");
    insta::assert_snapshot!(refused("int8", &[0; 4]), @"s.t: column `c0`: 4 bytes where 8 belong");
    insta::assert_snapshot!(refused("text", b"\xff"), @"s.t: column `c0`: text that is not UTF-8");
    let array = |dimensions: i32, first: i32| {
        [dimensions, 0, 23, 1, first, 4, 7]
            .map(i32::to_be_bytes)
            .concat()
    };
    insta::assert_snapshot!(refused("int4[]", &array(2, 1)), @"s.t: column `c0`: an array of 2 dimensions; Iceberg's lists have one");
    insta::assert_snapshot!(refused("int4[]", &array(1, 0)), @"s.t: column `c0`: an array that counts from 0; Iceberg's lists have no such thing");
    assert!(decode(&shape_from(&["int4[]"]), &stream(&array(1, 1))).is_ok());
}

#[test]
fn a_stream_that_breaks_off_is_an_error() {
    let shape = shape_from(&["int4"]);
    let whole = stream(&7_i32.to_be_bytes());
    for end in 0..whole.len() {
        let mut decoder = Decoder::new("s.t", &shape, limits(100));
        decoder.push(&whole[..end], &mut Vec::new()).unwrap();
        assert!(decoder.finish().is_err(), "{end} bytes of {}", whole.len());
    }
    let more = [whole.as_slice(), b"x"].concat();
    assert!(decode(&shape, &more).is_err());
    assert!(decode(&shape_from(&["int4", "int4"]), &whole).is_err());
    assert!(decode(&shape, b"PGCOPY, but not really").is_err());
}

proptest! {
    /// Whatever way the bytes are cut, the rows are those that were encoded.
    #[test]
    fn decoding_undoes_encoding((shape, rows) in batch(1..20), cut in 1..40_usize, limit in 1..8_usize) {
        let mut bytes = header();
        let elements = vec![0; shape.columns.len()];
        Encoder::new(&shape, &elements).encode(&rows, &mut bytes).unwrap();
        bytes.extend_from_slice(TRAILER);
        let mut decoder = Decoder::new("s.t", &shape, limits(limit));
        let mut batches = Vec::new();
        for chunk in bytes.chunks(cut) {
            decoder.push(chunk, &mut batches).unwrap();
        }
        batches.extend(decoder.finish().unwrap());
        let expected = rows.num_rows().div_ceil(limit);
        prop_assert_eq!(batches.len(), expected);
        let decoded = arrow_select::concat::concat_batches(&shape.arrow(), &batches).unwrap();
        prop_assert_eq!(decoded, rows);
    }
}

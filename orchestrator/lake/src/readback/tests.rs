//! Writing and reading back, on a store in memory.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};
use futures::stream;
use iceberg::spec::TableMetadataBuilder;
use iceberg::table::Table;
use iceberg::{NamespaceIdent, Runtime, TableCreation, TableIdent};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::arbitrary::{batch, batch_of, shape_from};
use crate::shape::{Column, new_table};
use crate::types::Scalar;
use crate::write::{Place, Written, write};

/// 2026-11-20
const DAY: i64 = 20_777;

fn store() -> Store {
    Store::new(Arc::new(object_store::memory::InMemory::new()), "lake", "w")
}

/// With a column `at`, by whose day it is partitioned.
fn with_field(shape: &Shape) -> Shape {
    let mut shape = shape.clone();
    shape.columns.push(Column {
        name: "at".to_owned(),
        data_type: DataType::Scalar(Scalar::Timestamptz),
        nullable: false,
        declared: "timestamp with time zone".to_owned(),
    });
    shape
}

fn with_times(shape: &Shape, rows: &RecordBatch) -> RecordBatch {
    let day = DAY * 86_400_000_000;
    let times = (0..rows.num_rows() as i64).map(|n| day + n);
    let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
    let mut columns = rows.columns().to_vec();
    columns.push(Arc::new(times));
    batch_of(shape, columns)
}

fn table(store: &Store, shape: &Shape) -> Table {
    let new = new_table("s.t", shape, "at").unwrap();
    let creation = TableCreation::builder()
        .name("t".to_owned())
        .schema(new.schema)
        .partition_spec(new.partition_spec)
        .location(format!("{}/s/t", store.warehouse()))
        .properties(HashMap::new())
        .build();
    let metadata = TableMetadataBuilder::from_table_creation(creation).unwrap();
    Table::builder()
        .file_io(store.file_io())
        .identifier(TableIdent::new(
            NamespaceIdent::new("s".to_owned()),
            "t".to_owned(),
        ))
        .metadata(metadata.build().unwrap().metadata)
        .metadata_location("s3://lake/w/s/t/metadata/0.json")
        .runtime(Runtime::current())
        .build()
        .unwrap()
}

fn place() -> Place {
    Place {
        attempt: Uuid::from_u128(7),
        named: Uuid::from_u128(7),
        move_id: Uuid::from_u128(8),
        flush: 3,
        day: chrono::NaiveDate::from_ymd_opt(2026, 11, 20).unwrap(),
    }
}

async fn written(store: &Store, table: &Table, shape: &Shape, rows: Vec<RecordBatch>) -> Written {
    let rows = stream::iter(rows.into_iter().map(Ok));
    write(table, store, shape, rows, place()).await.unwrap()
}

/// Writes `rows`, reads them back, and returns what came.
async fn there_and_back(shape: &Shape, rows: &RecordBatch) -> RecordBatch {
    let store = store();
    let table = table(&store, shape);
    let written = written(&store, &table, shape, vec![rows.clone()]).await;
    let files: Vec<File> = written.files.iter().map(File::from).collect();
    let mut found = Vec::new();
    let schema = table.metadata().current_schema();
    let read = digest(&store, schema, shape, &files, None, |batch| {
        found.push(batch.clone());
        Ok(())
    });
    assert_eq!(read.await.unwrap(), written.digest);
    let mut found = arrow_select::concat::concat_batches(&found[0].schema(), &found).unwrap();
    let flush = found.remove_column(found.num_columns() - 1);
    assert_eq!(flush.as_ref(), &Int64Array::from_value(3, rows.num_rows()));
    found
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap()
}

proptest! {
    #[test]
    fn rows_come_back_as_they_were((shape, rows) in batch(1..20)) {
        let shape = with_field(&shape);
        let rows = with_times(&shape, &rows);
        prop_assert_eq!(runtime().block_on(there_and_back(&shape, &rows)), rows);
    }
}

/// iceberg's writer takes bounds from row groups with exact statistics alone: a short text's row group would hide
/// the long texts of another.
#[test]
fn bounds_hold_over_all_row_groups() {
    let shape = with_field(&shape_from(&["text", "int8"]));
    let long = "z".repeat(100);
    let text = |value: &str| Arc::new(StringArray::from(vec![value; 100_000])) as ArrayRef;
    let numbers = Arc::new(Int64Array::from_iter(
        (0..100_000).map(|n| (n > 10).then_some(n)),
    ));
    let part = |value: &str| {
        let plain = shape_from(&["text", "int8"]);
        with_times(
            &shape,
            &batch_of(&plain, vec![text(value), Arc::clone(&numbers) as ArrayRef]),
        )
    };
    let (files, digest) = runtime().block_on(async {
        let store = store();
        let table = table(&store, &shape);
        let written = written(
            &store,
            &table,
            &shape,
            vec![part("m"), part("m"), part(&long)],
        )
        .await;
        (written.files, written.digest)
    });
    assert_eq!(digest.rows(), 300_000);
    let [file] = files.as_slice() else {
        panic!("one file holds them");
    };
    let bound = |bounds: &HashMap<i32, iceberg::spec::Datum>, id: i32| bounds[&id].to_string();
    insta::assert_snapshot!(bound(file.lower_bounds(), 1), @r#""m""#);
    insta::assert_snapshot!(bound(file.upper_bounds(), 1), @r#""zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz{""#);
    insta::assert_snapshot!(bound(file.lower_bounds(), 2), @"11");
    insta::assert_snapshot!(bound(file.upper_bounds(), 2), @"99999");
    insta::assert_snapshot!(bound(file.lower_bounds(), 3), @"2026-11-20 00:00:00 UTC");
    assert_eq!(file.null_value_counts()[&2], 33);
    assert_eq!(file.value_counts()[&2], 300_000);
    assert_eq!(file.split_offsets().unwrap().len(), 3);
    insta::assert_snapshot!(file.file_path(), @"s3://lake/w/s/t/data/2026-11-20/00000000-0000-0000-0000-000000000007-0.parquet");
    insta::assert_snapshot!(format!("{:?}", file.partition()), @"Struct { fields: [Some(Primitive(Int(20777)))] }");
}

#[test]
fn no_rows_make_no_file() {
    let shape = with_field(&shape_from(&["text"]));
    let written = runtime().block_on(async {
        let store = store();
        let table = table(&store, &shape);
        written(&store, &table, &shape, vec![]).await
    });
    assert_eq!(
        (written.files.len(), written.rows, written.bytes),
        (0, 0, 0)
    );
}

#[test]
fn rows_that_break_off_leave_nothing() {
    let shape = with_field(&shape_from(&["text"]));
    let plain = shape_from(&["text"]);
    let text = Arc::new(StringArray::from(vec!["a"; 3])) as ArrayRef;
    let rows = with_times(&shape, &batch_of(&plain, vec![text]));
    runtime().block_on(async {
        let store = store();
        let table = table(&store, &shape);
        let broken = Error::Malformed {
            what: "the stream".to_owned(),
            message: "broke off".to_owned(),
        };
        let rows = stream::iter(vec![Ok(rows), Err(broken)]);
        let error = write(&table, &store, &shape, rows, place())
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "the stream: broke off");
        let listed: Vec<_> = store
            .list(&store.warehouse())
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        assert_eq!(listed, []);
    });
}

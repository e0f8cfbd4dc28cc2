//! Rows into Parquet files of an Iceberg table, which does not know them yet.
//!
//! Three things go on at once, each a little ahead of the next: rows come from Postgres; a thread digests them and makes
//! Parquet of them ([`encode`]); bytes go to the store ([`upload`]). Whatever fails, all of it ends, and what is in
//! the store then has the attempt's name in its own: garbage that can be told by name. A name is never used twice, as
//! a second upload would replace a file in silence.
//!
//! iceberg's own writer is not used: it takes a column's bounds from those row groups alone whose statistics are
//! exact, so that a long text in one row group and short ones in another yield bounds that hide rows from readers.

mod encode;
mod layout;
mod metrics;
mod upload;

use arrow_array::RecordBatch;
use chrono::NaiveDate;
use futures::{Stream, StreamExt as _};
use iceberg::spec::{DataFile, FormatVersion};
use iceberg::table::Table;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::Error;
use crate::digest::Digest;
use crate::error::Doing as _;
use crate::shape::Shape;
use crate::storage::Store;

use encode::Step;
use layout::Layout;

/// Where rows go, and on whose behalf.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Noted in the files.
    pub attempt: Uuid,
    /// Names the files: the attempt, unless its files are made once more to be compared.
    pub named: Uuid,
    /// Noted in the files.
    pub move_id: Uuid,
    /// Value of `ridehail_flush` in every row.
    pub flush: i64,
    /// The UTC day that every row's partition column must lie in.
    pub day: NaiveDate,
}

/// What was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Files in order; none when there was no row.
    pub files: Vec<DataFile>,
    /// Of each file's bytes, in the same order.
    pub checksums: Vec<String>,
    /// Rows in all files.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Of the rows as they came.
    pub digest: Digest,
}

/// Writes all of `rows`, which are of `shape`, to `<table>/data/<day>/<attempt>-<n>.parquet`, in their order.
///
/// # Errors
/// The first of: an error of `rows`; a row of another day; a column that the table does not have or has as a type
/// that does not hold it; the store's. Nothing is a part of the table in any case.
pub async fn write(
    table: &Table,
    store: &Store,
    shape: &Shape,
    rows: impl Stream<Item = Result<RecordBatch, Error>> + Send,
    place: Place,
) -> Result<Written, Error> {
    let layout = Layout::new(table, shape, place)?;
    let (to_encoder, steps) = mpsc::channel(1);
    let (to_store, parts) = mpsc::channel(4);
    let job = encode::Job::new(layout, shape);
    let encoder = tokio::task::spawn_blocking(move || job.run(steps, to_store));
    let feeding = feed(rows, to_encoder);
    let (fed, uploaded, encoded) = tokio::join!(feeding, upload::run(store, parts), encoder);
    fed?;
    uploaded?;
    encoded.map_err(|panicked| Error::Malformed {
        what: "the thread that makes Parquet".to_owned(),
        message: panicked.to_string(),
    })?
}

/// Ends early, and without a word, when the encoder has: it knows why.
async fn feed(
    rows: impl Stream<Item = Result<RecordBatch, Error>> + Send,
    to_encoder: mpsc::Sender<Step>,
) -> Result<(), Error> {
    let mut rows = std::pin::pin!(rows);
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        if to_encoder.send(Step::Rows(batch)).await.is_err() {
            return Ok(());
        }
    }
    // An encoder that is only hung up on takes it for a failure.
    let _ = to_encoder.send(Step::End).await;
    Ok(())
}

/// A data file as the ledger keeps it: iceberg's own JSON.
///
/// # Errors
/// When it is not of this table.
pub fn data_file_to_json(table: &Table, file: &DataFile) -> Result<serde_json::Value, Error> {
    let metadata = table.metadata();
    let partition_type = metadata.default_partition_type();
    let json =
        iceberg::spec::serialize_data_file_to_json(file.clone(), partition_type, FormatVersion::V2)
            .doing("describe a data file")?;
    serde_json::from_str(&json).map_err(|e| Error::Malformed {
        what: "iceberg's description of a data file".to_owned(),
        message: e.to_string(),
    })
}

/// The same back.
///
/// # Errors
/// When it is not of this table.
pub fn data_file_from_json(table: &Table, json: &serde_json::Value) -> Result<DataFile, Error> {
    let metadata = table.metadata();
    iceberg::spec::deserialize_data_file_from_json(
        &json.to_string(),
        metadata.default_partition_spec_id(),
        metadata.default_partition_type(),
        metadata.current_schema(),
    )
    .doing("read a data file's description")
}

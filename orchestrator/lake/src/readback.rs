//! Rows read back from the store: what is proven before anything is dropped.
//!
//! Independent of iceberg's reader and of what the writer remembers: size, footer, row counts and every value are read
//! anew, columns are found by the field ids in the file. A column that a file does not have is NULL there, one
//! that it has in a narrower type is widened: files keep their meaning as the table changes.
//!
//! A task of its own reads, decodes and digests; whoever asked looks at the same batches meanwhile.

mod file;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType as ArrowType, Field, Schema as ArrowSchema, SchemaRef};
use futures::{Stream, TryStreamExt as _};
use iceberg::spec::{DataFile, Schema};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::Error;
use crate::digest::{Digest, Digester};
use crate::shape::{FLUSH, Shape};
use crate::storage::Store;
use crate::throttle::Throttle;
use crate::types::DataType;
use crate::types::widen::{nulls, widen};

/// A file to read, as the ledger or Iceberg says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// `s3://bucket/key`
    pub location: String,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
}

impl From<&DataFile> for File {
    fn from(file: &DataFile) -> Self {
        Self {
            location: file.file_path().to_owned(),
            rows: file.record_count(),
            bytes: file.file_size_in_bytes(),
        }
    }
}

/// What to read from each file.
#[derive(Clone)]
struct Wanted {
    /// Columns of the shape, then [`FLUSH`]; each with its field id.
    columns: Vec<(i32, DataType)>,
    schema: SchemaRef,
}

impl Wanted {
    fn new(schema: &Schema, shape: &Shape) -> Result<Self, Error> {
        let id = |name: &str| {
            schema
                .field_id_by_name(name)
                .ok_or_else(|| Error::Malformed {
                    what: "the Iceberg table".to_owned(),
                    message: format!("has no column `{name}`"),
                })
        };
        let mut columns = Vec::with_capacity(shape.columns.len() + 1);
        for column in &shape.columns {
            columns.push((id(&column.name)?, column.data_type));
        }
        let flush = DataType::Scalar(crate::types::Scalar::Int8);
        columns.push((id(FLUSH)?, flush));
        let mut fields: Vec<Arc<Field>> = shape.arrow().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(FLUSH, ArrowType::Int64, true)));
        Ok(Self {
            columns,
            schema: Arc::new(ArrowSchema::new(fields)),
        })
    }

    /// A batch of a file as a batch of the shape; `found` says where each column lies in it.
    fn arrange(&self, batch: &RecordBatch, found: &[Option<usize>]) -> Result<RecordBatch, String> {
        let columns = self
            .columns
            .iter()
            .zip(found)
            .map(|((_, data_type), at)| match at {
                Some(at) => widen(batch.column(*at), *data_type),
                None => Ok(nulls(*data_type, batch.num_rows())),
            });
        let columns = columns.collect::<Result<Vec<ArrayRef>, String>>()?;
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|e| e.to_string())
    }
}

/// Batches of files, in their order.
pub struct Rows {
    batches: mpsc::Receiver<RecordBatch>,
    reader: JoinSet<Result<Digest, Error>>,
    digest: Option<Digest>,
}

/// Starts reading. Batches have the columns of `shape` in its order, then `ridehail_flush`. `schema` is the table's,
/// and `throttle` counts the files' bytes.
///
/// # Errors
/// When the table does not have a column of the shape.
pub fn rows(
    store: &Store,
    schema: &Schema,
    shape: &Shape,
    files: Vec<File>,
    throttle: Option<Arc<Throttle>>,
) -> Result<Rows, Error> {
    let wanted = Wanted::new(schema, shape)?;
    let digester = Digester::new(shape);
    let (to, batches) = mpsc::channel(1);
    let mut reader = JoinSet::new();
    reader.spawn(read(store.clone(), wanted, digester, files, throttle, to));
    Ok(Rows {
        batches,
        reader,
        digest: None,
    })
}

async fn read(
    store: Store,
    wanted: Wanted,
    mut digester: Digester,
    files: Vec<File>,
    throttle: Option<Arc<Throttle>>,
    to: mpsc::Sender<RecordBatch>,
) -> Result<Digest, Error> {
    for file in files {
        if let Some(throttle) = &throttle {
            throttle.take(file.bytes).await;
        }
        let mut opened = file::open(&store, &file, &wanted).await?;
        let mut rows = 0;
        loop {
            let batch = opened.batches.try_next().await;
            let Some(batch) = batch.map_err(|e| file::failed(&file, e))? else {
                break;
            };
            let batch = wanted
                .arrange(&batch, &opened.columns)
                .map_err(|message| file::altered(&file, message))?;
            rows += batch.num_rows() as u64;
            digester.update(&batch);
            if to.send(batch).await.is_err() {
                // nobody looks any more
                return Ok(Digest::default());
            }
        }
        if rows != file.rows {
            let message = format!("holds {rows} rows, not {}", file.rows);
            return Err(file::altered(&file, message));
        }
    }
    Ok(digester.finish())
}

impl Rows {
    /// The next batch; `None` after the last one. After an error there is nothing more.
    pub async fn next(&mut self) -> Option<Result<RecordBatch, Error>> {
        if let Some(batch) = self.batches.recv().await {
            return Some(Ok(batch));
        }
        match self.reader.join_next().await? {
            Ok(Ok(digest)) => {
                self.digest = Some(digest);
                None
            }
            Ok(Err(error)) => Some(Err(error)),
            // Parquet's decoder has been known to panic on bytes that are not Parquet.
            Err(panicked) => Some(Err(Error::Malformed {
                what: "the task that reads files back".to_owned(),
                message: panicked.to_string(),
            })),
        }
    }

    /// As a stream; its end is the rows' end.
    pub fn stream(&mut self) -> impl Stream<Item = Result<RecordBatch, Error>> + Send {
        futures::stream::unfold(self, |rows| async move {
            let next = rows.next().await?;
            Some((next, rows))
        })
    }

    /// Of all rows; `None` unless the last one has been read.
    #[must_use]
    pub fn finish(self) -> Option<Digest> {
        self.digest
    }
}

/// Reads files to their end; `observe` sees every batch.
///
/// # Errors
/// [`Error::File`] names a file that is missing or is not what it was; the others are the store's and `observe`'s.
pub async fn digest(
    store: &Store,
    schema: &Schema,
    shape: &Shape,
    files: &[File],
    throttle: Option<Arc<Throttle>>,
    mut observe: impl FnMut(&RecordBatch) -> Result<(), Error>,
) -> Result<Digest, Error> {
    let mut rows = rows(store, schema, shape, files.to_vec(), throttle)?;
    while let Some(batch) = rows.next().await {
        observe(&batch?)?;
    }
    Ok(rows.finish().expect("rows came to their end"))
}

#[cfg(test)]
mod tests;

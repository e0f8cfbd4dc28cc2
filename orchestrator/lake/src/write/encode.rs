//! Batches into Parquet, on a thread of its own.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array as _, RecordBatch};
use arrow_schema::DataType as ArrowType;
use bytes::Bytes;
use iceberg::spec::DataFile;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use tokio::sync::mpsc;

use crate::Error;
use crate::digest::Digester;
use crate::shape::Shape;
use crate::storage::Checksum;

use super::layout::Layout;
use super::upload::Part;
use super::{Written, metrics};

/// Small enough that readers skip much and memory stays small, large enough to compress well.
const ROW_GROUP_ROWS: usize = 128 * 1024;
/// Wide rows fill a row group sooner. Bytes after encoding.
const ROW_GROUP_BYTES: usize = 64 << 20;
/// After this a new file begins.
const FILE_BYTES: usize = 256 << 20;
/// Bytes that go to the store at once; kept back until then.
const PART_BYTES: usize = 1 << 20;
/// Length that bounds of text and bytes are cut to, as Iceberg's metadata holds one for every file and column.
const BOUND_BYTES: usize = 32;
/// Higher levels gain little on rows like ours and take the time of everything else together.
const ZSTD_LEVEL: i32 = 1;

/// What the encoder is told.
pub(super) enum Step {
    /// More rows.
    Rows(RecordBatch),
    /// There are no more.
    End,
}

pub(super) struct Job {
    layout: Layout,
    digester: Digester,
    properties: WriterProperties,
    files: Vec<DataFile>,
    checksums: Vec<String>,
    rows: u64,
    bytes: u64,
}

/// The file being written.
struct Open {
    writer: ArrowWriter<Sink>,
    /// NaNs of each column, which Parquet's statistics do not count.
    nans: Vec<u64>,
}

impl Job {
    pub(super) fn new(layout: Layout, shape: &Shape) -> Self {
        Self {
            digester: Digester::new(shape),
            properties: properties(&layout),
            layout,
            files: Vec::new(),
            checksums: Vec::new(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Works until told that there are no more rows. An end without a word is an error: the rows before it are not
    /// all there are.
    pub(super) fn run(
        mut self,
        mut steps: mpsc::Receiver<Step>,
        to_store: mpsc::Sender<Part>,
    ) -> Result<Written, Error> {
        let mut open: Option<Open> = None;
        loop {
            match steps.blocking_recv() {
                Some(Step::Rows(batch)) if batch.num_rows() == 0 => {}
                Some(Step::Rows(batch)) => {
                    self.digester.update(&batch);
                    let batch = self.layout.arrange(&batch)?;
                    let file = match &mut open {
                        Some(file) => file,
                        closed => closed.insert(self.open(&to_store)?),
                    };
                    count_nans(&batch, &mut file.nans);
                    file.writer.write(&batch).map_err(|e| self.failed(&e))?;
                    self.rows += batch.num_rows() as u64;
                    let written = file.writer.bytes_written() + file.writer.in_progress_size();
                    if written >= FILE_BYTES {
                        let full = open.take().expect("is being written");
                        self.close(full, &to_store)?;
                    }
                }
                Some(Step::End) => {
                    if let Some(last) = open.take() {
                        self.close(last, &to_store)?;
                    }
                    return Ok(Written {
                        files: self.files,
                        checksums: self.checksums,
                        rows: self.rows,
                        bytes: self.bytes,
                        digest: self.digester.finish(),
                    });
                }
                None => return Err(self.layout.wrong("the rows broke off".to_owned())),
            }
        }
    }

    fn open(&self, to_store: &mpsc::Sender<Part>) -> Result<Open, Error> {
        let location = self.layout.location(self.files.len());
        send(to_store, Part::Open(location)).map_err(|e| self.layout.wrong(e.to_string()))?;
        let sink = Sink {
            kept: Vec::with_capacity(PART_BYTES),
            sum: Checksum::default(),
            to_store: to_store.clone(),
        };
        // Arrow's own schema is left out: whoever reads this reads Parquet and Iceberg, and so do we.
        let options = ArrowWriterOptions::new()
            .with_properties(self.properties.clone())
            .with_skip_arrow_metadata(true);
        let schema = Arc::clone(&self.layout.schema);
        Ok(Open {
            nans: vec![0; schema.fields().len()],
            writer: ArrowWriter::try_new_with_options(sink, schema, options)
                .map_err(|e| self.failed(&e))?,
        })
    }

    fn close(&mut self, file: Open, to_store: &mpsc::Sender<Part>) -> Result<(), Error> {
        let mut writer = file.writer;
        let metadata = writer.finish().map_err(|e| self.failed(&e))?;
        let bytes = writer.bytes_written() as u64;
        writer
            .inner_mut()
            .send_kept()
            .and_then(|()| send(to_store, Part::Close))
            .map_err(|e| self.layout.wrong(e.to_string()))?;
        self.checksums.push(writer.inner().sum.text());
        let location = self.layout.location(self.files.len());
        let described = metrics::data_file(&self.layout, &metadata, location, bytes, &file.nans)?;
        self.files.push(described);
        self.bytes += bytes;
        Ok(())
    }

    fn failed(&self, e: &parquet::errors::ParquetError) -> Error {
        self.layout
            .wrong(format!("cannot be written as Parquet: {e}"))
    }
}

fn properties(layout: &Layout) -> WriterProperties {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).expect("a level that zstd has");
    let note = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    let mut properties = WriterProperties::builder();
    for field in layout.schema.fields() {
        // Numbers and times are mostly all different: a dictionary of them costs more than anything else here, and is
        // larger than their differences are.
        if matches!(
            field.data_type(),
            ArrowType::Int32 | ArrowType::Int64 | ArrowType::Timestamp(..) | ArrowType::Time64(_)
        ) {
            let column = ColumnPath::from(field.name().as_str());
            properties = properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
        }
    }
    properties
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by("ridehail".to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_statistics_truncate_length(Some(BOUND_BYTES))
        .set_key_value_metadata(Some(vec![
            note("ridehail.move", layout.place.move_id.to_string()),
            note("ridehail.attempt", layout.place.attempt.to_string()),
        ]))
        .build()
}

fn count_nans(batch: &RecordBatch, nans: &mut [u64]) {
    for (array, nans) in batch.columns().iter().zip(nans) {
        let found = match array.data_type() {
            ArrowType::Float32 => {
                let values = array.as_primitive::<Float32Type>();
                values.iter().flatten().filter(|v| v.is_nan()).count()
            }
            ArrowType::Float64 => {
                let values = array.as_primitive::<Float64Type>();
                values.iter().flatten().filter(|v| v.is_nan()).count()
            }
            _ => 0,
        };
        *nans += found as u64;
    }
}

/// Where Parquet's writer puts its bytes: in pieces to the uploader.
struct Sink {
    kept: Vec<u8>,
    sum: Checksum,
    to_store: mpsc::Sender<Part>,
}

impl Sink {
    fn send_kept(&mut self) -> io::Result<()> {
        if self.kept.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::replace(&mut self.kept, Vec::with_capacity(PART_BYTES));
        send(&self.to_store, Part::Bytes(Bytes::from(bytes)))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sum.update(bytes);
        self.kept.extend_from_slice(bytes);
        if self.kept.len() >= PART_BYTES {
            self.send_kept()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits while the store is behind.
fn send(to_store: &mpsc::Sender<Part>, part: Part) -> io::Result<()> {
    to_store
        .blocking_send(part)
        .map_err(|_| io::Error::other("the upload broke off"))
}

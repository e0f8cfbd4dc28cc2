//! Binary COPY -> Arrow, row by row as the bytes come. Pure.
//!
//! Chunks need not end where rows end. A row is appended whole or not at all; a value that Iceberg cannot hold
//! ends the decoding with an error that names its column.

mod values;

use std::sync::Arc;

use arrow_array::{ArrayRef, ListArray, RecordBatch};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::SchemaRef;

use crate::Error;
use crate::shape::Shape;
use crate::types::{DataType, element};

use super::SIGNATURE;
use values::Values;

/// How large a batch may become before it is handed on.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rows.
    pub rows: usize,
    /// Bytes of COPY's stream.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // Large enough that per-batch work does not count, small enough that a few of them do not either.
        Self {
            rows: 16 * 1024,
            bytes: 8 << 20,
        }
    }
}

/// Takes the bytes of one COPY, gives batches.
pub struct Decoder {
    table: String,
    schema: SchemaRef,
    limits: Limits,
    columns: Vec<Column>,
    /// The start of a row whose end has not come yet.
    tail: Vec<u8>,
    stage: Stage,
    rows: usize,
    bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Header,
    Rows,
    Ended,
}

struct Column {
    name: String,
    values: Values,
    list: Option<List>,
}

struct List {
    field: arrow_schema::FieldRef,
    /// Where each array's values end.
    ends: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Decoder {
    /// A decoder of rows of `shape`; `table` is for errors.
    #[must_use]
    pub fn new(table: &str, shape: &Shape, limits: Limits) -> Self {
        let columns = shape.columns.iter().map(|column| Column {
            name: column.name.clone(),
            values: Values::new(column.data_type.scalar(), limits.rows),
            list: match column.data_type {
                DataType::Scalar(_) => None,
                DataType::List(scalar) => Some(List {
                    field: Arc::new(element(scalar)),
                    ends: vec![0],
                    nulls: NullBufferBuilder::new(limits.rows),
                }),
            },
        });
        Self {
            table: table.to_owned(),
            schema: shape.arrow(),
            limits,
            columns: columns.collect(),
            tail: Vec::new(),
            stage: Stage::Header,
            rows: 0,
            bytes: 0,
        }
    }

    /// Takes the next bytes; `full` gets the batches that they complete.
    ///
    /// # Errors
    /// [`Error::Malformed`] and [`Error::Value`]; the decoder is then of no more use.
    pub fn push(&mut self, chunk: &[u8], full: &mut Vec<RecordBatch>) -> Result<(), Error> {
        if self.tail.is_empty() {
            let used = self.consume(chunk, full)?;
            self.tail.extend_from_slice(&chunk[used..]);
            return Ok(());
        }
        let mut joined = std::mem::take(&mut self.tail);
        joined.extend_from_slice(chunk);
        let used = self.consume(&joined, full)?;
        joined.drain(..used);
        self.tail = joined;
        Ok(())
    }

    /// The last batch, once COPY has ended.
    ///
    /// # Errors
    /// When COPY's own end mark did not come: rows are missing.
    pub fn finish(mut self) -> Result<Option<RecordBatch>, Error> {
        if self.stage != Stage::Ended {
            return Err(self.malformed("the stream ended before its end mark"));
        }
        if self.rows == 0 {
            return Ok(None);
        }
        self.batch().map(Some)
    }

    /// Decodes whole rows; returns how many bytes they took.
    fn consume(&mut self, bytes: &[u8], full: &mut Vec<RecordBatch>) -> Result<usize, Error> {
        let mut at = 0;
        if self.stage == Stage::Header {
            let Some(end) = self.header(bytes)? else {
                return Ok(0);
            };
            (at, self.stage) = (end, Stage::Rows);
        }
        while at < bytes.len() {
            if self.stage == Stage::Ended {
                return Err(self.malformed("bytes after the end mark"));
            }
            let Some(length) = self.row_length(&bytes[at..])? else {
                break;
            };
            if self.stage == Stage::Rows {
                self.row(&bytes[at..at + length])?;
                self.rows += 1;
                self.bytes += length;
                if self.rows >= self.limits.rows || self.bytes >= self.limits.bytes {
                    full.push(self.batch()?);
                }
            }
            at += length;
        }
        Ok(at)
    }

    /// Where the header ends, if it is all there.
    fn header(&self, bytes: &[u8]) -> Result<Option<usize>, Error> {
        let known = bytes.len().min(SIGNATURE.len());
        if bytes[..known] != SIGNATURE[..known] {
            return Err(self.malformed("no binary COPY"));
        }
        let Some(rest) = bytes.get(SIGNATURE.len()..SIGNATURE.len() + 8) else {
            return Ok(None);
        };
        let [flags, extension] = [be_i32(&rest[..4]), be_i32(&rest[4..])];
        if flags != 0 {
            return Err(self.malformed("flags that this version does not know"));
        }
        let extension = usize::try_from(extension).map_err(|_| self.malformed("bad header"))?;
        let end = SIGNATURE.len() + 8 + extension;
        Ok((bytes.len() >= end).then_some(end))
    }

    /// Length of the row at the start, if it is all there. The end mark is a row of its own.
    fn row_length(&mut self, bytes: &[u8]) -> Result<Option<usize>, Error> {
        let Some(count) = bytes.first_chunk() else {
            return Ok(None);
        };
        let count = i16::from_be_bytes(*count);
        if count == -1 {
            self.stage = Stage::Ended;
            return Ok(Some(2));
        }
        if usize::try_from(count) != Ok(self.columns.len()) {
            let expected = self.columns.len();
            return Err(self.malformed(&format!("a row of {count} columns, not {expected}")));
        }
        let mut at = 2;
        for _ in 0..count {
            let Some(length) = bytes.get(at..at + 4) else {
                return Ok(None);
            };
            // -1 is NULL; anything else below zero is caught where the row is decoded
            at += 4 + usize::try_from(be_i32(length)).unwrap_or(0);
        }
        Ok((at <= bytes.len()).then_some(at))
    }

    fn row(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut at = 2;
        for column in &mut self.columns {
            let length = be_i32(&bytes[at..at + 4]);
            at += 4;
            let done = match usize::try_from(length) {
                Ok(length) => {
                    let value = &bytes[at..at + length];
                    at += length;
                    column.push(value)
                }
                Err(_) if length == -1 => {
                    column.push_null();
                    Ok(())
                }
                Err(_) => Err(format!("a length of {length}")),
            };
            if let Err(message) = done {
                return Err(Error::Value {
                    table: self.table.clone(),
                    column: column.name.clone(),
                    message,
                });
            }
        }
        Ok(())
    }

    fn batch(&mut self) -> Result<RecordBatch, Error> {
        let (rows, limit) = (self.rows, self.limits.rows);
        (self.rows, self.bytes) = (0, 0);
        let mut arrays = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            let array = column.finish(limit).map_err(|message| Error::Value {
                table: self.table.clone(),
                column: column.name.clone(),
                message,
            })?;
            arrays.push(array);
        }
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|e| self.malformed(&e.to_string()))
    }

    fn malformed(&self, message: &str) -> Error {
        Error::Malformed {
            what: format!("COPY of {}", self.table),
            message: message.to_owned(),
        }
    }
}

impl Column {
    fn push_null(&mut self) {
        match &mut self.list {
            None => self.values.push_null(),
            Some(list) => {
                list.ends.push(*list.ends.last().expect("starts with 0"));
                list.nulls.append_null();
            }
        }
    }

    fn push(&mut self, value: &[u8]) -> Result<(), String> {
        let Some(list) = &mut self.list else {
            return self.values.push(value);
        };
        let mut bytes = value;
        let dimensions = take_i32(&mut bytes)?;
        let (_has_nulls, _element_type) = (take_i32(&mut bytes)?, take_i32(&mut bytes)?);
        let count = match dimensions {
            0 => 0,
            1 => {
                let (count, first) = (take_i32(&mut bytes)?, take_i32(&mut bytes)?);
                if first != 1 {
                    return Err(format!(
                        "an array that counts from {first}; Iceberg's lists have no such thing"
                    ));
                }
                count
            }
            more => {
                return Err(format!(
                    "an array of {more} dimensions; Iceberg's lists have one"
                ));
            }
        };
        for _ in 0..count {
            match take_i32(&mut bytes)? {
                -1 => self.values.push_null(),
                length => {
                    let (value, rest) = usize::try_from(length)
                        .ok()
                        .and_then(|length| bytes.split_at_checked(length))
                        .ok_or("an array shorter than it says")?;
                    self.values.push(value)?;
                    bytes = rest;
                }
            }
        }
        let end = i32::try_from(self.values.len()).map_err(|_| TOO_MUCH)?;
        list.ends.push(end);
        list.nulls.append_non_null();
        Ok(())
    }

    fn finish(&mut self, rows: usize) -> Result<ArrayRef, String> {
        let values = self.values.finish(rows)?;
        let Some(list) = &mut self.list else {
            return Ok(values);
        };
        let ends = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(
            &mut list.ends,
            vec![0],
        )));
        ListArray::try_new(Arc::clone(&list.field), ends, values, list.nulls.finish())
            .map(|list| Arc::new(list) as ArrayRef)
            .map_err(|e| e.to_string())
    }
}

const TOO_MUCH: &str = "more than 2 GiB in one batch";

fn be_i32(bytes: &[u8]) -> i32 {
    i32::from_be_bytes(bytes.try_into().expect("four bytes"))
}

fn take_i32(bytes: &mut &[u8]) -> Result<i32, String> {
    let (value, rest) = bytes.split_first_chunk().ok_or("cut short")?;
    *bytes = rest;
    Ok(i32::from_be_bytes(*value))
}

#[cfg(test)]
mod tests;

//! One Parquet file in the store.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{
    AsyncFileReader, ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder,
};
use parquet::arrow::{PARQUET_FIELD_ID_META_KEY, ProjectionMask};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::Error;
use crate::error::Damage;
use crate::storage::Store;

use super::{File, Wanted};

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 16 * 1024;
/// What is read of a file's end, in the hope that the footer is in it.
const FOOTER_BYTES: usize = 64 << 10;

/// A file being read.
pub(super) struct Opened {
    pub(super) batches: ParquetRecordBatchStream<Reader>,
    /// Where each wanted column lies in a batch; `None` when the file does not have it.
    pub(super) columns: Vec<Option<usize>>,
}

pub(super) async fn open(store: &Store, file: &File, wanted: &Wanted) -> Result<Opened, Error> {
    let Some(found) = store.head(&file.location).await? else {
        return Err(Error::File {
            location: file.location.clone(),
            damage: Damage::Missing,
            message: "is not there".to_owned(),
        });
    };
    if found.size != file.bytes {
        let message = format!("has {} bytes, not {}", found.size, file.bytes);
        return Err(altered(file, message));
    }
    let reader = Reader {
        objects: Arc::clone(store.objects()),
        at: store.key(&file.location)?,
        size: found.size,
    };
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchStreamBuilder::new_with_options(reader, options)
        .await
        .map_err(|e| failed(file, e))?;
    let fields = builder.schema().fields();
    let root_of = |id: i32| {
        let id = id.to_string();
        fields
            .iter()
            .position(|field| field.metadata().get(PARQUET_FIELD_ID_META_KEY) == Some(&id))
    };
    let roots: Vec<Option<usize>> = wanted.columns.iter().map(|(id, _)| root_of(*id)).collect();
    // batches have the chosen columns in the file's order
    let mut chosen: Vec<usize> = roots.iter().flatten().copied().collect();
    chosen.sort_unstable();
    let columns = roots.iter().map(|root| {
        let root = (*root)?;
        chosen.iter().position(|chosen| *chosen == root)
    });
    let columns = columns.collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), chosen.iter().copied());
    let batches = builder
        .with_projection(mask)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|e| failed(file, e))?;
    Ok(Opened { batches, columns })
}

/// The store's errors are the store's; all others mean that the file is not what was written.
pub(super) fn failed(file: &File, error: ParquetError) -> Error {
    match error {
        ParquetError::External(source) => match source.downcast::<object_store::Error>() {
            Ok(source) => Error::ObjectStore {
                what: format!("get of {}", file.location),
                source: *source,
            },
            Err(other) => altered(file, other.to_string()),
        },
        other => altered(file, other.to_string()),
    }
}

pub(super) fn altered(file: &File, message: String) -> Error {
    Error::File {
        location: file.location.clone(),
        damage: Damage::Altered,
        message,
    }
}

/// Parquet's access to the store.
pub(super) struct Reader {
    objects: Arc<dyn ObjectStore>,
    at: Path,
    size: u64,
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        async move {
            self.objects
                .get_range(&self.at, range)
                .await
                .map_err(external)
        }
        .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        async move {
            self.objects
                .get_ranges(&self.at, &ranges)
                .await
                .map_err(external)
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size;
            let metadata = ParquetMetaDataReader::new()
                .with_prefetch_hint(Some(FOOTER_BYTES))
                .load_and_finish(self, size)
                .await?;
            Ok(Arc::new(metadata))
        }
        .boxed()
    }
}

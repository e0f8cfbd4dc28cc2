//! iceberg's `Storage` over the store: metadata and manifests go through here, data files do not.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use iceberg::io::{
    FileMetadata, FileRead, FileWrite, InputFile, OutputFile, Storage, StorageConfig,
    StorageFactory,
};
use iceberg::{Error, ErrorKind, Result};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;

use super::Store;

/// Makes [`LakeStorage`]. It holds the store itself, not its settings: iceberg prints those when a table is printed,
/// and there is a secret among them. So it is not for sending elsewhere: deserialized, it opens nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LakeStorageFactory {
    #[serde(skip)]
    store: Option<Store>,
}

impl LakeStorageFactory {
    /// A factory of storages over this store.
    #[must_use]
    pub fn of(store: Store) -> Self {
        Self { store: Some(store) }
    }
}

#[typetag::serde]
impl StorageFactory for LakeStorageFactory {
    fn build(&self, _: &StorageConfig) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(LakeStorage {
            store: self.store.clone(),
        }))
    }
}

/// The store as iceberg calls it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LakeStorage {
    #[serde(skip)]
    store: Option<Store>,
}

impl LakeStorage {
    fn at(&self, location: &str) -> Result<(&Arc<dyn ObjectStore>, Path)> {
        let store = self.store.as_ref().ok_or_else(|| {
            let message = "a storage does not survive serialization";
            Error::new(ErrorKind::FeatureUnsupported, message)
        })?;
        let key = store
            .key(location)
            .map_err(|e| Error::new(ErrorKind::DataInvalid, e.to_string()))?;
        Ok((store.objects(), key))
    }
}

fn failed(doing: &'static str, at: &Path, source: object_store::Error) -> Error {
    Error::new(
        ErrorKind::Unexpected,
        format!("the object store failed at {doing} {at}"),
    )
    .with_source(source)
}

#[async_trait]
#[typetag::serde]
impl Storage for LakeStorage {
    async fn exists(&self, path: &str) -> Result<bool> {
        let (objects, at) = self.at(path)?;
        match objects.head(&at).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(e) => Err(failed("head of", &at, e)),
        }
    }

    async fn metadata(&self, path: &str) -> Result<FileMetadata> {
        let (objects, at) = self.at(path)?;
        let found = objects.head(&at).await;
        let size = found.map_err(|e| failed("head of", &at, e))?.size;
        Ok(FileMetadata { size })
    }

    async fn read(&self, path: &str) -> Result<Bytes> {
        let (objects, at) = self.at(path)?;
        let read = async { objects.get(&at).await?.bytes().await };
        read.await.map_err(|e| failed("get of", &at, e))
    }

    async fn reader(&self, path: &str) -> Result<Box<dyn FileRead>> {
        let (objects, at) = self.at(path)?;
        let objects = Arc::clone(objects);
        Ok(Box::new(Reader { objects, at }))
    }

    async fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        let (objects, at) = self.at(path)?;
        let put = objects.put(&at, bytes.into()).await;
        put.map_err(|e| failed("put of", &at, e)).map(drop)
    }

    async fn writer(&self, path: &str) -> Result<Box<dyn FileWrite>> {
        let (objects, at) = self.at(path)?;
        Ok(Box::new(Writer {
            upload: BufWriter::new(Arc::clone(objects), at.clone()),
            at,
        }))
    }

    async fn delete(&self, path: &str) -> Result<()> {
        let (objects, at) = self.at(path)?;
        match objects.delete(&at).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(failed("delete of", &at, e)),
        }
    }

    async fn delete_prefix(&self, path: &str) -> Result<()> {
        let (objects, at) = self.at(path.trim_end_matches('/'))?;
        let keys = objects.list(Some(&at)).map_ok(|found| found.location);
        objects
            .delete_stream(keys.boxed())
            .try_for_each(|_| async { Ok(()) })
            .await
            .map_err(|e| failed("delete of", &at, e))
    }

    async fn delete_stream(&self, mut paths: BoxStream<'static, String>) -> Result<()> {
        while let Some(path) = paths.next().await {
            self.delete(&path).await?;
        }
        Ok(())
    }

    fn new_input(&self, path: &str) -> Result<InputFile> {
        Ok(InputFile::new(Arc::new(self.clone()), path.to_owned()))
    }

    fn new_output(&self, path: &str) -> Result<OutputFile> {
        Ok(OutputFile::new(Arc::new(self.clone()), path.to_owned()))
    }
}

#[derive(Debug)]
struct Reader {
    objects: Arc<dyn ObjectStore>,
    at: Path,
}

#[async_trait]
impl FileRead for Reader {
    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let read = self.objects.get_range(&self.at, range).await;
        read.map_err(|e| failed("get of", &self.at, e))
    }
}

struct Writer {
    upload: BufWriter,
    at: Path,
}

#[async_trait]
impl FileWrite for Writer {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let put = self.upload.put(bytes).await;
        put.map_err(|e| failed("put of", &self.at, e))
    }

    async fn close(&mut self) -> Result<()> {
        self.upload.shutdown().await.map_err(|e| {
            let message = format!("the object store failed at put of {}", self.at);
            Error::new(ErrorKind::Unexpected, message).with_source(e)
        })
    }
}

//! A store whose every call passes a failpoint, `lake::s3`: there a test kills the process, or lets calls fail.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, stream::BoxStream};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

#[derive(Debug)]
pub(super) struct Gate(pub(super) Arc<dyn ObjectStore>);

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Nothing, in a build without failpoints.
fn pass() -> Result<()> {
    fail::fail_point!("lake::s3", |message| Err(object_store::Error::Generic {
        store: "failpoint",
        source: message.unwrap_or_default().into(),
    }));
    Ok(())
}

#[async_trait]
impl ObjectStore for Gate {
    async fn put_opts(
        &self,
        at: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        pass()?;
        self.0.put_opts(at, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        pass()?;
        let upload = self.0.put_multipart_opts(at, opts).await?;
        Ok(Box::new(Upload(upload)))
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        pass()?;
        self.0.get_opts(at, options).await
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        pass()?;
        self.0.get_ranges(at, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match pass() {
            Ok(()) => self.0.delete_stream(locations),
            Err(e) => futures::stream::once(async { Err(e) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match pass() {
            Ok(()) => self.0.list(prefix),
            Err(e) => futures::stream::once(async { Err(e) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        pass()?;
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        pass()?;
        self.0.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct Upload(Box<dyn MultipartUpload>);

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match pass() {
            Ok(()) => self.0.put_part(data),
            Err(e) => async { Err(e) }.boxed(),
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        pass()?;
        self.0.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        pass()?;
        self.0.abort().await
    }
}

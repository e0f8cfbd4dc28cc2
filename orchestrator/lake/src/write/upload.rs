//! Bytes to the store, file after file.

use std::sync::Arc;

use bytes::Bytes;
use object_store::buffered::BufWriter;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use crate::Error;
use crate::storage::Store;

/// Bytes of one request; files smaller than it are sent whole.
const REQUEST_BYTES: usize = 8 << 20;
/// Requests at a time. Each holds its bytes in memory.
const REQUESTS: usize = 2;

/// What the uploader is told.
pub(super) enum Part {
    /// A file begins.
    Open(String),
    /// Its next bytes.
    Bytes(Bytes),
    /// It is complete, and becomes visible.
    Close,
}

/// Works until its sender is gone. A file that was not closed by then is given up.
pub(super) async fn run(store: &Store, mut parts: mpsc::Receiver<Part>) -> Result<(), Error> {
    let mut open: Option<(String, BufWriter)> = None;
    while let Some(part) = parts.recv().await {
        let done = match (part, &mut open) {
            (Part::Open(location), _) => {
                let objects = Arc::clone(store.objects());
                let upload =
                    BufWriter::with_capacity(objects, store.key(&location)?, REQUEST_BYTES)
                        .with_max_concurrency(REQUESTS);
                open = Some((location, upload));
                Ok(())
            }
            (Part::Bytes(bytes), Some((_, upload))) => upload.put(bytes).await,
            (Part::Close, Some((_, upload))) => {
                let closed = upload.shutdown().await.map_err(whole);
                if closed.is_ok() {
                    open = None;
                }
                closed
            }
            (Part::Bytes(_) | Part::Close, None) => unreachable!("a file begins with Open"),
        };
        if let Err(source) = done {
            let location = open.map_or_else(String::new, |(location, _)| location);
            return Err(Error::ObjectStore {
                what: format!("put of {location}"),
                source,
            });
        }
    }
    if let Some((_, mut upload)) = open {
        // what it leaves behind is not listed: see `crate::storage`
        let _ = upload.abort().await;
    }
    Ok(())
}

/// The store's error, which AsyncWrite's wraps.
fn whole(error: std::io::Error) -> object_store::Error {
    match error.downcast::<object_store::Error>() {
        Ok(source) => source,
        Err(other) => object_store::Error::Generic {
            store: "s3",
            source: Box::new(other),
        },
    }
}

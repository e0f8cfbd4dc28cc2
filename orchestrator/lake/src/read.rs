//! Rows out of Postgres: `COPY (select) TO STDOUT (FORMAT binary)` -> batches, in bounded memory.
//!
//! A task of its own reads and decodes, two batches ahead at most; when nobody takes them, Postgres waits. The
//! connection is given away for the time: a COPY that is not read to its end leaves it unusable, so it comes back
//! ([`Rows::finish`]) only after the last row, and is closed in every other case.

use std::sync::Arc;

use arrow_array::RecordBatch;
use futures::{Stream, StreamExt as _};
use sqlx::PgConnection;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::Error;
use crate::copy::decode::Decoder;
use crate::error::Doing as _;
use crate::shape::Shape;
use crate::throttle::Throttle;

pub use crate::copy::decode::Limits;

/// How to read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The table's name, for errors.
    pub table: String,
    /// How large batches are.
    pub limits: Limits,
    /// Bytes a second that Postgres may be asked for.
    pub throttle: Option<Arc<Throttle>>,
}

/// Batches, as they come.
pub struct Rows {
    batches: mpsc::Receiver<RecordBatch>,
    /// The task that fills `batches`; ends with the connection when all rows have come.
    reader: JoinSet<Result<PgConnection, Error>>,
    connection: Option<PgConnection>,
}

/// Starts reading what `select` returns: the columns of `shape`, in its order (see [`Shape::select_list`]).
#[must_use]
pub fn rows(connection: PgConnection, select: &str, shape: &Shape, options: Options) -> Rows {
    let decoder = Decoder::new(&options.table, shape, options.limits);
    let statement = format!("copy ({select}) to stdout (format binary)");
    let (to, batches) = mpsc::channel(1);
    let mut reader = JoinSet::new();
    reader.spawn(copy(connection, statement, decoder, options.throttle, to));
    Rows {
        batches,
        reader,
        connection: None,
    }
}

async fn copy(
    mut connection: PgConnection,
    statement: String,
    mut decoder: Decoder,
    throttle: Option<Arc<Throttle>>,
    to: mpsc::Sender<RecordBatch>,
) -> Result<PgConnection, Error> {
    let mut chunks = connection
        .copy_out_raw(&statement)
        .await
        .doing("copy rows out")?;
    let mut full = Vec::new();
    let mut bytes = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.doing("copy rows out")?;
        bytes += chunk.len() as u64;
        decoder.push(&chunk, &mut full)?;
        for batch in full.drain(..) {
            if let Some(throttle) = &throttle {
                throttle.take(std::mem::take(&mut bytes)).await;
            }
            // fails when nobody reads any more: then it does not matter what comes of this
            let _ = to.send(batch).await;
        }
    }
    drop(chunks);
    if let Some(last) = decoder.finish()? {
        if let Some(throttle) = &throttle {
            throttle.take(bytes).await;
        }
        let _ = to.send(last).await;
    }
    Ok(connection)
}

impl Rows {
    /// The next batch; `None` after the last one. After an error there is nothing more.
    pub async fn next(&mut self) -> Option<Result<RecordBatch, Error>> {
        if let Some(batch) = self.batches.recv().await {
            return Some(Ok(batch));
        }
        match self.reader.join_next().await? {
            Ok(Ok(connection)) => {
                self.connection = Some(connection);
                None
            }
            Ok(Err(error)) => Some(Err(error)),
            Err(panicked) => Some(Err(Error::Malformed {
                what: "the task that reads rows".to_owned(),
                message: panicked.to_string(),
            })),
        }
    }

    /// As a stream, for [`crate::write::write`].
    pub fn stream(&mut self) -> impl Stream<Item = Result<RecordBatch, Error>> + Send {
        futures::stream::unfold(self, |rows| async move {
            let next = rows.next().await?;
            Some((next, rows))
        })
    }

    /// The connection, ready for the next statement; `None` unless the last row has been read.
    #[must_use]
    pub fn finish(self) -> Option<PgConnection> {
        self.connection
    }
}

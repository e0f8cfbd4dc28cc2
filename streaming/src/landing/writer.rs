//! A writer: takes batches, lands them, tries again while Postgres is away.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::batch::Batch;
use super::decode::Window;
use super::encode::{Encoded, encode};
use super::metrics::Landed;
use super::poller::{Command, End, Poller, Work};
use super::retry::Backoff;
use super::write::{self, Outcome, Place};
use super::{Error, Shared};
use crate::clock;

/// Where writers take batches from, whoever is free first.
pub(super) type Queue = Arc<Mutex<mpsc::UnboundedReceiver<Work>>>;

/// Lands batches until the queue is closed, or `abandon` says that nobody waits for them any more.
pub(super) async fn run(
    shared: Arc<Shared>,
    queue: Queue,
    poller: Poller,
    abandon: CancellationToken,
) -> Result<(), Error> {
    let mut conn = None;
    loop {
        let Some(work) = queue.lock().await.recv().await else {
            return Ok(());
        };
        let Work {
            key,
            generation,
            topic_id,
            batch,
        } = work;
        let place = Place {
            topic: &shared.topics[key.0].logical,
            partition: key.1,
            topic_id,
        };
        let span = tracing::info_span!(
            "land",
            topic = place.topic,
            partition = place.partition,
            from = batch.expected,
            to = batch.next
        );
        let landing = land(&shared, &mut conn, place, batch).instrument(span);
        let Some(end) = abandon.run_until_cancelled(landing).await else {
            return Ok(());
        };
        poller.send(Command::Done {
            key,
            generation,
            end: end?,
        });
    }
}

async fn land(
    shared: &Shared,
    conn: &mut Option<PgConnection>,
    place: Place<'_>,
    batch: Batch,
) -> Result<End, Error> {
    shared.metrics.taken();
    let partition = place.partition;
    let window = Window::around(clock::now());
    let decoding = tokio::task::spawn_blocking(move || {
        let encoded = encode(&batch, partition, &window);
        (batch, encoded)
    });
    let (batch, mut encoded) = decoding.await.map_err(|_| Error::Panicked("decoding"))?;
    let mut backoff = Backoff::default();
    loop {
        let begun = Instant::now();
        let error = match attempt(shared, conn, place, &batch, &mut encoded).await {
            Ok(outcome) => {
                return Ok(ended(
                    shared,
                    place,
                    &batch,
                    &encoded,
                    outcome,
                    begun.elapsed(),
                ));
            }
            Err(error) => error,
        };
        // Whatever state the connection is in, a new one is in a known state.
        *conn = None;
        if !error.is_transient() {
            return Err(error);
        }
        shared
            .metrics
            .postgres_retries
            .fetch_add(1, Ordering::Relaxed);
        tracing::warn!(error = %error, "postgres failed, trying again");
        tokio::time::sleep(backoff.next()).await;
    }
}

async fn attempt(
    shared: &Shared,
    conn: &mut Option<PgConnection>,
    place: Place<'_>,
    batch: &Batch,
    encoded: &mut Encoded,
) -> Result<Outcome, Error> {
    let conn = match conn {
        Some(conn) => conn,
        None => conn.insert(write::connect(&shared.database).await?),
    };
    write::land(conn, &shared.days, place, batch, encoded).await
}

/// Counts a batch and says where to read on.
fn ended(
    shared: &Shared,
    place: Place<'_>,
    batch: &Batch,
    encoded: &Encoded,
    outcome: Outcome,
    took: Duration,
) -> End {
    let Place {
        topic, partition, ..
    } = place;
    match outcome {
        Outcome::Landed(counts) => {
            let now = clock::now().timestamp_micros();
            let seconds = |micros: i64| (now - micros) as f64 / 1e6;
            shared.metrics.landed(
                topic,
                &Landed {
                    rows: counts.rows,
                    late: counts.late,
                    present: counts.present,
                    rejects: encoded
                        .rejects
                        .iter()
                        .map(|r| r.refusal.reason.as_ref())
                        .collect(),
                    refused: counts.rejects - encoded.rejects.len(),
                    gaps: batch.gaps.len(),
                    missing: batch.gaps.iter().map(|gap| gap.got - gap.expected).sum(),
                    took,
                    from_produced: encoded.sent.iter().map(|at| seconds(*at)).collect(),
                    from_kafka: batch
                        .records()
                        .iter()
                        .map(|r| seconds(r.timestamp * 1000))
                        .collect(),
                },
            );
            for gap in &batch.gaps {
                tracing::error!(
                    topic,
                    partition,
                    expected = gap.expected,
                    got = gap.got,
                    "gap in the log, recorded"
                );
            }
            if counts.late > 0 {
                tracing::info!(
                    late = counts.late,
                    "rows of days that have left, kept for the archive's next flush"
                );
            }
            tracing::debug!(rows = counts.rows, rejects = counts.rejects, "landed");
            shared.metrics.stored(topic, partition, batch.next);
            End::Landed { next: batch.next }
        }
        Outcome::WasLanded => {
            tracing::info!("batch was landed already");
            shared.metrics.stored(topic, partition, batch.next);
            End::Landed { next: batch.next }
        }
        Outcome::Fenced { next } => {
            tracing::warn!(next, "another writer is ahead, batch dropped");
            shared.metrics.fenced(topic);
            End::Fenced { next }
        }
        Outcome::Void => {
            tracing::warn!("progress counts in another incarnation of the topic, batch dropped");
            shared.metrics.fenced(topic);
            End::Void
        }
    }
}

//! Lands one batch: the transaction, and what to do when it fails.
//!
//! Order within the transaction: fence, gaps, rows, late rows, rejects. The fence comes first because it is also
//! the lock: a second writer of the partition waits there, before it has copied anything, and then finds no row to
//! update. With the fence comes the archive's boundary, locked against moving; `route` divides the rows by it.

use std::ops::Range;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Postgres, Transaction};

use super::batch::Batch;
use super::careful::{Sorted, Target, copy_carefully, copy_held, hold};
use super::encode::{COLUMNS, Encoded, HEADER, Reject, TRAILER};
use super::late::{self, Late};
use super::partitions::Days;
use super::progress::{Fate, Stored, fate};
use super::route::route;
use super::store::Turn;
use super::{Error, failure, store};
use crate::config::DatabaseUrl;

/// Bytes given to the socket at a time. With 128 KiB landing was a few per cent slower: each write wakes both sides up.
const CHUNK: usize = 1 << 20;

/// Which partition a batch belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// Logical name of the topic, and of its table.
    pub(super) topic: &'a str,
    /// Kafka partition.
    pub(super) partition: i32,
    /// Incarnation of the topic the batch was read from.
    pub(super) topic_id: uuid::Uuid,
}

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// By this writer, now.
    Landed(Counts),
    /// It was there already: this writer's own commit whose answer was lost, or another's.
    WasLanded,
    /// Another writer is elsewhere; nothing of this batch is landed by it.
    Fenced {
        /// Where to read on.
        next: i64,
    },
    /// Progress now counts in another incarnation of the topic, or is gone.
    Void,
}

/// What a landed batch was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Rows that are there now and were not before, late ones included.
    pub(super) rows: usize,
    /// Those of them that are in the late table: their day has left for the archive.
    pub(super) late: usize,
    pub(super) rejects: usize,
    /// Rows that were there already, which happens after a reset.
    pub(super) present: usize,
}

/// Opens a connection for landing.
pub(super) async fn connect(url: &DatabaseUrl) -> sqlx::Result<PgConnection> {
    let options: PgConnectOptions = url.reveal().parse()?;
    let options = options.application_name("ridehail-stream").options([
        // A stopped process must not keep the lock on a partition's progress: others wait behind it.
        ("idle_in_transaction_session_timeout", "30s"),
        ("timezone", "UTC"),
    ]);
    PgConnection::connect_with(&options).await
}

/// Lands `batch`, of which `encoded` is the rows, or finds out that it must not.
///
/// # Errors
/// Postgres failed. Whether the batch is landed may then be unknown; calling again finds out.
pub(super) async fn land(
    conn: &mut PgConnection,
    days: &Days,
    place: Place<'_>,
    batch: &Batch,
    encoded: &mut Encoded,
) -> Result<Outcome, Error> {
    days.ensure(conn, place.topic, &encoded.days).await?;
    fail::fail_point!("landing::days_ready");
    let error = match attempt(conn, place, batch, encoded, How::Plainly).await {
        Ok(outcome) => return Ok(outcome),
        Err(error) => error,
    };
    match failure::of(&error) {
        // One row's data, or a row that is there already: find out which, row by row.
        failure::Kind::Data | failure::Kind::Duplicate => {
            tracing::warn!(topic = place.topic, partition = place.partition, error = %error, "batch refused, landing it row by row");
            Ok(attempt(conn, place, batch, encoded, How::Carefully).await?)
        }
        failure::Kind::NoPartition => {
            days.forget(place.topic);
            days.ensure(conn, place.topic, &encoded.days).await?;
            Ok(attempt(conn, place, batch, encoded, How::Plainly).await?)
        }
        failure::Kind::Transient | failure::Kind::Fatal => Err(error.into()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// COPY into the table: all rows or none.
    Plainly,
    /// By way of a temporary table, so that rows can be told apart.
    Carefully,
}

async fn attempt(
    conn: &mut PgConnection,
    place: Place<'_>,
    batch: &Batch,
    encoded: &mut Encoded,
    how: How,
) -> sqlx::Result<Outcome> {
    let Place {
        topic,
        partition,
        topic_id,
    } = place;
    let mut tx = begin(conn, topic).await?;
    fail::fail_point!("landing::begun");
    let from = Stored {
        next_offset: batch.expected,
        topic_id,
    };
    let Some(turn) = store::advance(&mut *tx, topic, partition, from, batch.next).await? else {
        let stored = store::read(&mut *tx, topic, partition).await?;
        tx.rollback().await?;
        return Ok(match stored {
            Some(stored) if stored.topic_id == topic_id => {
                match fate(batch.expected, batch.next, stored.next_offset) {
                    Fate::Landed => Outcome::WasLanded,
                    // Moved back between the two statements: by a reset, so read from there.
                    Fate::NotLanded => Outcome::Fenced {
                        next: batch.expected,
                    },
                    Fate::Moved { to } => Outcome::Fenced { next: to },
                }
            }
            _ => Outcome::Void,
        });
    };
    fail::fail_point!("landing::fenced");
    for gap in &batch.gaps {
        store::record_gap(&mut *tx, topic, partition, *gap, "missing").await?;
    }
    let sorted = store_rows(&mut tx, topic, &turn, encoded, how).await?;
    let counts = Counts {
        rows: encoded.rows() - sorted.present - sorted.refused.len(),
        late: sorted.late,
        rejects: encoded.rejects.len() + sorted.refused.len(),
        present: sorted.present,
    };
    insert_rejects(
        &mut tx,
        topic,
        partition,
        batch,
        encoded.rejects.iter().chain(&sorted.refused),
    )
    .await?;
    fail::fail_point!("landing::rejects_written");
    tx.commit().await?;
    fail::fail_point!("landing::committed");
    Ok(Outcome::Landed(counts))
}

/// Begins a transaction that writes rows of a topic.
///
/// With the lock that writing rows takes anyway. Taken here, before any statement sees what is committed, it makes
/// a barrier of the one lock a new archive takes on the table: whoever has it later sees that there is an archive.
/// Only on the parent: a day is locked after the boundary, in that order, as moves do.
pub(super) async fn begin<'a>(
    conn: &'a mut PgConnection,
    topic: &str,
) -> sqlx::Result<Transaction<'a, Postgres>> {
    conn.begin_with(AssertSqlSafe(format!(
        "begin; lock table only raw.{topic} in row exclusive mode"
    )))
    .await
}

/// Writes a transaction's rows, each to the table or to its late table.
pub(super) async fn store_rows(
    conn: &mut PgConnection,
    topic: &str,
    turn: &Turn,
    encoded: &mut Encoded,
    how: How,
) -> sqlx::Result<Sorted> {
    encoded.stamp(turn.batch);
    let encoded = &*encoded;
    let routes = route(&encoded.times, turn.archive.as_ref());
    if how == How::Carefully || !routes.late.is_empty() {
        hold(conn, topic).await?;
    }
    let mut sorted = Sorted::default();
    let table = Target::Table(topic);
    match how {
        How::Plainly => copy_into(conn, &format!("raw.{topic}"), encoded, &routes.table).await?,
        How::Carefully => {
            copy_carefully(conn, table, encoded, &routes.table, &mut sorted).await?;
        }
    }
    fail::fail_point!("landing::rows_copied");
    if let (Some(archive), false) = (&turn.archive, routes.late.is_empty()) {
        let late = Late {
            topic,
            archive,
            relanded_to: turn.relanded_to,
        };
        late::widen(conn, late).await?;
        fail::fail_point!("landing::late_ready");
        let late = Target::Late(late);
        match how {
            How::Plainly => copy_held(conn, late, encoded, &routes.late, &mut sorted).await?,
            How::Carefully => {
                copy_carefully(conn, late, encoded, &routes.late, &mut sorted).await?;
            }
        }
        fail::fail_point!("landing::late_written");
    }
    Ok(sorted)
}

/// Copies some rows into a table.
pub(super) async fn copy_into(
    conn: &mut PgConnection,
    table: &str,
    encoded: &Encoded,
    runs: &[Range<usize>],
) -> sqlx::Result<()> {
    if runs.is_empty() {
        return Ok(());
    }
    let statement = format!("copy {table} ({COLUMNS}) from stdin (format binary)");
    let mut copy = conn.copy_in_raw(&statement).await?;
    copy.send(HEADER).await?;
    for run in runs {
        for chunk in encoded.slice(run.clone()).chunks(CHUNK) {
            copy.send(chunk).await?;
        }
    }
    copy.send(TRAILER).await?;
    copy.finish().await?;
    Ok(())
}

/// Writes rejects with their bytes.
async fn insert_rejects<'a>(
    conn: &mut PgConnection,
    topic: &str,
    partition: i32,
    batch: &Batch,
    rejects: impl Iterator<Item = &'a Reject>,
) -> sqlx::Result<()> {
    let (mut offsets, mut reasons, mut details) = (Vec::new(), Vec::new(), Vec::new());
    let (mut keys, mut values, mut timestamps) = (Vec::new(), Vec::new(), Vec::new());
    for reject in rejects {
        let record = &batch.records()[reject.record];
        offsets.push(record.offset);
        reasons.push(reject.refusal.reason.as_ref());
        details.push(reject.refusal.detail.as_str());
        keys.push(batch.key(record));
        values.push(batch.value(record));
        timestamps.push(record.timestamp);
    }
    if offsets.is_empty() {
        return Ok(());
    }
    // On conflict: rejected before a reset moved progress back; the newer reason counts. A replayed one stays so.
    sqlx::query(
        "insert into raw.rejects as old
             (topic, kafka_partition, kafka_offset, reason, detail, key, value, kafka_timestamp)
         select $1, $2, o, r, d, k, v, to_timestamp(t / 1000.0)
         from unnest($3::int8[], $4::text[], $5::text[], $6::bytea[], $7::bytea[], $8::int8[]) as x (o, r, d, k, v, t)
         on conflict (topic, kafka_partition, kafka_offset) do update
         set reason = excluded.reason, detail = excluded.detail, key = excluded.key, value = excluded.value,
             kafka_timestamp = excluded.kafka_timestamp, rejected_at = now()
         where old.replayed_at is null",
    )
    .bind(topic)
    .bind(partition)
    .bind(offsets)
    .bind(reasons)
    .bind(details)
    .bind(keys)
    .bind(values)
    .bind(timestamps)
    .execute(conn)
    .await?;
    Ok(())
}

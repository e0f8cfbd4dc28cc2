//! Lands one batch: the transaction, and what to do when it fails.
//!
//! Order within the transaction: fence, gaps, rows, rejects. The fence comes first because it is also the lock:
//! a second writer of the partition waits there, before it has copied anything, and then finds no row to update.
//! Where rows go is decided between fence and rows, in [`copy_rows`]: what an archive later needs to divert
//! (days that have left Postgres) is diverted there, under the same lock and commit.

use std::collections::HashSet;
use std::ops::Range;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::batch::Batch;
use super::decode::Refusal;
use super::encode::{COLUMNS, Encoded, HEADER, Reject, TRAILER};
use super::partitions::Days;
use super::progress::{Fate, Stored, fate};
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
    pub(super) rows: usize,
    pub(super) rejects: usize,
    /// Rows that were in the table already, which happens after a reset.
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

#[derive(Clone, Copy)]
enum How {
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
    let mut tx = conn.begin().await?;
    fail::fail_point!("landing::begun");
    let from = Stored {
        next_offset: batch.expected,
        topic_id,
    };
    let Some(number) = store::advance(&mut *tx, topic, partition, from, batch.next).await? else {
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
    encoded.stamp(number);
    let mut counts = Counts {
        rows: encoded.rows(),
        ..Counts::default()
    };
    let mut refused = Vec::new();
    match how {
        How::Plainly => copy_rows(&mut tx, topic, encoded, 0..encoded.rows()).await?,
        How::Carefully => {
            let sorted = copy_carefully(&mut tx, topic, encoded).await?;
            (counts.present, refused) = (sorted.present, sorted.refused);
            counts.rows -= counts.present + refused.len();
        }
    }
    fail::fail_point!("landing::rows_copied");
    counts.rejects = encoded.rejects.len() + refused.len();
    insert_rejects(
        &mut tx,
        topic,
        partition,
        batch,
        encoded.rejects.iter().chain(&refused),
    )
    .await?;
    fail::fail_point!("landing::rejects_written");
    tx.commit().await?;
    fail::fail_point!("landing::committed");
    Ok(Outcome::Landed(counts))
}

/// Copies some rows into the table of `topic`.
async fn copy_rows(
    conn: &mut PgConnection,
    topic: &str,
    encoded: &Encoded,
    rows: Range<usize>,
) -> sqlx::Result<()> {
    copy_into(conn, &format!("raw.{topic}"), encoded, rows).await
}

async fn copy_into(
    conn: &mut PgConnection,
    table: &str,
    encoded: &Encoded,
    rows: Range<usize>,
) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let statement = format!("copy {table} ({COLUMNS}) from stdin (format binary)");
    let mut copy = conn.copy_in_raw(&statement).await?;
    copy.send(HEADER).await?;
    for chunk in encoded.slice(rows).chunks(CHUNK) {
        copy.send(chunk).await?;
    }
    copy.send(TRAILER).await?;
    copy.finish().await?;
    Ok(())
}

/// What landing rows one by one, as far as needed, came to.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// Rows that were in the table already.
    pub(super) present: usize,
    /// Rows that Postgres refuses, or whose place another event has.
    pub(super) refused: Vec<Reject>,
}

/// Where rows wait while it is found out which of them the table takes.
const HELD: &str = "pg_temp.landing_held";

/// Copies rows so that one which Postgres refuses does not take the others with it, and one that is there already
/// is left alone.
pub(super) async fn copy_carefully(
    conn: &mut PgConnection,
    topic: &str,
    encoded: &Encoded,
) -> sqlx::Result<Sorted> {
    sqlx::raw_sql(AssertSqlSafe(format!(
        "create temporary table landing_held (like raw.{topic}) on commit drop"
    )))
    .execute(&mut *conn)
    .await?;
    let mut sorted = Sorted::default();
    // Halves a range until the rows that are refused stand alone. Last in, first out: rows keep their order.
    let mut ranges: Vec<_> = std::iter::once(0..encoded.rows()).collect();
    while let Some(range) = ranges.pop() {
        let mut savepoint = conn.begin().await?;
        match copy_range(&mut savepoint, topic, encoded, range.clone()).await {
            Ok((present, taken)) => {
                savepoint.commit().await?;
                sorted.present += present;
                sorted.refused.extend(taken);
            }
            Err(error) if failure::of(&error) == failure::Kind::Data => {
                savepoint.rollback().await?;
                if range.len() == 1 {
                    sorted.refused.push(Reject {
                        record: encoded.record(range.start),
                        refusal: Refusal::new("refused_by_postgres", failure::words(&error)),
                    });
                } else {
                    let middle = range.start + range.len() / 2;
                    ranges.extend([middle..range.end, range.start..middle]);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(sorted)
}

/// Copies some rows by way of the temporary table. Returns how many were there already, and those whose place
/// another event has.
async fn copy_range(
    conn: &mut PgConnection,
    topic: &str,
    encoded: &Encoded,
    rows: Range<usize>,
) -> sqlx::Result<(usize, Vec<Reject>)> {
    sqlx::raw_sql(AssertSqlSafe(format!("truncate {HELD}")))
        .execute(&mut *conn)
        .await?;
    copy_into(conn, HELD, encoded, rows.clone()).await?;
    // On conflict: the record was landed before a reset moved progress back.
    let inserted = sqlx::query(AssertSqlSafe(format!(
        "insert into raw.{topic} ({COLUMNS}) select {COLUMNS} from {HELD} on conflict do nothing"
    )))
    .execute(&mut *conn)
    .await?
    .rows_affected() as usize;
    if inserted == rows.len() {
        return Ok((0, Vec::new()));
    }
    // Same coordinates and time but another event: of a re-created topic. It must not vanish.
    let taken: HashSet<i64> = sqlx::query_scalar(AssertSqlSafe(format!(
        "select held.kafka_offset from {HELD} held
         join raw.{topic} there using (event_time, kafka_partition, kafka_offset)
         where there.event_id <> held.event_id"
    )))
    .fetch_all(&mut *conn)
    .await?
    .into_iter()
    .collect();
    let present = rows.len() - inserted - taken.len();
    let taken = rows
        .filter(|row| taken.contains(&encoded.offset(*row)))
        .map(|row| Reject {
            record: encoded.record(row),
            refusal: Refusal::new(
                "coordinates_taken",
                "another event was landed from this offset before",
            ),
        });
    Ok((present, taken.collect()))
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

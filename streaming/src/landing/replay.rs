//! Gives rejected records another chance: after a change of the decoder, of the producer's clock, of the schema.
//!
//! A replay takes the progress row like any landing transaction and gets a batch number of its own, so that
//! incremental readers see the rows as new. Rows keep the coordinates of their record, and go to the late table if
//! their day has left.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Row};

use super::batch::Batch;
use super::decode::Window;
use super::encode::encode;
use super::partitions::Days;
use super::write::{How, begin, connect, store_rows};
use super::{Error, store};
use crate::clock;
use crate::config::DatabaseUrl;

/// Records of one replay transaction.
const CHUNK: i64 = 1000;

/// Which rejects are meant: those that match every filter given.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Filter {
    /// Only this topic, without its prefix
    #[arg(long)]
    pub topic: Option<String>,
    /// Only this reason; a code without its field (missing_field) means all of its fields
    #[arg(long)]
    pub reason: Option<String>,
    /// Only those rejected at or after this time, e.g. 2026-11-22T00:00:00Z
    #[arg(long)]
    pub since: Option<DateTime<Utc>>,
}

/// The filter as a condition on `raw.rejects`, over parameters $1 to $3.
pub(crate) const MATCHES: &str = "($1::text is null or topic = $1)
     and ($2::text is null or reason = $2 or starts_with(reason, $2 || ':'))
     and ($3::timestamptz is null or rejected_at >= $3)";

/// What a replay did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Replayed {
    /// Records that are rows now.
    pub landed: u64,
    /// Records that are still refused, with their new reason.
    pub remaining: u64,
}

struct Reject {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
}

impl FromRow<'_, PgRow> for Reject {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let timestamp: DateTime<Utc> = row.try_get("kafka_timestamp")?;
        Ok(Self {
            offset: row.try_get("kafka_offset")?,
            timestamp: timestamp.timestamp_millis(),
            key: row.try_get("key")?,
            value: row.try_get("value")?,
        })
    }
}

/// Replays the open rejects that match.
pub(crate) async fn replay(url: &DatabaseUrl, filter: &Filter) -> Result<Replayed, Error> {
    let mut conn = connect(url).await?;
    let places: Vec<(String, i32)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select distinct topic, kafka_partition from raw.rejects
         where replayed_at is null and {MATCHES} order by 1, 2"
    )))
    .bind(&filter.topic)
    .bind(&filter.reason)
    .bind(filter.since)
    .fetch_all(&mut conn)
    .await?;
    let days = Days::default();
    let mut total = Replayed::default();
    for (topic, partition) in places {
        let mut after = -1;
        while let Some((last, chunk)) =
            replay_chunk(&mut conn, &days, filter, &topic, partition, after).await?
        {
            after = last;
            total.landed += chunk.landed;
            total.remaining += chunk.remaining;
        }
    }
    Ok(total)
}

/// Replays the next rejects of a partition after an offset, in one transaction. Returns the last of them.
async fn replay_chunk(
    conn: &mut PgConnection,
    days: &Days,
    filter: &Filter,
    topic: &str,
    partition: i32,
    after: i64,
) -> Result<Option<(i64, Replayed)>, Error> {
    loop {
        let mut tx = begin(conn, topic).await?;
        // Lock and batch number first, as every landing transaction of this partition does.
        let Some(turn) = store::next_batch(&mut *tx, topic, partition).await? else {
            return Err(Error::NoPartition {
                topic: topic.to_owned(),
                partition,
            });
        };
        let rejects: Vec<Reject> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "select kafka_offset, kafka_timestamp, key, value from raw.rejects
             where replayed_at is null and {MATCHES} and topic = $4 and kafka_partition = $5 and kafka_offset > $6
             order by kafka_offset limit $7"
        )))
        .bind(&filter.topic)
        .bind(&filter.reason)
        .bind(filter.since)
        .bind(topic)
        .bind(partition)
        .bind(after)
        .bind(CHUNK)
        .fetch_all(&mut *tx)
        .await?;
        let Some(last) = rejects.last().map(|reject| reject.offset) else {
            tx.rollback().await?;
            return Ok(None);
        };
        // Gaps between rejects mean nothing here.
        let mut batch = Batch::new(rejects[0].offset);
        for r in &rejects {
            batch.push(r.offset, r.timestamp, r.key.as_deref(), r.value.as_deref());
        }
        let mut encoded = encode(&batch, partition, &Window::around(clock::now()));
        if !days.know(topic, &encoded.days) {
            // Days are made outside a transaction that holds a partition's progress.
            tx.rollback().await?;
            days.ensure(conn, topic, &encoded.days).await?;
            continue;
        }
        let stored = store_rows(&mut tx, topic, &turn, &mut encoded, How::Carefully).await?;
        let mut open = Vec::new();
        for reject in encoded.rejects.iter().chain(&stored.refused) {
            let offset = batch.records()[reject.record].offset;
            open.push(offset);
            sqlx::query(
                "update raw.rejects set reason = $4, detail = $5
                 where topic = $1 and kafka_partition = $2 and kafka_offset = $3",
            )
            .bind(topic)
            .bind(partition)
            .bind(offset)
            .bind(reject.refusal.reason.as_ref())
            .bind(&reject.refusal.detail)
            .execute(&mut *tx)
            .await?;
        }
        let done: Vec<i64> = rejects
            .iter()
            .map(|r| r.offset)
            .filter(|offset| !open.contains(offset))
            .collect();
        sqlx::query(
            "update raw.rejects set replayed_at = now()
             where topic = $1 and kafka_partition = $2 and kafka_offset = any($3)",
        )
        .bind(topic)
        .bind(partition)
        .bind(&done)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        let counts = Replayed {
            landed: done.len() as u64,
            remaining: open.len() as u64,
        };
        return Ok(Some((last, counts)));
    }
}

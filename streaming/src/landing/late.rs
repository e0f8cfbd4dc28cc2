//! Rows that come after their day has left for the archive: they wait in the table's late table for the next flush.
//!
//! A late table holds what arrived since a flush or two ago and has no key, so it is only looked through when a row
//! can be there already: when it may have been landed before. Such a row is also marked as suspect. Then no reader
//! sees it until the flush has looked for its key in the archive, which landing does not know.

use sqlx::{AssertSqlSafe, PgConnection};

use super::careful::HELD;
use super::encode::COLUMNS;
use super::route::Archive;

/// Where late rows of a transaction go, and which of them are suspect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Late<'a> {
    pub(super) topic: &'a str,
    pub(super) archive: &'a Archive,
    /// Records below this offset may have been landed before.
    pub(super) relanded_to: i64,
}

/// Adds the columns that the landing table has gained since its late table was made.
pub(super) async fn widen(conn: &mut PgConnection, late: Late<'_>) -> sqlx::Result<()> {
    let table = late.archive.table();
    let missing: Option<String> = sqlx::query_scalar(
        "select string_agg(format('add column if not exists %I %s', attname, format_type(atttypid, atttypmod)), ', '
                           order by attnum)
         from pg_attribute there
         where attrelid = ('raw.' || $1)::regclass and attnum > 0 and not attisdropped
           and not exists (select from pg_attribute here
                           where here.attrelid = $2::text::regclass and here.attname = there.attname
                             and not here.attisdropped)",
    )
    .bind(late.topic)
    .bind(&table)
    .fetch_one(&mut *conn)
    .await?;
    let Some(missing) = missing else {
        return Ok(());
    };
    tracing::info!(table, "late table gains columns: {missing}");
    // ACCESS EXCLUSIVE until commit. Nullable whatever the table says: there may be rows.
    sqlx::raw_sql(AssertSqlSafe(format!("alter table {table} {missing}")))
        .execute(conn)
        .await?;
    Ok(())
}

/// Moves the held rows, of offsets from `first` on, into the late table. Returns how many; the others are there
/// already, or still in the landing table: in a day that has not left yet.
pub(super) async fn insert(
    conn: &mut PgConnection,
    late: Late<'_>,
    first: i64,
) -> sqlx::Result<usize> {
    let Late { topic, archive, .. } = late;
    let table = archive.table();
    let is_new = if first < late.relanded_to {
        format!(
            "where not exists (select from {table} there where {SAME})
               and not exists (select from raw.{topic} there where {SAME} and there.event_time < $3)"
        )
    } else {
        // The parameter is used, whatever the statement.
        "where $3::timestamptz is not null".to_owned()
    };
    // No key and so no conflict: the lock on the partition's progress keeps a second writer of the same offsets out
    // between looking and inserting.
    let done = sqlx::query(AssertSqlSafe(format!(
        "insert into {table} ({COLUMNS}, ridehail_flush, ridehail_suspect)
         select {COLUMNS}, $1, kafka_offset < $2 from {HELD} held {is_new}"
    )))
    .bind(archive.open_flush)
    .bind(late.relanded_to)
    .bind(archive.instant())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() as usize)
}

/// Offsets of held rows whose place another event has, among the late rows or in a day that has not left yet.
pub(super) async fn taken(conn: &mut PgConnection, late: Late<'_>) -> sqlx::Result<Vec<i64>> {
    let Late { topic, archive, .. } = late;
    let table = archive.table();
    sqlx::query_scalar(AssertSqlSafe(format!(
        "select held.kafka_offset from {HELD} held join {table} there on {SAME}
         where there.event_id <> held.event_id
         union
         select held.kafka_offset from {HELD} held join raw.{topic} there on {SAME}
         where there.event_id <> held.event_id and there.event_time < $1"
    )))
    .bind(archive.instant())
    .fetch_all(conn)
    .await
}

/// The landing table's key. The boundary stands beside it where the table is meant, so that only days which have
/// not left yet are looked at.
const SAME: &str =
    "there.event_time = held.event_time and there.kafka_partition = held.kafka_partition
                     and there.kafka_offset = held.kafka_offset";

//! The progress table and its neighbours: one function a statement, over any connection.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, PgExecutor, Row as _};

use super::progress::{Alarm, Gap, Stored};
use super::route::Archive;
use crate::topics::identity::Identity;

/// What is stored about a partition, if it was ever assigned.
pub(super) async fn read(
    db: impl PgExecutor<'_>,
    topic: &str,
    partition: i32,
) -> sqlx::Result<Option<Stored>> {
    let row = sqlx::query(
        "select next_offset, topic_id from raw.landing_progress where topic = $1 and kafka_partition = $2",
    )
    .bind(topic)
    .bind(partition)
    .fetch_optional(db)
    .await?;
    row.map(|row| {
        Ok(Stored {
            next_offset: row.try_get(0)?,
            topic_id: row.try_get(1)?,
        })
    })
    .transpose()
}

/// Every partition's stored offset: (topic, partition, next offset).
pub(super) async fn read_all(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<(String, i32, i64)>> {
    sqlx::query_as("select topic, kafka_partition, next_offset from raw.landing_progress")
        .fetch_all(db)
        .await
}

/// Starts a partition's progress at `from`.
pub(super) async fn create(
    db: impl PgExecutor<'_>,
    topic: &str,
    partition: i32,
    from: i64,
    identity: &Identity,
) -> sqlx::Result<()> {
    // On conflict: another process was assigned the partition at the same moment; its row counts as well as ours.
    sqlx::query(
        "insert into raw.landing_progress (topic, kafka_partition, next_offset, batch, cluster_id, topic_id)
         values ($1, $2, $3, 0, $4, $5) on conflict (topic, kafka_partition) do nothing",
    )
    .bind(topic)
    .bind(partition)
    .bind(from)
    .bind(&identity.cluster_id)
    .bind(identity.topic_id)
    .execute(db)
    .await?;
    Ok(())
}

/// Puts a partition's progress at `to`, of whichever incarnation, by a person's decision. The batch number goes on.
pub(super) async fn place(
    db: impl PgExecutor<'_>,
    topic: &str,
    partition: i32,
    to: i64,
    identity: &Identity,
) -> sqlx::Result<()> {
    // On conflict: the usual case, the partition was landed before. Waits for a landing transaction under way.
    // What progress moves back over may be landed again, from here on and for good.
    sqlx::query(
        "insert into raw.landing_progress as stored (topic, kafka_partition, next_offset, batch, cluster_id, topic_id)
         values ($1, $2, $3, 0, $4, $5)
         on conflict (topic, kafka_partition) do update
         set next_offset = excluded.next_offset, cluster_id = excluded.cluster_id, topic_id = excluded.topic_id,
             relanded_to = case when excluded.next_offset < stored.next_offset
                                then greatest(stored.relanded_to, stored.next_offset)
                                else stored.relanded_to end,
             updated_at = now()",
    )
    .bind(topic)
    .bind(partition)
    .bind(to)
    .bind(&identity.cluster_id)
    .bind(identity.topic_id)
    .execute(db)
    .await?;
    Ok(())
}

/// What a landing transaction knows once it holds its partition's row.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    /// Its number.
    pub(super) batch: i64,
    /// Records below this offset may have been landed before.
    pub(super) relanded_to: i64,
    /// The table's archive, if days of it leave.
    pub(super) archive: Option<Archive>,
}

/// What is known of the archive of table `raw.$1`.
///
/// FOR SHARE, held until the transaction ends: a move that advances the boundary waits for the rows on their way,
/// and this waits for a move that is about to. Infinities, which have no number, become the ends of int8.
const ARCHIVE: &str = "
    select case when isfinite(boundary) then (extract(epoch from boundary) * 1000000)::int8
                when boundary > now() then 9223372036854775807 else -9223372036854775808 end as boundary,
           open_flush, late_table
    from lake.boundaries where table_schema = 'raw' and table_name = $1 for share";

fn read_archive(row: &PgRow) -> sqlx::Result<Option<Archive>> {
    let Some(boundary) = row.try_get("boundary")? else {
        return Ok(None);
    };
    Ok(Some(Archive {
        boundary,
        open_flush: row.try_get("open_flush")?,
        late_table: row.try_get("late_table")?,
    }))
}

/// What is known of a landing table's archive, if days of it leave; locked against moving until the transaction ends.
pub(super) async fn archive(db: impl PgExecutor<'_>, topic: &str) -> sqlx::Result<Option<Archive>> {
    let row = sqlx::query(ARCHIVE).bind(topic).fetch_optional(db).await?;
    Ok(row.as_ref().map(read_archive).transpose()?.flatten())
}

/// Takes a partition's row by `update`, which returns `batch` and `relanded_to`, and reads the archive with it: one
/// round trip, in the order of their locks.
fn taking(update: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "with turn as ({update} returning batch, relanded_to), archive as ({ARCHIVE})
         select batch, relanded_to, boundary, open_flush, late_table from turn left join archive on true"
    ))
}

fn turn(row: &PgRow) -> sqlx::Result<Turn> {
    Ok(Turn {
        batch: row.try_get("batch")?,
        relanded_to: row.try_get("relanded_to")?,
        archive: read_archive(row)?,
    })
}

/// The fence. Moves progress from `from.next_offset` to `to` and gives the transaction its batch number; `None`
/// if progress is elsewhere or counts in another incarnation of the topic.
///
/// The row lock it takes is held until the transaction ends, so writers of one partition queue here, and batch
/// numbers are in commit order.
pub(super) async fn advance(
    db: impl PgExecutor<'_>,
    topic: &str,
    partition: i32,
    from: Stored,
    to: i64,
) -> sqlx::Result<Option<Turn>> {
    let row = sqlx::query(taking(
        "update raw.landing_progress set next_offset = $3, batch = batch + 1, updated_at = now()
         where topic = $1 and kafka_partition = $2 and next_offset = $4 and topic_id = $5",
    ))
    .bind(topic)
    .bind(partition)
    .bind(to)
    .bind(from.next_offset)
    .bind(from.topic_id)
    .fetch_optional(db)
    .await?;
    row.as_ref().map(turn).transpose()
}

/// Gives a transaction that lands no new offsets (a replay) its batch number, under the same locks as [`advance`].
pub(super) async fn next_batch(
    db: impl PgExecutor<'_>,
    topic: &str,
    partition: i32,
) -> sqlx::Result<Option<Turn>> {
    let row = sqlx::query(taking(
        "update raw.landing_progress set batch = batch + 1, updated_at = now()
         where topic = $1 and kafka_partition = $2",
    ))
    .bind(topic)
    .bind(partition)
    .fetch_optional(db)
    .await?;
    row.as_ref().map(turn).transpose()
}

/// Records offsets that were never seen.
pub(super) async fn record_gap(
    db: impl PgExecutor<'_>,
    topic: &str,
    partition: i32,
    gap: Gap,
    cause: &str,
) -> sqlx::Result<()> {
    // On conflict: noticed before, by a batch that was landed before a reset.
    sqlx::query(
        "insert into raw.landing_gaps (topic, kafka_partition, expected_offset, got_offset, cause)
         values ($1, $2, $3, $4, $5) on conflict do nothing",
    )
    .bind(topic)
    .bind(partition)
    .bind(gap.expected)
    .bind(gap.got)
    .bind(cause)
    .execute(db)
    .await?;
    Ok(())
}

/// Goes past offsets Kafka has deleted: progress and gap in one transaction. False if progress was elsewhere.
pub(super) async fn skip_lost(
    conn: &mut PgConnection,
    topic: &str,
    partition: i32,
    from: Stored,
    lost: Gap,
) -> sqlx::Result<bool> {
    let mut tx = sqlx::Connection::begin(conn).await?;
    let moved = advance(&mut *tx, topic, partition, from, lost.got)
        .await?
        .is_some();
    if moved {
        record_gap(&mut *tx, topic, partition, lost, "retention").await?;
    }
    tx.commit().await?;
    Ok(moved)
}

/// Raises an alarm, or keeps the one that stands.
pub(super) async fn raise(
    db: impl PgExecutor<'_>,
    topic: &str,
    partition: i32,
    alarm: &Alarm,
) -> sqlx::Result<()> {
    // On conflict: it stands already (keep when it was raised) or stood before (raise it anew).
    sqlx::query(
        "insert into raw.landing_alarms as standing (topic, kafka_partition, kind, detail) values ($1, $2, $3, $4)
         on conflict (topic, kafka_partition, kind) do update
         set detail = excluded.detail, cleared_at = null,
             raised_at = case when standing.cleared_at is null then standing.raised_at else now() end",
    )
    .bind(topic)
    .bind(partition)
    .bind(alarm.kind())
    .bind(alarm.explain(topic, partition))
    .execute(db)
    .await?;
    Ok(())
}

/// Clears a partition's alarms.
pub(super) async fn clear(
    db: impl PgExecutor<'_>,
    topic: &str,
    partition: i32,
) -> sqlx::Result<()> {
    sqlx::query(
        "update raw.landing_alarms set cleared_at = now()
         where topic = $1 and kafka_partition = $2 and cleared_at is null",
    )
    .bind(topic)
    .bind(partition)
    .execute(db)
    .await?;
    Ok(())
}

/// Those of `names` that have no landing table.
pub(super) async fn without_table(
    db: impl PgExecutor<'_>,
    names: &[String],
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select name from unnest($1::text[]) as name where to_regclass('raw.' || quote_ident(name)) is null",
    )
    .bind(names)
    .fetch_all(db)
    .await
}

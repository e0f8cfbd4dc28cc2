//! Moves and flushes, from plan to end.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, PgExecutor, Row as _};
use uuid::Uuid;

use super::TableId;
use super::state::{Kind, State};
use crate::error::{Doing as _, Error};

/// A move or a flush, as the ledger has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Move {
    /// Identity.
    pub id: Uuid,
    /// Whose rows.
    pub table: TableId,
    /// Partition or late rows.
    pub kind: Kind,
    /// The day: from here …
    pub lower: DateTime<Utc>,
    /// … to before here.
    pub upper: DateTime<Utc>,
    /// `ridehail_flush` of its rows: 0 for a partition.
    pub flush: i64,
    /// Columns that are archived (`shape::Shape`).
    pub shape: Value,
    /// Of a partition: its table, in the same schema.
    pub partition: Option<String>,
    /// Moves that travel together.
    pub batch: Uuid,
    /// Names its files.
    pub attempt: Uuid,
    /// How often it was copied.
    pub attempts: i32,
    /// How far it is.
    pub state: State,
    /// Rows, once copied.
    pub rows: Option<i64>,
    /// Bytes of its files, once copied.
    pub bytes: Option<i64>,
    /// Digest of its rows (`digest::Digest`), once copied.
    pub digest: Option<Value>,
    /// What SQL said of its rows (`witness::Witness`), once copied.
    pub witness: Option<Value>,
    /// The first transaction that the copy did not see.
    pub written_since: Option<i64>,
    /// Size of the partition in Postgres.
    pub source_bytes: Option<i64>,
    /// Iceberg's snapshot, once committed; 0 = none of the batch had a row.
    pub snapshot: Option<i64>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was planned.
    pub created_at: DateTime<Utc>,
    /// When something last happened to it.
    pub updated_at: DateTime<Utc>,
    /// When it was done.
    pub finished_at: Option<DateTime<Utc>>,
}

impl FromRow<'_, PgRow> for Move {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let state: String = row.try_get("state")?;
        let kind: String = row.try_get("kind")?;
        Ok(Self {
            id: row.try_get("move_id")?,
            table: TableId {
                schema: row.try_get("table_schema")?,
                name: row.try_get("table_name")?,
            },
            kind: if kind == "flush" {
                Kind::Flush
            } else {
                Kind::Move
            },
            lower: row.try_get("lower")?,
            upper: row.try_get("upper")?,
            flush: row.try_get("flush")?,
            shape: row.try_get("shape")?,
            partition: row.try_get("partition_name")?,
            batch: row.try_get("batch")?,
            attempt: row.try_get("attempt")?,
            attempts: row.try_get("attempts")?,
            state: state
                .parse()
                .map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            rows: row.try_get("rows")?,
            bytes: row.try_get("bytes")?,
            digest: row.try_get("digest")?,
            witness: row.try_get("witness")?,
            written_since: row.try_get("written_since")?,
            source_bytes: row.try_get("source_bytes")?,
            snapshot: row.try_get("snapshot_id")?,
            last_error: row.try_get("last_error")?,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
            finished_at: row.try_get("finished_at")?,
        })
    }
}

const COLUMNS: &str = "move_id, table_schema, table_name, kind, lower, upper, flush, shape, partition_name, batch,
    attempt, attempts, state, rows, bytes, digest, witness, written_since, source_bytes, snapshot_id, last_error,
    created_at, updated_at, finished_at";

/// Moves of a table that have not ended, by batch in the order of planning, oldest day first.
pub async fn open(db: impl PgExecutor<'_>, table: &TableId) -> Result<Vec<Move>, Error> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select {COLUMNS} from lake.moves
         where table_schema = $1 and table_name = $2 and finished_at is null
         order by min(created_at) over (partition by batch), batch, lower"
    )))
    .bind(&table.schema)
    .bind(&table.name)
    .fetch_all(db)
    .await
    .doing("list open moves")
}

/// The moves of a batch, oldest day first.
pub async fn batch(db: impl PgExecutor<'_>, batch: Uuid) -> Result<Vec<Move>, Error> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select {COLUMNS} from lake.moves where batch = $1 order by lower, flush"
    )))
    .bind(batch)
    .fetch_all(db)
    .await
    .doing("read a batch")
}

/// Every move of a table, oldest day first.
pub async fn all(db: impl PgExecutor<'_>, table: &TableId) -> Result<Vec<Move>, Error> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select {COLUMNS} from lake.moves
         where table_schema = $1 and table_name = $2 order by lower, flush"
    )))
    .bind(&table.schema)
    .bind(&table.name)
    .fetch_all(db)
    .await
    .doing("list moves")
}

/// A move that is meant.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) kind: Kind,
    pub(crate) lower: DateTime<Utc>,
    pub(crate) upper: DateTime<Utc>,
    pub(crate) flush: i64,
    pub(crate) partition: Option<String>,
    pub(crate) source_bytes: Option<i64>,
}

/// Writes a batch of planned moves.
pub(crate) async fn plan(
    conn: &mut PgConnection,
    table: &TableId,
    shape: &Value,
    planned: &[Planned],
) -> Result<(), Error> {
    let batch = Uuid::now_v7();
    for one in planned {
        sqlx::query(
            "insert into lake.moves (move_id, table_schema, table_name, kind, lower, upper, flush, shape,
                 partition_name, source_bytes, batch, attempt, state)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'planned')",
        )
        .bind(Uuid::now_v7())
        .bind(&table.schema)
        .bind(&table.name)
        .bind(one.kind.word())
        .bind(one.lower)
        .bind(one.upper)
        .bind(one.flush)
        .bind(shape)
        .bind(&one.partition)
        .bind(one.source_bytes)
        .bind(batch)
        .bind(Uuid::now_v7())
        .execute(&mut *conn)
        .await
        .doing("plan a move")?;
    }
    Ok(())
}

/// Takes moves from one state to the next.
///
/// # Errors
/// [`Error::OutOfStep`]: not all of them were in `from`.
pub(crate) async fn advance(
    conn: &mut PgConnection,
    ids: &[Uuid],
    from: State,
    to: State,
) -> Result<(), Error> {
    let done = sqlx::query(
        "update lake.moves
         set state = $3, updated_at = now(), last_error = null,
             finished_at = case when $3 = 'dropped' then now() end
         where move_id = any($1) and state = $2",
    )
    .bind(ids)
    .bind(from.word())
    .bind(to.word())
    .execute(conn)
    .await
    .doing("advance moves")?
    .rows_affected();
    if done == ids.len() as u64 {
        Ok(())
    } else {
        Err(Error::OutOfStep { from, to })
    }
}

/// Notes the snapshot that moves are about to be committed by: the table refuses `committed` without one.
pub(crate) async fn set_snapshot(
    conn: &mut PgConnection,
    ids: &[Uuid],
    snapshot: i64,
) -> Result<(), Error> {
    sqlx::query("update lake.moves set snapshot_id = $2 where move_id = any($1)")
        .bind(ids)
        .bind(snapshot)
        .execute(conn)
        .await
        .doing("note a snapshot")?;
    Ok(())
}

/// Begins a copy under a new attempt; files of the last one are garbage from now on.
pub(crate) async fn begin_copy(conn: &mut PgConnection, id: Uuid) -> Result<Uuid, Error> {
    let attempt = Uuid::now_v7();
    sqlx::query(
        "update lake.moves set attempt = $2, attempts = attempts + 1, updated_at = now()
         where move_id = $1 and state = 'frozen'",
    )
    .bind(id)
    .bind(attempt)
    .execute(conn)
    .await
    .doing("begin a copy")?;
    Ok(attempt)
}

/// What a copy came to.
#[derive(Debug, Clone)]
pub(crate) struct Copied {
    pub(crate) rows: i64,
    pub(crate) bytes: i64,
    pub(crate) digest: Value,
    pub(crate) witness: Value,
    pub(crate) written_since: i64,
}

/// Notes what was copied, with the state.
pub(crate) async fn copied(
    conn: &mut PgConnection,
    id: Uuid,
    copied: &Copied,
) -> Result<(), Error> {
    let done = sqlx::query(
        "update lake.moves
         set state = 'copied', rows = $2, bytes = $3, digest = $4, witness = $5, written_since = $6,
             updated_at = now(), last_error = null
         where move_id = $1 and state = 'frozen'",
    )
    .bind(id)
    .bind(copied.rows)
    .bind(copied.bytes)
    .bind(&copied.digest)
    .bind(&copied.witness)
    .bind(copied.written_since)
    .execute(conn)
    .await
    .doing("note a copy")?
    .rows_affected();
    if done == 1 {
        Ok(())
    } else {
        Err(Error::OutOfStep {
            from: State::Frozen,
            to: State::Copied,
        })
    }
}

/// Throws a copy away whose files are not what was written: back to the state before it, under a new attempt.
pub(crate) async fn discard_copy(conn: &mut PgConnection, id: Uuid) -> Result<(), Error> {
    sqlx::query(
        "update lake.moves set state = 'frozen', attempt = $2, updated_at = now()
         where move_id = $1 and state in ('copied', 'verified')",
    )
    .bind(id)
    .bind(Uuid::now_v7())
    .execute(conn)
    .await
    .doing("discard a copy")?;
    Ok(())
}

/// Notes what went wrong with a batch. Best effort: the error itself is told by the caller.
pub(crate) async fn note_error(
    db: impl PgExecutor<'_>,
    batch: Uuid,
    words: &str,
) -> Result<(), Error> {
    sqlx::query(
        "update lake.moves set last_error = $2, updated_at = now()
         where batch = $1 and finished_at is null",
    )
    .bind(batch)
    .bind(words)
    .execute(db)
    .await
    .doing("note an error")?;
    Ok(())
}

/// Notes of a move that ended without giving anything back how it ended.
pub(crate) async fn kept(db: impl PgExecutor<'_>, id: Uuid, words: &str) -> Result<(), Error> {
    sqlx::query("update lake.moves set last_error = $2, source_bytes = 0, updated_at = now() where move_id = $1")
        .bind(id)
        .bind(words)
        .execute(db)
        .await
        .doing("note how a move ended")?;
    Ok(())
}

/// Takes moves out of the ledger that were given up before their commit. Their files are in no list any more, so
/// clean-up deletes them.
pub(crate) async fn forget(conn: &mut PgConnection, ids: &[Uuid]) -> Result<(), Error> {
    for table in ["lake.files", "lake.moves"] {
        let sql = format!("delete from {table} where move_id = any($1)");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(ids)
            .execute(&mut *conn)
            .await
            .doing("forget moves")?;
    }
    Ok(())
}

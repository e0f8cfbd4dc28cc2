//! What the lake's ledger says now, for pages, metrics and `archive status`. Reads schema `lake` and changes
//! nothing; where there is no such schema yet, there is nothing to tell.

use chrono::{DateTime, NaiveDate, Utc};
use lake::ledger::tables::{self, Table};
use serde::Serialize;
use sqlx::{AssertSqlSafe, FromRow, PgPool};

use super::{Doing as _, Error};

/// The lake at a glance.
#[derive(Debug, Clone, Serialize)]
pub struct LakeNow {
    /// Why moves are paused; `None` = they are not.
    pub paused: Option<Paused>,
    /// Tables that were ever planned to move.
    pub tables: Vec<TableNow>,
}

/// A pause.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct Paused {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why, if someone said.
    pub reason: Option<String>,
}

/// An archived table.
#[derive(Debug, Clone, Serialize)]
pub struct TableNow {
    /// `schema.table`.
    pub table: String,
    /// Its partition column.
    pub field: String,
    /// Name of the view over all tiers, in schema `history`.
    pub view: String,
    /// Writers send older rows to the late table; `None` = nothing has moved.
    pub boundary: Option<DateTime<Utc>>,
    /// Readers get older rows from Iceberg.
    pub visible_boundary: Option<DateTime<Utc>>,
    /// When the view was last replaced.
    pub visible_at: Option<DateTime<Utc>>,
    /// Totals of what is committed.
    pub archived: Archived,
    /// Moves and flushes that have not ended, oldest day first.
    pub open: Vec<OpenMove>,
    /// Late rows that wait, by flush.
    pub late: Vec<LateFlush>,
    /// Partitions whose detaching was broken off.
    pub pending_detaches: Vec<String>,
    /// Late rows that could not be archived.
    pub refused_rows: i64,
    /// First day that is still a partition.
    pub oldest_partition: Option<DateTime<Utc>>,
}

/// What is in Iceberg.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, FromRow)]
pub struct Archived {
    /// Days.
    pub days: i64,
    /// Rows, late ones included.
    pub rows: i64,
    /// Bytes of their files.
    pub bytes: i64,
    /// Bytes that Postgres gave back.
    pub freed: i64,
    /// Oldest day.
    pub first: Option<NaiveDate>,
    /// Newest day.
    pub last: Option<NaiveDate>,
}

/// A move or flush under way.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct OpenMove {
    /// `move` or `flush`.
    pub kind: String,
    /// The day.
    pub day: NaiveDate,
    /// Number of the flush; 0 for a move.
    pub flush: i64,
    /// How far it is.
    pub state: String,
    /// How often its copying was begun.
    pub copies: i32,
    /// Rows, once copied.
    pub rows: Option<i64>,
    /// Bytes of its files, once copied.
    pub bytes: Option<i64>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was planned.
    pub created_at: DateTime<Utc>,
    /// When something last happened to it.
    pub updated_at: DateTime<Utc>,
}

/// Late rows of one flush.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct LateFlush {
    /// Its number.
    pub flush: i64,
    /// Rows.
    pub rows: i64,
    /// Of them, rows that the view does not show until the flush has checked them by key.
    pub suspect: i64,
    /// Arrival of the oldest.
    pub since: Option<DateTime<Utc>>,
}

/// A late row that could not be archived.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct RefusedRow {
    /// Its number.
    pub refused_id: i64,
    /// `schema.table`.
    pub table: String,
    /// Its flush.
    pub flush: i64,
    /// Value of the partition column.
    pub field_value: DateTime<Utc>,
    /// Why.
    pub reason: String,
    /// The row, whole: JSON as Postgres writes it, whose numbers have all their digits.
    #[serde(skip)]
    pub row: String,
    /// When.
    pub refused_at: DateTime<Utc>,
}

/// Reads it all; `None` when there is no ledger here.
///
/// # Errors
/// The database's refusal.
pub async fn now(pool: &PgPool) -> Result<Option<LakeNow>, Error> {
    if !exists(pool).await? {
        return Ok(None);
    }
    let paused =
        sqlx::query_as("select since, nullif(reason, '') as reason from lake.control where paused")
            .fetch_optional(pool)
            .await
            .doing("read whether moves are paused")?;
    let mut now = LakeNow {
        paused,
        tables: Vec::new(),
    };
    for table in tables::list(pool).await.map_err(of_ledger)? {
        now.tables.push(one(pool, table).await?);
    }
    Ok(Some(now))
}

/// Whether there is a ledger here.
async fn exists(pool: &PgPool) -> Result<bool, Error> {
    sqlx::query_scalar(
        "select to_regclass('lake.moves') is not null and to_regclass('lake.control') is not null",
    )
    .fetch_one(pool)
    .await
    .doing("look for the lake's ledger")
}

fn of_ledger(error: lake::Error) -> Error {
    match error {
        lake::Error::Postgres { what, source } => Error::Query { what, source },
        other => Error::Foreign {
            what: "a ledger of the lake",
            value: other.told(),
        },
    }
}

async fn one(pool: &PgPool, table: Table) -> Result<TableNow, Error> {
    let (schema, name) = (&table.id.schema, &table.id.name);
    let archived = sqlx::query_as(
        "select count(distinct lower) as days, coalesce(sum(rows), 0)::int8 as rows,
                coalesce(sum(bytes), 0)::int8 as bytes,
                coalesce(sum(source_bytes) filter (where kind = 'move' and state = 'dropped'), 0)::int8 as freed,
                min(lower at time zone 'UTC')::date as first, max(lower at time zone 'UTC')::date as last
         from lake.moves join lake.move_states using (state)
         where past_commit and table_schema = $1 and table_name = $2",
    )
    .bind(schema)
    .bind(name)
    .fetch_one(pool)
    .await
    .doing("sum up what is archived")?;
    let open = sqlx::query_as(
        "select kind, (lower at time zone 'UTC')::date as day, flush, state, attempts - 1 as copies, rows, bytes, last_error,
                created_at, updated_at
         from lake.moves
         where table_schema = $1 and table_name = $2 and finished_at is null
         order by lower, flush",
    )
    .bind(schema)
    .bind(name)
    .fetch_all(pool)
    .await
    .doing("list open moves")?;
    let refused_rows = sqlx::query_scalar(
        "select count(*) from lake.refused_rows where table_schema = $1 and table_name = $2",
    )
    .bind(schema)
    .bind(name)
    .fetch_one(pool)
    .await
    .doing("count refused rows")?;
    let pending_detaches = sqlx::query_scalar(
        "select inhrelid::regclass::text from pg_inherits
         where inhparent = to_regclass($1) and inhdetachpending order by 1",
    )
    .bind(table.id.quoted())
    .fetch_all(pool)
    .await
    .doing("list pending detaches")?;
    // the bounds as text: the column may be an instant, a timestamp or a date
    let oldest_partition = sqlx::query_scalar(
        "select min((regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \\(''([^'']+)''\\)'))[1]::timestamptz)
         from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = to_regclass($1) and not i.inhdetachpending",
    )
    .bind(table.id.quoted())
    .fetch_one(pool)
    .await
    .doing("look for the oldest partition")?;
    Ok(TableNow {
        late: late(pool, &table).await?,
        table: table.id.to_string(),
        field: table.field,
        view: table.view_name,
        boundary: table.boundary,
        visible_boundary: table.visible_boundary,
        visible_at: table.visible_at,
        archived,
        open,
        pending_detaches,
        refused_rows,
        oldest_partition,
    })
}

async fn late(pool: &PgPool, table: &Table) -> Result<Vec<LateFlush>, Error> {
    let there: bool = sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(table.late())
        .fetch_one(pool)
        .await
        .doing("look for a late table")?;
    if !there {
        return Ok(Vec::new());
    }
    sqlx::query_as(AssertSqlSafe(format!(
        "select ridehail_flush as flush, count(*) as rows, count(*) filter (where ridehail_suspect) as suspect,
                min(ridehail_arrived_at) as since
         from {} group by 1 order by 1",
        table.late()
    )))
    .fetch_all(pool)
    .await
    .doing("count late rows")
}

/// Late rows that could not be archived, newest first; of one table, or of all.
///
/// # Errors
/// The database's refusal.
pub async fn refused(
    pool: &PgPool,
    table: Option<&str>,
    limit: i64,
) -> Result<Vec<RefusedRow>, Error> {
    if !exists(pool).await? {
        return Ok(Vec::new());
    }
    sqlx::query_as(
        "select refused_id, table_schema || '.' || table_name as \"table\", flush, field_value, reason, row::text, refused_at
         from lake.refused_rows
         where $1::text is null or $1 in (table_name, table_schema || '.' || table_name)
         order by refused_id desc limit $2",
    )
    .bind(table)
    .bind(limit)
    .fetch_all(pool)
    .await
    .doing("list refused rows")
}

//! Tables with an archive.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, PgExecutor, Row as _};
use uuid::Uuid;

use super::TableId;
use super::given_back::GivenBack;
use crate::error::{Doing as _, Error};

/// An archived table, as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// In Postgres.
    pub id: TableId,
    /// Its partition column.
    pub field: String,
    /// Columns that together identify a row.
    pub key: Vec<String>,
    /// Namespace in the catalog.
    pub iceberg_schema: String,
    /// Name in it.
    pub iceberg_table: String,
    /// V: the view takes older rows from Iceberg; `None` = no row.
    pub visible_boundary: Option<DateTime<Utc>>,
    /// F: the view takes late rows up to this flush from Iceberg.
    pub visible_flush: i64,
    /// Name of the view over all tiers.
    pub view_name: String,
    /// The view as Trino gives it back.
    pub view_text: Option<String>,
    /// The statement that made it.
    pub view_statement: Option<String>,
    /// When the view was replaced, by Trino's clock.
    pub visible_at: Option<DateTime<Utc>>,
    /// W: writers' boundary; `None` = -infinity.
    pub boundary: Option<DateTime<Utc>>,
    /// The number that late rows get now.
    pub open_flush: i64,
    /// Name of the late table, in schema `lake`.
    pub late_table: String,
    /// Late rows of an abandoned move that are on their way to the table.
    pub given_back: Option<GivenBack>,
}

impl FromRow<'_, PgRow> for Table {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: TableId {
                schema: row.try_get("table_schema")?,
                name: row.try_get("table_name")?,
            },
            field: row.try_get("field")?,
            key: row.try_get("key_columns")?,
            iceberg_schema: row.try_get("iceberg_schema")?,
            iceberg_table: row.try_get("iceberg_table")?,
            visible_boundary: row.try_get("visible_boundary")?,
            visible_flush: row.try_get("visible_flush")?,
            view_name: row.try_get("view_name")?,
            view_text: row.try_get("view_text")?,
            view_statement: row.try_get("view_statement")?,
            visible_at: row.try_get("visible_at")?,
            boundary: row.try_get("boundary")?,
            open_flush: row.try_get("open_flush")?,
            late_table: row.try_get("late_table")?,
            given_back: given_back(row)?,
        })
    }
}

fn given_back(row: &PgRow) -> sqlx::Result<Option<GivenBack>> {
    let Some(upper) = row.try_get("given_back_upper")? else {
        return Ok(None);
    };
    Ok(Some(GivenBack {
        lower: row.try_get("given_back_lower")?,
        upper,
        last_seq: row.try_get("given_back_last_seq")?,
        in_table: row.try_get("given_back_in_table")?,
    }))
}

impl Table {
    /// The late table as SQL writes it.
    #[must_use]
    pub fn late(&self) -> String {
        format!("lake.{}", super::quote(&self.late_table))
    }
}

/// -infinity has no counterpart in chrono: it is read as NULL.
const COLUMNS: &str = "t.table_schema, t.table_name, t.field, t.key_columns, t.iceberg_schema, t.iceberg_table,
    nullif(t.visible_boundary, '-infinity') as visible_boundary, t.visible_flush, t.view_name, t.view_text,
    t.view_statement, t.visible_at, nullif(b.boundary, '-infinity') as boundary, b.open_flush, b.late_table,
    nullif(g.lower, '-infinity') as given_back_lower, g.upper as given_back_upper, g.last_seq as given_back_last_seq,
    g.in_table as given_back_in_table
    from lake.tables t join lake.boundaries b using (table_schema, table_name)
    left join lake.given_back g using (table_schema, table_name)";

/// One table; `None` when it has no archive.
pub async fn get(db: impl PgExecutor<'_>, id: &TableId) -> Result<Option<Table>, Error> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select {COLUMNS} where t.table_schema = $1 and t.table_name = $2"
    )))
    .bind(&id.schema)
    .bind(&id.name)
    .fetch_optional(db)
    .await
    .doing("read a table's ledger")
}

/// All of them, by name.
pub async fn list(db: impl PgExecutor<'_>) -> Result<Vec<Table>, Error> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select {COLUMNS} order by t.table_schema, t.table_name"
    )))
    .fetch_all(db)
    .await
    .doing("list the tables of the ledger")
}

/// Makes this process the holder. Waits for a transaction of the last one that is under way.
pub(crate) async fn claim(
    db: impl PgExecutor<'_>,
    id: &TableId,
    holder: Uuid,
) -> Result<(), Error> {
    sqlx::query("update lake.tables set holder = $3 where table_schema = $1 and table_name = $2")
        .bind(&id.schema)
        .bind(&id.name)
        .bind(holder)
        .execute(db)
        .await
        .doing("claim a table")?;
    Ok(())
}

/// A view that was made.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    /// V.
    pub(crate) boundary: Option<DateTime<Utc>>,
    /// F.
    pub(crate) flush: i64,
    /// The statement that made it.
    pub(crate) statement: String,
    /// The view as Trino gives it back.
    pub(crate) text: String,
    /// A moment of Trino's clock; older queries may see the view before it.
    pub(crate) at: DateTime<Utc>,
}

/// Notes what the view says now.
pub(crate) async fn set_visible(
    conn: &mut PgConnection,
    id: &TableId,
    shown: &Shown,
) -> Result<(), Error> {
    sqlx::query(
        "update lake.tables
         set visible_boundary = coalesce($3, '-infinity'), visible_flush = $4, view_statement = $5, view_text = $6,
             visible_at = $7, updated_at = now()
         where table_schema = $1 and table_name = $2",
    )
    .bind(&id.schema)
    .bind(&id.name)
    .bind(shown.boundary)
    .bind(shown.flush)
    .bind(&shown.statement)
    .bind(&shown.text)
    .bind(shown.at)
    .execute(conn)
    .await
    .doing("note the view")?;
    Ok(())
}

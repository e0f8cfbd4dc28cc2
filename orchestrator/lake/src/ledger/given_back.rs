//! Late rows of abandoned moves, on their way from the late table to the table.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::TableId;
use crate::error::{Doing as _, Error};

/// Which they are, and where the view is to show them from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenBack {
    /// Rows of days from here; `None`: from the first.
    pub lower: Option<DateTime<Utc>>,
    /// Rows of days before here.
    pub upper: DateTime<Utc>,
    /// The last of them by `ridehail_seq`.
    pub last_seq: i64,
    /// Whether the table has them, and shows them.
    pub in_table: bool,
}

/// Notes that late rows wait to be given back.
pub(crate) async fn begin(
    conn: &mut PgConnection,
    id: &TableId,
    rows: GivenBack,
) -> Result<(), Error> {
    sqlx::query(
        "insert into lake.given_back (table_schema, table_name, lower, upper, last_seq)
         values ($1, $2, coalesce($3, '-infinity'), $4, $5)",
    )
    .bind(&id.schema)
    .bind(&id.name)
    .bind(rows.lower)
    .bind(rows.upper)
    .bind(rows.last_seq)
    .execute(conn)
    .await
    .doing("note what is given back")?;
    Ok(())
}

/// Notes that the table has them.
pub(crate) async fn in_table(conn: &mut PgConnection, id: &TableId) -> Result<(), Error> {
    sqlx::query(
        "update lake.given_back set in_table = true where table_schema = $1 and table_name = $2",
    )
    .bind(&id.schema)
    .bind(&id.name)
    .execute(conn)
    .await
    .doing("note that rows were given back")?;
    Ok(())
}

/// Notes that the late table has them no more.
pub(crate) async fn end(conn: &mut PgConnection, id: &TableId) -> Result<(), Error> {
    sqlx::query("delete from lake.given_back where table_schema = $1 and table_name = $2")
        .bind(&id.schema)
        .bind(&id.name)
        .execute(conn)
        .await
        .doing("forget what was given back")?;
    Ok(())
}

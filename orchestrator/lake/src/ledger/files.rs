//! Files of moves: which objects hold a move's rows.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection, PgExecutor};
use uuid::Uuid;

use crate::error::{Doing as _, Error};

/// A file.
#[derive(Debug, Clone, FromRow)]
pub struct File {
    /// `s3://bucket/key`.
    pub path: String,
    /// Rows in it.
    pub rows: i64,
    /// Its size.
    pub bytes: i64,
    /// Iceberg's description of it.
    pub data_file: Value,
}

impl From<&File> for crate::readback::File {
    fn from(file: &File) -> Self {
        Self {
            location: file.path.clone(),
            rows: file.rows.cast_unsigned(),
            bytes: file.bytes.cast_unsigned(),
        }
    }
}

/// Notes the files of an attempt.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    move_id: Uuid,
    attempt: Uuid,
    files: &[File],
) -> Result<(), Error> {
    for file in files {
        sqlx::query(
            "insert into lake.files (move_id, attempt, path, rows, bytes, data_file)
             values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(move_id)
        .bind(attempt)
        .bind(&file.path)
        .bind(file.rows)
        .bind(file.bytes)
        .bind(&file.data_file)
        .execute(&mut *conn)
        .await
        .doing("note a file")?;
    }
    Ok(())
}

/// The files of an attempt, in order of path.
pub async fn of(db: impl PgExecutor<'_>, move_id: Uuid, attempt: Uuid) -> Result<Vec<File>, Error> {
    sqlx::query_as(
        "select path, rows, bytes, data_file from lake.files
         where move_id = $1 and attempt = $2 order by path",
    )
    .bind(move_id)
    .bind(attempt)
    .fetch_all(db)
    .await
    .doing("list the files of a move")
}

/// A file that a move's present attempt wrote.
#[derive(Debug, Clone, FromRow)]
pub struct Known {
    /// `s3://bucket/key`.
    pub path: String,
    /// First instant of its day.
    pub lower: DateTime<Utc>,
    /// Whether it became a part of the table. Compaction may have replaced it since.
    pub committed: bool,
}

/// Every file of an attempt that still counts, of one table.
pub async fn known(db: impl PgExecutor<'_>, schema: &str, name: &str) -> Result<Vec<Known>, Error> {
    sqlx::query_as(
        "select f.path, m.lower, s.past_commit as committed
         from lake.files f join lake.moves m using (move_id) join lake.move_states s using (state)
         where m.attempt = f.attempt and m.table_schema = $1 and m.table_name = $2",
    )
    .bind(schema)
    .bind(name)
    .fetch_all(db)
    .await
    .doing("list known files")
}

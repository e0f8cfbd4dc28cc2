//! What the bytes of files came to when their rows were proven.

use std::collections::HashMap;

use sqlx::{PgConnection, PgExecutor};

use crate::error::{Doing as _, Error};

/// Notes a file's checksum; what was noted of the path before counts no more.
pub(crate) async fn note(db: impl PgExecutor<'_>, path: &str, checksum: &str) -> Result<(), Error> {
    sqlx::query(
        "insert into lake.checksums (path, checksum) values ($1, $2)
         on conflict (path) do update set checksum = excluded.checksum, noted_at = now()",
    )
    .bind(path)
    .bind(checksum)
    .execute(db)
    .await
    .doing("note a checksum")?;
    Ok(())
}

/// Those of the files that have one.
pub(crate) async fn of(
    db: impl PgExecutor<'_>,
    paths: &[String],
) -> Result<HashMap<String, String>, Error> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("select path, checksum from lake.checksums where path = any($1)")
            .bind(paths)
            .fetch_all(db)
            .await
            .doing("read checksums")?;
    Ok(rows.into_iter().collect())
}

/// Takes those of deleted files away.
pub(crate) async fn forget(conn: &mut PgConnection, paths: &[String]) -> Result<(), Error> {
    sqlx::query("delete from lake.checksums where path = any($1)")
        .bind(paths)
        .execute(conn)
        .await
        .doing("forget checksums")?;
    Ok(())
}

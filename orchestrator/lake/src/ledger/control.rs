//! Whether moves may go on.

use sqlx::PgExecutor;

use crate::error::{Doing as _, Error};

/// Why moves are paused; `None` = they are not.
pub async fn paused(db: impl PgExecutor<'_>) -> Result<Option<String>, Error> {
    let row: Option<Option<String>> =
        sqlx::query_scalar("select reason from lake.control where paused")
            .fetch_optional(db)
            .await
            .doing("read whether moves are paused")?;
    Ok(row.map(Option::unwrap_or_default))
}

/// Pauses moves, or lets them go on. A move under way stops before its next state.
pub async fn set_paused(
    db: impl PgExecutor<'_>,
    paused: bool,
    reason: Option<&str>,
) -> Result<(), Error> {
    sqlx::query("update lake.control set paused = $1, reason = $2, since = now()")
        .bind(paused)
        .bind(reason)
        .execute(db)
        .await
        .doing("pause or resume moves")?;
    Ok(())
}

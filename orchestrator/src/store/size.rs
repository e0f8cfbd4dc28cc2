//! How big the tables of schema `ridehail` are.

use sqlx::{FromRow, PgExecutor};

use super::{Doing, Error};

/// A table.
#[derive(Debug, Clone, FromRow)]
pub struct Table {
    /// `ridehail.runs`.
    pub name: String,
    /// As the planner believes.
    pub rows: i64,
    /// With indexes and TOAST, for people.
    pub size: String,
}

/// The tables, biggest first.
///
/// # Errors
/// The store's refusal.
pub async fn tables(executor: impl PgExecutor<'_>) -> Result<Vec<Table>, Error> {
    sqlx::query_as(
        "select format('%s.%s', n.nspname, c.relname) as name,
                coalesce(s.n_live_tup, 0)::bigint as rows,
                pg_size_pretty(pg_total_relation_size(c.oid)) as size
           from pg_class c
           join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'ridehail'
           left join pg_stat_user_tables s on s.relid = c.oid
          where c.relkind = 'r' and c.relname not like '\\_%'
          order by pg_total_relation_size(c.oid) desc",
    )
    .fetch_all(executor)
    .await
    .doing("measure its tables")
}

//! What is where, as far as it is proven: schema `lake` of the warehouse's database.
//!
//! [`state`] says what a move goes through; `moves`, `tables` and `files` are the tables, one file each, free
//! functions over a connection. Every function that writes is called in a transaction that has called [`hold`].

pub(crate) mod checksums;
pub mod control;
pub mod files;
pub mod given_back;
pub mod moves;
pub mod state;
pub mod tables;

use std::fmt;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use crate::error::{Doing as _, Error};
use moves::Move;
use state::State;

/// A table of Postgres.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId {
    /// Schema.
    pub schema: String,
    /// Name in it.
    pub name: String,
}

impl TableId {
    /// `schema.name`, of which neither may be empty.
    #[must_use]
    pub fn new(schema: &str, name: &str) -> Self {
        Self {
            schema: schema.to_owned(),
            name: name.to_owned(),
        }
    }

    /// As SQL writes it.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// A name as SQL writes it, in Postgres and in Trino.
#[must_use]
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Bytes of a name that Postgres keeps. It cuts a longer one without a word, and what is left may be another's name.
const LONGEST_NAME: usize = 63;

/// `stem` and `suffix` as one name that Postgres keeps whole: a stem that is too long is cut, and a hash of the whole
/// tells it from others. The suffix is short.
#[must_use]
pub(crate) fn fitting_name(stem: &str, suffix: &str) -> String {
    let whole = format!("{stem}{suffix}");
    if whole.len() <= LONGEST_NAME {
        return whole;
    }
    let hash = xxhash_rust::xxh3::xxh3_64(whole.as_bytes());
    let room = LONGEST_NAME.saturating_sub(suffix.len() + 17);
    let cut: String = stem
        .char_indices()
        .take_while(|(at, c)| at + c.len_utf8() <= room)
        .map(|(_, c)| c)
        .collect();
    format!("{cut}_{hash:016x}{suffix}")
}

/// Brings schemas `lake` and `lake_catalog` up to this build's version. Safe to call from several processes at
/// once: they queue behind an advisory lock of the database.
///
/// # Errors
/// A migration failed, or an applied one differs from this build's.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    let mut migrator: Migrator = sqlx::migrate!("./migrations");
    migrator.create_schema("lake");
    migrator.dangerous_set_table_name("lake._sqlx_migrations");
    migrator.run(pool).await
}

/// Takes the table's row for this transaction, as its holder. Whoever claims the table waits until it ends.
///
/// # Errors
/// [`Error::Superseded`]: another process has claimed it.
pub(crate) async fn hold(
    conn: &mut PgConnection,
    table: &TableId,
    holder: Uuid,
) -> Result<(), Error> {
    // FOR UPDATE: one transaction of a table at a time, and a claim (an update of this row) waits
    let held: Option<i32> = sqlx::query_scalar(
        "select 1 from lake.tables
         where table_schema = $1 and table_name = $2 and holder = $3 for update",
    )
    .bind(&table.schema)
    .bind(&table.name)
    .bind(holder)
    .fetch_optional(conn)
    .await
    .doing("hold the table's ledger")?;
    held.map(|_| ()).ok_or_else(|| Error::Superseded {
        table: table.to_string(),
    })
}

/// Whether Postgres has such a table.
pub(crate) async fn is_there(db: impl PgExecutor<'_>, table: &TableId) -> Result<bool, Error> {
    sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(table.quoted())
        .fetch_one(db)
        .await
        .doing("look for a table")
}

/// What a commit to Iceberg writes into the ledger in its own transaction.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(crate) table: TableId,
    pub(crate) holder: Uuid,
    /// The moves that the commit is of.
    pub(crate) moves: Vec<Uuid>,
}

impl Mark {
    pub(crate) fn new(table: &TableId, holder: Uuid, batch: &[Move]) -> Self {
        Self {
            table: table.clone(),
            holder,
            moves: batch.iter().map(|m| m.id).collect(),
        }
    }

    /// Marks the moves as committed by `snapshot`.
    ///
    /// # Errors
    /// The table is someone else's now, or the moves are not about to be committed; as an error of Iceberg's,
    /// since it passes through its library.
    pub(crate) async fn committed(
        &self,
        conn: &mut PgConnection,
        snapshot: Option<i64>,
    ) -> iceberg::Result<()> {
        let marked = async {
            hold(conn, &self.table, self.holder).await?;
            // 0: the table has no snapshot, since none of its days had a row
            moves::set_snapshot(conn, &self.moves, snapshot.unwrap_or_default()).await?;
            moves::advance(conn, &self.moves, State::Committing, State::Committed).await
        };
        marked.await.map_err(|error: Error| {
            iceberg::Error::new(
                iceberg::ErrorKind::PreconditionFailed,
                "the ledger refused the commit",
            )
            .with_source(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_whole_or_cut_by_us() {
        assert_eq!(
            fitting_name("rides", "_restored_20261120"),
            "rides_restored_20261120"
        );
        let [a, b] = ["a", "b"].map(|end| "ż".repeat(40) + end);
        let cut = |name: &str| fitting_name(name, "_restored_20261120");
        assert!(cut(&a).len() <= 63 && cut(&a).ends_with("_restored_20261120"));
        assert_ne!(cut(&a), cut(&b));
        assert_ne!(cut(&a), a);
        // as late tables have been called from the first
        let late = format!("late_s_{}", "x".repeat(63));
        assert_eq!(fitting_name(&late, "").len(), 63);
        assert!(fitting_name(&late, "").starts_with(&late[..46]));
    }
}

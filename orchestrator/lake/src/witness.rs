//! What SQL says of rows: the second opinion on what was archived.
//!
//! The digest compares what COPY gave with what came back from the store, so it cannot see what our reading of COPY
//! itself got wrong. The witness can: Postgres computes counts, bounds, sums and hashes with its own functions, and the
//! same are computed from the rows read back. Both sides are kept as text and must be equal, character by character.

mod jenkins;
mod observe;
mod sql;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use crate::Error;
use crate::error::Doing as _;
use crate::shape::Shape;

pub use observe::Observer;
pub use sql::query;

/// What is known of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// Their number.
    pub rows: u64,
    /// Facts of each column, by its name: see [`Facts`].
    pub columns: BTreeMap<String, Facts>,
}

/// Facts of a column: `count` of values, sum of their `hash`es, `sum`, `min`, `max`, … as text. A fact that does not exist (a sum of
/// nothing) is absent.
pub type Facts = BTreeMap<String, String>;

impl Witness {
    /// Asks Postgres. `from` is what follows SELECT: `from only raw.x where …`.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn of_postgres(
        connection: &mut PgConnection,
        from: &str,
        shape: &Shape,
    ) -> Result<Self, Error> {
        let row = sqlx::query(AssertSqlSafe(query(from, shape)))
            .fetch_one(connection)
            .await
            .doing("count and sum rows")?;
        let read = || -> sqlx::Result<Self> {
            let mut witness = Self {
                rows: row.try_get::<i64, _>(0)?.cast_unsigned(),
                columns: BTreeMap::new(),
            };
            let mut at = 1;
            for column in &shape.columns {
                let mut facts = Facts::new();
                for (fact, _) in sql::facts(column.data_type) {
                    if let Some(value) = row.try_get::<Option<String>, _>(at)? {
                        facts.insert(fact.to_owned(), value);
                    }
                    at += 1;
                }
                witness.columns.insert(column.name.clone(), facts);
            }
            Ok(witness)
        };
        read().doing("count and sum rows")
    }

    /// In what the other differs, for a person. Empty when they agree.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.rows != other.rows {
            found.push(format!("{} rows, not {}", other.rows, self.rows));
        }
        let nothing = Facts::new();
        let names = self.columns.keys().chain(other.columns.keys());
        for name in names.collect::<std::collections::BTreeSet<_>>() {
            let [ours, theirs] =
                [self, other].map(|witness| witness.columns.get(name).unwrap_or(&nothing));
            let facts = ours.keys().chain(theirs.keys());
            for fact in facts.collect::<std::collections::BTreeSet<_>>() {
                let [ours, theirs] =
                    [ours, theirs].map(|facts| facts.get(fact).map_or("nothing", String::as_str));
                if ours != theirs {
                    // never a row's contents: bounds are some
                    found.push(format!("column `{name}`: another {fact}"));
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;

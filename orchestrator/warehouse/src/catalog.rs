//! What exists in the database, remembered, and read again where it matters.
//!
//! Templates ask the memory (`is_incremental`, `adapter.get_relation`); a materialization reads the
//! catalog once more inside its transaction, because another process may have changed it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{PoisonError, RwLock};

use project::adapter::Column;
use project::relation::{RelationKind, RelationName};
use sqlx::postgres::PgRow;

use crate::error::Error;
use crate::names::{literal, quote};
use crate::session::Lease;
use crate::value::{required, text};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its kind.
    pub(crate) kind: RelationKind,
    /// A table with `PARTITION BY`.
    pub(crate) partitioned: bool,
}

impl Found {
    /// The word in `alter …` and `drop …`.
    pub(crate) fn noun(self) -> &'static str {
        noun(self.kind)
    }
}

/// The word for a kind in DDL.
pub(crate) fn noun(kind: RelationKind) -> &'static str {
    match kind {
        RelationKind::Table => "table",
        RelationKind::View => "view",
        RelationKind::MaterializedView => "materialized view",
    }
}

/// What was known when the run began, plus what it changed since.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    schemas: HashSet<String>,
    relations: HashMap<(String, String), Found>,
}

impl Catalog {
    /// Creates the schemas that are missing and reads the relations of all of them.
    pub(crate) async fn load(
        &self,
        lease: &mut Lease,
        schemas: &BTreeSet<String>,
    ) -> Result<(), Error> {
        if schemas.is_empty() {
            return Ok(());
        }
        let wanted: Vec<String> = schemas.iter().map(|s| literal(s)).collect();
        let wanted = wanted.join(", ");
        let rows = lease
            .run(&format!(
                "select nspname from pg_namespace where nspname in ({wanted})"
            ))
            .await?
            .rows;
        let present = rows
            .iter()
            .map(|row| required(row, 0))
            .collect::<Result<HashSet<_>, _>>()?;
        for schema in schemas.iter().filter(|s| !present.contains(*s)) {
            let sql = format!("create schema if not exists {}", quote(schema));
            match lease.run(&sql).await {
                Ok(_) => {}
                // another process created it in the same moment: "if not exists" does not see that
                Err(error) if matches!(error.sqlstate(), Some("23505" | "42P06")) => {}
                Err(error) => return Err(error),
            }
        }
        let rows = lease
            .run(&format!(
                "select c.relname, c.relkind::text, n.nspname
                 from pg_class c join pg_namespace n on n.oid = c.relnamespace
                 where n.nspname in ({wanted}) and c.relkind in ('r', 'p', 'v', 'm')"
            ))
            .await?
            .rows;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known
            .relations
            .retain(|(schema, _), _| !schemas.contains(schema));
        for row in &rows {
            let name = (required(row, 2)?, required(row, 0)?);
            known.relations.insert(name, found(row)?);
        }
        known.schemas.extend(schemas.iter().cloned());
        Ok(())
    }

    /// `None` when the schema was never read; `Some(None)` when nothing of that name exists.
    pub(crate) fn recall(&self, name: &RelationName) -> Option<Option<Found>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if !known.schemas.contains(&name.schema) {
            return None;
        }
        let key = (name.schema.clone(), name.identifier.clone());
        Some(known.relations.get(&key).copied())
    }

    /// Remembers what `name` has become.
    pub(crate) fn note(&self, name: &RelationName, found: Option<Found>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let key = (name.schema.clone(), name.identifier.clone());
        match found {
            Some(found) => known.relations.insert(key, found),
            None => known.relations.remove(&key),
        };
    }
}

/// The query [`read_found`] reads: kinds of some relations of one schema.
pub(crate) fn lookup(names: &[&RelationName]) -> String {
    let schema = names.first().map_or("", |n| n.schema.as_str());
    let identifiers: Vec<String> = names.iter().map(|n| literal(&n.identifier)).collect();
    format!(
        "select c.relname, c.relkind::text from pg_class c \
         join pg_namespace n on n.oid = c.relnamespace \
         where n.nspname = {} and c.relname in ({}) and c.relkind in ('r', 'p', 'v', 'm')",
        literal(schema),
        identifiers.join(", ")
    )
}

/// Like [`lookup`], for everything in `schema`.
pub(crate) fn in_schema(schema: &str) -> String {
    format!(
        "select c.relname, c.relkind::text from pg_class c \
         join pg_namespace n on n.oid = c.relnamespace \
         where n.nspname = {} and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition",
        literal(schema),
    )
}

/// Answer of [`lookup`], by identifier.
pub(crate) fn read_found(rows: &[PgRow]) -> Result<HashMap<String, Found>, Error> {
    rows.iter()
        .map(|row| Ok((required(row, 0)?, found(row)?)))
        .collect()
}

fn found(row: &PgRow) -> Result<Found, Error> {
    let relkind = required(row, 1)?;
    Ok(Found {
        kind: match relkind.as_str() {
            "v" => RelationKind::View,
            "m" => RelationKind::MaterializedView,
            _ => RelationKind::Table,
        },
        partitioned: relkind == "p",
    })
}

/// Columns of the relation that `regclass` (a quoted name) means, in order; empty when absent.
pub(crate) fn columns_sql(regclass: &str) -> String {
    format!(
        "select a.attname, format_type(a.atttypid, a.atttypmod) from pg_attribute a \
         where a.attrelid = to_regclass({}) and a.attnum > 0 and not a.attisdropped \
         order by a.attnum",
        literal(regclass)
    )
}

/// Answer of [`columns_sql`].
pub(crate) fn read_columns(rows: &[PgRow]) -> Result<Vec<Column>, Error> {
    rows.iter()
        .map(|row| {
            Ok(Column {
                name: required(row, 0)?,
                data_type: text(row, 1)?.unwrap_or_default(),
            })
        })
        .collect()
}

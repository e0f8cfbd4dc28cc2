//! Whose the files are: a path in the object store belongs to one database.
//!
//! A restored dump has the ledger and the catalog of the database it was made of, and would move days into the same
//! tables, expire their snapshots and delete what its own, older catalog does not know. So the ledger says which
//! database it was written in, and an object beside the tables says which one owns them. Both are written by whoever
//! comes first. Where one of them names another database, reading goes on and nothing else does, until
//! [`take_over`]. A copy that a cluster's own files were copied for cannot be told apart this way.

use serde::{Deserialize, Serialize};

use crate::error::{Doing as _, Error};
use crate::lake::Lake;
use crate::ledger::quote;
use crate::trino::{self, Trino};

/// The object, below the path of the tables.
const MARKER: &str = "ridehail-owner.json";

/// A database.
#[derive(Debug, Clone, Serialize, Deserialize, sqlx::FromRow)]
pub struct Owner {
    /// Of its cluster.
    pub system_identifier: String,
    /// Its number there.
    pub database_oid: i64,
    /// Its name, for people.
    pub database_name: String,
}

impl Owner {
    fn is(&self, other: &Self) -> bool {
        (&self.system_identifier, self.database_oid)
            == (&other.system_identifier, other.database_oid)
    }
}

/// What is known of an owner.
struct Found {
    here: Owner,
    ledger: Option<Owner>,
    /// Where objects say it, and what they say.
    markers: Vec<(String, Option<Owner>)>,
}

/// Whether this database may change the files; where nobody owns them yet, it does from now on.
///
/// # Errors
/// [`Error::NotDone`]: they are another one's. Postgres or the object store failed.
pub(crate) async fn claim(lake: &Lake) -> Result<(), Error> {
    let found = look(lake).await?;
    check(lake, &found)?;
    if found.ledger.is_none() {
        write_row(lake, &found.here, "do nothing").await?;
    }
    let mut first = found.ledger.is_none();
    for (location, _) in found.markers.iter().filter(|(_, owner)| owner.is_none()) {
        write_marker(lake, location, &found.here).await?;
        first = true;
    }
    if first {
        // of two that came first one did
        check(lake, &look(lake).await?)?;
    }
    Ok(())
}

/// As [`claim`], changing nothing.
///
/// # Errors
/// As there.
pub(crate) async fn may_change(lake: &Lake) -> Result<(), Error> {
    check(lake, &look(lake).await?)
}

/// Makes this database the owner, whoever was. The other one can then only read.
///
/// # Errors
/// Postgres or the object store failed.
pub async fn take_over(lake: &Lake) -> Result<Owner, Error> {
    let here = here(lake).await?;
    let all = "do update set system_identifier = excluded.system_identifier, database_oid = excluded.database_oid,
        database_name = excluded.database_name, since = now()";
    write_row(lake, &here, all).await?;
    for location in markers(lake).await? {
        lake.store.delete(std::slice::from_ref(&location)).await?;
        write_marker(lake, &location, &here).await?;
    }
    may_change(lake).await?;
    Ok(here)
}

/// After a restore: a ledger that was written before it had an owner is a copy all the same.
///
/// # Errors
/// Postgres failed.
pub async fn note_restored(lake: &Lake) -> Result<(), Error> {
    let unknown = Owner {
        system_identifier: String::new(),
        database_oid: 0,
        database_name: "that was dumped".to_owned(),
    };
    write_row(lake, &unknown, "do nothing").await
}

/// Why the view over the tiers would not be one over this database: Trino's catalog of the warehouse shows the ledger
/// of another one, or none. `None`: it shows this one's.
///
/// # Errors
/// Postgres failed, or Trino does not answer.
pub(crate) async fn hidden_from(lake: &Lake, trino: &Trino) -> Result<Option<String>, Error> {
    let Some(ours) = of_ledger(lake).await? else {
        return Ok(None);
    };
    let catalog = &lake.names.trino_warehouse;
    let sql = format!(
        "select system_identifier, database_oid, database_name from {}.lake.owner",
        quote(catalog)
    );
    let rows = match trino.rows(&sql).await {
        Ok(rows) => rows,
        Err(trino::Error::Failed(failure)) if failure.error_type == "USER_ERROR" => {
            return Ok(Some(format!(
                "its catalog `{catalog}` does not show the ledger: {failure}"
            )));
        }
        Err(error) => return Err(error.into()),
    };
    let theirs = rows.first().and_then(|row| {
        Some(Owner {
            system_identifier: row.first()?.as_str()?.to_owned(),
            database_oid: row.get(1)?.as_i64()?,
            database_name: row.get(2)?.as_str()?.to_owned(),
        })
    });
    Ok(match theirs {
        Some(theirs) if theirs.is(&ours) => None,
        Some(theirs) => Some(format!(
            "its catalog `{catalog}` reads another database, {}, and a view over that would lose what leaves this one",
            theirs.database_name
        )),
        None => Some(format!("its catalog `{catalog}` shows an empty ledger")),
    })
}

fn check(lake: &Lake, found: &Found) -> Result<(), Error> {
    let hint = "`ridehail archive backup adopt` makes this database the owner, once the other one is not used any more; \
                or name another path in RIDEHAIL_S3_WAREHOUSE";
    let refused = |what: String, reason: String| Error::NotDone {
        what,
        reason,
        hint: hint.to_owned(),
    };
    if let Some(owner) = found.ledger.as_ref().filter(|owner| !owner.is(&found.here)) {
        return Err(refused(
            format!("database {}", found.here.database_name),
            format!(
                "it is a copy of database {}, which the files in {} belong to",
                owner.database_name,
                lake.store.warehouse()
            ),
        ));
    }
    for (location, owner) in &found.markers {
        if let Some(owner) = owner.as_ref().filter(|owner| !owner.is(&found.here)) {
            let place = location.strip_suffix(MARKER).unwrap_or(location);
            return Err(refused(
                place.trim_end_matches('/').to_owned(),
                format!(
                    "its files belong to another database, {}",
                    owner.database_name
                ),
            ));
        }
    }
    Ok(())
}

async fn look(lake: &Lake) -> Result<Found, Error> {
    let ledger = of_ledger(lake).await?;
    let mut found = Vec::new();
    for location in markers(lake).await? {
        let owner = match lake.store.head(&location).await? {
            None => None,
            Some(_) => Some(read_marker(lake, &location).await?),
        };
        found.push((location, owner));
    }
    Ok(Found {
        here: here(lake).await?,
        ledger,
        markers: found,
    })
}

/// Whom the ledger names; `None` before anybody came.
async fn of_ledger(lake: &Lake) -> Result<Option<Owner>, Error> {
    sqlx::query_as("select system_identifier, database_oid, database_name from lake.owner")
        .fetch_optional(&lake.pool)
        .await
        .doing("read whose the files are")
}

async fn read_marker(lake: &Lake, location: &str) -> Result<Owner, Error> {
    let bytes = lake.store.get(location).await?;
    serde_json::from_slice(&bytes).map_err(|error| Error::Malformed {
        what: location.to_owned(),
        message: error.to_string(),
    })
}

async fn here(lake: &Lake) -> Result<Owner, Error> {
    sqlx::query_as(
        "select system_identifier::text, d.oid::int8 as database_oid, d.datname::text as database_name
         from pg_control_system(), pg_database d where d.datname = current_database()",
    )
    .fetch_one(&lake.pool)
    .await
    .doing("tell this database from others")
}

/// Where new tables go, and wherever those of the ledger lie: a copy may be told another path, and its tables stay
/// where they are.
async fn markers(lake: &Lake) -> Result<Vec<String>, Error> {
    let tables: Vec<(String, String)> = sqlx::query_as(
        "select i.metadata_location, '/' || i.table_namespace || '/' || i.table_name
         from lake.tables t join lake_catalog.iceberg_tables i
           on (i.table_namespace, i.table_name) = (t.iceberg_schema, t.iceberg_table)
         where i.catalog_name = $1 and i.metadata_location is not null",
    )
    .bind(&lake.names.lake_catalog)
    .fetch_all(&lake.pool)
    .await
    .doing("list where tables lie")?;
    let mut places = vec![lake.store.warehouse()];
    for (metadata, suffix) in &tables {
        let table = metadata.split("/metadata/").next().unwrap_or_default();
        places.push(
            table
                .strip_suffix(suffix.as_str())
                .unwrap_or(table)
                .to_owned(),
        );
    }
    places.sort();
    places.dedup();
    let all = places.iter().map(|place| format!("{place}/{MARKER}"));
    // another bucket is another server's to guard
    Ok(all
        .filter(|location| lake.store.key(location).is_ok())
        .collect())
}

async fn write_row(lake: &Lake, owner: &Owner, on_conflict: &str) -> Result<(), Error> {
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "insert into lake.owner (system_identifier, database_oid, database_name) values ($1, $2, $3)
         on conflict (only_row) {on_conflict}"
    )))
    .bind(&owner.system_identifier)
    .bind(owner.database_oid)
    .bind(&owner.database_name)
    .execute(&lake.pool)
    .await
    .doing("note whose the files are")?;
    Ok(())
}

async fn write_marker(lake: &Lake, location: &str, owner: &Owner) -> Result<(), Error> {
    let bytes = serde_json::to_vec_pretty(owner).map_err(|error| Error::Malformed {
        what: location.to_owned(),
        message: error.to_string(),
    })?;
    lake.store.put_if_absent(location, bytes.into()).await?;
    Ok(())
}

//! Objects that nothing refers to: files of attempts that were given up, metadata of commits that did not happen.
//!
//! Looked for only below the locations of the ledger's own tables. An object is an orphan when no snapshot of the
//! table refers to it, none of a kept backup does, no move's current attempt lists it, and it is older than the floor: a file is written before
//! the ledger lists it, and metadata before the catalog names it.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;

use crate::backup;
use crate::error::{Doing as _, Error};
use crate::lake::Lake;
use crate::ledger::files;
use crate::ledger::tables::Table;
use crate::manifests;
use crate::mover::load;
use crate::storage::Object;

/// Objects that may go, oldest first.
///
/// # Errors
/// Postgres, the catalog or the object store failed.
pub async fn find(
    lake: &Lake,
    table: &Table,
    older_than: DateTime<Utc>,
) -> Result<Vec<Object>, Error> {
    // The listing first: what is written and referred to afterwards cannot be in it.
    let iceberg = load(lake, table).await?;
    let location = iceberg.metadata().location().to_owned();
    let listed: Vec<Object> = lake.store.list(&location)?.try_collect().await?;
    let iceberg = load(lake, table).await?;
    let mut used: HashSet<String> = manifests::referenced(&iceberg).await?;
    for kept in backup::kept_locations(lake).await? {
        // a backup's metadata of this table; that it may be gone is for `backup` to say, not for clean-up
        if kept.starts_with(&format!("{location}/")) {
            let then = lake
                .catalog
                .load_at(iceberg.identifier(), &kept)
                .await
                .doing("read a backup's metadata")?;
            used.extend(manifests::referenced(&then).await?);
        }
    }
    used.extend(files::known(&lake.pool, &table.id.schema, &table.id.name).await?);
    let mut orphans: Vec<Object> = listed
        .into_iter()
        .filter(|object| object.last_modified < older_than && !used.contains(&object.location))
        .collect();
    orphans.sort_by(|a, b| (a.last_modified, &a.location).cmp(&(b.last_modified, &b.location)));
    Ok(orphans)
}

/// Deletes them.
///
/// # Errors
/// The object store failed; some may be gone.
pub async fn delete(lake: &Lake, orphans: &[Object]) -> Result<(), Error> {
    let locations: Vec<String> = orphans.iter().map(|o| o.location.clone()).collect();
    lake.store.delete(&locations).await
}

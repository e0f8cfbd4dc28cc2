//! Objects that nothing refers to: files of attempts that were given up, metadata of commits that did not happen,
//! what compaction and expiry left behind.
//!
//! Looked for only below the locations of the ledger's own tables. An object is an orphan when no snapshot of the
//! table refers to it, none of a kept backup does, no move that is under way lists it, and it is older than the floor:
//! a file is written before the ledger lists it, and metadata before the catalog names it. A file that was once
//! committed and that no snapshot has any more is one only if its day, read again, holds the rows that the ledger
//! says: then compaction has replaced it. Otherwise it may be the last copy of them.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use futures::TryStreamExt as _;

use crate::error::{Doing as _, Error};
use crate::lake::Lake;
use crate::ledger::tables::Table;
use crate::ledger::{checksums, files};
use crate::mover::load;
use crate::storage::Object;
use crate::{backup, drift, manifests};

/// Objects that may go, oldest first.
///
/// # Errors
/// Postgres, the catalog or the object store failed.
pub async fn find(
    lake: &Lake,
    table: &Table,
    older_than: DateTime<Utc>,
) -> Result<Vec<Object>, Error> {
    // The order matters. The listing first: what is written and referred to afterwards cannot be in it. Then the
    // ledger: what is committed afterwards is in the snapshots that are read last.
    let iceberg = load(lake, table).await?;
    let location = iceberg.metadata().location().to_owned();
    let listed: Vec<Object> = lake.store.list(&location)?.try_collect().await?;
    let known = files::known(&lake.pool, &table.id.schema, &table.id.name).await?;
    let mut used = referenced(lake, table, &location).await?;
    let (committed, under_way): (Vec<_>, Vec<_>) = known.into_iter().partition(|f| f.committed);
    used.extend(under_way.into_iter().map(|file| file.path));
    let day_of: HashMap<String, NaiveDate> = committed
        .into_iter()
        .map(|file| (file.path, file.lower.date_naive()))
        .collect();
    let mut orphans: Vec<Object> = listed
        .into_iter()
        .filter(|object| object.last_modified < older_than && !used.contains(&object.location))
        .collect();
    let replaced: BTreeSet<NaiveDate> = orphans
        .iter()
        .filter_map(|object| day_of.get(&object.location).copied())
        .collect();
    let mut doubtful = HashSet::new();
    for day in replaced {
        if let Some(problem) = drift::verify_day(lake, table, day).await?.problem() {
            tracing::warn!(table = %table.id, %day, problem, "files that were replaced are kept");
            doubtful.insert(day);
        }
    }
    orphans.retain(|object| {
        let day = day_of.get(&object.location);
        day.is_none_or(|day| !doubtful.contains(day))
    });
    orphans.sort_by(|a, b| (a.last_modified, &a.location).cmp(&(b.last_modified, &b.location)));
    Ok(orphans)
}

/// What a snapshot of the table refers to, or one of a kept backup.
async fn referenced(lake: &Lake, table: &Table, location: &str) -> Result<HashSet<String>, Error> {
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
    Ok(used)
}

/// Deletes them.
///
/// # Errors
/// The object store failed; some may be gone.
pub async fn delete(lake: &Lake, orphans: &[Object]) -> Result<(), Error> {
    let locations: Vec<String> = orphans.iter().map(|o| o.location.clone()).collect();
    lake.store.delete(&locations).await?;
    let mut conn = lake.pool.acquire().await.doing("connect")?;
    checksums::forget(&mut conn, &locations).await
}

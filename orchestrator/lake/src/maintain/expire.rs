//! Old snapshots away from a table's metadata. Their files are orphans afterwards, for `orphans` to delete.

use chrono::{DateTime, Utc};
use iceberg::transaction::{ApplyTransactionAction as _, Transaction};

use crate::error::{Doing as _, Error};
use crate::lake::Lake;
use crate::ledger::moves;
use crate::ledger::tables::Table;
use crate::mover::{batch_of, load};

/// A snapshot that may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// Its number.
    pub id: i64,
    /// When it was committed.
    pub at: DateTime<Utc>,
}

/// Snapshots that were replaced before `older_than`, the `keep` newest aside. Until a snapshot is replaced queries
/// begin with it, however old it is itself.
///
/// # Errors
/// The catalog failed; or a snapshot commits a batch that the ledger does not hold as committed, which must be
/// understood before the only other trace of it goes.
pub async fn plan(
    lake: &Lake,
    table: &Table,
    older_than: DateTime<Utc>,
    keep: usize,
) -> Result<Vec<Expired>, Error> {
    let iceberg = load(lake, table).await?;
    let metadata = iceberg.metadata();
    let known = moves::all(&lake.pool, &table.id).await?;
    let mut all: Vec<_> = metadata.snapshots().collect();
    all.sort_by_key(|s| std::cmp::Reverse(s.timestamp_ms()));
    let mut expired = Vec::new();
    for pair in all.windows(2).skip(keep.max(1) - 1) {
        let [next, snapshot] = pair else { continue };
        let at = snapshot.timestamp().doing("read a snapshot's time")?;
        let replaced = next.timestamp().doing("read a snapshot's time")?;
        if replaced >= older_than || Some(snapshot.snapshot_id()) == metadata.current_snapshot_id()
        {
            continue;
        }
        if let Some(batch) = batch_of(snapshot)
            && !known
                .iter()
                .any(|m| m.batch.to_string() == *batch && m.state.is_committed())
        {
            return Err(Error::NotDone {
                what: format!("expiry of {}'s snapshots", table.id),
                reason: format!("its snapshot {} commits batch {batch}, which the ledger does not know", snapshot.snapshot_id()),
                hint: "was the ledger restored to an earlier moment? `ridehail archive verify --deep` compares".to_owned(),
            });
        }
        expired.push(Expired {
            id: snapshot.snapshot_id(),
            at,
        });
    }
    expired.sort_by_key(|s| s.at);
    Ok(expired)
}

/// Takes them out of the table's metadata.
///
/// # Errors
/// The catalog failed, or the table was changed meanwhile.
pub async fn run(lake: &Lake, table: &Table, expired: &[Expired]) -> Result<(), Error> {
    if expired.is_empty() {
        return Ok(());
    }
    let iceberg = load(lake, table).await?;
    let transaction = Transaction::new(&iceberg);
    let transaction = transaction
        .expire_snapshots()
        .expire_snapshot_ids(expired.iter().map(|s| s.id))
        // by number alone: its own rule of age would take others
        .expire_older_than_ms(0)
        .apply(transaction)
        .doing("expire snapshots")?;
    transaction
        .commit(&lake.catalog)
        .await
        .doing("expire snapshots")?;
    Ok(())
}

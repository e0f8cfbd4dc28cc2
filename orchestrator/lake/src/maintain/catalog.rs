//! Whether catalog, ledger and object store agree about which tables there are, and each table's metadata is whole.

use crate::error::Error;
use crate::lake::Lake;
use crate::ledger::{moves, tables};
use crate::mover::{batch_of, load};

/// What is wrong, in words; empty = nothing.
///
/// # Errors
/// Postgres failed. A table that cannot be loaded is a finding, no error.
pub async fn check(lake: &Lake) -> Result<Vec<String>, Error> {
    let mut findings = Vec::new();
    for table in tables::list(&lake.pool).await? {
        let iceberg = match load(lake, &table).await {
            Ok(iceberg) => iceberg,
            Err(error) => {
                findings.push(format!("{}: {}", table.id, error.told()));
                continue;
            }
        };
        let metadata = iceberg.metadata();
        for snapshot in metadata.snapshots() {
            if lake.store.head(snapshot.manifest_list()).await?.is_none() {
                let id = snapshot.snapshot_id();
                findings.push(format!(
                    "{}: snapshot {id} has lost its manifest list",
                    table.id
                ));
            }
        }
        let known = moves::all(&lake.pool, &table.id).await?;
        for snapshot in metadata.snapshots() {
            let Some(batch) = batch_of(snapshot) else {
                continue;
            };
            if !known
                .iter()
                .any(|m| m.batch.to_string() == *batch && m.state.is_committed())
            {
                findings.push(format!(
                    "{}: snapshot {} commits batch {batch}, which the ledger does not know",
                    table.id,
                    snapshot.snapshot_id()
                ));
            }
        }
        let has_rows = known
            .iter()
            .any(|m| m.state.is_committed() && m.rows.unwrap_or_default() > 0);
        if has_rows && metadata.current_snapshot().is_none() {
            findings.push(format!(
                "{}: the ledger has committed rows and the table has no snapshot",
                table.id
            ));
        }
    }
    Ok(findings)
}

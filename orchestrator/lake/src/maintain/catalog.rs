//! Whether catalog, ledger and object store agree: about which tables there are, whether each table's metadata is
//! whole, and about the files of each day. Reads no rows.

use crate::audit::Audit;
use crate::error::Error;
use crate::lake::Lake;
use crate::ledger::moves::{self, Move};
use crate::ledger::tables::{self, Table};
use crate::mover::{batch_of, find};

/// What is wrong, in words; empty = nothing.
///
/// # Errors
/// Postgres failed. A table that cannot be loaded is a finding, no error.
pub async fn check(lake: &Lake) -> Result<Vec<String>, Error> {
    let mut findings = Vec::new();
    for table in tables::list(&lake.pool).await? {
        let found = check_table(lake, &table).await?;
        findings.extend(found.iter().map(|text| format!("{}: {text}", table.id)));
    }
    Ok(findings)
}

/// What is wrong with one table, in words.
///
/// # Errors
/// As [`check`].
pub async fn check_table(lake: &Lake, table: &Table) -> Result<Vec<String>, Error> {
    let mut findings = Vec::new();
    let known = moves::all(&lake.pool, &table.id).await?;
    let nothing = known.iter().all(|m| !m.state.is_committed());
    let iceberg = match find(lake, table).await {
        Ok(Some(iceberg)) => iceberg,
        // its first run ended before it was made
        Ok(None) if nothing => return Ok(findings),
        Ok(None) => {
            return Ok(vec![format!(
                "the catalog has no table {}.{}",
                table.iceberg_schema, table.iceberg_table
            )]);
        }
        Err(error) => return Ok(vec![error.told()]),
    };
    let metadata = iceberg.metadata();
    for snapshot in metadata.snapshots() {
        if lake.store.head(snapshot.manifest_list()).await?.is_none() {
            let id = snapshot.snapshot_id();
            findings.push(format!("snapshot {id} has lost its manifest list"));
        }
    }
    for snapshot in metadata.snapshots() {
        let Some(batch) = batch_of(snapshot) else {
            continue;
        };
        let is_known = |m: &Move| m.batch.to_string() == *batch && m.state.is_committed();
        if !known.iter().any(is_known) {
            let id = snapshot.snapshot_id();
            findings.push(format!(
                "snapshot {id} commits batch {batch}, which the ledger does not know"
            ));
        }
    }
    let has_rows = known
        .iter()
        .any(|m| m.state.is_committed() && m.rows.unwrap_or_default() > 0);
    if has_rows && metadata.current_snapshot().is_none() {
        findings.push("the ledger has committed rows and the table has no snapshot".to_owned());
        return Ok(findings);
    }
    // a manifest that cannot be read
    let audit = match Audit::open(lake, table).await {
        Ok(audit) => audit,
        Err(error) => {
            findings.push(error.told());
            return Ok(findings);
        }
    };
    for day in audit.days() {
        if let Some(problem) = audit.shallow(lake, day).await?.problem() {
            findings.push(format!("{day} differs: {problem}"));
        }
    }
    Ok(findings)
}

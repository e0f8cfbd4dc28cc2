//! `table`: built aside with its indexes and swapped in.

use std::collections::HashMap;

use project::relation::{RelationKind, RelationName};

use crate::catalog::Found;
use crate::error::Error;
use crate::materialize::node::Work;
use crate::materialize::swap::Swap;
use crate::materialize::{create_index, create_table, incremental};
use crate::names;
use crate::outcome::Outcome;

/// A plain table.
pub(crate) const PLAIN: Found = Found {
    kind: RelationKind::Table,
    partitioned: false,
};

/// Builds a table.
pub(crate) async fn run(work: &mut Work<'_>) -> Result<Outcome, Error> {
    let target = work.target()?;
    let (intermediate, backup) = (names::intermediate(target), names::backup(target));
    let found = work.begin(&[target, &intermediate, &backup]).await?;
    let (rows, run_sql) = replace(work, target, &found).await?;
    work.finish().await?;
    Ok(Outcome::success(
        format!("SELECT {rows}"),
        Some(rows),
        run_sql,
    ))
}

/// Builds `target` aside inside the open transaction, takes it into use and commits. Returns the
/// rows and the statement.
pub(crate) async fn replace(
    work: &mut Work<'_>,
    target: &RelationName,
    found: &HashMap<String, Found>,
) -> Result<(u64, String), Error> {
    let (intermediate, backup) = (names::intermediate(target), names::backup(target));
    work.drop_leftover(found, &intermediate).await?;
    work.drop_leftover(found, &backup).await?;
    let node = work.node;
    let mut run_sql = create_table(&intermediate, &work.compiled.sql, &node.config);
    if node.config.materialized == "incremental" {
        run_sql = incremental::wrapped(&run_sql);
    }
    let rows = work.main(&run_sql).await?.affected();
    for index in &node.config.indexes {
        work.lease.run(&create_index(&intermediate, index)).await?;
    }
    let swap = Swap {
        target,
        old: found.get(&target.identifier).copied(),
        intermediate: &intermediate,
        new: RelationKind::Table,
        indexes: &node.config.indexes,
        partitions: Vec::new(),
    };
    work.swap(swap, PLAIN).await?;
    Ok((rows, run_sql))
}

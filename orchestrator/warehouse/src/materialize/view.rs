//! `view`: created aside and swapped in.

use project::relation::RelationKind;

use crate::catalog::Found;
use crate::error::Error;
use crate::materialize::create_view;
use crate::materialize::node::Work;
use crate::materialize::swap::Swap;
use crate::names;
use crate::outcome::Outcome;

/// Builds a view.
pub(crate) async fn run(work: &mut Work<'_>) -> Result<Outcome, Error> {
    let target = work.target()?;
    let (intermediate, backup) = (names::intermediate(target), names::backup(target));
    let found = work.begin(&[target, &intermediate, &backup]).await?;
    work.drop_leftover(&found, &intermediate).await?;
    work.drop_leftover(&found, &backup).await?;
    let run_sql = create_view(&intermediate, &work.compiled.sql, &work.node.config);
    work.main(&run_sql).await?;
    let swap = Swap {
        target,
        old: found.get(&target.identifier).copied(),
        intermediate: &intermediate,
        new: RelationKind::View,
        indexes: &[],
        partitions: Vec::new(),
    };
    let new = Found {
        kind: RelationKind::View,
        partitioned: false,
    };
    work.swap(swap, new).await?;
    work.finish().await?;
    Ok(Outcome::success("CREATE VIEW".to_owned(), None, run_sql))
}

//! From a node to what it leaves in the database. One file for each materialization; [`node`] is
//! what all of them have in common.

mod check;
mod ddl;
mod docs;
mod grants;
mod incremental;
pub(crate) mod node;
mod schema_change;
mod seed;
pub(crate) mod strategy;
pub(crate) mod swap;
mod table;
mod view;

use project::manifest::ResourceType;
use project::{Compiled, Node};

use crate::catalog::Catalog;
use crate::error::Error;
use crate::materialize::node::Work;
use crate::node_session::NodeSession;
use crate::outcome::{Outcome, RunOptions};
use crate::partition::archive;
use crate::test;

pub(crate) use check::column_name;
pub use check::{check, check_name, check_partitions};
pub(crate) use ddl::{create_index, create_table, create_temporary, create_view};
pub(crate) use incremental::{follow_columns, stage};

/// Runs `node` in `session`; when it fails nothing is left open there.
pub(crate) async fn run(
    session: &NodeSession,
    catalog: &Catalog,
    node: &Node,
    compiled: &Compiled,
    options: &RunOptions,
) -> Result<Outcome, Error> {
    check(node, options.native_partitions)?;
    let mut work = Work::new(session.hold().await?, catalog, node, compiled, options);
    refuse_rebuild(&mut work).await?;
    match dispatch(&mut work).await {
        Ok(outcome) => Ok(Outcome {
            doubts: work.doubts,
            ..outcome
        }),
        Err(error) => {
            work.abandon().await;
            Err(error.within(work.run_sql))
        }
    }
}

/// Refuses to have `node` built by templates when days of its relation are archived: they know nothing of that.
pub(crate) async fn refuse_archived(
    session: &NodeSession,
    catalog: &Catalog,
    node: &Node,
    options: &RunOptions,
) -> Result<(), Error> {
    let (Some(target), compiled) = (&node.relation_name, Compiled::default()) else {
        return Ok(());
    };
    let mut work = Work::new(session.hold().await?, catalog, node, &compiled, options);
    archive::refuse_rebuild(&mut work, target).await
}

/// Refuses whatever would build anew a relation of which days are archived: everything but the next step of a
/// natively partitioned model.
async fn refuse_rebuild(work: &mut Work<'_>) -> Result<(), Error> {
    let config = &work.node.config;
    let Some(target) = &work.node.relation_name else {
        return Ok(());
    };
    let is_model =
        work.node.resource_type == ResourceType::Model && config.materialized != "ephemeral";
    let extends = config.materialized == "incremental"
        && config.partition_by.is_some()
        && work.options.native_partitions
        && !work.full_refresh();
    if is_model && !extends {
        archive::refuse_rebuild(work, target).await?;
    }
    Ok(())
}

async fn dispatch(work: &mut Work<'_>) -> Result<Outcome, Error> {
    match work.node.resource_type {
        ResourceType::Test => Box::pin(test::run(work)).await,
        ResourceType::Seed => Box::pin(seed::run(work)).await,
        ResourceType::Model
        | ResourceType::Snapshot
        | ResourceType::Analysis
        | ResourceType::Operation
        | ResourceType::Source
        | ResourceType::UnitTest
        | ResourceType::Exposure
        | ResourceType::Metric
        | ResourceType::SemanticModel
        | ResourceType::SavedQuery => match work.node.config.materialized.as_str() {
            "view" => Box::pin(view::run(work)).await,
            "table" => Box::pin(table::run(work)).await,
            "incremental" => Box::pin(incremental::run(work)).await,
            // its text lives in the nodes that use it
            "ephemeral" => Ok(Outcome::success(String::new(), None, String::new())),
            other => Err(Error::Config {
                message: format!("{} cannot be built as `{other}`", work.node.unique_id),
                hint: Some("use view, table, incremental or ephemeral".to_owned()),
            }),
        },
    }
}

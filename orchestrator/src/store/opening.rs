//! A new run in one statement: its row, its nodes, its lease. A short run spends less time on its own record than a
//! server takes to answer a dozen questions.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use sqlx::types::Json;

use super::leases::{Holder, LEASE};
use super::runs::{Facts, NewRun};
use super::{Doing, Error, node_runs};
use crate::run::prepare::PlannedNode;
use crate::secrets::Secrets;

/// A run that begins at once.
#[derive(Debug)]
pub struct Opening<'a> {
    /// The run.
    pub run: NewRun<'a>,
    /// What loading the project told.
    pub facts: Facts<'a>,
    /// Its nodes.
    pub nodes: &'a [PlannedNode],
    /// What is not to be written down.
    pub secrets: &'a Secrets,
    /// Who carries it out.
    pub holder: &'a Holder,
    /// The time.
    pub now: DateTime<Utc>,
}

/// Writes the run as running, its nodes as queued, and takes its lease; the answer is its number and the lease's
/// epoch. `None`, and nothing is written: the shape of its graph is not known yet.
///
/// # Errors
/// The store's refusal.
pub async fn open(
    executor: impl PgExecutor<'_>,
    opening: &Opening<'_>,
) -> Result<Option<(i64, i64)>, Error> {
    let Opening {
        run,
        facts,
        nodes,
        secrets,
        holder,
        now,
    } = opening;
    sqlx::query_as(
        "with graph as (
            update ridehail.graphs set last_seen_at = greatest(last_seen_at, $9)
             where graph_hash = $11
            returning 1
         ), run as (
            insert into ridehail.runs
                   (invocation_id, command, project, target, job, trigger, due_at, request, state, created_at,
                    started_at, graph_hash, nodes)
            select $1, $2, $3, $4, $5, $6, $7, $8, 'running', $10, $9, $11, $12 from graph
            returning run_id
         ), nodes as (
            insert into ridehail.node_runs
                   (run_id, node, unique_id, name, resource_type, materialized, relation, path, waits_for, state)
            select run.run_id, n.node, n.unique_id, n.name, n.resource_type, n.materialized, n.relation, n.path,
                   n.waits_for, 'queued'
              from run, jsonb_to_recordset($13) as n
                   (node int, unique_id text, name text, resource_type text, materialized text, relation text,
                    path text, waits_for int[])
         ), lease as (
            -- the number is new: nobody else can ask for it
            insert into ridehail.leases (resource, holder, holder_name, epoch, taken_at, renewed_at, expires_at)
            select 'run:' || run_id, $14, $15, 1, $9, $9, $16 from run
            returning epoch
         )
         select run.run_id, lease.epoch from run, lease",
    )
    .bind(run.invocation_id)
    .bind(run.request.command.word())
    .bind(facts.project)
    .bind(facts.target)
    .bind(run.request.job.as_deref())
    .bind(run.trigger.word())
    .bind(run.request.due_at)
    .bind(Json(run.request))
    .bind(now)
    .bind(run.created_at)
    .bind(facts.graph_hash)
    .bind(facts.nodes)
    .bind(Json(node_runs::rows(nodes, secrets)))
    .bind(holder.id)
    .bind(&holder.name)
    .bind(*now + LEASE)
    .fetch_optional(executor)
    .await
    .doing("record a run")
}

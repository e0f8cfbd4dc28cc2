//! The end of runs that nobody will go on with: their process is gone and whoever typed the command, too.
//!
//! No path of its own: the nodes get `Lost` and `Skipped` through the same plan, the same recorder and the
//! same lease as everything else; only the project is not read and nothing is executed.

use std::sync::Arc;

use project::warnings::Warning;
use tokio_util::sync::CancellationToken;

use super::events::{Event, Happened, Tally};
use super::execute::attempt::lost;
use super::execute::in_background;
use super::plan::{Action, Limits, NodeIx, Plan, SkipCause, StopCause};
use super::prepare::PlannedNode;
use super::record::{Recorder, Recording};
use super::state::{NodeEvent, NodeState, RunState};
use crate::store::journal::RunEnd;
use crate::store::node_runs::NodeRun;
use crate::store::runs::Run;
use crate::store::{Error, Store, events, leases, node_runs, runs};

use super::invoke::Context;

/// Ends `run` as failed (or cancelled, if that was asked for), unless someone holds its lease.
///
/// # Errors
/// The store's refusal.
pub async fn bury(context: &Context, store: &Store, run: &Run) -> Result<(), Error> {
    let now = context.clock.now();
    let run_id = run.run_id;
    let resource = leases::of_run(run_id);
    let Some(epoch) = leases::take(store.pool(), &resource, &context.holder, now).await? else {
        return Ok(());
    };
    let Some(run) = runs::get(store.pool(), run_id)
        .await?
        .filter(|run| run.finished_at.is_none())
    else {
        return Ok(());
    };
    let stored = node_runs::list(store.pool(), run_id).await?;
    let nodes: Arc<[PlannedNode]> = stored.iter().map(planned).collect();
    let states = stored
        .iter()
        .map(NodeRun::state)
        .collect::<Result<Vec<_>, _>>()?;
    let last_seq = events::last_seq(store.pool(), run_id).await?;
    let (recorder, task) = Recorder::new(Recording {
        pool: store.pool().clone(),
        line: None,
        run_id,
        epoch,
        attempts: stored
            .iter()
            .map(|row| u16::try_from(row.attempt).unwrap_or_default())
            .collect(),
        last_seq,
        tally: Tally::of(&states),
        secrets: context.place.secrets(),
        clock: Arc::clone(&context.clock),
        cancel: CancellationToken::new(),
    });
    in_background(task);
    let tell = |event| {
        recorder.note(Happened {
            at: context.clock.now(),
            event,
        })
    };

    tell(Event::Warning(Warning {
        event: "Note",
        text: "the process that ran this is gone".to_owned(),
    }));
    let limits = Limits {
        threads: 1,
        fail_fast: false,
    };
    let prerequisites: Vec<Vec<NodeIx>> = stored
        .iter()
        .map(|row| {
            row.waits_for
                .iter()
                .map(|&n| NodeIx::try_from(n).unwrap_or_default())
                .collect()
        })
        .collect();
    if let Ok(mut plan) = Plan::resume(&prerequisites, states.clone(), limits) {
        for (node, state) in (0..).zip(&states) {
            if let NodeState::Running { attempt } = *state {
                let row = &stored[node as usize];
                let report = lost(&nodes[node as usize], row.started_at, now);
                let event = NodeEvent::Lost {
                    attempt,
                    retry_at: None,
                };
                if plan.apply(node, event).is_ok() {
                    tell(Event::NodeFinished {
                        node,
                        attempt,
                        index: 0,
                        report,
                    });
                }
            }
        }
        plan.stop(StopCause::Cancelled);
        // every wave of skips may bring another; an ended node brings none, so this ends
        loop {
            let mut moved = false;
            for action in plan.next_actions(now) {
                if let Action::Skip { node, cause } = action
                    && plan.apply(node, NodeEvent::Skipped).is_ok()
                {
                    moved = true;
                    tell(Event::NodeSkipped {
                        node,
                        index: 0,
                        culprit: match cause {
                            SkipCause::Upstream(node) | SkipCause::FailFast(node) => {
                                nodes[node as usize].unique_id.clone()
                            }
                            SkipCause::Cancelled => "cancelled".to_owned(),
                        },
                        broken: None,
                        fail_fast: false,
                    });
                }
            }
            if !moved {
                break;
            }
        }
    }
    let (state, error) = if run.cancel_requested_at.is_some() {
        (RunState::Cancelled, None)
    } else {
        (
            RunState::Failed,
            Some("lost: the process that ran it is gone".to_owned()),
        )
    };
    recorder.end(RunEnd { state, error }).await;
    tracing::warn!(run = run_id, "ended a run whose process is gone");
    Ok(())
}

/// As much of a node as the store holds.
fn planned(row: &NodeRun) -> PlannedNode {
    PlannedNode {
        unique_id: row.unique_id.clone(),
        name: row.name.clone(),
        resource_type: super::prepare::known_kind(&row.resource_type),
        materialized: row.materialized.clone(),
        relation: row.relation.clone(),
        schema: None,
        path: row.path.clone(),
        package: String::new(),
        waits_for: row.waits_for.clone(),
    }
}

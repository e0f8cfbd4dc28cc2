//! The first marks of a run in the store: a new one, or one that nobody is at work on.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Context, Error};
use crate::artifacts::lineage;
use crate::run::events::{Report, Tally};
use crate::run::execute::attempt::lost;
use crate::run::plan::{Limits, NodeIx, Plan};
use crate::run::prepare::Prepared;
use crate::run::record::{Recorder, Recording};
use crate::run::request::{Request, Trigger};
use crate::run::state::{NodeState, RunEvent, RunState};
use crate::store::opening::{self, Opening};
use crate::store::runs::{Facts, NewRun, Run};
use crate::store::{Line, Store, events, graphs, leases, node_runs, runs};

/// A run that is ours to execute.
pub(super) struct Recorded {
    /// Where to note what happens.
    pub(super) recorder: Option<Recorder>,
    /// Number.
    pub(super) run_id: Option<i64>,
    /// Where it stands.
    pub(super) plan: Plan,
    /// Attempts that another process began and nobody ended.
    pub(super) lost: Vec<(NodeIx, u16, Report)>,
    /// The recorder's task.
    pub(super) recording: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// Writes a new run with its nodes and takes its lease. `line`: a connection of the store's that is the run's own.
#[expect(
    clippy::too_many_arguments,
    reason = "each is a different thing, used once"
)]
pub(super) async fn open_new(
    context: &Context,
    store: &Store,
    line: Option<Line>,
    request: &Request,
    trigger: Trigger,
    invocation_id: Uuid,
    prepared: &Prepared,
    limits: Limits,
    cancel: &CancellationToken,
) -> Result<Recorded, Error> {
    let now = context.clock.now();
    let project = &prepared.project;
    let plan = (prepared.plan(None, limits)).map_err(|e| Error::Bug(e.to_string()))?;
    let shape = lineage::shape(&project.manifest);
    let graph_hash = lineage::hash(&shape);
    let new = NewRun {
        request,
        trigger,
        invocation_id,
        project: &project.name,
        created_at: now,
    };
    let facts = Facts {
        project: &project.name,
        target: &project.profile.target_name,
        graph_hash: &graph_hash,
        nodes: i32::try_from(prepared.nodes.len()).unwrap_or(i32::MAX),
    };
    let opening = Opening {
        run: new,
        facts,
        nodes: &prepared.nodes,
        secrets: &context.place.secrets(),
        holder: &context.holder,
        now,
    };
    let own = line.is_some();
    let mut line = match line {
        Some(line) => line,
        None => store.line().await?,
    };
    let opened = match opening::open(&mut *line, &opening).await? {
        Some(opened) => opened,
        None => {
            graphs::remember(&mut *line, &graph_hash, &project.name, &shape, now).await?;
            let opened = opening::open(&mut *line, &opening).await?;
            opened.ok_or_else(|| Error::Bug("the graph is not remembered".to_owned()))?
        }
    };
    let (run_id, epoch) = opened;
    let attempts = vec![0; prepared.nodes.len()];
    let start = Start {
        run_id,
        epoch,
        attempts,
        last_seq: 0,
        tally: Tally::default(),
        line: own.then_some(line),
    };
    Ok(with_recorder(
        context,
        store,
        start,
        plan,
        Vec::new(),
        cancel,
    ))
}

/// Takes over a stored run: one that is queued, or whose process died. Its finished nodes stay finished; what
/// was running is reported as lost and goes through the same state machine as everything else.
#[expect(
    clippy::too_many_arguments,
    reason = "each is a different thing, used once"
)]
pub(super) async fn adopt(
    context: &Context,
    store: &Store,
    line: Option<Line>,
    request: &Request,
    run: &Run,
    prepared: &Prepared,
    limits: Limits,
    cancel: &CancellationToken,
) -> Result<Recorded, Error> {
    let now = context.clock.now();
    let run_id = run.run_id;
    let project = &prepared.project;
    let shape = lineage::shape(&project.manifest);
    let graph_hash = lineage::hash(&shape);
    if !graphs::touch(store.pool(), &graph_hash, now).await? {
        graphs::remember(store.pool(), &graph_hash, &project.name, &shape, now).await?;
    }
    let mut transaction = store.begin().await?;
    let resource = leases::of_run(run_id);
    let epoch = leases::take(&mut *transaction, &resource, &context.holder, now)
        .await?
        .ok_or(Error::Fenced { run_id })?;
    // read again under the lease: between the list and here someone may have ended it
    let run = runs::get(&mut *transaction, run_id)
        .await?
        .ok_or(Error::Fenced { run_id })?;
    let state = run
        .state()?
        .next(RunEvent::Claimed)
        .map_err(|_| Error::Fenced { run_id })?;
    let mut stored = node_runs::list(&mut *transaction, run_id).await?;
    if stored.is_empty() {
        node_runs::insert(
            &mut *transaction,
            run_id,
            &prepared.nodes,
            &context.place.secrets(),
        )
        .await?;
        stored = node_runs::list(&mut *transaction, run_id).await?;
    }
    let numbers: HashMap<&str, usize> = stored
        .iter()
        .enumerate()
        .map(|(n, node)| (node.unique_id.as_str(), n))
        .collect();
    let same = stored.len() == prepared.nodes.len()
        && prepared
            .nodes
            .iter()
            .enumerate()
            .all(|(n, node)| numbers.get(node.unique_id.as_str()) == Some(&n));
    if !same {
        let error = Error::ProjectChanged { run_id };
        let text = error.to_string();
        runs::end(
            &mut *transaction,
            run_id,
            RunState::Failed,
            Some(&text),
            now,
        )
        .await?;
        store.commit(transaction).await?;
        return Err(error);
    }
    let facts = Facts {
        project: &project.name,
        target: &project.profile.target_name,
        graph_hash: &graph_hash,
        nodes: i32::try_from(stored.len()).unwrap_or(i32::MAX),
    };
    runs::start(&mut *transaction, run_id, state, facts, now).await?;
    runs::keep_request(&mut *transaction, run_id, request).await?;
    let last_seq = events::last_seq(&mut *transaction, run_id).await?;
    store.commit(transaction).await?;

    let states = stored
        .iter()
        .map(node_runs::NodeRun::state)
        .collect::<Result<Vec<_>, _>>()?;
    let tally = Tally::of(&states);
    let lost_attempts = states
        .iter()
        .zip(&stored)
        .zip(0..)
        .filter_map(|((state, row), node): (_, NodeIx)| match state {
            NodeState::Running { attempt } => Some((
                node,
                *attempt,
                lost(&prepared.nodes[node as usize], row.started_at, now),
            )),
            NodeState::Queued
            | NodeState::UpForRetry { .. }
            | NodeState::Success
            | NodeState::Warned
            | NodeState::Failed
            | NodeState::Skipped
            | NodeState::Cancelled => None,
        })
        .collect();
    let plan = (prepared.plan(Some(states), limits)).map_err(|e| Error::Bug(e.to_string()))?;
    let attempts = stored
        .iter()
        .map(|row| u16::try_from(row.attempt).unwrap_or_default())
        .collect();
    let start = Start {
        run_id,
        epoch,
        attempts,
        last_seq,
        tally,
        line,
    };
    Ok(with_recorder(
        context,
        store,
        start,
        plan,
        lost_attempts,
        cancel,
    ))
}

struct Start {
    run_id: i64,
    epoch: i64,
    attempts: Vec<u16>,
    last_seq: i64,
    tally: Tally,
    line: Option<Line>,
}

fn with_recorder(
    context: &Context,
    store: &Store,
    start: Start,
    plan: Plan,
    lost: Vec<(NodeIx, u16, Report)>,
    cancel: &CancellationToken,
) -> Recorded {
    let (recorder, task) = Recorder::new(Recording {
        pool: store.pool().clone(),
        line: start.line,
        run_id: start.run_id,
        epoch: start.epoch,
        attempts: start.attempts,
        last_seq: start.last_seq,
        tally: start.tally,
        secrets: context.place.secrets(),
        clock: Arc::clone(&context.clock),
        cancel: cancel.clone(),
    });
    Recorded {
        recorder: Some(recorder),
        run_id: Some(start.run_id),
        plan,
        lost,
        recording: Some(Box::pin(task)),
    }
}

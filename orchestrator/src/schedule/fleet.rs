//! Carries out queued runs, and runs whose process died, several at once.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::run::events::{Event, Happened, Renderer};
use crate::run::invoke::{Context, Error, Recording, Which, invoke};
use crate::run::lost;
use crate::run::state::RunState;
use crate::store::runs::Run;
use crate::store::{Store, leases, runs};

/// Runs under way in this process.
#[derive(Debug)]
pub struct Fleet {
    context: Context,
    store: Store,
    project: String,
    limit: usize,
    under_way: JoinSet<i64>,
    numbers: Vec<i64>,
    cancel: CancellationToken,
}

impl Fleet {
    /// At most `limit` runs of `project` at once; all of them stop when `cancel` fires.
    #[must_use]
    pub fn new(
        context: Context,
        store: Store,
        project: String,
        limit: usize,
        cancel: CancellationToken,
    ) -> Self {
        let context = Context {
            recording: Recording::In(store.clone()),
            ..context
        };
        Self {
            context,
            store,
            project,
            limit,
            under_way: JoinSet::new(),
            numbers: Vec::new(),
            cancel,
        }
    }

    /// Takes up what nobody is at work on, as far as there is room.
    ///
    /// # Errors
    /// The store's refusal.
    pub async fn take_up(&mut self) -> Result<(), crate::store::Error> {
        while let Some(ended) = self.under_way.try_join_next() {
            self.forget(ended);
        }
        let room = self.limit.saturating_sub(self.numbers.len());
        if room == 0 || self.cancel.is_cancelled() {
            return Ok(());
        }
        let now = self.context.clock.now();
        let limit = i64::try_from(room + self.numbers.len()).unwrap_or(i64::MAX);
        for run in runs::unattended(self.store.pool(), &self.project, now, limit).await? {
            if self.numbers.contains(&run.run_id) || self.numbers.len() >= self.limit {
                continue;
            }
            // nobody waits for what a person had typed into a terminal that is gone
            if run.trigger == "cli" || run.state().is_ok_and(|s| s == RunState::Cancelling) {
                lost::bury(&self.context, &self.store, &run).await?;
                continue;
            }
            self.numbers.push(run.run_id);
            let (context, cancel) = (self.context.clone(), self.cancel.child_token());
            let store = self.store.clone();
            self.under_way.spawn(async move {
                let run_id = run.run_id;
                carry_out(&context, &store, run, cancel).await;
                run_id
            });
        }
        Ok(())
    }

    /// Waits until every run under way has ended, at most for `patience`.
    pub async fn drain(&mut self, patience: Duration) {
        let all = async {
            while let Some(ended) = self.under_way.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(%error, "a run's task broke");
                }
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::warn!(
                "leaving runs behind; their leases run out and another scheduler takes them up"
            );
        }
    }

    fn forget(&mut self, ended: Result<i64, tokio::task::JoinError>) {
        match ended {
            Ok(run_id) => self.numbers.retain(|&number| number != run_id),
            // the number is lost with the task; the lease of its run will run out, and it is taken up again
            Err(error) => tracing::error!(%error, "a run's task broke"),
        }
    }
}

async fn carry_out(context: &Context, store: &Store, run: Run, cancel: CancellationToken) {
    let run_id = run.run_id;
    let mut told = Told { run_id };
    let request = run.request.0.clone();
    let which = Which::Stored(Box::new(run));
    let result = Box::pin(invoke(context, request, which, &mut told, cancel)).await;
    let error = match result {
        Ok(_) => return,
        // someone else was faster, or is at it now
        Err(Error::Fenced { .. }) => return,
        Err(error) => error,
    };
    let hint = error.hint();
    let error = anyhow::Error::from(error);
    tracing::error!(run = run_id, error = %format!("{error:#}"), hint, "the run failed");
    // most of these come before the run's lease is taken: a project that does not load, a database away
    let now = context.clock.now();
    let mut text = format!("{error:#}");
    context.place.secrets().strip(&mut text);
    if let Err(error) = end_unless_taken(store, context, run_id, &text, now).await {
        tracing::error!(run = run_id, %error, "cannot mark the run as failed");
    }
}

async fn end_unless_taken(
    store: &Store,
    context: &Context,
    run_id: i64,
    text: &str,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), crate::store::Error> {
    let resource = leases::of_run(run_id);
    let mut transaction = store.begin().await?;
    if let Some(epoch) = leases::take(&mut *transaction, &resource, &context.holder, now).await? {
        runs::end(&mut *transaction, run_id, RunState::Failed, Some(text), now).await?;
        leases::release(&mut *transaction, &resource, epoch).await?;
    }
    store.commit(transaction).await
}

/// One log line a run at its start and end.
struct Told {
    run_id: i64,
}

impl Renderer for Told {
    fn render(&mut self, happened: &Happened) {
        let run = self.run_id;
        match &happened.event {
            Event::Began { nodes, threads, .. } => {
                tracing::info!(run, nodes = nodes.len(), threads, "run started");
            }
            Event::NothingToDo { .. } => tracing::warn!(run, "nothing is selected"),
            Event::Warning(warning) => tracing::warn!(run, "{warning}"),
            Event::HookFinished { result, .. } => {
                if let Some(error) = result.end.error() {
                    tracing::error!(run, hook = result.name, "{error}");
                }
            }
            Event::RunFinished { state, took, .. } => {
                tracing::info!(
                    run,
                    state = state.word(),
                    seconds = took.as_secs_f64(),
                    "run ended"
                );
            }
            Event::Invoked
            | Event::Found { .. }
            | Event::Said(_)
            | Event::HookStarted { .. }
            | Event::Batch { .. }
            | Event::NodeStarted { .. }
            | Event::NodeRetrying { .. }
            | Event::NodeFinished { .. }
            | Event::NodeSkipped { .. }
            | Event::Cancelling { .. } => {}
        }
    }
}

//! Carries out what `plan.rs` decides. The only place that spawns.
//!
//! The loop owns the plan; attempts are tasks that report once. A model or seed waits until its `running`
//! mark is stored before it touches anything (see `store/mod.rs` for what a crash leaves).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::events::{Ending, Event, Happened, Renderer, Report};
use super::plan::{Action, NodeIx, Plan, StopCause};
use super::record::Recorder;
use super::request::Command;
use super::state::{IllegalTransition, NodeEvent, NodeState};
use crate::clock::SharedClock;
use crate::retry::{FailureKind, RetryLimits, Verdict, policy};

pub mod archive;
pub mod attempt;
mod batches;
mod build;
mod ephemeral;
mod unit_test;

use attempt::{Worker, run_attempt};

/// Why a run ended before its nodes did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// A person or a signal.
    Cancelled,
    /// It took longer than its timeout.
    TimedOut(Duration),
    /// Another process has taken it over, or the store is gone.
    Fenced,
}

/// What the loop works with.
pub struct Execution<'a> {
    /// What to start when.
    pub plan: Plan,
    /// What an attempt needs.
    pub worker: Arc<Worker>,
    /// The run store's side; `None` when the run is not recorded.
    pub recorder: Option<Recorder>,
    /// What happens within nodes.
    pub news: mpsc::UnboundedReceiver<Event>,
    /// Who is told.
    pub renderer: &'a mut dyn Renderer,
    /// The time.
    pub clock: SharedClock,
    /// Fires when the run is to stop.
    pub cancel: CancellationToken,
    /// Limit on the whole run.
    pub timeout: Option<Duration>,
    /// Further attempts.
    pub retries: RetryLimits,
    /// Positions given out so far, in `1 of n`.
    pub index: usize,
    /// What was asked for.
    pub command: Command,
    /// Ephemeral models that could not be compiled, and why.
    pub broken: BTreeMap<NodeIx, String>,
    /// Whom to name in `CANCEL` lines and how far each node's position is.
    pub positions: Vec<usize>,
}

/// How the loop ended.
#[derive(Debug)]
pub struct Executed {
    /// Final states by node, without those of ephemeral models.
    pub states: Vec<NodeState>,
    /// Reports of the nodes that ran, in the order they ended; ephemeral models that were compiled are among them.
    pub reports: Vec<(NodeIx, Report)>,
    /// What the results say of skipped nodes that were not simply skipped.
    pub remarks: BTreeMap<NodeIx, String>,
    /// What cut it short.
    pub stopped: Option<Stopped>,
}

impl Execution<'_> {
    /// Runs to the end. `lost` are attempts that another process began and nobody ended: they are settled
    /// first, like any other report.
    ///
    /// # Errors
    /// [`IllegalTransition`]: a bug in this loop.
    pub async fn run(
        mut self,
        lost: &[(NodeIx, u16, Report)],
    ) -> Result<Executed, IllegalTransition> {
        let mut attempts: JoinSet<(NodeIx, u16, Report)> = JoinSet::new();
        let mut reports = Vec::new();
        let mut remarks = BTreeMap::new();
        let mut stopped = None;
        let statements = CancellationToken::new();
        let deadline = self.timeout.map(|limit| Instant::now() + limit);
        for (node, attempt, report) in lost {
            if let Some(report) = self.settle(*node, *attempt, report.clone())? {
                reports.push((*node, report));
            }
        }
        loop {
            let mut wait = None;
            for action in self.plan.next_actions(self.clock.now()) {
                match action {
                    Action::Start { node, attempt } => {
                        self.plan.apply(node, NodeEvent::Started { attempt })?;
                        self.start(&mut attempts, node, attempt, &statements);
                    }
                    Action::Skip { node, cause } => {
                        self.plan.apply(node, NodeEvent::Skipped)?;
                        let remark = self.skip(node, cause);
                        remarks.extend(remark.map(|remark| (node, remark)));
                    }
                    Action::CancelRunning => self.cancel_running(&statements),
                    Action::WaitUntil(at) => wait = Some(at),
                    Action::Finish => {
                        let shown = self.worker.prepared.nodes.len();
                        let states = self.plan.states()[..shown].to_vec();
                        return Ok(Executed {
                            states,
                            reports,
                            remarks,
                            stopped,
                        });
                    }
                }
            }
            // skips can make the next wave of skips: only wait when something is under way or due
            if attempts.is_empty() && wait.is_none() {
                continue;
            }
            let wake = wait.map(|at| self.instant_of(at));
            let fenced = self
                .recorder
                .as_ref()
                .map(|recorder| recorder.fenced().clone());
            tokio::select! {
                biased;
                // before the end of a node comes what happened in it
                Some(event) = self.news.recv() => self.tell(event),
                Some(ended) = attempts.join_next() => {
                    let (node, attempt, report) = match ended {
                        Ok(ended) => ended,
                        // attempts catch their own panics; nothing aborts them
                        Err(error) => std::panic::resume_unwind(Box::new(error.to_string())),
                    };
                    if let Some(report) = self.settle(node, attempt, report)? {
                        reports.push((node, report));
                    }
                }
                () = fires(fenced), if stopped.is_none() => {
                    stopped = Some(Stopped::Fenced);
                    self.plan.stop(StopCause::Cancelled);
                }
                () = self.cancel.cancelled(), if stopped.is_none() => {
                    stopped = Some(Stopped::Cancelled);
                    self.plan.stop(StopCause::Cancelled);
                }
                () = passes(deadline), if stopped.is_none() => {
                    stopped = self.timeout.map(Stopped::TimedOut);
                    self.plan.stop(StopCause::Cancelled);
                }
                () = passes(wake), if wake.is_some() => {}
            }
        }
    }

    fn start(
        &mut self,
        attempts: &mut JoinSet<(NodeIx, u16, Report)>,
        node: NodeIx,
        attempt: u16,
        statements: &CancellationToken,
    ) {
        let claimed = self.shows(node).then(|| self.begin(node, attempt));
        let claimed = claimed.flatten();
        let worker = Arc::clone(&self.worker);
        let cancel = statements.child_token();
        attempts.spawn(async move {
            let report = run_attempt(&worker, node, claimed, cancel).await;
            (node, attempt, report)
        });
    }

    /// Tells that an attempt starts. What changes data waits for the answer.
    fn begin(&mut self, node: NodeIx, attempt: u16) -> Option<oneshot::Receiver<()>> {
        let index = self.position(node);
        let happened = Happened {
            at: self.clock.now(),
            event: Event::NodeStarted {
                node,
                attempt,
                index,
            },
        };
        self.renderer.render(&happened);
        // a test changes nothing, so nothing has to be known about it beforehand
        match &self.recorder {
            Some(recorder) if self.worker.touches_data(node) => {
                Some(recorder.note_and_tell(happened))
            }
            Some(recorder) => {
                recorder.note(happened);
                None
            }
            None => None,
        }
    }

    /// Turns a report into an event of the state machine; a report that ends the node comes back.
    fn settle(
        &mut self,
        node: NodeIx,
        attempt: u16,
        mut report: Report,
    ) -> Result<Option<Report>, IllegalTransition> {
        let now = self.clock.now();
        let verdict = match (report.kind, self.plan.stopped_by()) {
            (Some(kind), None) => policy(kind, attempt, self.retries, node),
            (_, Some(_)) | (None, _) => Verdict::GiveUp,
        };
        let shown = self.shows(node);
        let is_lost = report.kind == Some(FailureKind::Lost);
        let event = match (report.ending, verdict) {
            (Ending::Failed | Ending::Partial, Verdict::Retry { after }) => {
                let at = now + TimeDelta::from_std(after).unwrap_or(TimeDelta::MAX);
                let event = if is_lost {
                    NodeEvent::Lost {
                        attempt,
                        retry_at: Some(at),
                    }
                } else {
                    NodeEvent::RetryAt { attempt, at }
                };
                self.plan.apply(node, event)?;
                if shown {
                    let index = self.position(node);
                    self.tell(Event::NodeRetrying {
                        node,
                        attempt,
                        index,
                        report,
                        at,
                    });
                }
                return Ok(None);
            }
            (Ending::Success | Ending::NoOp, _) => NodeEvent::Succeeded { attempt },
            (Ending::Warned, _) => NodeEvent::Warned { attempt },
            (Ending::Failed, Verdict::GiveUp) if is_lost => NodeEvent::Lost {
                attempt,
                retry_at: None,
            },
            (Ending::Failed | Ending::Partial, Verdict::GiveUp) => NodeEvent::Failed { attempt },
            (Ending::Cancelled, _) => NodeEvent::Cancelled { attempt },
        };
        self.plan.apply(node, event)?;
        if !shown {
            return Ok(self.compiled(node, report));
        }
        let index = self.position(node);
        self.tell(Event::NodeFinished {
            node,
            attempt,
            index,
            report: report.clone(),
        });
        // the text is in the store and on disk by now; a run of thousands need not hold it
        if !self.worker.keeps_sql() {
            report.compiled_sql = None;
            report.injected = None;
        }
        Ok(Some(report))
    }

    fn cancel_running(&mut self, statements: &CancellationToken) {
        if statements.is_cancelled() {
            return;
        }
        statements.cancel();
        let running = |(node, state): (NodeIx, &NodeState)| {
            matches!(state, NodeState::Running { .. }).then_some(node)
        };
        let shown = self.plan.states()[..self.positions.len()].iter();
        let nodes = (0..).zip(shown).filter_map(running).collect();
        self.tell(Event::Cancelling { nodes });
    }

    fn tell(&mut self, event: Event) {
        let happened = Happened {
            at: self.clock.now(),
            event,
        };
        self.renderer.render(&happened);
        if let Some(recorder) = &self.recorder {
            recorder.note(happened);
        }
    }

    /// dbt's `n of m`: given out when a node is first mentioned, kept for its later lines.
    fn position(&mut self, node: NodeIx) -> usize {
        let position = &mut self.positions[node as usize];
        if *position == 0 {
            self.index += 1;
            *position = self.index;
        }
        *position
    }

    fn instant_of(&self, at: DateTime<Utc>) -> Instant {
        Instant::now() + (at - self.clock.now()).to_std().unwrap_or_default()
    }
}

/// Starts something that lives beside the runs: a recorder, a signal handler. Spawning happens in this file
/// only, so that this is the list of everything concurrent.
pub fn in_background(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}

async fn passes(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

async fn fires(token: Option<CancellationToken>) {
    match token {
        Some(token) => token.cancelled().await,
        None => std::future::pending().await,
    }
}

//! Which node starts next. Pure: no clock, no database, no tasks; the caller says what happened and when.
//!
//! Every node counts the prerequisites it still waits for; an ending decrements its dependants once.
//! So a whole run costs O(nodes + edges), whatever its shape: 5,000 models with 15,000 tests included.
//! No edge is ever added for reachability: a skip travels along direct edges, one wave at a time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::order::{self, ix};
use super::state::{IllegalTransition, NodeEvent, NodeState};

/// A node's position in the run's list of nodes.
pub type NodeIx = u32;

/// Wave, depth, height, number.
type Rank = (u32, u32, Reverse<u32>, NodeIx);

/// How much may happen at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Attempts under way at the same time; at least 1.
    pub threads: usize,
    /// The first failure stops the run.
    pub fail_fast: bool,
}

/// Why a node is not going to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipCause {
    /// This node, upstream, ended badly.
    Upstream(NodeIx),
    /// Fail-fast: this node, anywhere, failed first.
    FailFast(NodeIx),
    /// The run was cancelled.
    Cancelled,
}

/// What the caller should do now. Asking twice gives the same answer until an event is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start this attempt, and apply `Started`.
    Start {
        /// Which node.
        node: NodeIx,
        /// Which attempt, from 1.
        attempt: u16,
    },
    /// Record that it will not run, and apply `Skipped`.
    Skip {
        /// Which node.
        node: NodeIx,
        /// Why.
        cause: SkipCause,
    },
    /// Cancel whatever runs; its attempts will report.
    CancelRunning,
    /// Nothing to do before this instant, unless an attempt reports.
    WaitUntil(DateTime<Utc>),
    /// Every node has ended.
    Finish,
}

/// What stops a run early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    /// A node failed and the run is to stop at the first failure.
    FailFast(NodeIx),
    /// A person, a signal or a timeout.
    Cancelled,
}

/// The run's graph with its counters.
#[derive(Debug, Clone)]
pub struct Plan {
    states: Vec<NodeState>,
    /// Who waits for each node.
    dependants: Vec<Vec<NodeIx>>,
    /// How many prerequisites have not yet ended.
    waiting_for: Vec<u32>,
    /// Longest path to a leaf: of what stands equally deep, what is on the critical path starts first.
    height: Vec<u32>,
    /// Longest path from a root. As in dbt the roots start first: a model may read a seed's table without saying so,
    /// and finds it empty while it is loaded.
    depth: Vec<u32>,
    ready: BTreeSet<Rank>,
    /// Which wave of endings made each node ready.
    wave_of: Vec<u32>,
    wave: u32,
    retries: BTreeSet<(DateTime<Utc>, NodeIx)>,
    /// Nodes that will be skipped. As in dbt a node's turn comes when all it waits for has ended, whatever becomes of it.
    doomed: BTreeMap<NodeIx, SkipCause>,
    running: usize,
    unfinished: usize,
    stopping: Option<StopCause>,
    limits: Limits,
}

/// The prerequisites form a circle; the project's loader should have said so first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("node {0} waits for itself")]
pub struct Cycle(pub NodeIx);

impl Plan {
    /// A plan over `prerequisites[node]`, each a list of nodes of the same run.
    ///
    /// # Errors
    /// [`Cycle`] when no order exists.
    pub fn new(prerequisites: &[Vec<NodeIx>], limits: Limits) -> Result<Self, Cycle> {
        let states = vec![NodeState::Queued; prerequisites.len()];
        Self::resume(prerequisites, states, limits)
    }

    /// A plan that goes on from `states`, as the store holds them. A node that is `Running` there
    /// stays so until the caller applies `Lost`.
    ///
    /// # Errors
    /// [`Cycle`] when no order exists.
    pub fn resume(
        prerequisites: &[Vec<NodeIx>],
        states: Vec<NodeState>,
        limits: Limits,
    ) -> Result<Self, Cycle> {
        let count = prerequisites.len();
        let mut dependants = vec![Vec::new(); count];
        for (node, inputs) in prerequisites.iter().enumerate() {
            for &input in inputs {
                dependants[input as usize].push(ix(node));
            }
        }
        let height = order::heights(prerequisites, &dependants)?;
        let depth = order::depths(&dependants, &[]);
        let waiting_for = prerequisites
            .iter()
            .map(|inputs| {
                ix(inputs
                    .iter()
                    .filter(|i| !states[**i as usize].is_final())
                    .count())
            })
            .collect();
        let counted = |is: &dyn Fn(&NodeState) -> bool| states.iter().filter(|s| is(s)).count();
        let mut plan = Self {
            running: counted(&|state| matches!(state, NodeState::Running { .. })),
            unfinished: counted(&|state| !state.is_final()),
            states,
            dependants,
            waiting_for,
            height,
            depth,
            ready: BTreeSet::new(),
            wave_of: vec![0; count],
            wave: 0,
            retries: BTreeSet::new(),
            doomed: BTreeMap::new(),
            stopping: None,
            limits: Limits {
                threads: limits.threads.max(1),
                ..limits
            },
        };
        for node in 0..ix(count) {
            match plan.states[node as usize] {
                NodeState::Queued => plan.enqueue_if_ready(node),
                NodeState::UpForRetry { at, .. } => {
                    plan.retries.insert((at, node));
                }
                NodeState::Failed | NodeState::Skipped | NodeState::Cancelled => {
                    plan.doom_dependants(node, node);
                }
                NodeState::Running { .. } | NodeState::Success | NodeState::Warned => {}
            }
        }
        Ok(plan)
    }

    /// The same with nodes that read tables of no node: `reads_sources`, by node. They stand behind the roots, as in
    /// dbt, whose graph has the sources in it.
    #[must_use]
    pub fn behind_sources(mut self, reads_sources: &[bool]) -> Self {
        self.depth = order::depths(&self.dependants, reads_sources);
        let ready = std::mem::take(&mut self.ready);
        self.ready = ready
            .into_iter()
            .map(|(_, _, _, node)| self.rank(node))
            .collect();
        self
    }

    /// What to do at `now`.
    #[must_use]
    pub fn next_actions(&self, now: DateTime<Utc>) -> Vec<Action> {
        if self.unfinished == 0 {
            return vec![Action::Finish];
        }
        if self.stopping.is_some() {
            let skip = |(&node, &cause)| Action::Skip { node, cause };
            let cancel = (self.running > 0).then_some(Action::CancelRunning);
            return self.doomed.iter().map(skip).chain(cancel).collect();
        }
        let mut free = self.limits.threads.saturating_sub(self.running);
        let mut actions = Vec::new();
        // a node that has waited out its backoff goes first: it holds up its dependants longest
        let due = self
            .retries
            .iter()
            .take_while(|(at, _)| *at <= now)
            .map(|&(_, node)| node);
        let fresh = self.ready.iter().map(|&(_, _, _, node)| node);
        for node in due.chain(fresh) {
            if free == 0 {
                break;
            }
            if let Some(&cause) = self.doomed.get(&node) {
                actions.push(Action::Skip { node, cause });
                continue;
            }
            free -= 1;
            let attempt = match self.states[node as usize] {
                NodeState::UpForRetry { attempt, .. } => attempt.saturating_add(1),
                _ => 1,
            };
            actions.push(Action::Start { node, attempt });
        }
        if let Some(&(at, _)) = self.retries.first()
            && at > now
        {
            actions.push(Action::WaitUntil(at));
        }
        actions
    }

    /// Takes note of what happened to `node`.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the node's state does not allow it; nothing changes then.
    pub fn apply(&mut self, node: NodeIx, event: NodeEvent) -> Result<(), IllegalTransition> {
        let before = self.states[node as usize];
        let after = before.next(event)?;
        self.states[node as usize] = after;
        match before {
            NodeState::Queued => {
                let rank = self.rank(node);
                self.ready.remove(&rank);
            }
            NodeState::UpForRetry { at, .. } => {
                self.retries.remove(&(at, node));
            }
            NodeState::Running { .. } => self.running -= 1,
            NodeState::Success
            | NodeState::Warned
            | NodeState::Failed
            | NodeState::Skipped
            | NodeState::Cancelled => {}
        }
        match after {
            NodeState::Running { .. } => self.running += 1,
            NodeState::UpForRetry { at, .. } => match self.stopping {
                None => {
                    self.retries.insert((at, node));
                }
                Some(cause) => {
                    self.doomed.insert(node, cause.into());
                }
            },
            NodeState::Success | NodeState::Warned => {
                self.unfinished -= 1;
                self.release_dependants(node);
            }
            NodeState::Failed => {
                self.unfinished -= 1;
                self.doom_dependants(node, node);
                self.release_dependants(node);
                if self.limits.fail_fast && self.stopping.is_none() {
                    self.stop(StopCause::FailFast(node));
                }
            }
            NodeState::Skipped | NodeState::Cancelled => {
                self.unfinished -= 1;
                // the culprit of a skipped node is the culprit of what stands on it
                let culprit = match self.doomed.remove(&node) {
                    Some(SkipCause::Upstream(culprit)) => culprit,
                    Some(SkipCause::FailFast(_) | SkipCause::Cancelled) | None => node,
                };
                self.doom_dependants(node, culprit);
                self.release_dependants(node);
            }
            NodeState::Queued => {}
        }
        Ok(())
    }

    /// Starts nothing more: what waits is skipped, what runs is to be cancelled.
    pub fn stop(&mut self, cause: StopCause) {
        if self.stopping.is_some() {
            return;
        }
        self.stopping = Some(cause);
        self.ready.clear();
        self.retries.clear();
        for node in 0..ix(self.states.len()) {
            match self.states[node as usize] {
                NodeState::Queued | NodeState::UpForRetry { .. } => {
                    let known = self.doomed.entry(node).or_insert(cause.into());
                    if let StopCause::FailFast(_) = cause {
                        // what stands on the culprit is spared like everything else
                        *known = cause.into();
                    }
                }
                NodeState::Running { .. }
                | NodeState::Success
                | NodeState::Warned
                | NodeState::Failed
                | NodeState::Skipped
                | NodeState::Cancelled => {}
            }
        }
    }

    /// A node's state.
    #[must_use]
    pub fn state(&self, node: NodeIx) -> NodeState {
        self.states[node as usize]
    }

    /// All states, by node.
    #[must_use]
    pub fn states(&self) -> &[NodeState] {
        &self.states
    }

    /// What stopped the run early, if anything did.
    #[must_use]
    pub fn stopped_by(&self) -> Option<StopCause> {
        self.stopping
    }

    /// Attempts under way.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running
    }

    /// Where a node stands among those that are ready.
    fn rank(&self, node: NodeIx) -> Rank {
        let at = node as usize;
        // one after the other the nodes take as long in any order, and dbt's is first come, first served
        let (wave, height) = match self.limits.threads {
            1 => (self.wave_of[at], 0),
            _ => (0, self.height[at]),
        };
        (wave, self.depth[at], Reverse(height), node)
    }

    fn enqueue_if_ready(&mut self, node: NodeIx) {
        let at = node as usize;
        if self.waiting_for[at] == 0
            && self.stopping.is_none()
            && self.states[at] == NodeState::Queued
        {
            self.wave_of[at] = self.wave;
            self.ready.insert(self.rank(node));
        }
    }

    fn release_dependants(&mut self, node: NodeIx) {
        self.wave += 1;
        for position in 0..self.dependants[node as usize].len() {
            let dependant = self.dependants[node as usize][position];
            self.waiting_for[dependant as usize] -= 1;
            self.enqueue_if_ready(dependant);
        }
    }

    fn doom_dependants(&mut self, node: NodeIx, culprit: NodeIx) {
        for position in 0..self.dependants[node as usize].len() {
            let dependant = self.dependants[node as usize][position];
            if self.states[dependant as usize] == NodeState::Queued {
                self.doomed
                    .entry(dependant)
                    .or_insert(SkipCause::Upstream(culprit));
            }
        }
    }
}

impl From<StopCause> for SkipCause {
    fn from(cause: StopCause) -> Self {
        match cause {
            StopCause::FailFast(node) => Self::FailFast(node),
            StopCause::Cancelled => Self::Cancelled,
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;

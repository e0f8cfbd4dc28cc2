//! What a node and a run may go through. Pure: a state and an event give the next state, or a refusal.
//!
//! ```text
//! queued ──started──▶ running ──succeeded─▶ success      running ──warned──▶ warned
//!   │                  │  ▲                              running ──failed──▶ failed
//!   │          retry_at│  │started                       running ──cancelled▶ cancelled
//!   │            (lost)▼  │                              running ──lost (no attempt left)──▶ failed
//!   └──skipped──▶    up_for_retry ──skipped──▶ skipped
//! ```
//!
//! An event carries the attempt it speaks of: what an attempt that is no longer the current one has to
//! say is refused here, as the store refuses its write.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Where a node stands within one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum NodeState {
    /// Waits for its inputs or for a free thread.
    Queued,
    /// An attempt is under way.
    Running {
        /// Counts from 1.
        attempt: u16,
    },
    /// An attempt failed in a way that may pass; the next starts at `at`.
    UpForRetry {
        /// The attempt that failed.
        attempt: u16,
        /// Earliest start of the next one.
        at: DateTime<Utc>,
    },
    /// Built, loaded or passed.
    Success,
    /// A test found rows, and its severity is `warn`.
    Warned,
    /// Failed for good.
    Failed,
    /// Never started, because of another node or because the run was stopped.
    Skipped,
    /// Its statement was cancelled.
    Cancelled,
}

/// What happened to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeEvent {
    /// An attempt was claimed and starts now.
    Started {
        /// One more than the last.
        attempt: u16,
    },
    /// The attempt's effect is in the database.
    Succeeded {
        /// Which attempt.
        attempt: u16,
    },
    /// The test found rows but only warns.
    Warned {
        /// Which attempt.
        attempt: u16,
    },
    /// The attempt failed for good.
    Failed {
        /// Which attempt.
        attempt: u16,
    },
    /// The attempt failed; `retry.rs` grants another.
    RetryAt {
        /// Which attempt.
        attempt: u16,
        /// When the next may start.
        at: DateTime<Utc>,
    },
    /// The process that ran the attempt is gone.
    Lost {
        /// Which attempt.
        attempt: u16,
        /// When the next may start; `None` when no attempt is left.
        retry_at: Option<DateTime<Utc>>,
    },
    /// It will not be started.
    Skipped,
    /// Its statement was cancelled.
    Cancelled {
        /// Which attempt.
        attempt: u16,
    },
}

/// An event that the state does not allow: a bug, or a word from an attempt that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a node that is {state:?} cannot take {event:?}")]
pub struct IllegalTransition {
    /// The node's state.
    pub state: NodeState,
    /// The event refused.
    pub event: NodeEvent,
}

impl NodeState {
    /// The state after `event`.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the event does not belong here or speaks of another attempt.
    pub fn next(self, event: NodeEvent) -> Result<Self, IllegalTransition> {
        use NodeEvent as E;
        use NodeState as S;
        let next = match (self, event) {
            (S::Queued, E::Started { attempt: 1 }) => Some(S::Running { attempt: 1 }),
            (S::UpForRetry { attempt: last, .. }, E::Started { attempt })
                if last.checked_add(1) == Some(attempt) =>
            {
                Some(S::Running { attempt })
            }
            (S::Queued | S::UpForRetry { .. }, E::Skipped) => Some(S::Skipped),
            (S::Running { attempt: current }, event) if event.attempt() == Some(current) => {
                match event {
                    E::Succeeded { .. } => Some(S::Success),
                    E::Warned { .. } => Some(S::Warned),
                    E::Failed { .. } | E::Lost { retry_at: None, .. } => Some(S::Failed),
                    E::RetryAt { attempt, at }
                    | E::Lost {
                        attempt,
                        retry_at: Some(at),
                    } => Some(S::UpForRetry { attempt, at }),
                    E::Cancelled { .. } => Some(S::Cancelled),
                    E::Started { .. } | E::Skipped => None,
                }
            }
            (
                S::Queued
                | S::Running { .. }
                | S::UpForRetry { .. }
                | S::Success
                | S::Warned
                | S::Failed
                | S::Skipped
                | S::Cancelled,
                _,
            ) => None,
        };
        next.ok_or(IllegalTransition { state: self, event })
    }

    /// No event is allowed any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Queued | Self::Running { .. } | Self::UpForRetry { .. } => false,
            Self::Success | Self::Warned | Self::Failed | Self::Skipped | Self::Cancelled => true,
        }
    }

    /// Dependants may start.
    #[must_use]
    pub fn satisfies_dependants(self) -> bool {
        match self {
            Self::Success | Self::Warned => true,
            Self::Queued
            | Self::Running { .. }
            | Self::UpForRetry { .. }
            | Self::Failed
            | Self::Skipped
            | Self::Cancelled => false,
        }
    }

    /// The word the store, the console and the web use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running { .. } => "running",
            Self::UpForRetry { .. } => "up_for_retry",
            Self::Success => "success",
            Self::Warned => "warned",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

impl NodeEvent {
    /// The attempt the event speaks of.
    #[must_use]
    pub fn attempt(self) -> Option<u16> {
        match self {
            Self::Started { attempt }
            | Self::Succeeded { attempt }
            | Self::Warned { attempt }
            | Self::Failed { attempt }
            | Self::RetryAt { attempt, .. }
            | Self::Lost { attempt, .. }
            | Self::Cancelled { attempt } => Some(attempt),
            Self::Skipped => None,
        }
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Asked for; no process has taken it.
    Queued,
    /// A process holds its lease.
    Running,
    /// Stopping: statements are being cancelled.
    Cancelling,
    /// Every node succeeded, warned, or there was none.
    Success,
    /// A node failed, or the run could not be prepared.
    Failed,
    /// Stopped by a person, a signal or its timeout.
    Cancelled,
}

/// What happens to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEvent {
    /// A process took the lease.
    Claimed,
    /// A person or a signal asks to stop.
    CancelRequested,
    /// Its nodes have all ended, these ways.
    Ended {
        /// Some node failed, or could not be prepared.
        failed: bool,
    },
}

/// A run event that the state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run that is {state:?} cannot take {event:?}")]
pub struct IllegalRunTransition {
    /// The run's state.
    pub state: RunState,
    /// The event refused.
    pub event: RunEvent,
}

impl RunState {
    /// The state after `event`. Claiming a running run is how another process takes over a dead lease.
    ///
    /// # Errors
    /// [`IllegalRunTransition`] when the event does not belong here.
    pub fn next(self, event: RunEvent) -> Result<Self, IllegalRunTransition> {
        use RunEvent as E;
        use RunState as S;
        match (self, event) {
            (S::Queued | S::Running, E::Claimed) => Ok(S::Running),
            (S::Cancelling, E::Claimed) => Ok(S::Cancelling),
            (S::Queued, E::CancelRequested) => Ok(S::Cancelled),
            (S::Running | S::Cancelling, E::CancelRequested) => Ok(S::Cancelling),
            (S::Running, E::Ended { failed: false }) => Ok(S::Success),
            (S::Queued | S::Running, E::Ended { failed: true }) => Ok(S::Failed),
            (S::Cancelling, E::Ended { .. }) => Ok(S::Cancelled),
            (S::Queued, E::Ended { failed: false })
            | (S::Success | S::Failed | S::Cancelled, _) => {
                Err(IllegalRunTransition { state: self, event })
            }
        }
    }

    /// No event is allowed any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Queued | Self::Running | Self::Cancelling => false,
            Self::Success | Self::Failed | Self::Cancelled => true,
        }
    }

    /// The word the store, the console and the web use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Cancelling => "cancelling",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of a word from the store.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Queued,
            Self::Running,
            Self::Cancelling,
            Self::Success,
            Self::Failed,
            Self::Cancelled,
        ]
        .into_iter()
        .find(|state| state.word() == word)
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;

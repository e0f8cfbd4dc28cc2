//! Whether a failed attempt is worth another. Pure, and the only place that decides it.

use std::time::Duration;

/// Why an attempt ended badly, as far as another attempt is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The server gave up a statement that may well work next time: deadlock, serialization failure.
    Conflict,
    /// The connection broke or the server is starting or stopping.
    Connection,
    /// The process that ran the attempt is gone.
    Lost,
    /// The SQL, the data or the server's objects are wrong; the same statement fails the same way.
    Database,
    /// The project is wrong: template, configuration, files.
    Project,
    /// A test found rows.
    TestFailure,
    /// Someone stopped it.
    Cancelled,
}

/// How often and how patiently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryLimits {
    /// Attempts after the first.
    pub retries: u16,
}

impl RetryLimits {
    /// Two more attempts: enough for a deadlock or a server restart, not enough to hide a fault.
    pub const DEFAULT: Self = Self { retries: 2 };
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Try again after this time.
    Retry {
        /// Measured from the failure.
        after: Duration,
    },
    /// It stays failed.
    GiveUp,
}

/// Decides about attempt number `attempt` (from 1) that failed for `kind`.
///
/// `spread` tells nodes apart (the node's number will do): two that failed in the same deadlock
/// must not meet again at the same instant.
#[must_use]
pub fn policy(kind: FailureKind, attempt: u16, limits: RetryLimits, spread: u32) -> Verdict {
    let base = match kind {
        FailureKind::Conflict => Duration::from_millis(250),
        FailureKind::Connection => Duration::from_secs(2),
        // whoever takes over has already waited for the lease to run out
        FailureKind::Lost => Duration::ZERO,
        FailureKind::Database
        | FailureKind::Project
        | FailureKind::TestFailure
        | FailureKind::Cancelled => return Verdict::GiveUp,
    };
    if attempt > limits.retries {
        return Verdict::GiveUp;
    }
    Verdict::Retry {
        after: backoff(base, attempt, spread),
    }
}

/// Doubles with each attempt, up to a minute, and adds up to half of itself by `spread`.
fn backoff(base: Duration, attempt: u16, spread: u32) -> Duration {
    /// Longer waits only delay the news that something is wrong for good.
    const CEILING: Duration = Duration::from_secs(60);
    let doublings = u32::from(attempt.saturating_sub(1)).min(16);
    let wait = base.saturating_mul(1 << doublings).min(CEILING);
    // Knuth's multiplicative hash: neighbours land far apart
    let share = f64::from(spread.wrapping_mul(2_654_435_761) >> 16) / f64::from(u16::MAX);
    wait + wait.mul_f64(share / 2.0)
}

/// What a person can do about it; the text behind `hint:`.
#[must_use]
pub fn hint(kind: FailureKind) -> Option<&'static str> {
    match kind {
        FailureKind::Conflict => {
            Some("another session held the same rows or tables: see pg_locks, or use fewer threads")
        }
        FailureKind::Connection => Some("is Postgres up? `make status` tells"),
        FailureKind::Lost => Some("the process that ran it was killed or lost the run store"),
        FailureKind::Database
        | FailureKind::Project
        | FailureKind::TestFailure
        | FailureKind::Cancelled => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: FailureKind, attempt: u16, expected: Verdict) {
        assert_eq!(
            policy(kind, attempt, RetryLimits { retries: 2 }, 0),
            expected,
            "{kind:?}"
        );
    }

    #[test]
    fn only_what_may_pass_is_retried() {
        for kind in [
            FailureKind::Database,
            FailureKind::Project,
            FailureKind::TestFailure,
            FailureKind::Cancelled,
        ] {
            check(kind, 1, Verdict::GiveUp);
        }
        check(
            FailureKind::Conflict,
            1,
            Verdict::Retry {
                after: Duration::from_millis(250),
            },
        );
        check(
            FailureKind::Conflict,
            2,
            Verdict::Retry {
                after: Duration::from_millis(500),
            },
        );
        check(FailureKind::Conflict, 3, Verdict::GiveUp);
        check(
            FailureKind::Lost,
            1,
            Verdict::Retry {
                after: Duration::ZERO,
            },
        );
    }

    #[test]
    fn two_deadlocked_nodes_part_ways() {
        let limits = RetryLimits::DEFAULT;
        let waits: Vec<_> = (0..4)
            .map(|node| policy(FailureKind::Conflict, 1, limits, node))
            .collect();
        for (index, wait) in waits.iter().enumerate() {
            assert!(!waits[..index].contains(wait), "{waits:?}");
        }
    }

    #[test]
    fn waiting_has_a_ceiling() {
        let limits = RetryLimits { retries: u16::MAX };
        let verdict = policy(FailureKind::Connection, 40, limits, 0);
        assert_eq!(
            verdict,
            Verdict::Retry {
                after: Duration::from_mins(1)
            }
        );
    }
}

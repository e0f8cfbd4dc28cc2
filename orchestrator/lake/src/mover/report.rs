//! What a run of the archive tells, while it goes on and at its end.

use crate::ledger::TableId;
use crate::ledger::moves::Move;
use crate::ledger::state::{Kind, State};

/// Something happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A move reached a state.
    Reached {
        /// The move, as it is now.
        what: Box<Move>,
    },
    /// Rows of a day are on their way.
    Progress {
        /// Whose.
        table: TableId,
        /// Which day's.
        day: chrono::NaiveDate,
        /// Rows so far.
        rows: u64,
    },
    /// Waiting for queries that began before the view was replaced.
    Draining {
        /// Trino's names of them.
        queries: Vec<String>,
    },
    /// A file that the object store had lost, or had with other bytes, was made once more from rows in Postgres.
    Mended {
        /// Whose.
        table: TableId,
        /// Where it is.
        file: String,
    },
    /// A view was made or replaced.
    View {
        /// Its name, with schema.
        name: String,
    },
}

/// Whoever is told.
pub trait Reporter: Send + Sync {
    /// Tells it.
    fn report(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> Reporter for F {
    fn report(&self, event: &Event) {
        self(event);
    }
}

/// Why a run ended before everything was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// `archive pause`.
    Paused {
        /// Why it was paused.
        reason: String,
    },
    /// Ctrl-C or SIGTERM.
    Cancelled,
    /// There is no Trino: nobody can replace the view, so rows stay in Postgres too.
    NoTrino {
        /// Why it cannot be asked, when its address is set.
        away: Option<String>,
    },
    /// Late rows of days that were given back are not in the table yet, for want of Trino.
    GivingBack {
        /// Why it cannot be asked, when its address is set.
        away: Option<String>,
    },
    /// Queries that began before the view was replaced still run.
    Draining {
        /// Trino's names of them.
        queries: Vec<String>,
    },
    /// `--until`.
    AsAsked,
}

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Days that were committed.
    pub committed: u64,
    /// Days that left Postgres, or flushes whose late rows did.
    pub dropped: u64,
    /// Rows committed.
    pub rows: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// Bytes that Postgres gave back.
    pub freed: u64,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// Why it ended early.
    pub stopped: Option<Stopped>,
}

impl Outcome {
    pub(super) fn count(&mut self, moved: &Move) {
        let number = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).unwrap_or_default();
        match moved.state {
            State::Committed => {
                self.committed += 1;
                self.rows += number(moved.rows);
                self.bytes += number(moved.bytes);
            }
            State::Dropped => {
                self.dropped += 1;
                if moved.kind == Kind::Move {
                    self.freed += number(moved.source_bytes);
                }
            }
            State::Planned
            | State::Frozen
            | State::Copied
            | State::Verified
            | State::Committing
            | State::Visible
            | State::Drained
            | State::Detached => {}
        }
    }
}

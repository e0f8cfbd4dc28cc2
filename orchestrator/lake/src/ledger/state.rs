//! The states of a move, and what a batch of moves needs next. Pure.

use std::fmt;
use std::str::FromStr;

/// How far a move has come. In order; each says what is true from then on, whoever dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Meant to be moved; nothing has happened.
    Planned,
    /// Writers go to the late table; the partition can no longer change.
    Frozen,
    /// Its rows lie in files that the ledger lists; nothing refers to them.
    Copied,
    /// The files were read back and hold the same rows, by digest and by the SQL witness.
    Verified,
    /// The commit may be under way.
    Committing,
    /// The files are part of the Iceberg table. There is no way back.
    Committed,
    /// The view takes these rows from Iceberg.
    Visible,
    /// No query runs that began before that.
    Drained,
    /// The partition is a table of its own.
    Detached,
    /// It is gone; of a flush, its late rows are.
    Dropped,
}

/// Every state, in order.
pub const STATES: [State; 10] = [
    State::Planned,
    State::Frozen,
    State::Copied,
    State::Verified,
    State::Committing,
    State::Committed,
    State::Visible,
    State::Drained,
    State::Detached,
    State::Dropped,
];

impl State {
    /// As stored.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Frozen => "frozen",
            Self::Copied => "copied",
            Self::Verified => "verified",
            Self::Committing => "committing",
            Self::Committed => "committed",
            Self::Visible => "visible",
            Self::Drained => "drained",
            Self::Detached => "detached",
            Self::Dropped => "dropped",
        }
    }

    /// Whether the rows are part of the Iceberg table.
    #[must_use]
    pub fn is_committed(self) -> bool {
        self >= Self::Committed
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(word: &str) -> Result<Self, UnknownState> {
        STATES
            .into_iter()
            .find(|state| state.word() == word)
            .ok_or_else(|| UnknownState(word.to_owned()))
    }
}

/// A state that a newer version wrote.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the ledger holds a state that this version does not know: {0}")]
pub struct UnknownState(String);

/// What a move takes to Iceberg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A partition of the table.
    Move,
    /// Late rows of a day that has left.
    Flush,
}

impl Kind {
    /// As stored.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Move => "move",
            Self::Flush => "flush",
        }
    }
}

/// What to do next with a batch. Indices are those of the moves given to [`next_step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Send writers elsewhere, for all of the batch at once.
    Freeze,
    /// Copy one move's rows into files, and at the same time read back those of one that was copied: Postgres is what
    /// a copy waits for, and reading back leaves it alone.
    Transfer {
        /// Frozen.
        copy: Option<usize>,
        /// Copied.
        verify: Option<usize>,
    },
    /// Say that the commit may be under way.
    Announce,
    /// Commit all files at once, or find out that they are committed.
    Commit,
    /// Replace the view.
    Show,
    /// Wait for older queries.
    Drain,
    /// Take one partition out of its table.
    Detach(usize),
    /// Drop one partition, or delete one flush's late rows.
    Drop(usize),
    /// All of it is done.
    Done,
}

/// The step that brings the moves of one batch, oldest first, nearer to their end: the one for those that are furthest
/// behind, so that steps for the whole batch find it together.
#[must_use]
pub fn next_step(moves: &[(Kind, State)]) -> Step {
    let Some(behind) = moves.iter().map(|(_, state)| *state).min() else {
        return Step::Done;
    };
    let at = |wanted| moves.iter().position(|(_, state)| *state == wanted);
    let first = at(behind).unwrap_or_default();
    match behind {
        State::Planned => Step::Freeze,
        State::Frozen | State::Copied => Step::Transfer {
            copy: at(State::Frozen),
            verify: at(State::Copied),
        },
        State::Verified => Step::Announce,
        State::Committing => Step::Commit,
        State::Committed => Step::Show,
        State::Visible => Step::Drain,
        State::Drained => match moves[first].0 {
            Kind::Move => Step::Detach(first),
            Kind::Flush => Step::Drop(first),
        },
        State::Detached => Step::Drop(first),
        State::Dropped => Step::Done,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What carrying out `step` makes of the batch, as the ledger would record it.
    fn carry_out(step: Step, moves: &mut [(Kind, State)]) {
        let mut all = |from: State, to: State| {
            for (_, state) in moves.iter_mut().filter(|(_, state)| *state == from) {
                *state = to;
            }
        };
        match step {
            Step::Freeze => all(State::Planned, State::Frozen),
            Step::Transfer { copy, verify } => {
                for (at, state) in [(copy, State::Copied), (verify, State::Verified)] {
                    if let Some(i) = at {
                        moves[i].1 = state;
                    }
                }
            }
            Step::Announce => all(State::Verified, State::Committing),
            Step::Commit => all(State::Committing, State::Committed),
            Step::Show => all(State::Committed, State::Visible),
            Step::Drain => all(State::Visible, State::Drained),
            Step::Detach(i) => moves[i].1 = State::Detached,
            Step::Drop(i) => moves[i].1 = State::Dropped,
            Step::Done => {}
        }
    }

    proptest! {
        /// A batch of any size ends, and no move is dropped before every one is committed and drained.
        #[test]
        fn batches_end(kinds in prop::collection::vec(prop::bool::ANY, 1..12)) {
            let kind = |flush| if flush { Kind::Flush } else { Kind::Move };
            let mut moves: Vec<_> = kinds.iter().map(|f| (kind(*f), State::Planned)).collect();
            for _ in 0..moves.len() * STATES.len() + 1 {
                let step = next_step(&moves);
                if matches!(step, Step::Detach(_) | Step::Drop(_)) {
                    prop_assert!(moves.iter().all(|(_, state)| *state >= State::Drained));
                }
                if step == Step::Commit {
                    prop_assert!(moves.iter().all(|(_, state)| *state == State::Committing));
                }
                carry_out(step, &mut moves);
            }
            prop_assert_eq!(next_step(&moves), Step::Done);
        }
    }

    #[test]
    fn a_day_is_read_back_while_the_next_is_copied() {
        let step = |states: [State; 3]| next_step(&states.map(|state| (Kind::Move, state)));
        let transfer = |copy, verify| Step::Transfer { copy, verify };
        use State::{Copied, Frozen, Verified};
        assert_eq!(step([Frozen, Frozen, Frozen]), transfer(Some(0), None));
        assert_eq!(step([Copied, Frozen, Frozen]), transfer(Some(1), Some(0)));
        assert_eq!(step([Verified, Copied, Frozen]), transfer(Some(2), Some(1)));
        assert_eq!(step([Verified, Verified, Copied]), transfer(None, Some(2)));
        assert_eq!(step([Verified, Verified, Verified]), Step::Announce);
    }

    #[test]
    fn words_are_read_back() {
        for state in STATES {
            assert_eq!(state.word().parse(), Ok(state));
        }
        assert!("moved".parse::<State>().is_err());
    }
}

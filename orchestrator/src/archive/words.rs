//! What a state means to a person, and what comes next. Pure.

use lake::ledger::state::{Kind, State};

/// What is true of a day in this state.
#[must_use]
pub fn meaning(kind: Kind, state: State) -> &'static str {
    match (state, kind) {
        (State::Planned, _) => "it is meant to be moved; nothing has happened yet",
        (State::Frozen, Kind::Move) => {
            "writers send new rows of it to the late table; the partition no longer changes"
        }
        (State::Frozen, Kind::Flush) => "its number is closed; newer late rows get the next one",
        (State::Copied, _) => "its rows lie in files that nothing refers to yet",
        (State::Verified, _) => "its files were read back and hold the same rows as Postgres",
        (State::Committing, _) => {
            "the commit to Iceberg was announced; the ledger says whether it happened"
        }
        (State::Committed, _) => {
            "its files are part of the Iceberg table; readers still get Postgres' rows"
        }
        (State::Visible, _) => "the view takes its rows from Iceberg",
        (State::Drained, _) => "no query runs that could still read it from Postgres",
        (State::Detached, _) => "its partition is a table of its own, in no view",
        (State::Dropped, Kind::Move) => "it is in Iceberg only; Postgres has given its space back",
        (State::Dropped, Kind::Flush) => "its late rows are in Iceberg only",
    }
}

/// What the next run does about it, and why; `None` when all is done.
#[must_use]
pub fn next(kind: Kind, state: State) -> Option<&'static str> {
    Some(match (state, kind) {
        (State::Planned, Kind::Move) => {
            "advance the boundary, so that writers send its rows elsewhere: what is copied must not change any more"
        }
        (State::Planned, Kind::Flush) => {
            "sort out rows that the archive has already: a key is archived once"
        }
        (State::Frozen, _) => "copy its rows into files under a new attempt",
        (State::Copied, _) => {
            "read the files back and compare digests: nothing is dropped that was not read again"
        }
        (State::Verified, _) => {
            "announce the commit, so that a killed process leaves a trace of it"
        }
        (State::Committing, _) => {
            "look whether the commit happened, and commit if not: an answer can be lost, the ledger's mark cannot"
        }
        (State::Committed, _) => {
            "replace the view: from then on queries read Iceberg for it (needs Trino)"
        }
        (State::Visible, _) => {
            "wait until queries that began with the old view have ended: they may still read Postgres"
        }
        (State::Drained, Kind::Move) => {
            "detach its partition, without blocking readers and writers"
        }
        (State::Drained, Kind::Flush) | (State::Detached, _) => {
            "look a last time whether Iceberg holds it, then drop it from Postgres"
        }
        (State::Dropped, _) => return None,
    })
}

#[cfg(test)]
mod tests {
    use lake::ledger::state::STATES;

    use super::*;

    #[test]
    fn only_the_end_has_nothing_next() {
        for kind in [Kind::Move, Kind::Flush] {
            for state in STATES {
                assert_eq!(next(kind, state).is_none(), state == State::Dropped);
                assert!(!meaning(kind, state).is_empty());
            }
        }
    }
}

//! What a Postgres failure means for a batch. SQLSTATEs are read here and nowhere else. Pure.

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Try again: the server or the way to it failed, not the batch.
    Transient,
    /// A value in the batch is refused.
    Data,
    /// A row of the batch is there already.
    Duplicate,
    /// A row's day has no partition.
    NoPartition,
    /// Trying again will not help.
    Fatal,
}

/// The kind of a failure.
pub(crate) fn of(error: &sqlx::Error) -> Kind {
    match error {
        sqlx::Error::Database(database) => database
            .code()
            .map_or(Kind::Fatal, |code| of_sqlstate(&code)),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Kind::Transient,
        _ => Kind::Fatal,
    }
}

fn of_sqlstate(code: &str) -> Kind {
    match code {
        "23505" => Kind::Duplicate,
        // "no partition of relation found for row" is a check violation; our tables have no other check.
        "23514" => Kind::NoPartition,
        // Serialization failure, deadlock; lock or statement timeout, a cancelled statement.
        "40001" | "40P01" | "55P03" | "57014" | "25P03" | "25P04" => Kind::Transient,
        // Permission, authentication, a missing database, schema or column: a person must act.
        _ if code.starts_with("22") => Kind::Data,
        _ => match &code[..2.min(code.len())] {
            // Connection; resources (disk, memory, connections) that may come back; operator (restart); system.
            "08" | "53" | "57" | "58" | "XX" => Kind::Transient,
            _ => Kind::Fatal,
        },
    }
}

/// What Postgres said, with its code, for a reject's detail.
pub(super) fn words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) => {
            format!(
                "{}: {}",
                database.code().unwrap_or_default(),
                database.message()
            )
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstates_are_told_apart() {
        let check = |codes: &[&str], kind| {
            for code in codes {
                assert_eq!(of_sqlstate(code), kind, "{code}");
            }
        };
        check(
            &[
                "57P01", "57P02", "57P03", "08006", "53300", "53100", "40P01", "58030",
            ],
            Kind::Transient,
        );
        check(&["22P02", "22P05", "22003", "22021"], Kind::Data);
        check(&["23505"], Kind::Duplicate);
        check(&["23514"], Kind::NoPartition);
        check(
            &["42P01", "42501", "28P01", "3D000", "23502", ""],
            Kind::Fatal,
        );
    }
}

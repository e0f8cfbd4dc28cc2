//! What became of a table in a run, in the words that console, store and web share. Pure.

use lake::mover::{Outcome, Stopped};

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All that was due was done.
    Done,
    /// Something waits for the next run, or for a person.
    Warned {
        /// What.
        text: String,
        /// What to do.
        hint: Option<&'static str>,
    },
    /// Someone stopped it.
    Cancelled,
}

/// `MOVE 15 days, 370,123 rows`; what was only dropped in this run is told as such.
#[must_use]
pub fn message(outcome: &Outcome) -> String {
    let days = |count: u64| match count {
        1 => "1 day".to_owned(),
        count => format!("{} days", grouped(count)),
    };
    match (outcome.committed, outcome.dropped) {
        (0, 0) => "MOVE 0 days".to_owned(),
        (0, dropped) => format!("DROP {}", days(dropped)),
        (committed, _) => {
            let rows = match outcome.rows {
                1 => "1 row".to_owned(),
                rows => format!("{} rows", grouped(rows)),
            };
            format!("MOVE {}, {rows}", days(committed))
        }
    }
}

/// What a run of one table came to.
#[must_use]
pub fn verdict(outcome: &Outcome) -> Verdict {
    let mut texts = outcome.warnings.clone();
    let mut hint = None;
    match &outcome.stopped {
        None | Some(Stopped::AsAsked) => {}
        Some(Stopped::Cancelled) => return Verdict::Cancelled,
        Some(Stopped::Paused { reason }) => {
            texts.push(if reason.is_empty() {
                "the archive is paused".to_owned()
            } else {
                format!("the archive is paused: {reason}")
            });
            hint = Some("`ridehail archive resume` lets it go on");
        }
        Some(Stopped::NoTrino { away }) => {
            let why = away
                .as_deref()
                .unwrap_or("there is no Trino to replace the view");
            texts.push(format!(
                "committed, and not yet taken out of Postgres: {why}"
            ));
            hint = Some(if away.is_some() {
                "`make status` tells whether Trino is up; run the archive again once it is"
            } else {
                "start Trino (it needs a JDK 25), set RIDEHAIL_TRINO_URL, and run the archive again"
            });
        }
        Some(Stopped::GivingBack { away }) => {
            let why = away
                .as_deref()
                .unwrap_or("there is no Trino to replace the view");
            texts.push(format!(
                "late rows of days that were given back wait in the late table, where the view shows them: {why}"
            ));
            hint = Some(
                "run the archive again once Trino is up: nothing else of the table moves before",
            );
        }
        Some(Stopped::Draining { queries }) => {
            texts.push(format!(
                "queries that began before the view was replaced still run: {}",
                queries.join(", ")
            ));
            hint = Some(
                "the next run goes on once they have ended; Postgres keeps their rows until then",
            );
        }
    }
    if texts.is_empty() {
        return Verdict::Done;
    }
    Verdict::Warned {
        text: texts.join("\n"),
        hint,
    }
}

/// `370123` as `370,123`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `812 B`, `4.1 MB`: decimal units, as disks are sold.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(committed: u64, dropped: u64, rows: u64, stopped: Option<Stopped>) -> Outcome {
        Outcome {
            committed,
            dropped,
            rows,
            stopped,
            ..Outcome::default()
        }
    }

    #[test]
    fn messages() {
        let of = |committed, dropped, rows| message(&outcome(committed, dropped, rows, None));
        assert_eq!(of(15, 15, 370_123), "MOVE 15 days, 370,123 rows");
        assert_eq!(of(1, 0, 1), "MOVE 1 day, 1 row");
        assert_eq!(of(0, 3, 0), "DROP 3 days");
        assert_eq!(of(0, 0, 0), "MOVE 0 days");
    }

    #[test]
    fn what_waits_is_a_warning() {
        assert_eq!(verdict(&outcome(1, 1, 1, None)), Verdict::Done);
        assert_eq!(
            verdict(&outcome(1, 0, 1, Some(Stopped::AsAsked))),
            Verdict::Done
        );
        let cancelled = outcome(1, 0, 1, Some(Stopped::Cancelled));
        assert_eq!(verdict(&cancelled), Verdict::Cancelled);
        let reason = "a backup".to_owned();
        let paused = outcome(0, 0, 0, Some(Stopped::Paused { reason }));
        let Verdict::Warned { text, hint } = verdict(&paused) else {
            panic!("paused is a warning");
        };
        assert_eq!(text, "the archive is paused: a backup");
        assert!(hint.is_some_and(|hint| hint.contains("resume")));
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(size(812), "812 B");
        assert_eq!(size(4_120_000), "4.1 MB");
        assert_eq!(size(999_999_999), "1.0 GB");
    }
}

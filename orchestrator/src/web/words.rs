//! Durations, instants and states as pages write them. Pure.

use chrono::{DateTime, TimeDelta, Utc};

/// `0.4 s`, `12 s`, `3 min 05 s`, `2 h 05 min`.
#[must_use]
pub(super) fn seconds(seconds: f64) -> String {
    let whole = TimeDelta::milliseconds((seconds * 1_000.0).round().clamp(0.0, 1e15) as i64);
    duration(whole)
}

/// The same of a span.
#[must_use]
pub(super) fn duration(span: TimeDelta) -> String {
    let millis = span.num_milliseconds().max(0);
    let total = millis / 1_000;
    match total {
        0..10 => format!("{}.{:02} s", total, millis % 1_000 / 10),
        10..60 => format!("{}.{} s", total, millis % 1_000 / 100),
        60..3_600 => format!("{} min {:02} s", total / 60, total % 60),
        3_600..172_800 => format!("{} h {:02} min", total / 3_600, total % 3_600 / 60),
        _ => format!("{} days", total / 86_400),
    }
}

/// `just now`, `5 min ago`, `in 3 h`.
#[must_use]
pub(super) fn relative(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let span = (at - now).abs();
    let amount = match span.num_seconds() {
        0..5 => return "just now".to_owned(),
        s @ 5..60 => format!("{s} s"),
        s @ 60..3_600 => format!("{} min", s / 60),
        s @ 3_600..172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    };
    if at > now {
        format!("in {amount}")
    } else {
        format!("{amount} ago")
    }
}

/// `2026-11-22 23:24:12`, UTC.
#[must_use]
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A state for people: `up for retry`.
#[must_use]
pub(super) fn state_word(state: &str) -> String {
    state.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        let of = |millis| duration(TimeDelta::milliseconds(millis));
        assert_eq!(of(420), "0.42 s");
        assert_eq!(of(12_340), "12.3 s");
        assert_eq!(of(185_000), "3 min 05 s");
        assert_eq!(of(7_500_000), "2 h 05 min");
    }

    #[test]
    fn the_past_is_ago() {
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(relative(now + TimeDelta::minutes(3), now), "in 3 min");
        assert_eq!(relative(now - TimeDelta::hours(5), now), "5 h ago");
    }
}

//! The windows of a microbatch model: time cut into hours, days, months or years (UTC), each built by itself. Pure.

use chrono::{
    DateTime, Datelike, Months, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, Timelike, Utc,
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::error::{Error, Location};
use crate::manifest::Node;

mod doubts;

pub(crate) use doubts::doubts;

/// Windows a model may be cut into at most: more is a mistake in `begin` or `batch_size`.
const MOST: usize = 100_000;

/// Length of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Hour,
    Day,
    Month,
    Year,
}

/// One window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// `20260101`, as templates know it (`model.batch.id`).
    pub id: String,
    /// `2026-01-01`, as people see it.
    pub label: String,
    /// First instant.
    pub start: DateTime<Utc>,
    /// First instant that is no longer in it.
    pub end: DateTime<Utc>,
}

impl Batch {
    fn of(size: Size, span: Span) -> Self {
        let label = size.label(span.start);
        Self {
            id: label.replace('-', ""),
            label,
            start: span.start,
            end: span.end,
        }
    }

    /// Its place in time.
    #[must_use]
    pub fn span(&self) -> Span {
        Span {
            start: self.start,
            end: self.end,
        }
    }
}

/// From `start` on, up to but without `end`. Written as dbt writes it: `["2026-01-01T00:00:00+00:00", "…"]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(DateTime<Utc>, DateTime<Utc>)", into = "(String, String)")]
pub struct Span {
    /// First instant.
    pub start: DateTime<Utc>,
    /// First instant that is no longer in it.
    pub end: DateTime<Utc>,
}

impl From<(DateTime<Utc>, DateTime<Utc>)> for Span {
    fn from((start, end): (DateTime<Utc>, DateTime<Utc>)) -> Self {
        Self { start, end }
    }
}

impl From<Span> for (String, String) {
    fn from(span: Span) -> Self {
        let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, false);
        (text(span.start), text(span.end))
    }
}

/// What became of the windows of a model. A later run that goes on from there builds those that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// They are in the table.
    pub successful: Vec<Span>,
    /// They are not: their statements failed, or were never sent.
    pub failed: Vec<Span>,
}

impl Size {
    fn of(node: &Node) -> Result<Self, Error> {
        match node.config.raw.get("batch_size").and_then(Json::as_str) {
            Some("hour") => Ok(Self::Hour),
            Some("day") => Ok(Self::Day),
            Some("month") => Ok(Self::Month),
            Some("year") => Ok(Self::Year),
            Some(other) => Err(wrong(node, &format!("unknown batch_size '{other}'"))),
            None => Err(wrong(
                node,
                "does not have a 'batch_size' config (one of ['hour', 'day', 'month', 'year'])",
            )),
        }
    }

    fn truncate(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let (month, day) = match self {
            Self::Hour | Self::Day => (at.month(), at.day()),
            Self::Month => (at.month(), 1),
            Self::Year => (1, 1),
        };
        let hour = if self == Self::Hour { at.hour() } else { 0 };
        NaiveDate::from_ymd_opt(at.year(), month, day)
            .and_then(|day| day.and_hms_opt(hour, 0, 0))
            .map_or(at, |at| at.and_utc())
    }

    /// `steps` windows after the one `at` lies in.
    fn offset(self, at: DateTime<Utc>, steps: i32) -> DateTime<Utc> {
        let start = self.truncate(at);
        let months = |per: i32| {
            let months = Months::new((steps * per).unsigned_abs());
            if steps < 0 {
                start.checked_sub_months(months)
            } else {
                start.checked_add_months(months)
            }
        };
        let moved = match self {
            Self::Hour => start.checked_add_signed(TimeDelta::hours(i64::from(steps))),
            Self::Day => start.checked_add_signed(TimeDelta::days(i64::from(steps))),
            Self::Month => months(1),
            Self::Year => months(12),
        };
        moved.unwrap_or(start)
    }

    fn ceiling(self, at: DateTime<Utc>) -> DateTime<Utc> {
        if self.truncate(at) == at {
            at
        } else {
            self.offset(at, 1)
        }
    }

    fn label(self, at: DateTime<Utc>) -> String {
        let format = match self {
            Self::Hour => "%Y-%m-%dT%H",
            Self::Day => "%Y-%m-%d",
            Self::Month => "%Y-%m",
            Self::Year => "%Y",
        };
        at.format(format).to_string()
    }
}

/// What a run asks of all its microbatch models.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// `--event-time-start`.
    pub start: Option<DateTime<Utc>>,
    /// `--event-time-end`.
    pub end: Option<DateTime<Utc>>,
}

/// Whether `node` is built in windows.
#[must_use]
pub fn is_microbatch(node: &Node) -> bool {
    node.config.materialized == "incremental"
        && node.config.incremental_strategy.as_deref() == Some("microbatch")
}

/// The windows to build: from the run's start, or the model's `begin` when there is no table yet (`exists`), or
/// `lookback` windows before `now`; to the run's end or `now`.
///
/// # Errors
/// A configuration that is missing or not understood.
pub fn batches(
    node: &Node,
    window: Window,
    exists: bool,
    now: DateTime<Utc>,
) -> Result<Vec<Batch>, Error> {
    let raw = &node.config.raw;
    if raw.get("event_time").and_then(Json::as_str).is_none() {
        return Err(wrong(node, "requires an 'event_time' configuration"));
    }
    let size = Size::of(node)?;
    let end = size.ceiling(window.end.unwrap_or(now));
    let start = match (window.start, exists) {
        (Some(start), _) => size.truncate(start),
        (None, true) => {
            let lookback = raw.get("lookback").and_then(Json::as_i64).unwrap_or(1);
            let lookback = i32::try_from(lookback).unwrap_or(1);
            // an end on the edge: the last window is the one before it
            let edge = i32::from(size.truncate(end) == end && window.end.unwrap_or(now) == end);
            size.offset(window.end.unwrap_or(now), -(lookback + edge))
        }
        (None, false) => {
            let begin = raw.get("begin").and_then(Json::as_str);
            let begin = begin.ok_or_else(|| wrong(node, "requires a 'begin' configuration"))?;
            let begin = instant(begin)
                .ok_or_else(|| wrong(node, &format!("begin: '{begin}' is no date or timestamp")))?;
            size.truncate(begin)
        }
    };
    let mut found = Vec::new();
    let mut at = start;
    while at < end || found.is_empty() {
        if found.len() == MOST {
            return Err(wrong(node, &format!("has more than {MOST} batches")));
        }
        let next = size.offset(at, 1);
        found.push(Batch::of(size, Span::from((at, next))));
        at = next;
    }
    if let Some(last) = found.last_mut() {
        last.end = last.end.min(end).max(last.start);
    }
    Ok(found)
}

/// The windows at `spans`, as an earlier run has cut them.
///
/// # Errors
/// A configuration that is missing or not understood.
pub fn again(node: &Node, spans: &[Span]) -> Result<Vec<Batch>, Error> {
    let size = Size::of(node)?;
    Ok(spans.iter().map(|span| Batch::of(size, *span)).collect())
}

/// A date or timestamp as configurations write them; UTC when it names no zone.
#[must_use]
pub fn instant(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(day.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    [
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ]
    .iter()
    .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    .map(|at| at.and_utc())
}

/// A timestamp as filters and templates show it: `2026-01-01 00:00:00+00:00`.
pub(crate) fn shown(at: DateTime<Utc>) -> String {
    // to the microsecond, as dbt's times are
    let fraction = match at.timestamp_subsec_micros() {
        0 => "",
        _ => "%.6f",
    };
    at.format(&format!("%Y-%m-%d %H:%M:%S{fraction}+00:00"))
        .to_string()
}

fn wrong(node: &Node, what: &str) -> Error {
    Error::Config {
        location: Some(Location::file(&node.original_file_path)),
        message: format!("Microbatch model '{}' {what}", node.name),
        hint: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(batch_size: &str, lookback: i64) -> Node {
        let mut node = Node {
            name: "m".into(),
            ..Node::default()
        };
        for (key, value) in [
            ("event_time", json!("at")),
            ("batch_size", json!(batch_size)),
            ("begin", json!("2026-01-30")),
            ("lookback", json!(lookback)),
        ] {
            node.config.raw.insert(key.to_owned(), value);
        }
        node
    }

    fn labels(node: &Node, window: Window, exists: bool, now: &str) -> Vec<String> {
        let found = batches(node, window, exists, instant(now).unwrap()).unwrap();
        found.into_iter().map(|batch| batch.label).collect()
    }

    #[test]
    fn windows_are_dbts() {
        let none = Window::default();
        assert_eq!(
            labels(&node("day", 1), none, false, "2026-02-01 16:06:00"),
            ["2026-01-30", "2026-01-31", "2026-02-01"]
        );
        assert_eq!(
            labels(&node("day", 1), none, true, "2026-02-01 16:06:00"),
            ["2026-01-31", "2026-02-01"]
        );
        // on the edge the last window ends there
        assert_eq!(
            labels(&node("day", 1), none, true, "2026-02-01"),
            ["2026-01-30", "2026-01-31"]
        );
        assert_eq!(
            labels(&node("month", 2), none, true, "2026-02-10"),
            ["2025-12", "2026-01", "2026-02"]
        );
        assert_eq!(
            labels(&node("hour", 0), none, true, "2026-02-01 16:06:00"),
            ["2026-02-01T16"]
        );
        assert_eq!(
            labels(&node("year", 1), none, false, "2026-02-10"),
            ["2026"]
        );
        let window = Window {
            start: instant("2026-03-01"),
            end: instant("2026-03-03"),
        };
        assert_eq!(
            labels(&node("day", 1), window, true, "2026-05-01"),
            ["2026-03-01", "2026-03-02"]
        );
    }

    #[test]
    fn windows_are_written_as_dbt_writes_them() {
        let node = node("day", 1);
        let windows = Windows {
            failed: vec![Span::from((
                instant("2026-03-01").unwrap(),
                instant("2026-03-02").unwrap(),
            ))],
            ..Windows::default()
        };
        let written = serde_json::to_value(&windows).unwrap();
        assert_eq!(
            written,
            json!({ "successful": [], "failed": [["2026-03-01T00:00:00+00:00", "2026-03-02T00:00:00+00:00"]] })
        );
        let read: Windows = serde_json::from_value(written).unwrap();
        let found = again(&node, &read.failed).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (&*found[0].id, &*found[0].label),
            ("20260301", "2026-03-01")
        );
        assert_eq!(found[0].span(), windows.failed[0]);
    }

    #[test]
    fn what_is_missing_is_told() {
        let mut node = node("day", 1);
        node.config.raw.shift_remove("begin");
        let now = instant("2026-02-01").unwrap();
        let error = batches(&node, Window::default(), false, now).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("requires a 'begin' configuration")
        );
        assert!(batches(&node, Window::default(), true, now).is_ok());
    }
}

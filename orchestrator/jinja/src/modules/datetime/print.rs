//! How moments and times print: by a pattern, by ISO 8601, and within a list.

use std::fmt::Write as _;

use chrono::{Datelike, FixedOffset, NaiveDateTime, NaiveTime, TimeZone, Timelike};
use minijinja::Error;
use minijinja::value::Value;

use super::span::Span;
use super::time::Clock;
use super::zone::{Zone, hours};
use super::{Moment, wrong};

/// `pattern` as chrono takes it: fractions are microseconds, the zone's name is given, and what means nothing stands for
/// itself.
fn for_chrono(pattern: &str, zone: &str) -> String {
    const KNOWN: &str = "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYz%-_0^#:";
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let mut chars = rest[at + 1..].chars();
        match chars.next() {
            Some('f') => out.push_str("%6f"),
            Some('Z') => out.push_str(&zone.replace('%', "%%")),
            Some(c) if KNOWN.contains(c) => out.extend(['%', c]),
            Some(c) => out.extend(['%', '%', c]),
            None => out.push_str("%%"),
        }
        rest = chars.as_str();
    }
    out + rest
}

/// `strftime`.
pub(super) fn strftime(
    local: &NaiveDateTime,
    zone: Option<&Zone>,
    pattern: &str,
) -> Result<String, Error> {
    let name = zone.map_or("", |zone| zone.abbreviation.as_str());
    let wanted = for_chrono(pattern, name);
    let offset = zone.and_then(|zone| FixedOffset::east_opt(zone.offset));
    let offset = offset.and_then(|offset| offset.from_local_datetime(local).single());
    let mut out = String::new();
    let done = match offset {
        Some(at) => write!(out, "{}", at.format(&wanted)),
        // there is nothing to say of a zone
        None => write!(out, "{}", local.format(&wanted.replace("%z", ""))),
    };
    done.map_err(|_| wrong(format!("cannot format a date as '{pattern}'")))?;
    Ok(out)
}

/// The pattern of a time of day with so much of it.
fn detailed(timespec: &str, time: NaiveTime) -> Result<&'static str, Error> {
    Ok(match timespec {
        "auto" if time.nanosecond() == 0 => "%H:%M:%S",
        "auto" | "microseconds" => "%H:%M:%S%.6f",
        "hours" => "%H",
        "minutes" => "%H:%M",
        "seconds" => "%H:%M:%S",
        "milliseconds" => "%H:%M:%S%.3f",
        _ => return Err(wrong("Unknown timespec value")),
    })
}

/// A time of day as ISO 8601 has it.
pub(super) fn iso_time(time: NaiveTime, timespec: &str) -> Result<String, Error> {
    Ok(time.format(detailed(timespec, time)?).to_string())
}

impl Moment {
    pub(super) fn formatted(&self, pattern: &str) -> Result<String, Error> {
        strftime(&self.local, self.zone.as_ref(), pattern)
    }

    pub(super) fn iso(&self, separator: char, timespec: &str) -> Result<String, Error> {
        let date = self.local.format("%Y-%m-%d");
        if self.date_only {
            return Ok(date.to_string());
        }
        let time = iso_time(self.local.time(), timespec)?;
        let zone = self.zone.as_ref().map(|zone| hours(zone.offset));
        Ok(format!(
            "{date}{separator}{time}{}",
            zone.unwrap_or_default()
        ))
    }

    /// `datetime.date(2024, 1, 2)`.
    fn repr(&self) -> String {
        let local = &self.local;
        let date = format!("{}, {}, {}", local.year(), local.month(), local.day());
        if self.date_only {
            return format!("datetime.date({date})");
        }
        let zone = match &self.zone {
            Some(zone) => format!(", tzinfo={}", zone.repr()),
            None => String::new(),
        };
        format!("datetime.datetime({date}, {}{zone})", clock(local.time()))
    }
}

/// `1, 2`, `1, 2, 3` or `1, 2, 3, 4`: hour, minute and what else is not zero.
pub(super) fn clock(time: NaiveTime) -> String {
    let micros = time.nanosecond() / 1000;
    let mut text = format!("{}, {}", time.hour(), time.minute());
    if time.second() != 0 || micros != 0 {
        text += &format!(", {}", time.second());
    }
    if micros != 0 {
        text += &format!(", {micros}");
    }
    text
}

/// Python's `repr` of a date, a moment, a time, a zone or a span.
pub(crate) fn repr(value: &Value) -> Option<String> {
    if let Some(moment) = value.downcast_object_ref::<Moment>() {
        return Some(moment.repr());
    }
    if let Some(clock) = value.downcast_object_ref::<Clock>() {
        return Some(clock.repr());
    }
    if let Some(zone) = value.downcast_object_ref::<Zone>() {
        return Some(zone.repr());
    }
    Some(value.downcast_object_ref::<Span>()?.repr())
}

/// A date, a moment or a time by a `strftime` pattern; `None` of what is none.
pub(crate) fn formatted(value: &Value, pattern: &str) -> Option<Result<String, Error>> {
    if let Some(moment) = value.downcast_object_ref::<Moment>() {
        return Some(moment.formatted(pattern));
    }
    Some(value.downcast_object_ref::<Clock>()?.formatted(pattern))
}

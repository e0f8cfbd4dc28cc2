//! How moments and times print: by a pattern, by ISO 8601, and within a list.

use chrono::{Datelike, FixedOffset, NaiveDateTime, NaiveTime, Timelike};
use minijinja::Error;
use minijinja::value::Value;

use super::span::Span;
use super::time::Clock;
use super::zone::{Zone, hours};
use super::{Moment, wrong};

/// What chrono says for one directive, a letter with flags before it; what means nothing stands for itself.
fn directive(local: &NaiveDateTime, zone: Option<&Zone>, flags: &str, letter: char) -> String {
    const KNOWN: &str = "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYz%";
    let text = match letter {
        'f' => local.format("%6f").to_string(),
        'Z' => zone.map_or("", |zone| &zone.abbreviation).to_owned(),
        'Y' if flags.is_empty() => local.year().to_string(),
        'z' => {
            let offset = zone.and_then(|zone| FixedOffset::east_opt(zone.offset));
            offset.map_or_else(String::new, |offset| offset.to_string().replace(':', ""))
        }
        _ if !KNOWN.contains(letter) => return format!("%{flags}{letter}"),
        _ => {
            let padding: String = flags.chars().filter(|flag| "-_0".contains(*flag)).collect();
            local.format(&format!("%{padding}{letter}")).to_string()
        }
    };
    match flags.contains('^') {
        true => text.to_uppercase(),
        false if flags.contains('#') && "Zp".contains(letter) => text.to_lowercase(),
        false if flags.contains('#') => text.to_uppercase(),
        false => text,
    }
}

/// `strftime`.
pub(super) fn strftime(local: &NaiveDateTime, zone: Option<&Zone>, pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let letter = rest.find(|c| !"-_0^#".contains(c));
        let Some((flags, letter)) = letter.map(|at| rest.split_at(at)) else {
            out.push('%');
            break;
        };
        let mut behind = letter.chars();
        out.extend(
            behind
                .next()
                .map(|letter| directive(local, zone, flags, letter)),
        );
        rest = behind.as_str();
    }
    out + rest
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
    pub(super) fn formatted(&self, pattern: &str) -> String {
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
pub(crate) fn formatted(value: &Value, pattern: &str) -> Option<String> {
    if let Some(moment) = value.downcast_object_ref::<Moment>() {
        return Some(moment.formatted(pattern));
    }
    Some(value.downcast_object_ref::<Clock>()?.formatted(pattern))
}

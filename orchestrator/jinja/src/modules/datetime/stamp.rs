//! Timestamps as YAML 1.1 writes them (`yaml/constructor.py` of PyYAML 6.0).

use std::sync::LazyLock;

use chrono::{NaiveDate, NaiveTime};
use minijinja::value::Value;
use regex::{Captures, Regex};

use super::Moment;
use super::zone::Zone;

static DATE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(\d{4})-(\d\d)-(\d\d)$").expect("a constant pattern"));

static MOMENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(\d{4})-(\d\d?)-(\d\d?)(?:[Tt]|[ \t]+)(\d\d?):(\d\d):(\d\d)(?:\.(\d*))?(?:[ \t]*(Z|([-+])(\d\d?)(?::(\d\d))?))?$",
    )
    .expect("a constant pattern")
});

/// Whether `text` without quotes is a timestamp.
pub(crate) fn is_stamp(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && (DATE.is_match(text) || MOMENT.is_match(text))
}

/// The date or moment that `text` is; nothing within when there is no such one.
pub(crate) fn stamp(text: &str) -> Option<Option<Value>> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if let Some(found) = DATE.captures(text) {
        let local = date(&found).map(|date| date.and_time(NaiveTime::MIN));
        return Some(local.map(|local| {
            Value::from_object(Moment {
                date_only: true,
                ..Moment::naive(local)
            })
        }));
    }
    Some(moment(&MOMENT.captures(text)?))
}

fn number(found: &Captures<'_>, at: usize) -> Option<u32> {
    found.get(at)?.as_str().parse().ok()
}

fn date(found: &Captures<'_>) -> Option<NaiveDate> {
    let year = i32::try_from(number(found, 1)?).ok()?;
    NaiveDate::from_ymd_opt(year, number(found, 2)?, number(found, 3)?)
}

fn moment(found: &Captures<'_>) -> Option<Value> {
    let fraction = found.get(7).map_or("", |digits| digits.as_str());
    let micros = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    let (hour, minute, second) = (number(found, 4)?, number(found, 5)?, number(found, 6)?);
    let local = date(found)?.and_hms_micro_opt(hour, minute, second, micros)?;
    let zone = found.get(8).map(|_| {
        let seconds = number(found, 10).unwrap_or(0) * 3600 + number(found, 11).unwrap_or(0) * 60;
        let seconds = i32::try_from(seconds).unwrap_or(0);
        let west = found.get(9).is_some_and(|sign| sign.as_str() == "-");
        Zone::plain(if west { -seconds } else { seconds })
    });
    Some(Value::from_object(Moment {
        zone,
        ..Moment::naive(local)
    }))
}

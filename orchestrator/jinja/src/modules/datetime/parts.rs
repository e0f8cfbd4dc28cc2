//! The parts of a `datetime` that are asked for less often, and how one prints within a list.

use chrono::{Datelike, Offset, TimeZone, Timelike};
use minijinja::value::Value;
use minijinja::{Error, ErrorKind};

use super::span::Span;
use super::time::Clock;
use super::zone::Zone;
use super::{Moment, NaiveTime};
use crate::views::record;

impl Moment {
    /// `tzinfo`.
    pub(super) fn zone_value(&self) -> Value {
        self.zone
            .map_or(Value::from(()), |zone| Value::from_object(Zone(zone)))
    }

    /// `datetime.date(2024, 1, 2)`.
    fn repr(&self) -> String {
        let local = &self.local;
        let date = format!("{}, {}, {}", local.year(), local.month(), local.day());
        if self.date_only {
            return format!("datetime.date({date})");
        }
        let zone = match self.zone {
            Some(zone) => format!(", tzinfo=<{}>", zone.name()),
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

/// Python's `repr` of a date, a moment, a time or a span.
pub(crate) fn repr(value: &Value) -> Option<String> {
    if let Some(moment) = value.downcast_object_ref::<Moment>() {
        return Some(moment.repr());
    }
    if let Some(clock) = value.downcast_object_ref::<Clock>() {
        return Some(clock.repr());
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

/// Python's name of the type of a date, a moment, a time or a span.
pub(crate) fn type_name(value: &Value) -> Option<&'static str> {
    if let Some(moment) = value.downcast_object_ref::<Moment>() {
        return Some(match moment.date_only {
            true => "datetime.date",
            false => "datetime.datetime",
        });
    }
    if value.downcast_object_ref::<Clock>().is_some() {
        return Some("datetime.time");
    }
    value
        .downcast_object_ref::<Span>()
        .map(|_| "datetime.timedelta")
}

/// Calls a method without arguments.
pub(super) fn call(moment: &Moment, method: &str) -> Result<Value, Error> {
    let local = &moment.local;
    let offset = moment.zone.and_then(|zone| {
        let at = zone.from_local_datetime(local).earliest()?;
        Some((
            at.offset().fix().local_minus_utc(),
            at.format("%Z").to_string(),
        ))
    });
    let clocked = !moment.date_only;
    Ok(match method {
        "isocalendar" => {
            let week = local.iso_week();
            let weekday = local.weekday().number_from_monday();
            let values = vec![week.year().into(), week.week().into(), weekday.into()];
            let names = &["year", "week", "weekday"];
            record("datetime.IsoCalendarDate", names, values)
        }
        "timetuple" => {
            let values = vec![
                local.year().into(),
                local.month().into(),
                local.day().into(),
                local.hour().into(),
                local.minute().into(),
                local.second().into(),
                local.weekday().num_days_from_monday().into(),
                local.ordinal().into(),
                (-1).into(),
            ];
            record("time.struct_time", &TIME, values)
        }
        "toordinal" => local.num_days_from_ce().into(),
        "ctime" => local.format("%a %b %e %H:%M:%S %Y").to_string().into(),
        "time" | "timetz" if clocked => Value::from_object(Clock {
            time: local.time(),
            zone: moment.zone.filter(|_| method == "timetz"),
        }),
        "utcoffset" if clocked => offset.map_or(Value::from(()), |(seconds, _)| {
            Value::from_object(Span(chrono::TimeDelta::seconds(seconds.into())))
        }),
        "tzname" if clocked => offset.map_or(Value::from(()), |(_, name)| name.into()),
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

const TIME: [&str; 9] = [
    "tm_year", "tm_mon", "tm_mday", "tm_hour", "tm_min", "tm_sec", "tm_wday", "tm_yday", "tm_isdst",
];

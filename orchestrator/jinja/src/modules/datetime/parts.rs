//! The parts of a `datetime` that are asked for less often.

use chrono::{Datelike, Timelike};
use minijinja::value::Value;
use minijinja::{Error, ErrorKind};

use super::Moment;
use super::span::Span;
use super::time::Clock;
use super::zone::Zone;
use crate::views::record;

impl Moment {
    /// `tzinfo`.
    pub(super) fn zone_value(&self) -> Value {
        let zone = self.zone.clone();
        zone.map_or(Value::from(()), Value::from_object)
    }
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

/// Whether a moment knows its zone; `None` of what is no moment.
pub(crate) fn is_aware(value: &Value) -> Option<bool> {
    let moment = value.downcast_object_ref::<Moment>()?;
    Some(moment.zone.is_some())
}

/// Calls a method without arguments.
pub(super) fn call(moment: &Moment, method: &str) -> Result<Value, Error> {
    let local = &moment.local;
    let of_zone = |ask: fn(&Zone) -> Value| moment.zone.as_ref().map_or(Value::from(()), ask);
    let clocked = !moment.date_only;
    Ok(match method {
        "isocalendar" => {
            let week = local.iso_week();
            let weekday = local.weekday().number_from_monday();
            let values = vec![week.year().into(), week.week().into(), weekday.into()];
            let names = &["year", "week", "weekday"];
            record("datetime.IsoCalendarDate", names, values)
        }
        "timetuple" | "utctimetuple" => {
            let utc = method == "utctimetuple";
            let summer = match &moment.zone {
                Some(zone) if !utc => i32::from(zone.summer != 0),
                None if !utc => -1,
                _ => 0,
            };
            let local = if utc { moment.instant() } else { *local };
            let values = vec![
                local.year().into(),
                local.month().into(),
                local.day().into(),
                local.hour().into(),
                local.minute().into(),
                local.second().into(),
                local.weekday().num_days_from_monday().into(),
                local.ordinal().into(),
                summer.into(),
            ];
            record("time.struct_time", &TIME, values)
        }
        "toordinal" => local.num_days_from_ce().into(),
        "ctime" => local.format("%a %b %e %H:%M:%S %Y").to_string().into(),
        "time" | "timetz" if clocked => Value::from_object(Clock {
            time: local.time(),
            zone: moment.zone.clone().filter(|_| method == "timetz"),
        }),
        "utcoffset" if clocked => of_zone(Zone::span),
        "dst" if clocked => of_zone(Zone::summer_span),
        "tzname" if clocked => of_zone(Zone::abbreviated),
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

const TIME: [&str; 9] = [
    "tm_year", "tm_mon", "tm_mday", "tm_hour", "tm_min", "tm_sec", "tm_wday", "tm_yday", "tm_isdst",
];

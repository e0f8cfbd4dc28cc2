//! `datetime.datetime`, `datetime.date`, `datetime.timedelta`: how values are made.

use std::fmt;
use std::sync::Arc;

use chrono::format::{Parsed, StrftimeItems, parse};
use chrono::{DateTime, Local, NaiveDate, NaiveDateTime, NaiveTime, Weekday};
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};

use super::span::Span;
use super::time::Clock;
use super::zone::Zone;
use super::{Moment, part, wrong};
use crate::arguments::Arguments;
use crate::clock;
use crate::functions::{function, method};
use crate::list::dict;

fn build(arguments: &Arguments<'_>, date_only: bool) -> Result<Value, Error> {
    let part = |at: usize, name: &str, default: Option<u32>| match arguments.get(at, name) {
        Some(value) => part(&value, name),
        None => default.ok_or_else(|| wrong(format!("missing argument '{name}'"))),
    };
    let year = i32::try_from(part(0, "year", None)?).unwrap_or(i32::MAX);
    let date = NaiveDate::from_ymd_opt(year, part(1, "month", None)?, part(2, "day", None)?)
        .ok_or_else(|| wrong("no such date"))?;
    let time = if date_only {
        NaiveTime::MIN
    } else {
        NaiveTime::from_hms_micro_opt(
            part(3, "hour", Some(0))?,
            part(4, "minute", Some(0))?,
            part(5, "second", Some(0))?,
            part(6, "microsecond", Some(0))?,
        )
        .ok_or_else(|| wrong("no such time"))?
    };
    let zone = Zone::given(arguments.get(7, "tzinfo")).filter(|_| !date_only);
    Ok(Value::from_object(Moment {
        local: date.and_time(time),
        zone,
        date_only,
    }))
}

fn parse_iso(text: &str) -> Result<Moment, Error> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(Moment {
            zone: Some(Zone::plain(at.offset().local_minus_utc())),
            ..Moment::naive(at.naive_local())
        });
    }
    [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
        "%Y%m%dT%H%M%S",
    ]
    .iter()
    .find_map(|pattern| NaiveDateTime::parse_from_str(text, pattern).ok())
    .or_else(|| {
        ["%Y-%m-%d", "%Y%m%d", "%G-W%V-%u"]
            .iter()
            .find_map(|pattern| NaiveDate::parse_from_str(text, pattern).ok())
            .map(|date| date.and_time(NaiveTime::MIN))
    })
    .map(Moment::naive)
    .ok_or_else(|| wrong(format!("'{text}' is no ISO date or time")))
}

/// Python's `strptime`: what the format does not tell is that of 1900-01-01 00:00.
fn strptime(text: &str, pattern: &str) -> Result<Moment, chrono::ParseError> {
    // Python's %f are the first digits of a fraction
    let pattern = pattern.replace(".%f", "%.f").replace("%f", "%6f");
    let mut found = Parsed::new();
    parse(&mut found, text, StrftimeItems::new(&pattern))?;
    if found.year().is_none() && found.year_mod_100().is_none() {
        found.set_year(1900)?;
    }
    if found.ordinal().is_none() {
        if found.month().is_none() {
            found.set_month(1)?;
        }
        if found.day().is_none() {
            found.set_day(1)?;
        }
    }
    match (found.hour_mod_12(), found.hour_div_12()) {
        (None, _) => found.set_hour(0)?,
        (Some(_), None) => found.set_ampm(false)?,
        (Some(_), Some(_)) => {}
    }
    if found.minute().is_none() {
        found.set_minute(0)?;
    }
    Ok(Moment {
        zone: found.offset().map(Zone::plain),
        ..Moment::naive(found.to_naive_date()?.and_time(found.to_naive_time()?))
    })
}

/// Methods of a class that it may be asked for without a call.
const METHODS: [&str; 10] = [
    "fromtimestamp",
    "utcfromtimestamp",
    "fromordinal",
    "fromisocalendar",
    "now",
    "utcnow",
    "today",
    "fromisoformat",
    "strptime",
    "combine",
];

/// A class: callable, with class methods.
#[derive(Debug)]
struct Class {
    date_only: bool,
}

impl Object for Class {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let bound = |date: (i32, u32, u32), time| {
            let date = NaiveDate::from_ymd_opt(date.0, date.1, date.2)?;
            let local = date.and_time(if self.date_only { NaiveTime::MIN } else { time });
            Some(Value::from_object(Moment {
                date_only: self.date_only,
                ..Moment::naive(local)
            }))
        };
        match name {
            "min" => return bound((1, 1, 1), NaiveTime::MIN),
            "max" => {
                let last = NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999);
                return bound((9999, 12, 31), last?);
            }
            _ if !METHODS.contains(&name) => return None,
            _ => {}
        }
        Some(method(Value::from_dyn_object(Arc::clone(self)), name))
    }

    fn call(self: &Arc<Self>, _state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        build(&Arguments::of(args), self.date_only)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let arguments = Arguments::of(args);
        let date_only = self.date_only;
        let moment = match method {
            "now" | "utcnow" | "today" => {
                // whoever keeps what this text renders to hears that it goes by the time
                let _ = state.lookup("run_started_at");
                let now = clock::now();
                match Zone::given(arguments.get(0, "tz")) {
                    Some(zone) => {
                        let now = Moment {
                            zone: Some(Zone::utc()),
                            ..Moment::naive(now.naive_utc())
                        };
                        now.moved_to(&zone)
                    }
                    None => Moment {
                        date_only,
                        ..Moment::naive(if method == "utcnow" {
                            now.naive_utc()
                        } else {
                            now.with_timezone(&Local).naive_local()
                        })
                    },
                }
            }
            "fromisoformat" => Moment {
                date_only,
                ..parse_iso(&arguments.text(0, "date_string")?)?
            },
            "strptime" => {
                let (text, pattern) = (
                    arguments.text(0, "date_string")?,
                    arguments.text(1, "format")?,
                );
                let parsed = strptime(&text, &pattern);
                parsed.map_err(|_| {
                    wrong(format!(
                        "time data '{text}' does not match format '{pattern}'"
                    ))
                })?
            }
            "combine" => {
                let date = arguments.required(0, "date")?;
                let date = date
                    .downcast_object_ref::<Moment>()
                    .ok_or_else(|| wrong("not a date"))?;
                let clock = arguments.required(1, "time")?;
                let clock = clock
                    .downcast_object_ref::<Clock>()
                    .ok_or_else(|| wrong("not a time"))?;
                let zone = Zone::given(arguments.get(2, "tzinfo"));
                Moment {
                    zone: zone.or(clock.zone.clone()),
                    ..Moment::naive(date.local.date().and_time(clock.time))
                }
            }
            "fromtimestamp" | "utcfromtimestamp" => {
                let seconds = f64::try_from(arguments.required(0, "timestamp")?)?;
                #[expect(clippy::cast_possible_truncation, reason = "Python rounds too")]
                let at = DateTime::from_timestamp_micros((seconds * 1e6).round() as i64)
                    .ok_or_else(|| wrong("timestamp out of range"))?;
                match Zone::given(arguments.get(1, "tz")) {
                    Some(zone) => Moment::naive(at.naive_utc()).moved_to(&zone),
                    None => Moment::naive(at.naive_utc()),
                }
            }
            "fromordinal" => {
                let days = i32::try_from(arguments.integer(0)?).unwrap_or(i32::MAX);
                let date = NaiveDate::from_num_days_from_ce_opt(days);
                let date = date.ok_or_else(|| wrong("ordinal out of range"))?;
                Moment {
                    date_only,
                    ..Moment::naive(date.and_time(NaiveTime::MIN))
                }
            }
            "fromisocalendar" => {
                let part = |at, name| part(&arguments.required(at, name)?, name);
                let (year, week, day) = (part(0, "year")?, part(1, "week")?, part(2, "day")?);
                let day = Weekday::try_from(u8::try_from(day.wrapping_sub(1)).unwrap_or(u8::MAX));
                let year = i32::try_from(year).unwrap_or(i32::MAX);
                let date = day
                    .ok()
                    .and_then(|day| NaiveDate::from_isoywd_opt(year, week, day));
                let date = date.ok_or_else(|| wrong("no such week"))?;
                Moment {
                    date_only,
                    ..Moment::naive(date.and_time(NaiveTime::MIN))
                }
            }
            // `datetime.strftime(moment, '%Y')`
            _ => match args.split_first() {
                Some((moment, rest)) if moment.downcast_object_ref::<Moment>().is_some() => {
                    return moment.call_method(state, method, rest);
                }
                _ => return Err(Error::from(ErrorKind::UnknownMethod)),
            },
        };
        let local = if date_only {
            moment.local.date().and_time(NaiveTime::MIN)
        } else {
            moment.local
        };
        Ok(Value::from_object(Moment { local, ..moment }))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.date_only { "date" } else { "datetime" };
        write!(f, "<class 'datetime.{name}'>")
    }
}

/// `modules.datetime`.
pub(crate) fn module() -> Value {
    let timedelta = function("timedelta", |_, arguments| {
        const UNITS: [(&str, f64); 7] = [
            ("days", 86_400e6),
            ("seconds", 1e6),
            ("microseconds", 1.0),
            ("milliseconds", 1e3),
            ("minutes", 60e6),
            ("hours", 3600e6),
            ("weeks", 604_800e6),
        ];
        let mut micros = 0.0;
        for (i, (name, factor)) in UNITS.iter().enumerate() {
            if let Some(value) = arguments.get(i, name) {
                micros += f64::try_from(value)? * factor;
            }
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "Python rounds to microseconds too"
        )]
        Ok(Value::from_object(Span(chrono::TimeDelta::microseconds(
            micros.round() as i64,
        ))))
    });
    dict([
        (
            Value::from("datetime"),
            Value::from_object(Class { date_only: false }),
        ),
        (
            Value::from("date"),
            Value::from_object(Class { date_only: true }),
        ),
        (Value::from("timedelta"), timedelta),
        (
            Value::from("time"),
            function("time", |_, a| Ok(Value::from_object(Clock::of(a)?))),
        ),
    ])
}

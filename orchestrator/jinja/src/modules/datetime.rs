//! `datetime` and `pytz`: moments, dates, spans of time and zones.
//!
//! There is no wall clock here: `now()` is the run's start, so that one build has one now.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use minijinja::value::{DynObject, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};

use crate::arguments::Arguments;
use zone::Zone;

mod class;
mod parts;
mod span;
mod time;
mod zone;

pub(crate) use class::module;
pub(crate) use parts::{formatted, repr, type_name};
use span::Span;
pub(crate) use span::{divided, scaled};
pub(crate) use zone::pytz;

/// A `datetime` (with or without zone) or a `date`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    local: NaiveDateTime,
    zone: Option<Tz>,
    date_only: bool,
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// A part of a date or time: a number that is not negative.
fn part(value: &Value, name: &str) -> Result<u32, Error> {
    let part = value.as_usize().and_then(|part| u32::try_from(part).ok());
    part.ok_or_else(|| wrong(format!("{name} must be an integer")))
}

/// A moment in UTC, as `run_started_at` is.
#[must_use]
pub fn timestamp(at: DateTime<Utc>) -> Value {
    Value::from_object(Moment {
        local: at.naive_utc(),
        zone: Some(Tz::UTC),
        date_only: false,
    })
}

/// A date, or a time of day on a date, as Postgres prints it (`2026-11-22`, `2026-11-22 23:24:12.5+00:00`); `None` for
/// what Python has no value for, `infinity` say.
#[must_use]
pub fn moment(text: &str) -> Option<Value> {
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(Value::from_object(Moment {
            local: date.and_time(NaiveTime::MIN),
            zone: None,
            date_only: true,
        }));
    }
    const LOCAL: &str = "%Y-%m-%d %H:%M:%S%.f";
    if let Ok(local) = NaiveDateTime::parse_from_str(text, LOCAL) {
        return Some(Value::from_object(Moment::naive(local)));
    }
    let at = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%:z").ok()?;
    Some(Value::from_object(Moment {
        zone: Some(zone_of(at.offset().local_minus_utc())?),
        ..Moment::naive(at.naive_local())
    }))
}

/// The zone that is `seconds` east of Greenwich all the year; there are those of whole hours only.
fn zone_of(seconds: i32) -> Option<Tz> {
    // they count westward
    let name = match seconds / 3600 {
        0 => "UTC".to_owned(),
        hours => format!("Etc/GMT{:+}", -hours),
    };
    (seconds % 3600 == 0).then_some(())?;
    name.parse().ok()
}

/// A `timedelta`; `None` when it is too long for one.
#[must_use]
pub fn timedelta(days: i64, micros: i64) -> Option<Value> {
    let days = chrono::TimeDelta::try_days(days)?;
    let all = days.checked_add(&chrono::TimeDelta::microseconds(micros))?;
    Some(Value::from_object(Span(all)))
}

/// A moment in UTC that does not know its zone.
#[must_use]
pub fn naive_timestamp(at: DateTime<Utc>) -> Value {
    Value::from_object(Moment::naive(at.naive_utc()))
}

impl Moment {
    fn naive(local: NaiveDateTime) -> Self {
        Self {
            local,
            zone: None,
            date_only: false,
        }
    }

    fn instant(&self) -> NaiveDateTime {
        match self
            .zone
            .and_then(|zone| zone.from_local_datetime(&self.local).earliest())
        {
            Some(at) => at.naive_utc(),
            None => self.local,
        }
    }

    /// This moment `by` later, or earlier. A date moves by whole days, of which the span's are those rounded down.
    fn moved(&self, by: Span, earlier: bool) -> Result<Value, Error> {
        let by = match self.date_only {
            true => chrono::TimeDelta::days(by.days()),
            false => by.0,
        };
        let local = match earlier {
            true => self.local.checked_sub_signed(by),
            false => self.local.checked_add_signed(by),
        };
        let local = local.ok_or_else(|| wrong("date out of range"))?;
        Ok(Value::from_object(Self {
            local,
            ..self.clone()
        }))
    }

    fn formatted(&self, pattern: &str) -> Result<String, Error> {
        use std::fmt::Write as _;
        let pattern = pattern.replace("%f", "%6f");
        let mut out = String::new();
        let done = match self
            .zone
            .and_then(|z| z.from_local_datetime(&self.local).earliest())
        {
            Some(at) => write!(out, "{}", at.format(&pattern)),
            None => write!(out, "{}", self.local.format(&pattern)),
        };
        done.map_err(|_| wrong(format!("cannot format a date as '{pattern}'")))?;
        Ok(out)
    }

    fn iso(&self, separator: char) -> String {
        if self.date_only {
            return self.local.format("%Y-%m-%d").to_string();
        }
        let fraction = if self.local.nanosecond() == 0 {
            ""
        } else {
            "%.6f"
        };
        let zone = if self.zone.is_some() { "%:z" } else { "" };
        self.formatted(&format!("%Y-%m-%d{separator}%H:%M:%S"))
            .map(|text| {
                let rest = self.local.format(fraction).to_string();
                text + &rest + &self.formatted(zone).unwrap_or_default()
            })
            .unwrap_or_default()
    }
}

impl Object for Moment {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "year" => self.local.year().into(),
            "month" => self.local.month().into(),
            "day" => self.local.day().into(),
            "hour" => self.local.hour().into(),
            "minute" => self.local.minute().into(),
            "second" => self.local.second().into(),
            "microsecond" => (self.local.nanosecond() / 1000).into(),
            "tzinfo" if !self.date_only => self.zone_value(),
            _ => return None,
        })
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.instant().cmp(&other.downcast_ref::<Self>()?.instant()))
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let arguments = Arguments::of(args);
        Ok(match method {
            "strftime" => self.formatted(&arguments.text(0, "format")?)?.into(),
            "isoformat" => {
                let separator = arguments.text(0, "sep").ok().and_then(|s| s.chars().next());
                self.iso(separator.unwrap_or('T')).into()
            }
            "date" => Value::from_object(Self {
                local: self.local.date().and_time(NaiveTime::MIN),
                zone: None,
                date_only: true,
            }),
            "weekday" => self.local.weekday().num_days_from_monday().into(),
            "isoweekday" => self.local.weekday().number_from_monday().into(),
            "timestamp" => {
                #[expect(clippy::cast_precision_loss, reason = "Python gives a float too")]
                let seconds = self.instant().and_utc().timestamp_micros() as f64 / 1e6;
                seconds.into()
            }
            "replace" => {
                let part = |name: &str, now: u32| {
                    arguments
                        .keyword(name)
                        .and_then(|v| v.as_usize())
                        .map_or(now, |v| u32::try_from(v).unwrap_or(u32::MAX))
                };
                let year = arguments.keyword("year").and_then(|v| v.as_i64());
                let micros = part("microsecond", self.local.nanosecond() / 1000);
                let date = NaiveDate::from_ymd_opt(
                    year.and_then(|y| i32::try_from(y).ok())
                        .unwrap_or(self.local.year()),
                    part("month", self.local.month()),
                    part("day", self.local.day()),
                );
                let local = date.and_then(|date| {
                    date.and_hms_micro_opt(
                        part("hour", self.local.hour()),
                        part("minute", self.local.minute()),
                        part("second", self.local.second()),
                        micros,
                    )
                });
                let local = local.ok_or_else(|| wrong("no such date or time"))?;
                let zone = match arguments.keyword("tzinfo") {
                    Some(zone) => Zone::given(Some(zone)),
                    None => self.zone,
                };
                Value::from_object(Self {
                    local,
                    zone,
                    date_only: self.date_only,
                })
            }
            "astimezone" => {
                let zone = Zone::given(Some(arguments.required(0, "tz")?));
                let zone = zone.ok_or_else(|| wrong("not a time zone"))?;
                let local = zone.from_utc_datetime(&self.instant()).naive_local();
                Value::from_object(Self {
                    local,
                    zone: Some(zone),
                    date_only: false,
                })
            }
            _ => return parts::call(self, method),
        })
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso(' '))
    }
}

/// `a + b` or `a - b` when one is a moment or a span.
pub(crate) fn arithmetic(a: &Value, b: &Value, minus: bool) -> Option<Result<Value, Error>> {
    let span = |value: &Value| value.downcast_object_ref::<Span>().copied();
    let signed = |span: Span| if minus { Span(-span.0) } else { span };
    if let Some(moment) = a.downcast_object_ref::<Moment>() {
        if let Some(by) = span(b) {
            return Some(moment.moved(by, minus));
        }
        let other = b.downcast_object_ref::<Moment>().filter(|_| minus)?;
        return Some(Ok(Value::from_object(Span(
            moment.instant() - other.instant(),
        ))));
    }
    let left = span(a)?;
    if let Some(moment) = b.downcast_object_ref::<Moment>().filter(|_| !minus) {
        return Some(moment.moved(left, false));
    }
    Some(Ok(Value::from_object(Span(left.0 + signed(span(b)?).0))))
}

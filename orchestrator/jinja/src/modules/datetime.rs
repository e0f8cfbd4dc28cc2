//! `datetime` and `pytz`: moments, dates, spans of time and zones.
//!
//! There is no wall clock here: `now()` is the run's start, so that one build has one now.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike, Utc};
use minijinja::value::{DynObject, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};

use crate::arguments::Arguments;
use zone::Zone;

mod class;
mod parts;
mod print;
mod pytz;
mod span;
mod stamp;
mod time;
mod zone;

pub(crate) use class::module;
pub(crate) use parts::{is_aware, type_name};
pub(crate) use print::{formatted, repr};
pub(crate) use pytz::pytz;
use span::Span;
pub(crate) use span::{absolute, divided, remainder, scaled};
pub(crate) use stamp::{is_stamp, stamp};

/// A `datetime` (with or without zone) or a `date`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    local: NaiveDateTime,
    zone: Option<Zone>,
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
        zone: Some(Zone::utc()),
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
        zone: Some(Zone::plain(at.offset().local_minus_utc())),
        ..Moment::naive(at.naive_local())
    }))
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

    /// This moment in Greenwich, or as it is when its zone is not known.
    fn instant(&self) -> NaiveDateTime {
        let offset = self.zone.as_ref().map_or(0, |zone| zone.offset);
        self.local - TimeDelta::seconds(offset.into())
    }

    /// `astimezone(zone)`.
    fn moved_to(&self, zone: &Zone) -> Self {
        let instant = self.instant();
        let zone = zone.at(&instant);
        Self {
            local: instant + TimeDelta::seconds(zone.offset.into()),
            zone: Some(zone),
            date_only: false,
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
        let other = other.downcast_ref::<Self>()?;
        let kind = |moment: &Self| (moment.date_only, moment.zone.is_some());
        let instants = self.instant().cmp(&other.instant());
        Some(instants.then_with(|| kind(self).cmp(&kind(other))))
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let arguments = Arguments::of(args);
        Ok(match method {
            "strftime" => self.formatted(&arguments.text(0, "format")?).into(),
            "isoformat" => {
                let separator = arguments.text(0, "sep").ok().and_then(|s| s.chars().next());
                let detail = arguments.get(1, "timespec");
                let detail = detail.as_ref().and_then(Value::as_str).unwrap_or("auto");
                self.iso(separator.unwrap_or('T'), detail)?.into()
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
                let part = |at: usize, name: &str, now: u32| {
                    let given = arguments.get(at, name).and_then(|v| v.as_usize());
                    given.map_or(now, |v| u32::try_from(v).unwrap_or(u32::MAX))
                };
                let year = arguments.get(0, "year").and_then(|v| v.as_i64());
                let micros = part(6, "microsecond", self.local.nanosecond() / 1000);
                let date = NaiveDate::from_ymd_opt(
                    year.and_then(|y| i32::try_from(y).ok())
                        .unwrap_or(self.local.year()),
                    part(1, "month", self.local.month()),
                    part(2, "day", self.local.day()),
                );
                let local = date.and_then(|date| {
                    date.and_hms_micro_opt(
                        part(3, "hour", self.local.hour()),
                        part(4, "minute", self.local.minute()),
                        part(5, "second", self.local.second()),
                        micros,
                    )
                });
                let local = local.ok_or_else(|| wrong("no such date or time"))?;
                let zone = match arguments.get(7, "tzinfo") {
                    Some(zone) => Zone::given(Some(zone)),
                    None => self.zone.clone(),
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
                Value::from_object(self.moved_to(&zone))
            }
            _ => return parts::call(self, method),
        })
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso(' ', "auto").unwrap_or_default())
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
        let kind = |moment: &Moment| (moment.date_only, moment.zone.is_some());
        if kind(moment) != kind(other) {
            let message = "can't subtract offset-naive and offset-aware datetimes, or dates";
            return Some(Err(wrong(message)));
        }
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

//! Time zones: `pytz`, and the fixed ones of Python's own.
//!
//! A `pytz` zone knows many offsets from Greenwich and stands for one of them: the one of the moment it is in once
//! `localize` or `astimezone` has put it there, the first it ever had when it is handed in bare.

use std::fmt;
use std::sync::Arc;

use chrono::{LocalResult, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::{OffsetComponents, Tz, TzOffset};
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};

use super::span::Span;
use super::{Moment, wrong};
use crate::arguments::Arguments;

/// What kind of zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `pytz.timezone(…)`.
    Of(Tz),
    /// `pytz.utc`.
    Utc,
    /// `pytz.FixedOffset(…)`.
    Fixed,
    /// `datetime.timezone`, which moments that were read have.
    Plain,
}

/// A time zone with one of its offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Zone {
    kind: Kind,
    /// Seconds east of Greenwich.
    pub(super) offset: i32,
    /// Seconds of these that are summer time.
    pub(super) summer: i32,
    /// `CET`.
    pub(super) abbreviation: String,
}

/// Those that never changed.
fn is_static(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "GMT",
        "GMT+0",
        "GMT-0",
        "GMT0",
        "Greenwich",
        "UCT",
        "Universal",
        "Zulu",
    ];
    name.starts_with("Etc/") || NAMES.contains(&name)
}

impl Zone {
    /// The zone that an argument is, if it is one.
    pub(super) fn given(argument: Option<Value>) -> Option<Self> {
        argument?.downcast_object_ref::<Self>().cloned()
    }

    /// `pytz.utc`.
    pub(super) fn utc() -> Self {
        Self {
            kind: Kind::Utc,
            offset: 0,
            summer: 0,
            abbreviation: "UTC".to_owned(),
        }
    }

    /// Python's own that is always `offset` seconds east of Greenwich.
    pub(super) fn plain(offset: i32) -> Self {
        let abbreviation = match offset {
            0 => "UTC".to_owned(),
            _ => format!("UTC{}", hours(offset)),
        };
        Self {
            kind: Kind::Plain,
            offset,
            summer: 0,
            abbreviation,
        }
    }

    /// `pytz.FixedOffset(minutes)`.
    pub(super) fn fixed(minutes: i64) -> Result<Self, Error> {
        let seconds = minutes.checked_mul(60).filter(|s| s.abs() < 86_400);
        let offset = seconds.and_then(|seconds| i32::try_from(seconds).ok());
        Ok(Self {
            kind: Kind::Fixed,
            offset: offset.ok_or_else(|| wrong("absolute offset is too large"))?,
            summer: 0,
            abbreviation: String::new(),
        })
    }

    /// `pytz.timezone(name)`.
    pub(super) fn named(name: &str) -> Result<Self, Error> {
        let mut all = chrono_tz::TZ_VARIANTS.iter();
        let found = name.parse::<Tz>().ok();
        let found = found.or_else(|| {
            let alike = all.find(|zone| zone.name().eq_ignore_ascii_case(name));
            alike.copied()
        });
        let zone = found.ok_or_else(|| wrong(format!("UnknownTimeZoneError: '{name}'")))?;
        if zone == Tz::UTC {
            return Ok(Self::utc());
        }
        let early = NaiveDate::from_ymd_opt(1800, 1, 1).unwrap_or_default();
        let early = early.and_hms_opt(0, 0, 0).unwrap_or_default();
        Ok(Self::with(zone, &zone.offset_from_utc_datetime(&early)))
    }

    fn with(zone: Tz, offset: &TzOffset) -> Self {
        let seconds = offset.fix().local_minus_utc();
        Self {
            kind: Kind::Of(zone),
            // pytz knows whole minutes only
            offset: (seconds + 30).div_euclid(60) * 60,
            summer: i32::try_from(offset.dst_offset().num_seconds()).unwrap_or(0),
            abbreviation: offset.to_string(),
        }
    }

    /// This zone as it is at a moment of Greenwich.
    pub(super) fn at(&self, utc: &NaiveDateTime) -> Self {
        match self.kind {
            Kind::Of(zone) => Self::with(zone, &zone.offset_from_utc_datetime(utc)),
            _ => self.clone(),
        }
    }

    /// This zone as it is at a moment of its own. Where clocks go back there are two, where they go forward none:
    /// `summer` says which is meant.
    fn at_local(&self, local: &NaiveDateTime, summer: bool) -> Self {
        let Kind::Of(zone) = self.kind else {
            return self.clone();
        };
        let found = match zone.offset_from_local_datetime(local) {
            LocalResult::Single(only) => only,
            LocalResult::Ambiguous(first, last) => {
                let fits = |offset: &TzOffset| (offset.dst_offset() != TimeDelta::zero()) == summer;
                match (fits(&first), fits(&last)) {
                    (true, false) => first,
                    (false, true) => last,
                    _ if summer => first,
                    _ => last,
                }
            }
            LocalResult::None => {
                let hours = TimeDelta::hours(if summer { 6 } else { -6 });
                return self.at_local(&(*local + hours), summer);
            }
        };
        Self::with(zone, &found)
    }

    /// Its name, if it has one.
    fn name(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Of(zone) => Some(zone.name()),
            Kind::Utc => Some("UTC"),
            Kind::Fixed | Kind::Plain => None,
        }
    }

    /// `utcoffset()`.
    pub(super) fn span(&self) -> Value {
        Value::from_object(Span(TimeDelta::seconds(self.offset.into())))
    }

    /// `dst()`.
    pub(super) fn summer_span(&self) -> Value {
        match self.kind {
            Kind::Plain => Value::from(()),
            _ => Value::from_object(Span(TimeDelta::seconds(self.summer.into()))),
        }
    }

    /// `tzname()`.
    pub(super) fn abbreviated(&self) -> Value {
        match self.kind {
            Kind::Fixed => Value::from(()),
            _ => Value::from(self.abbreviation.as_str()),
        }
    }

    /// `<DstTzInfo 'Europe/Berlin' CET+1:00:00 STD>`.
    pub(super) fn repr(&self) -> String {
        match self.kind {
            Kind::Utc => "<UTC>".to_owned(),
            Kind::Fixed => self.to_string(),
            Kind::Plain if self.offset == 0 => "datetime.timezone.utc".to_owned(),
            Kind::Plain => {
                let offset = Span(TimeDelta::seconds(self.offset.into())).repr();
                format!("datetime.timezone({offset})")
            }
            Kind::Of(zone) if is_static(zone.name()) => format!("<StaticTzInfo '{}'>", zone.name()),
            Kind::Of(zone) => {
                let (name, short) = (zone.name(), &self.abbreviation);
                let plus = if self.offset > 0 { "+" } else { "" };
                let kind = if self.summer != 0 { "DST" } else { "STD" };
                format!("<DstTzInfo '{name}' {short}{plus}{} {kind}>", self.span())
            }
        }
    }
}

/// `+05:30`.
pub(super) fn hours(offset: i32) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Fixed => write!(f, "pytz.FixedOffset({})", self.offset / 60),
            _ => f.write_str(self.name().unwrap_or(&self.abbreviation)),
        }
    }
}

impl Object for Zone {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "zone" if self.kind != Kind::Plain => {
                Some(self.name().map_or(Value::from(()), Value::from))
            }
            _ => None,
        }
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let arguments = Arguments::of(args);
        let given = arguments.required(0, "dt")?;
        let Some(moment) = given.downcast_object_ref::<Moment>() else {
            return match method {
                "utcoffset" | "dst" | "tzname" if given.is_none() => Ok(Value::from(())),
                _ => Err(wrong("a datetime is needed")),
            };
        };
        let here = || self.at_local(&moment.local, arguments.flag(1, "is_dst"));
        match method {
            "localize" if moment.zone.is_some() => {
                Err(wrong("Not naive datetime (tzinfo is already set)"))
            }
            "localize" => Ok(Value::from_object(Moment {
                zone: Some(here()),
                ..moment.clone()
            })),
            "normalize" if moment.zone.is_none() => Err(wrong("Naive time - no tzinfo set")),
            "normalize" => Ok(Value::from_object(moment.moved_to(self))),
            "utcoffset" => Ok(here().span()),
            "dst" => Ok(here().summer_span()),
            "tzname" => Ok(here().abbreviated()),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

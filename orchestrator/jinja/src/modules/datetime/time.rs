//! `datetime.time`: a time of day.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveTime, Timelike};
use minijinja::value::{DynObject, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};

use super::print::{clock, iso_time, strftime};
use super::zone::Zone;
use super::{part, wrong};
use crate::arguments::Arguments;

/// A `time`.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    pub(super) time: NaiveTime,
    pub(super) zone: Option<Zone>,
}

impl Clock {
    pub(super) fn of(arguments: &Arguments<'_>) -> Result<Self, Error> {
        const NAMES: [&str; 4] = ["hour", "minute", "second", "microsecond"];
        let mut parts = [0; 4];
        for (at, name) in NAMES.iter().enumerate() {
            if let Some(value) = arguments.get(at, name) {
                parts[at] = part(&value, name)?;
            }
        }
        let [hour, minute, second, micro] = parts;
        let time = NaiveTime::from_hms_micro_opt(hour, minute, second, micro);
        let zone = Zone::given(arguments.get(4, "tzinfo"));
        let time = time.ok_or_else(|| wrong("no such time"))?;
        Ok(Self { time, zone })
    }

    pub(super) fn formatted(&self, pattern: &str) -> String {
        let day = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap_or_default();
        strftime(&day.and_time(self.time), self.zone.as_ref(), pattern)
    }

    /// `datetime.time(1, 2)`.
    pub(super) fn repr(&self) -> String {
        format!("datetime.time({})", clock(self.time))
    }
}

impl Object for Clock {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "hour" => self.time.hour().into(),
            "minute" => self.time.minute().into(),
            "second" => self.time.second().into(),
            "microsecond" => (self.time.nanosecond() / 1000).into(),
            "tzinfo" => {
                let zone = self.zone.clone();
                zone.map_or(Value::from(()), Value::from_object)
            }
            _ => return None,
        })
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.time.cmp(&other.downcast_ref::<Self>()?.time))
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "isoformat" => {
                let detail = Arguments::of(args).get(0, "timespec");
                let detail = detail.as_ref().and_then(Value::as_str).unwrap_or("auto");
                iso_time(self.time, detail).map(Value::from)
            }
            "strftime" => {
                let pattern = Arguments::of(args).text(0, "format")?;
                Ok(self.formatted(&pattern).into())
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&iso_time(self.time, "auto").unwrap_or_default())
    }
}

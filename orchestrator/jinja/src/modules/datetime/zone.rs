//! `pytz`: time zones.

use std::fmt;
use std::sync::Arc;

use chrono_tz::Tz;
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};

use super::{Moment, wrong};
use crate::arguments::Arguments;
use crate::functions::function;
use crate::list::dict;

/// A `pytz` time zone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Zone(pub(super) Tz);

impl Zone {
    /// The zone that an argument is, if it is one.
    pub(super) fn given(argument: Option<Value>) -> Option<Tz> {
        argument?.downcast_object_ref::<Self>().map(|zone| zone.0)
    }
}

impl Object for Zone {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let given = Arguments::of(args).required(0, "dt")?;
        match (method, given.downcast_object_ref::<Moment>()) {
            ("localize", Some(moment)) => Ok(Value::from_object(Moment {
                zone: Some(self.0),
                ..moment.clone()
            })),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

/// `modules.pytz`.
pub(crate) fn pytz() -> Value {
    let timezone = function("timezone", |_, arguments| {
        let name = arguments.text(0, "zone")?;
        let zone = name
            .parse::<Tz>()
            .map_err(|_| wrong(format!("unknown time zone '{name}'")))?;
        Ok(Value::from_object(Zone(zone)))
    });
    let utc = || Value::from_object(Zone(Tz::UTC));
    dict([
        (Value::from("timezone"), timezone),
        (Value::from("utc"), utc()),
        (Value::from("UTC"), utc()),
    ])
}

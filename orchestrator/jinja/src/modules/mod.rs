//! `modules`: the parts of Python's standard library that dbt hands to templates.

use minijinja::value::Value;

use crate::list::dict;

mod datetime;
mod itertools;
mod regex;

pub(crate) use datetime::{
    absolute, arithmetic, divided, formatted, is_aware, is_stamp, remainder, repr as datetime_repr,
    scaled, stamp, type_name as datetime_type,
};
pub use datetime::{moment, naive_timestamp, timedelta, timestamp};
pub(crate) use itertools::Endless;

/// `modules.datetime`, `modules.pytz`, `modules.re`, `modules.itertools`.
pub(crate) fn modules() -> Value {
    dict([
        (Value::from("datetime"), datetime::module()),
        (Value::from("pytz"), datetime::pytz()),
        (Value::from("re"), regex::module()),
        (Value::from("itertools"), itertools::module()),
    ])
}

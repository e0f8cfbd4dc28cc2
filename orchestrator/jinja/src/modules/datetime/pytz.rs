//! `modules.pytz`.

use minijinja::value::Value;

use super::zone::Zone;
use crate::functions::function;
use crate::list::{dict, list};
use crate::set;

/// Those in use somewhere, as pytz has them.
const COMMON: &str = include_str!("common_timezones.txt");

/// Names that chrono has and pytz has not.
const UNKNOWN: [&str; 1] = ["Factory"];

/// `modules.pytz`.
pub(crate) fn pytz() -> Value {
    let timezone = function("timezone", |_, arguments| {
        Zone::named(&arguments.text(0, "zone")?).map(Value::from_object)
    });
    let fixed = function("FixedOffset", |_, arguments| {
        match arguments.integer(0)? {
            0 => Ok(Value::from_object(Zone::utc())),
            minutes => Zone::fixed(minutes).map(Value::from_object),
        }
    });
    let mut all: Vec<&str> = chrono_tz::TZ_VARIANTS
        .iter()
        .map(|zone| zone.name())
        .collect();
    all.retain(|name| !UNKNOWN.contains(name));
    all.sort_unstable();
    let all = || all.iter().copied().map(Value::from);
    let common = || COMMON.lines().map(Value::from);
    let utc = || Value::from_object(Zone::utc());
    dict(
        [
            ("timezone", timezone),
            ("utc", utc()),
            ("UTC", utc()),
            ("FixedOffset", fixed),
            ("all_timezones", list(all())),
            ("all_timezones_set", set::of(all())),
            ("common_timezones", list(common())),
            ("common_timezones_set", set::of(common())),
        ]
        .map(|(name, value)| (Value::from(name), value)),
    )
}

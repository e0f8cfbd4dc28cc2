//! The only place here that reads the wall clock; decisions take the time as an argument.

use chrono::{DateTime, Utc};

/// The wall clock, in UTC.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock everything else is told the time by"
)]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

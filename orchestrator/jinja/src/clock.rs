//! The wall clock of templates, `modules.datetime.datetime.now()`.

use chrono::{DateTime, Utc};

/// Now. A name that a template makes of it must differ from one made a moment ago, so it is the real one.
#[expect(
    clippy::disallowed_methods,
    reason = "this is where templates read the clock"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

//! What a test found, when a template of the project ran it.

use crate::context::query::Kept;
use crate::context::table;
use crate::error::{Error, Location};
use crate::manifest::Node;

/// What a test's statement gives: `failures`, `should_warn`, `should_error`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Failing rows, or what `fail_calc` makes of them.
    pub failures: i64,
    /// `warn_if` holds.
    pub should_warn: bool,
    /// `error_if` holds.
    pub should_error: bool,
}

/// The one row that a test's main statement gives.
pub(super) fn of(node: &Node, main: &Kept) -> Result<Verdict, Error> {
    let found = main.value.get_attr("table").unwrap_or_default();
    let rows = table::rows(&found).unwrap_or_default();
    let read = || {
        let [failures, should_warn, should_error] = rows.first()?.as_slice() else {
            return None;
        };
        let failures = match failures.as_i64() {
            Some(whole) => whole,
            None => jinja::format::text(failures)
                .split('.')
                .next()?
                .parse()
                .ok()?,
        };
        Some(Verdict {
            failures,
            should_warn: should_warn.is_true(),
            should_error: should_error.is_true(),
        })
    };
    read().filter(|_| rows.len() == 1).ok_or_else(|| Error::Template {
        subject: format!("test {}", node.name),
        location: Box::new(Location::file(&node.original_file_path)),
        message: "the main statement of a test must give one row of failures, should_warn, should_error".into(),
        stack: Vec::new(),
        hint: Some("call statement('main', fetch_result=true) with get_test_sql(…)".into()),
    })
}

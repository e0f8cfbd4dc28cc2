//! The wall clock. The simulation never reads it; only the shell around it does.

/// Milliseconds since 1970-01-01T00:00:00Z.
#[expect(
    clippy::disallowed_methods,
    reason = "this file is where the wall clock is read"
)]
pub(crate) fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

//! Postgres' binary COPY format, both ways. Pure.

pub mod decode;
pub mod encode;

/// What a binary COPY starts with; then come flags and an extension.
pub(crate) const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Days between 1970, where Arrow and Iceberg start, and 2000, where Postgres does.
pub(crate) const EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
pub(crate) const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Microseconds of a day.
pub(crate) const DAY_MICROS: i64 = 86_400_000_000;

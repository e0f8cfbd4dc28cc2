//! The lake on real servers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "is shown when a test fails")]

mod bed;
mod data;
mod faults;
mod moves;

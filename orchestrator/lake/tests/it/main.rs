//! The lake on real servers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bed;
mod data;
mod faults;
mod moves;

//! Whole projects: loaded, selected from and compiled, compared with what dbt recorded.

#![expect(clippy::unwrap_used, reason = "a failing helper fails its test")]

mod broken;
mod cache;
mod database;
mod functions;
mod groups;
mod packages;
mod quoting;
mod recorded;
mod semantic;
mod size;
mod snapshots;
mod sources;
mod support;
mod unit_tests;

//! Integration tests of the binary and of the scheduler, on a real Postgres; its archive on MinIO and Trino.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod archive;
mod bed;
mod compat;
mod docs;
mod flags;
mod flags_of_verbs;
mod freshness;
mod microbatch;
mod packages;
mod partitions;
mod quoting;
mod results;
mod schedule;
mod secrets;
mod statements;
mod states;
mod stopped;
mod templated;
mod tidy;
mod told;
mod transcripts;
mod upkeep;
mod web;

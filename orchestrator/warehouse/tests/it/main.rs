//! Materializations on a real Postgres. Every test has a database of its own, made in the server
//! `RIDEHAIL_DATABASE_URL` names; the role needs CREATEDB.

mod archived;
mod cancel;
mod database;
mod errors;
mod incremental;
mod models;
mod partitions;
mod readers;
mod seeds;
mod speed;
mod tests;

//! Moves events out of Kafka: lands topics in Postgres exactly once, and keeps Druid's supervisors.
//!
//! It knows topics, partitions, offsets and an event's envelope. It refuses to know what an event means:
//! payloads are stored whole, and which topics exist is a data file (`topics.yml`).
//!
//! Start reading at [`landing`], whose module text says how exactly once is kept; its pure parts
//! (`decode`, `batch`, `progress`, `lane`) decide, the others carry out. [`topics`] compares the data file with
//! the cluster, [`rejects`] lists and replays what could not be decoded, [`druid`] reconciles supervisors.

pub mod clock;
pub mod config;
pub mod druid;
pub mod landing;
pub mod offsets;
pub mod rejects;
pub mod topics;

use sqlx::PgPool;
use sqlx::migrate::{MigrateError, Migrator};

/// Brings schema `raw` up to this build's version. Safe to call from several processes at once: they queue
/// behind an advisory lock of the database. Its bookkeeping table lives in schema `raw` too, so that other
/// rooms migrate the same database on their own.
///
/// # Errors
/// A migration failed or an applied one differs from this build's.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    let mut migrator: Migrator = sqlx::migrate!("./migrations");
    migrator.create_schema("raw");
    migrator.dangerous_set_table_name("raw._sqlx_migrations");
    migrator.run(pool).await
}

//! Moves cold partitions of Postgres tables to Iceberg, with proof.
//!
//! It knows tables partitioned by UTC day, object storage, Iceberg and Trino. It refuses to know what a row means.
//!
//! In reading order:
//!
//! 1. [`ledger`]: what is where, as far as it is proven; [`ledger::state`] says what a move goes through. Pure.
//! 2. [`mover`]: one state a step. [`mover::plan`] decides what is due (pure), the files beside it act.
//! 3. The way of rows: [`shape`] and [`types`] (what a column becomes), [`read`] (COPY to Arrow), [`write`] (Arrow
//!    to Parquet), [`readback`] (Parquet to Arrow again), [`digest`] and [`witness`] (what is compared).
//! 4. [`catalog`] and [`storage`]: Iceberg's tables in Postgres, files in the object store. [`manifests`]: which
//!    files a table has.
//! 5. [`view`]: the SQL that readers see; [`trino`]: who runs it.
//! 6. [`drift`]: whether the archive still holds what the ledger says. [`maintain`]: keeping it in order.
//!    [`restore`]: a day back to read. [`backup`]: warehouse, ledger and catalog in one dump. [`owner`]: whose the
//!    files are when there are two databases.

#[cfg(test)]
mod arbitrary;
pub mod args;
pub mod audit;
pub mod backup;
pub mod catalog;
pub mod copy;
pub mod digest;
pub mod drift;
mod error;
pub mod lake;
pub mod ledger;
pub mod maintain;
pub mod manifests;
pub mod mover;
pub mod owner;
pub mod read;
pub mod readback;
pub mod restore;
pub mod settings;
pub mod shape;
pub mod storage;
pub mod throttle;
pub mod trino;
pub mod types;
pub mod view;
pub mod witness;
pub mod write;

pub use error::{Damage, Error};
pub use lake::Lake;

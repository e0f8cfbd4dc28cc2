//! Moves cold partitions of Postgres tables to Iceberg, with proof.
//!
//! It knows tables partitioned by UTC day, object storage, Iceberg and Trino. It refuses to know what a row means.

#[cfg(test)]
mod arbitrary;
pub mod args;
pub mod catalog;
pub mod copy;
pub mod digest;
pub mod drift;
mod error;
pub mod ledger;
pub mod manifests;
pub mod mover;
pub mod read;
pub mod readback;
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

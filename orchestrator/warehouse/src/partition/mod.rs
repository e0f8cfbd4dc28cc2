//! Native range partitions of incremental models.
//!
//! The period of a row is that of its field in UTC. A partition exists for every period that has
//! ever had rows; there is no default partition. While a new table is built beside the old one its
//! partitions carry the intermediate name (`orders__dbt_tmp_20261122`) and take the lasting one
//! (`orders_20261122`) in the transaction that swaps the parents; those of the old table go to
//! `orders__dbt_backup_20261122` in the same moment.
//!
//! Old days may leave for an archive: [`archive`] says what that changes.

pub(crate) mod archive;
mod build;
mod period;
mod sql;

pub(crate) use build::{extend, replace};
pub(crate) use period::Granularity;

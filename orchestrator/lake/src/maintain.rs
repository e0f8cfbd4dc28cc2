//! Keeping the lake in order: small files together, old snapshots and stray objects away, the catalog looked at.
//!
//! Each task can be asked what it would do first, and each has a floor on age: what is younger may belong to a
//! reader or to a move under way. Nothing here touches what an unfinished move refers to: its files are in the
//! ledger, and its attempts are newer than the floor.
//!
//! Expiry removes the snapshot summaries by which a commit could be found. That is why the ledger has keys and file
//! lists of its own, written with the commit, and why expiry checks first that it does.

pub mod catalog;
pub mod compact;
pub mod expire;
pub mod orphans;

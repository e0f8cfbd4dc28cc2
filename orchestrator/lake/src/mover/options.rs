//! How a run is to be.

use std::sync::Arc;
use std::time::Duration;

use crate::ledger::state::State;
use crate::throttle::Throttle;

/// How a run of the archive is to be.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Most days of one batch.
    pub batch_days: usize,
    /// Bytes a second read from Postgres; `None` = as fast as it goes.
    pub throttle: Option<Arc<Throttle>>,
    /// How long to wait for older queries before giving up until the next run.
    pub drain_timeout: Duration,
    /// Stop before this state (tests, and `--until`).
    pub until: Option<State>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            batch_days: 31,
            throttle: None,
            drain_timeout: Duration::from_secs(600),
            until: None,
        }
    }
}

//! What makes a world: its seed, its start, its cities, and the phases it has gone through.
//!
//! The same spec always yields the same records, so a spec is all that a resumed run needs. It
//! travels as JSON in a header of every Kafka record.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::fault::FaultRates;

/// Raised with every change of the simulation that changes its events: a newer program must not
/// continue a world that it can't replay.
pub(crate) const SIMULATION: u32 = 1;

/// A city of the world and its demand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CitySpec {
    pub(crate) slug: String,
    /// Requests on an average day of a phase without a rate.
    pub(crate) rides_per_day: f64,
}

/// A stretch of the world's time, up to the start of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Phase {
    /// Milliseconds since 1970.
    pub(crate) from: i64,
    /// Events a second over all topics; `None`: demand follows `rides_per_day`.
    pub(crate) rate: Option<f64>,
    pub(crate) faults: FaultRates,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WorldSpec {
    pub(crate) simulation: u32,
    pub(crate) seed: u64,
    /// Milliseconds since 1970.
    pub(crate) start: i64,
    pub(crate) cities: Vec<CitySpec>,
    /// Partitions of the topics, in the order of [`crate::event::TOPICS`].
    pub(crate) partitions: [u32; 3],
    /// Mean seconds between two location pings of an online vehicle, in phases without a rate.
    pub(crate) ping_seconds: u32,
    /// Events from this instant on have schema version 2.
    pub(crate) schema_v2_from: Option<i64>,
    /// Never empty; the first begins at `start`, each begins after the one before.
    pub(crate) phases: Vec<Phase>,
}

impl WorldSpec {
    /// Hex digest of everything but the phases, which grow while the world goes on.
    pub(crate) fn fingerprint(&self) -> String {
        let fixed = Self {
            phases: Vec::new(),
            schema_v2_from: None,
            ..self.clone()
        };
        let digest = Sha256::digest(fixed.to_json());
        digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("invariant: a spec has only JSON types")
    }

    /// The phase that holds the instant.
    pub(crate) fn phase_at(&self, at: i64) -> &Phase {
        let after = self.phases.partition_point(|phase| phase.from <= at);
        &self.phases[after.saturating_sub(1)]
    }

    /// The latest phase.
    pub(crate) fn current(&self) -> &Phase {
        self.phases
            .last()
            .expect("invariant: a world has a first phase")
    }
}

//! What was acknowledged, counted: the figures that everything downstream is checked against.
//!
//! Faults and repeats don't blur it: a duplicate is valid but not distinct, a malformed record is
//! an extra one and counts nowhere else.

use std::collections::BTreeMap;

use serde::Serialize;

/// Ground truth of a world, from its start to the last acknowledged record.
///
/// Days are UTC days (`2026-11-22`), money is in the minor unit of the city's currency.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Truth {
    /// Seed of the world.
    pub seed: u64,
    /// Fingerprint of the world's configuration.
    pub world: String,
    /// Start of the world, RFC 3339.
    pub start: String,
    /// Simulated time that was reached, RFC 3339.
    pub until: String,
    /// By topic, without prefix.
    pub topics: BTreeMap<String, TopicTruth>,
    /// Injected faults among the acknowledged records.
    pub faults: FaultTruth,
    /// Rides with at least one acknowledged event.
    pub rides: RideTruth,
    /// Fares of completed rides.
    pub fares: FareTruth,
    /// Corrections of fares.
    pub adjustments: AdjustmentTruth,
}

/// Records of one topic.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TopicTruth {
    /// Acknowledged records, `valid + malformed`.
    pub acknowledged: u64,
    /// Well-formed ones, repeats included.
    pub valid: u64,
    /// Damaged extra copies.
    pub malformed: u64,
    /// Valid records without repeats.
    pub distinct_event_ids: u64,
    /// Acknowledged records by partition: each is the partition's end offset.
    pub by_partition: Vec<u64>,
    /// Distinct events by event type.
    pub by_type: BTreeMap<String, u64>,
    /// Distinct events by city.
    pub by_city: BTreeMap<String, u64>,
    /// By UTC day of the event time.
    pub by_day: BTreeMap<String, DayCount>,
}

/// Records of one UTC day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct DayCount {
    /// Valid records, repeats included.
    pub valid: u64,
    /// Distinct event ids.
    pub distinct_event_ids: u64,
}

/// Injected faults by kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FaultTruth {
    /// Records sent a second time.
    pub duplicate: u64,
    /// Records sent hours after their event.
    pub late: u64,
    /// Records sent up to minutes after their event, behind later ones.
    pub out_of_order: u64,
    /// Damaged extra copies by kind of damage.
    pub malformed: BTreeMap<String, u64>,
}

/// Counts of rides; `by_day` is the UTC day of `requested_at`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RideTruth {
    /// All rides.
    pub total: RideCounts,
    /// By city.
    pub by_city: BTreeMap<String, RideCounts>,
    /// By UTC day of the request.
    pub by_day: BTreeMap<String, RideCounts>,
}

/// Rides by the events they have had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct RideCounts {
    /// Rides with any event.
    pub rides: u64,
    /// With a request.
    pub requested: u64,
    /// Offers (a ride may have several).
    pub offered: u64,
    /// Declined offers (likewise).
    pub declined: u64,
    /// With a driver assigned.
    pub driver_assigned: u64,
    /// With a driver on the way.
    pub driver_en_route: u64,
    /// With a driver at the pickup.
    pub driver_arrived: u64,
    /// With a start.
    pub ride_started: u64,
    /// Completed.
    pub ride_completed: u64,
    /// Cancelled by the rider.
    pub cancelled_by_rider: u64,
    /// Cancelled by the driver.
    pub cancelled_by_driver: u64,
    /// Given up without a driver.
    pub no_driver_found: u64,
    /// Fare adjustments (a ride has at most one).
    pub fare_adjusted: u64,
    /// Without an end so far.
    pub active: u64,
}

/// Sums over completed rides; `by_day` is the UTC day of `requested_at`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FareTruth {
    /// By currency.
    pub by_currency: BTreeMap<String, FareSums>,
    /// By city.
    pub by_city: BTreeMap<String, FareSums>,
    /// By city, then UTC day of the request.
    pub by_city_day: BTreeMap<String, BTreeMap<String, FareSums>>,
}

/// Sums of fares in minor units.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FareSums {
    /// Currency code.
    pub currency: String,
    /// Completed rides.
    pub rides: u64,
    /// `total_cents`.
    pub total_cents: i64,
    /// `tip_cents`.
    pub tip_cents: i64,
    /// `driver_pay_cents`.
    pub driver_pay_cents: i64,
}

/// Fare adjustments; `by_city_day` is the UTC day of the adjustment itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AdjustmentTruth {
    /// Number of adjustments.
    pub count: u64,
    /// By city.
    pub by_city: BTreeMap<String, AdjustmentSums>,
    /// By city, then UTC day of the event time.
    pub by_city_day: BTreeMap<String, BTreeMap<String, AdjustmentSums>>,
}

/// Sums of adjustments in minor units.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AdjustmentSums {
    /// Currency code.
    pub currency: String,
    /// Number of adjustments.
    pub count: u64,
    /// `adjustment_cents`.
    pub adjustment_cents: i64,
    /// `driver_pay_adjustment_cents`.
    pub driver_pay_adjustment_cents: i64,
}

impl Truth {
    /// Pretty-printed JSON with keys in a stable order, ending in a newline.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("invariant: truth has only JSON types");
        text.push('\n');
        text
    }
}

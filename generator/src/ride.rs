//! One ride: its stages, the steps between them, and its price.

use crate::city::{City, ZoneKind};
use crate::draw::Draw;
use crate::event::{Fare, RideFacts, RideStep};
use crate::place::{CellId, Point};

/// Where a ride stands. `Done` is final: only fare adjustments may follow a completed ride.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Looking for a driver.
    Waiting,
    /// A driver has been asked.
    Offered,
    Assigned,
    EnRoute,
    Arrived,
    OnTrip,
    Completed,
    Done,
}

/// A step that the ride's stage does not allow: a bug in the simulation, never data.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct IllegalStep {
    pub(crate) stage: Stage,
    pub(crate) step: usize,
}

impl Stage {
    /// The stage after `step`.
    pub(crate) fn after(self, step: &RideStep) -> Result<Self, IllegalStep> {
        use Stage::{Arrived, Assigned, Completed, Done, EnRoute, Offered, OnTrip, Waiting};
        match (self, step) {
            (Waiting, RideStep::Requested { .. }) => Ok(Waiting),
            (Waiting, RideStep::Offered) => Ok(Offered),
            (Offered, RideStep::Declined) => Ok(Waiting),
            (Offered, RideStep::DriverAssigned { .. }) => Ok(Assigned),
            (Assigned, RideStep::DriverEnRoute) => Ok(EnRoute),
            (EnRoute, RideStep::DriverArrived) => Ok(Arrived),
            (Arrived, RideStep::RideStarted) => Ok(OnTrip),
            (OnTrip, RideStep::RideCompleted(_)) => Ok(Completed),
            (Completed, RideStep::FareAdjusted { .. }) => Ok(Completed),
            (Waiting, RideStep::NoDriverFound) => Ok(Done),
            (
                Waiting | Offered | Assigned | EnRoute | Arrived,
                RideStep::CancelledByRider { .. },
            ) => Ok(Done),
            (Assigned | EnRoute | Arrived, RideStep::CancelledByDriver { .. }) => Ok(Done),
            (stage, step) => Err(IllegalStep {
                stage,
                step: step.kind(),
            }),
        }
    }
}

/// Where a ride begins or ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    pub(crate) point: Point,
    pub(crate) cell: CellId,
    pub(crate) zone: u8,
}

/// Drivers remembered as having declined; further ones may be asked twice.
const DECLINES_KEPT: usize = 4;

#[derive(Clone, Debug)]
pub(crate) struct Ride {
    pub(crate) number: u64,
    pub(crate) city: u8,
    pub(crate) stage: Stage,
    pub(crate) customer: u32,
    pub(crate) driver: Option<u32>,
    pub(crate) requested_at: i64,
    pub(crate) pickup: Spot,
    pub(crate) dropoff: Spot,
    pub(crate) surge_tenths: u8,
    /// Street distance and driving time as planned at the request.
    pub(crate) planned_m: f64,
    pub(crate) planned_s: f64,
    pub(crate) sequence: u32,
    pub(crate) assigned_at: i64,
    pub(crate) started_at: i64,
    /// No search for a driver after this.
    pub(crate) deadline: i64,
    pub(crate) fare: Fare,
    declined: [u32; DECLINES_KEPT],
    declines: usize,
    /// Queued tasks that still need the ride after it ended.
    pub(crate) follow_ups: u8,
}

impl Ride {
    pub(crate) fn new(number: u64, city: u8, customer: u32, at: i64, ends: (Spot, Spot)) -> Self {
        Self {
            number,
            city,
            stage: Stage::Waiting,
            customer,
            driver: None,
            requested_at: at,
            pickup: ends.0,
            dropoff: ends.1,
            surge_tenths: 10,
            planned_m: 0.0,
            planned_s: 0.0,
            sequence: 0,
            assigned_at: 0,
            started_at: 0,
            deadline: 0,
            fare: Fare::default(),
            declined: [u32::MAX; DECLINES_KEPT],
            declines: 0,
            follow_ups: 0,
        }
    }

    pub(crate) fn facts(&self) -> RideFacts {
        RideFacts {
            ride: self.number,
            customer: self.customer,
            driver: self.driver,
            requested_at: self.requested_at,
            pickup: self.pickup.point,
            dropoff: self.dropoff.point,
        }
    }

    pub(crate) fn remember_decline(&mut self, driver: u32) {
        self.declined[self.declines % DECLINES_KEPT] = driver;
        self.declines += 1;
    }

    pub(crate) fn was_declined_by(&self, driver: u32) -> bool {
        self.declined.contains(&driver)
    }
}

/// What the rider is told before the ride.
pub(crate) fn estimate(city: &City, ride: &Ride) -> i32 {
    let mut fare = meter(city, ride.planned_m, ride.planned_s, ride.surge_tenths);
    fare.tolls = tolls(city, ride);
    settle(city, &mut fare);
    fare.total
}

/// The final price, with what only the trip itself decides: discount and tip.
pub(crate) fn price(city: &City, ride: &Ride, metres: f64, seconds: f64, draw: &mut Draw) -> Fare {
    let mut fare = meter(city, metres, seconds, ride.surge_tenths);
    fare.tolls = tolls(city, ride);
    let metered = fare.base + fare.distance + fare.time + fare.surge;
    if draw.chance(0.07) {
        fare.discount = metered * (10 + draw.below(11) as i32) / 100;
    }
    if draw.chance(city.tariff.tip_share) {
        fare.tip = metered * (5 + draw.below(16) as i32) / 100;
    }
    settle(city, &mut fare);
    fare
}

fn meter(city: &City, metres: f64, seconds: f64, surge_tenths: u8) -> Fare {
    let tariff = &city.tariff;
    let distance = (f64::from(tariff.per_km) * metres / 1_000.0) as i32;
    let time = (f64::from(tariff.per_minute) * seconds / 60.0) as i32;
    let metered = tariff.base + distance + time;
    Fare {
        distance_m: metres as u32,
        duration_s: seconds as u32,
        surge_tenths,
        base: tariff.base,
        distance,
        time,
        surge: (i64::from(metered) * (i64::from(surge_tenths) - 10) / 10) as i32,
        fees: tariff.booking_fee,
        ..Fare::default()
    }
}

fn tolls(city: &City, ride: &Ride) -> i32 {
    let airport = |spot: &Spot| city.zones[usize::from(spot.zone)].kind == ZoneKind::Airport;
    if airport(&ride.pickup) || airport(&ride.dropoff) {
        city.tariff.airport_toll
    } else {
        0
    }
}

/// Taxes, total and the driver's part: three quarters of the meter, all tolls and tips.
fn settle(city: &City, fare: &mut Fare) {
    let metered = fare.base + fare.distance + fare.time + fare.surge;
    let taxed = i64::from(metered + fare.fees - fare.discount);
    fare.taxes = (taxed * i64::from(city.tariff.tax_basis_points) / 10_000) as i32;
    fare.total = metered + fare.tolls + fare.taxes + fare.fees - fare.discount + fare.tip;
    fare.driver_pay = (i64::from(metered) * 3 / 4) as i32 + fare.tolls + fare.tip;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::city;

    fn check(steps: &[RideStep], expected: Result<Stage, IllegalStep>) {
        let end = steps
            .iter()
            .try_fold(Stage::Waiting, |stage, step| stage.after(step));
        assert_eq!(end, expected);
    }

    #[test]
    fn stages_follow_the_ride() {
        let requested = RideStep::Requested {
            surge_tenths: 10,
            estimated_fare: 1,
        };
        let assigned = RideStep::DriverAssigned { eta_s: 60 };
        let quit = RideStep::CancelledByRider {
            reason: "changed_mind",
            fee: 0,
        };
        check(
            &[requested, RideStep::Offered, RideStep::Declined],
            Ok(Stage::Waiting),
        );
        check(
            &[requested, RideStep::Offered, assigned],
            Ok(Stage::Assigned),
        );
        check(&[requested, RideStep::Offered, quit], Ok(Stage::Done));
        check(&[requested, RideStep::NoDriverFound], Ok(Stage::Done));
        check(
            &[requested, quit, quit],
            Err(IllegalStep {
                stage: Stage::Done,
                step: 8,
            }),
        );
        check(
            &[requested, RideStep::RideStarted],
            Err(IllegalStep {
                stage: Stage::Waiting,
                step: 6,
            }),
        );
    }

    #[test]
    fn fares_add_up() {
        let mut draw = Draw::new(1, 0);
        for city in city::CITIES {
            let spot = Spot {
                point: Point::default(),
                cell: 0,
                zone: 0,
            };
            let mut ride = Ride::new(1, 0, 1, 0, (spot, spot));
            ride.surge_tenths = 14;
            let fare = price(city, &ride, 5_000.0, 900.0, &mut draw);
            let parts = fare.base
                + fare.distance
                + fare.time
                + fare.surge
                + fare.tolls
                + fare.taxes
                + fare.fees
                - fare.discount
                + fare.tip;
            assert_eq!(fare.total, parts, "{}", city.slug);
            assert!(fare.total > fare.driver_pay - fare.tip && fare.driver_pay > 0);
        }
    }
}

//! The life of a ride: what each of its tasks does.
//!
//! Every task checks the stage first: a ride that was cancelled meanwhile leaves its tasks
//! behind in the queue.

use crate::driver::{Duty, Leg, MINUTE};
use crate::event::{Body, RideStep, VehicleStep};
use crate::place::ROAD_FACTOR;
use crate::ride::{Ride, Stage, estimate, price};
use crate::world::{RideRef, Task, World};

/// A customer who cancels within this time of the assignment pays nothing.
const FREE_CANCELLATION: i64 = 2 * MINUTE;

impl World {
    pub(crate) fn request(&mut self, customer: u32) {
        let city = self.riders[customer as usize].city;
        let now = self.now;
        let draw = &mut self.draw;
        let town = &mut self.towns[usize::from(city)];
        let pickup = town.pickup(now, draw);
        let dropoff = town.dropoff(&pickup, draw);
        let surge_tenths = town.heat_up(usize::from(pickup.zone), now);
        if draw.chance(f64::from(surge_tenths.saturating_sub(10)) * 0.02) {
            // too dear: the rider closes the app, and nothing was recorded
            self.riders[customer as usize].busy = false;
            return;
        }
        let planned_m = town.street(pickup.point, dropoff.point);
        // lights, turns and one-way streets: a trip is slower than the free-flowing speed
        let planned_s = 120.0 + planned_m / (0.72 * town.speed(now));
        let deadline = now + draw.seconds(170.0, 280.0);
        let patience = (draw.lognormal(210.0, 0.6).max(15.0) * 1_000.0) as i64;
        town.waiting += 1;
        let tariff_city = town.city;
        let reference = self.add_ride(|number| {
            let mut ride = Ride::new(number, city, customer, now, (pickup, dropoff));
            ride.surge_tenths = surge_tenths;
            ride.planned_m = planned_m;
            ride.planned_s = planned_s;
            ride.deadline = deadline;
            ride
        });
        let estimated_fare = estimate(tariff_city, self.ride_mut(reference));
        self.step(
            reference,
            RideStep::Requested {
                surge_tenths,
                estimated_fare,
            },
        );
        self.later_s(1.0, 3.0, Task::Match(reference));
        self.later(patience, Task::Impatience(reference));
    }

    pub(crate) fn find_driver(&mut self, reference: RideRef) {
        let Some(ride) = self.at_stage(reference, &[Stage::Waiting]) else {
            return;
        };
        let town = &mut self.towns[usize::from(ride.city)];
        match town.nearest(&ride, &self.drivers) {
            Some((driver, _)) => {
                town.unpark(driver, &mut self.drivers);
                self.drivers[driver as usize].duty = Duty::Asked;
                self.ride_mut(reference).driver = Some(driver);
                self.step(reference, RideStep::Offered);
                self.later_s(2.0, 11.0, Task::Answer(reference));
            }
            None if self.now >= ride.deadline => {
                self.step(reference, RideStep::NoDriverFound);
                self.end_ride(reference);
            }
            None => self.later_s(5.0, 9.0, Task::Match(reference)),
        }
    }

    pub(crate) fn answer(&mut self, reference: RideRef) {
        let Some(ride) = self.at_stage(reference, &[Stage::Offered]) else {
            return;
        };
        let driver = assigned(&ride);
        let eta_s = self.way_to_pickup(&ride, driver);
        let minutes = eta_s / 60.0;
        if self
            .draw
            .chance((0.06 + 0.02 * (minutes - 4.0).max(0.0)).min(0.5))
        {
            self.step(reference, RideStep::Declined);
            let ride = self.ride_mut(reference);
            ride.remember_decline(driver);
            ride.driver = None;
            self.set_free(driver);
            self.later_s(0.5, 1.5, Task::Match(reference));
            return;
        }
        self.step(
            reference,
            RideStep::DriverAssigned {
                eta_s: eta_s as u32,
            },
        );
        let now = self.now;
        self.ride_mut(reference).assigned_at = now;
        self.drivers[driver as usize].duty = Duty::Engaged;
        self.towns[usize::from(ride.city)].waiting -= 1;
        self.later_s(3.0, 12.0, Task::Depart(reference));
        if self
            .draw
            .chance((0.022 + 0.012 * (minutes - 4.0).max(0.0)).min(0.3))
        {
            self.later_s(3.0, 10.0 + eta_s, Task::RiderQuits(reference));
        }
        if self
            .draw
            .chance((0.020 + 0.008 * (minutes - 5.0).max(0.0)).min(0.2))
        {
            self.later_s(3.0, 10.0 + 0.8 * eta_s, Task::DriverQuits(reference));
        }
    }

    pub(crate) fn impatience(&mut self, reference: RideRef) {
        let stages = [Stage::Waiting, Stage::Offered];
        let Some(ride) = self.at_stage(reference, &stages) else {
            return;
        };
        self.step(
            reference,
            RideStep::CancelledByRider {
                reason: "wait_too_long",
                fee: 0,
            },
        );
        if let Some(driver) = ride.driver {
            self.set_free(driver);
        }
        self.end_ride(reference);
    }

    pub(crate) fn depart(&mut self, reference: RideRef) {
        let Some(ride) = self.at_stage(reference, &[Stage::Assigned]) else {
            return;
        };
        let driver = assigned(&ride);
        let seconds = self.way_to_pickup(&ride, driver) * self.draw.lognormal(1.0, 0.12);
        let travel = (seconds.max(20.0) * 1_000.0) as i64;
        self.step(reference, RideStep::DriverEnRoute);
        self.emit_vehicle(driver, VehicleStep::EnRoute { ride: ride.number });
        self.set_out(driver, ride.pickup.point, travel);
        self.later(travel, Task::Arrive(reference));
    }

    pub(crate) fn arrive(&mut self, reference: RideRef) {
        let Some(ride) = self.at_stage(reference, &[Stage::EnRoute]) else {
            return;
        };
        let driver = &mut self.drivers[assigned(&ride) as usize];
        driver.leg = None;
        driver.point = ride.pickup.point;
        driver.cell = ride.pickup.cell;
        self.step(reference, RideStep::DriverArrived);
        let fate = self.draw.unit();
        if fate < 0.012 {
            self.later(5 * MINUTE, Task::NoShow(reference));
        } else if fate < 0.020 {
            self.later_s(30.0, 200.0, Task::RiderQuits(reference));
        } else {
            let boarding = self.draw.lognormal(75.0, 0.5).clamp(10.0, 280.0);
            self.later((boarding * 1_000.0) as i64, Task::Start(reference));
        }
    }

    pub(crate) fn rider_quits(&mut self, reference: RideRef) {
        let stages = [Stage::Assigned, Stage::EnRoute, Stage::Arrived];
        let Some(ride) = self.at_stage(reference, &stages) else {
            return;
        };
        const REASONS: [&str; 4] = [
            "changed_mind",
            "driver_too_far",
            "found_other_ride",
            "wrong_address",
        ];
        let reason = REASONS[self.draw.below(REASONS.len())];
        let late = self.now - ride.assigned_at > FREE_CANCELLATION;
        let fee = if late {
            self.cancellation_fee(&ride)
        } else {
            0
        };
        self.step(reference, RideStep::CancelledByRider { reason, fee });
        self.release(&ride);
        self.end_ride(reference);
    }

    pub(crate) fn driver_quits(&mut self, reference: RideRef) {
        let stages = [Stage::Assigned, Stage::EnRoute];
        let Some(ride) = self.at_stage(reference, &stages) else {
            return;
        };
        const REASONS: [&str; 4] = [
            "too_far",
            "vehicle_trouble",
            "rider_unreachable",
            "unsafe_pickup",
        ];
        let reason = REASONS[self.draw.below(REASONS.len())];
        self.step(reference, RideStep::CancelledByDriver { reason, fee: 0 });
        self.release(&ride);
        self.end_ride(reference);
    }

    pub(crate) fn no_show(&mut self, reference: RideRef) {
        let Some(ride) = self.at_stage(reference, &[Stage::Arrived]) else {
            return;
        };
        let fee = self.cancellation_fee(&ride);
        self.step(
            reference,
            RideStep::CancelledByDriver {
                reason: "rider_no_show",
                fee,
            },
        );
        self.release(&ride);
        self.end_ride(reference);
    }

    pub(crate) fn start(&mut self, reference: RideRef) {
        let Some(ride) = self.at_stage(reference, &[Stage::Arrived]) else {
            return;
        };
        let driver = assigned(&ride);
        self.step(reference, RideStep::RideStarted);
        self.emit_vehicle(driver, VehicleStep::OnTrip { ride: ride.number });
        let seconds = ride.planned_s * self.draw.lognormal(1.0, 0.15);
        let travel = (seconds.max(90.0) * 1_000.0) as i64;
        self.ride_mut(reference).started_at = self.now;
        self.set_out(driver, ride.dropoff.point, travel);
        self.later(travel, Task::Complete(reference));
    }

    pub(crate) fn complete(&mut self, reference: RideRef) {
        let Some(ride) = self.at_stage(reference, &[Stage::OnTrip]) else {
            return;
        };
        let driver = assigned(&ride);
        let seconds = (self.now - ride.started_at) as f64 / 1_000.0;
        let metres = ride.planned_m * self.draw.lognormal(1.0, 0.04);
        let city = self.towns[usize::from(ride.city)].city;
        let fare = price(city, &ride, metres, seconds, &mut self.draw);
        self.ride_mut(reference).fare = fare;
        self.step(reference, RideStep::RideCompleted(fare));
        {
            let driver = &mut self.drivers[driver as usize];
            driver.leg = None;
            driver.point = ride.dropoff.point;
            driver.cell = ride.dropoff.cell;
        }
        self.release(&ride);
        self.follow_up(reference, driver);
        self.end_ride(reference);
    }

    /// The ride as it is now, if it is at one of these stages.
    pub(crate) fn at_stage(&self, reference: RideRef, stages: &[Stage]) -> Option<Ride> {
        self.ride(reference)
            .filter(|ride| stages.contains(&ride.stage))
            .cloned()
    }

    pub(crate) fn step(&mut self, reference: RideRef, step: RideStep) {
        let ride = self.ride_mut(reference);
        ride.stage = ride
            .stage
            .after(&step)
            .expect("invariant: tasks check the stage");
        ride.sequence += 1;
        let there = if ride.stage == Stage::Completed {
            ride.dropoff
        } else {
            ride.pickup
        };
        let (city, sequence, facts) = (ride.city, ride.sequence, ride.facts());
        self.emit(city, there.cell, sequence, Body::Ride(facts, step));
    }

    /// The customer may ask again, and the slot is given back if nothing else is due.
    fn end_ride(&mut self, reference: RideRef) {
        let ride = self.ride_mut(reference);
        let (customer, city, assigned_at) = (ride.customer, ride.city, ride.assigned_at);
        self.riders[customer as usize].busy = false;
        if assigned_at == 0 {
            self.towns[usize::from(city)].waiting -= 1;
        }
        self.free_ride(reference);
    }

    /// Ends the driver's part. `ride` is the ride as it was before: a vehicle that had set out
    /// says that it is idle again.
    fn release(&mut self, ride: &Ride) {
        let driver = assigned(ride);
        let now = self.now;
        let position = self.drivers[driver as usize].position(now);
        let moved = self.drivers[driver as usize].leg.take().is_some();
        if moved {
            let cell = self.towns[usize::from(ride.city)].cells.at(position);
            let driver = &mut self.drivers[driver as usize];
            driver.point = position;
            driver.cell = cell;
        }
        if ride.stage != Stage::Assigned {
            self.emit_vehicle(driver, VehicleStep::Idle);
        }
        self.set_free(driver);
    }

    fn set_out(&mut self, driver: u32, to: crate::place::Point, travel: i64) {
        let now = self.now;
        let driver = &mut self.drivers[driver as usize];
        driver.leg = Some(Leg {
            from: driver.point,
            to,
            start: now,
            end: now + travel,
        });
    }

    /// Seconds of driving from where the driver stands to the pickup.
    fn way_to_pickup(&self, ride: &Ride, driver: u32) -> f64 {
        let town = &self.towns[usize::from(ride.city)];
        let straight = town
            .plane
            .metres(self.drivers[driver as usize].point, ride.pickup.point);
        25.0 + straight * ROAD_FACTOR / town.speed(self.now)
    }

    fn cancellation_fee(&self, ride: &Ride) -> i32 {
        self.towns[usize::from(ride.city)]
            .city
            .tariff
            .cancellation_fee
    }
}

pub(crate) fn assigned(ride: &Ride) -> u32 {
    ride.driver
        .expect("invariant: from the offer on a ride has a driver")
}

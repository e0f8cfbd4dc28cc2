//! What comes after a ride: ratings, and corrections of its fare days later.

use crate::driver::{DAY, HOUR};
use crate::event::{RideStep, UserStep};
use crate::ride::Stage;
use crate::trip::assigned;
use crate::world::{RideRef, Task, World};

impl World {
    /// What a completed ride may lead to: ratings, a correction of the fare, changed profiles.
    pub(crate) fn follow_up(&mut self, reference: RideRef, driver: u32) {
        let customer = self.ride_mut(reference).customer;
        let mut tasks = 0;
        if self.draw.chance(0.42) {
            let delay = self.draw.lognormal(240.0, 1.2).clamp(5.0, 43_200.0);
            self.later((delay * 1_000.0) as i64, Task::RateDriver(reference));
            tasks += 1;
        }
        if self.draw.chance(0.38) {
            self.later_s(5.0, 120.0, Task::RateRider(reference));
            tasks += 1;
        }
        if self.draw.chance(0.016) {
            let delay = (self.draw.lognormal(22.0, 0.9) * HOUR as f64) as i64;
            self.later(delay.clamp(HOUR, 6 * DAY), Task::Adjust(reference));
            tasks += 1;
        }
        self.ride_mut(reference).follow_ups = tasks;
        if self.draw.chance(0.006) {
            self.later_s(3_600.0, 250_000.0, Task::CustomerProfile { customer });
        }
        if self.draw.chance(0.008) {
            self.later_s(600.0, 90_000.0, Task::PaymentMethod { customer });
        }
        if self.draw.chance(0.002) {
            self.later_s(3_600.0, 250_000.0, Task::DriverProfile { driver });
        }
    }

    pub(crate) fn rate(&mut self, reference: RideRef, of_driver: bool) {
        let Some(ride) = self.at_stage(reference, &[Stage::Completed]) else {
            return;
        };
        let rating = [5, 4, 3, 2, 1][self.draw.weighted(&[0.82, 0.11, 0.04, 0.015, 0.015])];
        let (customer, driver, number) = (ride.customer, assigned(&ride), ride.number);
        if of_driver {
            let step = UserStep::CustomerRating {
                ride: number,
                customer,
                driver,
                rating,
            };
            self.emit_customer(customer, ride.dropoff.cell, step);
        } else {
            let step = UserStep::DriverRating {
                ride: number,
                driver,
                customer,
                rating,
            };
            self.emit_driver(driver, step);
        }
        self.followed_up(reference);
    }

    pub(crate) fn adjust(&mut self, reference: RideRef) {
        let Some(ride) = self.at_stage(reference, &[Stage::Completed]) else {
            return;
        };
        let part = |percent: usize| (i64::from(ride.fare.total) * percent as i64 / 100) as i32;
        // most corrections give money back, and the driver keeps the pay
        let (reason, adjustment, driver_share) = match self.draw.below(10) {
            0..=3 => ("route_deviation", -part(10 + self.draw.below(30)), 3),
            4..=6 => ("fare_dispute", -part(5 + self.draw.below(95)), 0),
            7 => ("service_credit", -part(5 + self.draw.below(15)), 0),
            8 => ("toll_correction", part(4 + self.draw.below(10)), 4),
            _ => ("cleaning_fee", part(60 + self.draw.below(200)), 4),
        };
        let driver_pay_adjustment = (i64::from(adjustment) * driver_share / 4) as i32;
        self.step(
            reference,
            RideStep::FareAdjusted {
                adjustment,
                driver_pay_adjustment,
                reason,
            },
        );
        self.followed_up(reference);
    }

    pub(crate) fn followed_up(&mut self, reference: RideRef) {
        self.ride_mut(reference).follow_ups -= 1;
        self.free_ride(reference);
    }
}

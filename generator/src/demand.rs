//! Who asks for a ride, and when; and what customers do with their accounts.

use crate::driver::{DAY, MINUTE};
use crate::event::{Person, ProfileField, UserStep};
use crate::rider::Rider;
use crate::world::{Task, World};

/// Days of requests that a city's regular customers share.
const REGULARS: f64 = 8.0;

impl World {
    /// Draws the time of the city's next request. Hours differ, so a long wait is cut off and
    /// drawn anew: a Poisson process has no memory.
    pub(crate) fn next_arrival(&mut self, city: u8) {
        let town = &self.towns[usize::from(city)];
        let mean = DAY as f64 / (town.requests_per_day * town.demand(self.now)).max(1e-9);
        let wait = self.draw.exponential(mean);
        let silent = wait > (20 * MINUTE) as f64;
        let wait = if silent { 20 * MINUTE } else { wait as i64 + 1 };
        let generation = town.generation;
        self.later(
            wait,
            Task::Arrival {
                city,
                generation,
                silent,
            },
        );
    }

    pub(crate) fn arrival(&mut self, city: u8, generation: u32, silent: bool) {
        if self.towns[usize::from(city)].generation != generation {
            return;
        }
        if !silent {
            self.someone_asks(city);
        }
        self.next_arrival(city);
    }

    /// A customer opens the app: one of the city's, or a new one, who signs up first.
    pub(crate) fn someone_asks(&mut self, city: u8) {
        let town = &self.towns[usize::from(city)];
        let pool = town.customers.len();
        let regulars = self
            .pace
            .as_ref()
            .map_or(0.0, |pace| pace.requests_a_second * 3_600.0)
            / self.towns.len() as f64;
        let wanted = (town.requests_per_day * REGULARS).max(regulars);
        let newcomers = 0.03 + 0.6 * (1.0 - pool as f64 / wanted).max(0.0);
        if pool > 0 && !self.draw.chance(newcomers) {
            for _ in 0..4 {
                let customer = town.customers[self.draw.below(pool)];
                if !self.riders[customer as usize].busy {
                    self.riders[customer as usize].busy = true;
                    self.request(customer);
                    return;
                }
            }
        }
        let customer = self.riders.len() as u32;
        self.riders.push(Rider::new(city));
        let town = &mut self.towns[usize::from(city)];
        town.customers.push(customer);
        let home = town.any_place(&mut self.draw);
        self.emit_customer(
            customer,
            home.cell,
            UserStep::NewCustomerSignup { customer },
        );
        self.later_s(5.0, 25.0, Task::PaymentMethod { customer });
        self.later_s(30.0, 150.0, Task::Request { customer });
    }

    pub(crate) fn add_payment_method(&mut self, customer: u32) {
        let rider = &mut self.riders[customer as usize];
        rider.payment_methods += 1;
        let number = rider.payment_methods;
        let cell = self.some_cell(rider_city(self, customer));
        self.emit_customer(
            customer,
            cell,
            UserStep::PaymentMethodAdded { customer, number },
        );
    }

    pub(crate) fn update_customer(&mut self, customer: u32) {
        let rider = &mut self.riders[customer as usize];
        rider.revision += 1;
        let revision = rider.revision;
        let field = self.some_field();
        let cell = self.some_cell(rider_city(self, customer));
        let person = Person::Customer(customer);
        let step = UserStep::ProfileUpdated {
            person,
            field,
            revision,
        };
        self.emit_customer(customer, cell, step);
    }

    pub(crate) fn update_driver(&mut self, driver: u32) {
        self.drivers[driver as usize].revision += 1;
        let revision = self.drivers[driver as usize].revision;
        let field = self.some_field();
        let person = Person::Driver(driver);
        self.emit_driver(
            driver,
            UserStep::ProfileUpdated {
                person,
                field,
                revision,
            },
        );
    }

    fn some_field(&mut self) -> ProfileField {
        [ProfileField::Phone, ProfileField::Email, ProfileField::Name]
            [self.draw.weighted(&[0.6, 0.3, 0.1])]
    }

    fn some_cell(&mut self, city: u8) -> crate::place::CellId {
        self.towns[usize::from(city)].any_place(&mut self.draw).cell
    }
}

fn rider_city(world: &World, customer: u32) -> u8 {
    world.riders[customer as usize].city
}

//! Drivers between rides: hiring, sessions, waiting, logging out.

use crate::driver::{DAY, Driver, Duty, HOUR, MINUTE};
use crate::event::{Body, UserStep, VehicleStep};
use crate::world::{Task, World};

/// Drivers a city starts with, per request of an average day: with their weekly hours this keeps
/// a bit more than half of the time online occupied.
const FLEET_PER_REQUEST: f64 = 0.32;
/// New drivers a day, against the fleet.
const RECRUITS_A_DAY: f64 = 0.002;
/// Free for so long, drivers think about going home.
const BORED: i64 = 75 * MINUTE;

impl World {
    /// The drivers a city begins with. They sign up shortly before their first session, at a
    /// random point of their weekly rhythm: some are online within minutes.
    pub(crate) fn found_fleet(&mut self, city: u8) {
        let fleet = self.towns[usize::from(city)].requests_per_day * FLEET_PER_REQUEST;
        let fleet = fleet.ceil().max(4.0) as u32;
        let start = self.spec.start;
        for _ in 0..fleet {
            let id = self.hire(city);
            let driver = &self.drivers[id as usize];
            let session = driver.session_length(&mut self.draw);
            let rhythm = session as f64 * 168.0 / driver.weekly_hours / 2.9;
            let profile = self.towns[usize::from(city)].city;
            let mut offset = 0;
            for _ in 0..4 {
                offset = (self.draw.unit() * rhythm * 2.9) as i64 - session;
                if self.draw.unit() * 1.6 < profile.curve(start + offset.max(0)) {
                    break;
                }
            }
            let (signup, shift) = if offset < 0 {
                let signup = start + self.draw.seconds(0.0, 480.0);
                (signup, signup + self.draw.seconds(15.0, 90.0))
            } else {
                let lead = self.draw.seconds(600.0, 7_200.0);
                let signup = (start + offset - lead).max(start + self.draw.seconds(0.0, 900.0));
                (signup, signup.max(start + offset) + 15_000)
            };
            self.schedule(
                signup,
                Task::Signup {
                    driver: id,
                    first_shift: shift,
                },
            );
        }
        let pause = (DAY as f64 / (f64::from(fleet) * RECRUITS_A_DAY)) as i64;
        self.later(pause, Task::Recruit(city));
    }

    /// A driver who has yet to sign up.
    pub(crate) fn hire(&mut self, city: u8) -> u32 {
        let town = &mut self.towns[usize::from(city)];
        let home = town.any_place(&mut self.draw);
        let mut driver = Driver::new(city, home.zone, &mut self.draw);
        driver.point = home.point;
        driver.cell = home.cell;
        let id = self.drivers.len() as u32;
        town.drivers.push(id);
        self.drivers.push(driver);
        id
    }

    pub(crate) fn sign_up(&mut self, driver: u32, first_shift: i64) {
        self.emit_driver(driver, UserStep::NewDriverSignup { driver });
        self.later_s(0.5, 4.0, Task::Register { driver });
        self.schedule(
            first_shift.max(self.now + 5_000),
            Task::ShiftStart { driver, session: 0 },
        );
    }

    pub(crate) fn recruit(&mut self, city: u8) {
        let fleet = self.towns[usize::from(city)].drivers.len() as f64;
        // a live phase hires what it needs
        if self.pace.is_none() {
            let driver = self.hire(city);
            let first_shift = self.now + self.draw.seconds(600.0, 90_000.0);
            self.sign_up(driver, first_shift);
        }
        let pause = self.draw.exponential(DAY as f64 / (fleet * RECRUITS_A_DAY)) as i64;
        self.later(pause.max(MINUTE), Task::Recruit(city));
    }

    pub(crate) fn shift_start(&mut self, id: u32, session: u32) {
        let driver = &self.drivers[id as usize];
        if driver.duty != Duty::Offline || driver.session != session {
            return;
        }
        if driver.workshop_until > self.now {
            let back = driver.workshop_until + 30 * MINUTE;
            self.schedule(
                back,
                Task::ShiftStart {
                    driver: id,
                    session,
                },
            );
            return;
        }
        let town = &self.towns[usize::from(driver.city)];
        let crowded = town.online.len() >= 6 && town.idle_share() > 0.60;
        if crowded && self.draw.chance(0.6) {
            // the app shows that nothing is going on: stay at home for now
            self.later_s(
                1_200.0,
                4_800.0,
                Task::ShiftStart {
                    driver: id,
                    session,
                },
            );
            return;
        }
        self.go_online(id);
    }

    pub(crate) fn go_online(&mut self, id: u32) {
        let driver = &self.drivers[id as usize];
        let city = driver.city;
        let length = driver.session_length(&mut self.draw);
        let home = usize::from(driver.home_zone);
        let town = &mut self.towns[usize::from(city)];
        let near_home = self.draw.chance(0.4);
        let spot = if near_home {
            town.place(home, &mut self.draw)
        } else {
            town.any_place(&mut self.draw)
        };
        let now = self.now;
        let driver = &mut self.drivers[id as usize];
        driver.point = spot.point;
        driver.cell = spot.cell;
        driver.session += 1;
        driver.shift_end = now + length;
        driver.idle_since = now;
        let (session, shift_end) = (driver.session, driver.shift_end);
        town.log_in(id, &mut self.drivers);
        self.emit_vehicle(id, VehicleStep::Online);
        self.wait_for_ride(id);
        self.schedule(
            shift_end,
            Task::ShiftEnd {
                driver: id,
                session,
            },
        );
        let interval = f64::from(self.spec.ping_seconds);
        self.later_s(
            1.0,
            interval,
            Task::Ping {
                driver: id,
                session,
            },
        );
    }

    pub(crate) fn shift_end(&mut self, id: u32, session: u32) {
        let driver = &self.drivers[id as usize];
        if driver.duty == Duty::Offline || driver.session != session {
            return;
        }
        let busy_city = self.towns[usize::from(driver.city)].idle_share() < 0.22;
        if busy_city && self.draw.chance(0.5) {
            let extended = self.now + 30 * MINUTE;
            self.drivers[id as usize].shift_end = extended;
            self.schedule(
                extended,
                Task::ShiftEnd {
                    driver: id,
                    session,
                },
            );
            return;
        }
        // asked or engaged drivers leave once they are free: see `set_free`
        if self.drivers[id as usize].duty == Duty::Idle {
            self.go_home(id);
        }
    }

    fn go_home(&mut self, id: u32) {
        let city = self.drivers[id as usize].city;
        self.towns[usize::from(city)].unpark(id, &mut self.drivers);
        self.drivers[id as usize].duty = Duty::Leaving;
        self.leave(id);
    }

    pub(crate) fn leave(&mut self, id: u32) {
        if self.drivers[id as usize].duty != Duty::Leaving {
            return;
        }
        self.emit_vehicle(id, VehicleStep::Offline);
        let now = self.now;
        let driver = &mut self.drivers[id as usize];
        driver.duty = Duty::Offline;
        driver.session += 1;
        driver.last_offline = now;
        let (city, session) = (usize::from(driver.city), driver.session);
        self.towns[city].log_out(id, &mut self.drivers);
        if self.draw.chance(0.012) {
            self.later_s(
                300.0,
                2_400.0,
                Task::Maintenance {
                    driver: id,
                    session,
                },
            );
        }
        let profile = self.towns[city].city;
        let next = self.drivers[id as usize].next_session(profile, now, &mut self.draw);
        self.schedule(
            next,
            Task::ShiftStart {
                driver: id,
                session,
            },
        );
    }

    pub(crate) fn maintenance(&mut self, id: u32, session: u32) {
        let driver = &self.drivers[id as usize];
        if driver.duty == Duty::Offline && driver.session == session {
            self.emit_vehicle(id, VehicleStep::Maintenance);
            let stay = self.draw.seconds(4.0 * 3_600.0, 30.0 * 3_600.0);
            self.drivers[id as usize].workshop_until = self.now + stay;
        }
    }

    /// After an offer that came to nothing or a ride that ended: back to waiting, or home.
    pub(crate) fn set_free(&mut self, id: u32) {
        if self.now >= self.drivers[id as usize].shift_end {
            self.drivers[id as usize].duty = Duty::Leaving;
            self.later_s(2.0, 40.0, Task::Leave { driver: id });
            return;
        }
        let was_asked = self.drivers[id as usize].duty == Duty::Asked;
        if !was_asked {
            self.drivers[id as usize].idle_since = self.now;
        }
        self.wait_for_ride(id);
    }

    fn wait_for_ride(&mut self, id: u32) {
        let driver = &mut self.drivers[id as usize];
        driver.duty = Duty::Idle;
        driver.spell += 1;
        let (city, spell) = (usize::from(driver.city), driver.spell);
        self.towns[city].park(id, &mut self.drivers);
        self.later_s(60.0, 150.0, Task::Roam { driver: id, spell });
    }

    /// Free drivers drift back to where demand is, or give up.
    pub(crate) fn roam(&mut self, id: u32, spell: u32) {
        let driver = &self.drivers[id as usize];
        if driver.duty != Duty::Idle || driver.spell != spell {
            return;
        }
        let town = &mut self.towns[usize::from(driver.city)];
        let bored = self.now - driver.idle_since > BORED;
        if bored && town.idle_share() > 0.5 && self.draw.chance(0.3) {
            self.go_home(id);
            return;
        }
        let here = driver.point;
        let zone = town.scarcest_zone(driver.cell);
        let target = town.place(zone, &mut self.draw);
        let metres = town.plane.metres(here, target.point);
        if town.cells.zone(driver.cell) != zone && metres > 700.0 {
            // a few minutes of driving at most
            let next = here.towards(target.point, 1_500.0 / metres);
            town.unpark(id, &mut self.drivers);
            let cell = town.cells.at(next);
            let driver = &mut self.drivers[id as usize];
            driver.point = next;
            driver.cell = cell;
            town.park(id, &mut self.drivers);
        }
        self.later_s(150.0, 260.0, Task::Roam { driver: id, spell });
    }

    pub(crate) fn ping_on(&mut self, id: u32, session: u32) {
        let driver = &self.drivers[id as usize];
        if driver.duty == Duty::Offline || driver.session != session {
            return;
        }
        if self.pace.is_none() {
            self.ping(id);
        }
        let interval = f64::from(self.spec.ping_seconds);
        self.later_s(
            0.6 * interval,
            1.4 * interval,
            Task::Ping {
                driver: id,
                session,
            },
        );
    }

    pub(crate) fn ping(&mut self, id: u32) {
        let now = self.now;
        let driver = &mut self.drivers[id as usize];
        if driver.duty == Duty::Offline {
            return;
        }
        let town = &mut self.towns[usize::from(driver.city)];
        let point = driver.position(now);
        let (mut speed_kmh, mut heading, mut cell) = (0, 0, driver.cell);
        if let Some(leg) = driver.leg {
            let hours = (leg.end - leg.start) as f64 / HOUR as f64;
            speed_kmh = (town.street(leg.from, leg.to) / 1_000.0 / hours).min(120.0) as u16;
            heading = town.plane.heading(leg.from, leg.to);
            cell = town.cells.at(point);
        }
        driver.vehicle_sequence += 1;
        let (city, sequence) = (driver.city, driver.vehicle_sequence);
        let step = VehicleStep::Location {
            point,
            speed_kmh,
            heading,
        };
        self.emit(city, cell, sequence, Body::Vehicle(id, step));
    }
}

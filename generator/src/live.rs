//! Live phases: so many requests that the world makes a given number of events a second.
//!
//! A tick each simulated second looks at what is owed and spends it: on requests, as far as
//! drivers are there to serve them; on new drivers, while the fleet is too small for the rate;
//! and on location pings of online vehicles for the rest. Pings react at once and so take up what
//! the rides leave open, from the first second to the steady state. All of it depends on the
//! simulation alone: replayed, a live phase yields the same events.

use crate::driver::{Duty, HOUR};
use crate::world::{Task, World};

/// Events that a request leads to in the mean, without pings: measured over 45 days.
const EVENTS_PER_REQUEST: f64 = 11.0;
/// Part of the rate that rides make; pings fill the rest.
const RIDE_PART: f64 = 0.72;
/// Pings stay below this part of all events (streams are allowed 40 %).
const PING_PART: f64 = 0.38;
/// Seconds a driver is taken up by a request in the mean.
const BUSY_SECONDS: f64 = 1_050.0;
/// Share of online drivers meant to be occupied.
const OCCUPIED: f64 = 0.58;
/// A request is made only while fewer than this share are occupied or asked for.
const OCCUPIED_MOST: f64 = 0.70;
/// Events that follow within a minute when a driver is hired and gets a first ride.
const EVENTS_PER_HIRE: f64 = 4.5;

/// State of the running live phase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    rate: f64,
    phase: u32,
    from: i64,
    base: u64,
    last: u64,
    steered: u64,
    /// Events a second that come by themselves, smoothed.
    flow: f64,
    owed_requests: f64,
    owed_hires: f64,
    pings: u64,
    pub(crate) requests_a_second: f64,
}

impl Pace {
    pub(crate) fn new(rate: f64, phase: u32, from: i64, serial: u64) -> Self {
        Self {
            rate,
            phase,
            from,
            base: serial,
            last: serial,
            steered: 0,
            flow: 0.0,
            owed_requests: 0.0,
            owed_hires: 0.0,
            pings: 0,
            requests_a_second: rate * RIDE_PART / EVENTS_PER_REQUEST,
        }
    }
}

impl World {
    pub(crate) fn tick(&mut self, phase: u32) {
        let Some(mut pace) = self.pace.filter(|pace| pace.phase == phase) else {
            return;
        };
        let by_itself = (self.serial - pace.last).saturating_sub(pace.steered) as f64;
        pace.flow += 0.3 * (by_itself - pace.flow);
        pace.last = self.serial;
        let done = (self.serial - pace.base) as f64;
        let due = pace.rate * ((self.now - pace.from) as f64 / 1_000.0 + 1.0);
        // what is owed from a slow start is made up for slowly
        let mut left = (due - done).min(1.1 * pace.rate) - pace.flow;

        let online: usize = self.towns.iter().map(|town| town.online.len()).sum();
        let idle: usize = self.towns.iter().map(|town| town.idle.len()).sum();
        let waiting: u32 = self.towns.iter().map(|town| town.waiting).sum();
        let taken = (online - idle) as f64 + f64::from(waiting);
        let room = (online as f64 * OCCUPIED_MOST - taken).max(0.0);

        pace.owed_requests += pace.requests_a_second.min(room).min((left / 4.0).max(0.0));
        let requests = pace.owed_requests as u64;
        pace.owed_requests -= requests as f64;
        left -= requests as f64;

        let wanted = pace.requests_a_second * BUSY_SECONDS / OCCUPIED;
        pace.owed_hires += (wanted - online as f64)
            .min(left / EVENTS_PER_HIRE)
            .max(0.0);
        let hires = pace.owed_hires as u64;
        pace.owed_hires -= hires as f64;
        left -= hires as f64;

        let allowed = PING_PART * done.max(pace.rate) - pace.pings as f64;
        let pings = left.min(allowed).min(online as f64 / 4.0).max(0.0) as u64;
        pace.pings += pings;
        pace.steered = requests + hires + pings;
        self.pace = Some(pace);

        let weights: Vec<f64> = self
            .towns
            .iter()
            .map(|t| t.requests_per_day * t.demand(self.now))
            .collect();
        for _ in 0..requests {
            let city = self.draw.weighted(&weights) as u8;
            let generation = self.towns[usize::from(city)].generation;
            self.later_s(0.0, 1.0, Task::Ask { city, generation });
        }
        for _ in 0..hires {
            let city = self.draw.weighted(&weights) as u8;
            self.call_driver(city);
        }
        for _ in 0..pings {
            if let Some(driver) = self.some_online(online) {
                self.later_s(0.0, 1.0, Task::SinglePing { driver });
            }
        }
        self.later(1_000, Task::Tick(phase));
    }

    /// A driver who is at home and rested, or a new one.
    fn call_driver(&mut self, city: u8) {
        let fleet = &self.towns[usize::from(city)].drivers;
        for _ in 0..2 {
            let id = fleet[self.draw.below(fleet.len())];
            let driver = &self.drivers[id as usize];
            let rested = driver.session > 0 && self.now - driver.last_offline > 8 * HOUR;
            if driver.duty == Duty::Offline && rested && driver.workshop_until < self.now {
                let session = driver.session;
                self.later_s(
                    0.0,
                    1.0,
                    Task::ShiftStart {
                        driver: id,
                        session,
                    },
                );
                return;
            }
        }
        let driver = self.hire(city);
        let first_shift = self.now + self.draw.seconds(5.0, 9.0);
        self.later_s(
            0.0,
            1.0,
            Task::Signup {
                driver,
                first_shift,
            },
        );
    }

    fn some_online(&mut self, online: usize) -> Option<u32> {
        let mut index = self.draw.below(online.max(1));
        for town in &self.towns {
            if let Some(driver) = town.online.get(index) {
                return Some(*driver);
            }
            index -= town.online.len();
        }
        None
    }
}

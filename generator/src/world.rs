//! The simulation: a queue of tasks in simulated time, and what each of them does.
//!
//! Pure: a seed and simulated time in, events out in order of time. No wall clock, no IO. What a
//! task does depends only on what happened before it, so a world run until T1 is a prefix of the
//! same world run until a later T2. Rides are in [`crate::trip`], shifts in [`crate::shift`], the
//! steady rate of live phases in [`crate::live`].

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::city;
use crate::draw::Draw;
use crate::driver::{DAY, Driver};
use crate::event::{Body, Event, UserStep, VehicleStep};
use crate::live::Pace;
use crate::place::CellId;
use crate::ride::Ride;
use crate::rider::Rider;
use crate::spec::WorldSpec;
use crate::town::Town;

/// A ride by its place in the slab and the number it must still have there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RideRef {
    pub(crate) slot: u32,
    pub(crate) tag: u32,
}

/// Something due at an instant. A task that no longer fits (the ride ended, the session is
/// another one) does nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Task {
    Phase(u32),
    Tick(u32),
    DayPlan(u8),
    /// `silent`: nobody comes, the stream only looks at the hour again.
    Arrival {
        city: u8,
        generation: u32,
        silent: bool,
    },
    /// One more customer, asked for by a tick.
    Ask {
        city: u8,
        generation: u32,
    },
    Request {
        customer: u32,
    },
    Match(RideRef),
    Answer(RideRef),
    Impatience(RideRef),
    Depart(RideRef),
    Arrive(RideRef),
    RiderQuits(RideRef),
    DriverQuits(RideRef),
    NoShow(RideRef),
    Start(RideRef),
    Complete(RideRef),
    RateDriver(RideRef),
    RateRider(RideRef),
    Adjust(RideRef),
    Signup {
        driver: u32,
        first_shift: i64,
    },
    Register {
        driver: u32,
    },
    ShiftStart {
        driver: u32,
        session: u32,
    },
    ShiftEnd {
        driver: u32,
        session: u32,
    },
    Leave {
        driver: u32,
    },
    Roam {
        driver: u32,
        spell: u32,
    },
    Ping {
        driver: u32,
        session: u32,
    },
    SinglePing {
        driver: u32,
    },
    Maintenance {
        driver: u32,
        session: u32,
    },
    Recruit(u8),
    PaymentMethod {
        customer: u32,
    },
    CustomerProfile {
        customer: u32,
    },
    DriverProfile {
        driver: u32,
    },
}

struct Due {
    at: i64,
    order: u64,
    task: Task,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

pub(crate) struct World {
    pub(crate) spec: WorldSpec,
    pub(crate) now: i64,
    queue: BinaryHeap<Reverse<Due>>,
    order: u64,
    pub(crate) draw: Draw,
    pub(crate) towns: Vec<Town>,
    pub(crate) drivers: Vec<Driver>,
    pub(crate) riders: Vec<Rider>,
    rides: Vec<Ride>,
    free_rides: Vec<u32>,
    next_ride: u64,
    /// Events so far.
    pub(crate) serial: u64,
    out: Vec<Event>,
    pub(crate) pace: Option<Pace>,
}

impl World {
    /// A world at its start. Its cities must be known: see [`crate::plan`].
    pub(crate) fn new(spec: WorldSpec) -> Self {
        let mut draw = Draw::new(spec.seed, 0);
        let towns = spec
            .cities
            .iter()
            .map(|wanted| {
                let city = city::find(&wanted.slug).expect("invariant: the plan knows the cities");
                Town::new(city, wanted.rides_per_day, &mut draw)
            })
            .collect();
        let mut world = Self {
            now: spec.start,
            spec,
            queue: BinaryHeap::new(),
            order: 0,
            draw,
            towns,
            drivers: Vec::new(),
            riders: Vec::new(),
            rides: Vec::new(),
            free_rides: Vec::new(),
            next_ride: 0,
            serial: 0,
            out: Vec::new(),
            pace: None,
        };
        for city in 0..world.towns.len() as u8 {
            world.later(0, Task::DayPlan(city));
            world.found_fleet(city);
        }
        for index in 0..world.spec.phases.len() {
            let from = world.spec.phases[index].from;
            world.schedule(from, Task::Phase(index as u32));
        }
        world
    }

    /// Lets time pass up to `until` (exclusive), handing over each event as it happens.
    pub(crate) fn run(&mut self, until: i64, emit: &mut impl FnMut(Event)) {
        while let Some(Reverse(due)) = self.queue.peek() {
            if due.at >= until {
                return;
            }
            let Some(Reverse(due)) = self.queue.pop() else {
                return;
            };
            self.now = due.at;
            self.act(due.task);
            for event in self.out.drain(..) {
                emit(event);
            }
        }
    }

    fn act(&mut self, task: Task) {
        match task {
            Task::Phase(index) => self.begin_phase(index),
            Task::Tick(phase) => self.tick(phase),
            Task::DayPlan(city) => {
                self.towns[usize::from(city)].plan_day(self.now, &mut self.draw);
                self.later(DAY, Task::DayPlan(city));
            }
            Task::Arrival {
                city,
                generation,
                silent,
            } => self.arrival(city, generation, silent),
            Task::Ask { city, generation } => {
                if self.towns[usize::from(city)].generation == generation {
                    self.someone_asks(city);
                }
            }
            Task::Request { customer } => self.request(customer),
            Task::Match(ride) => self.find_driver(ride),
            Task::Answer(ride) => self.answer(ride),
            Task::Impatience(ride) => self.impatience(ride),
            Task::Depart(ride) => self.depart(ride),
            Task::Arrive(ride) => self.arrive(ride),
            Task::RiderQuits(ride) => self.rider_quits(ride),
            Task::DriverQuits(ride) => self.driver_quits(ride),
            Task::NoShow(ride) => self.no_show(ride),
            Task::Start(ride) => self.start(ride),
            Task::Complete(ride) => self.complete(ride),
            Task::RateDriver(ride) => self.rate(ride, true),
            Task::RateRider(ride) => self.rate(ride, false),
            Task::Adjust(ride) => self.adjust(ride),
            Task::Signup {
                driver,
                first_shift,
            } => self.sign_up(driver, first_shift),
            Task::Register { driver } => self.emit_vehicle(driver, VehicleStep::Registered),
            Task::ShiftStart { driver, session } => self.shift_start(driver, session),
            Task::ShiftEnd { driver, session } => self.shift_end(driver, session),
            Task::Leave { driver } => self.leave(driver),
            Task::Roam { driver, spell } => self.roam(driver, spell),
            Task::Ping { driver, session } => self.ping_on(driver, session),
            Task::SinglePing { driver } => self.ping(driver),
            Task::Maintenance { driver, session } => self.maintenance(driver, session),
            Task::Recruit(city) => self.recruit(city),
            Task::PaymentMethod { customer } => self.add_payment_method(customer),
            Task::CustomerProfile { customer } => self.update_customer(customer),
            Task::DriverProfile { driver } => self.update_driver(driver),
        }
    }

    /// Starts the phase's demand: arrivals at the daily demand, or ticks that hold a rate.
    fn begin_phase(&mut self, index: u32) {
        let phase = self.spec.phases[index as usize];
        self.pace = phase
            .rate
            .map(|rate| Pace::new(rate, index, self.now, self.serial));
        for town in &mut self.towns {
            town.generation += 1;
        }
        if phase.rate.is_some() {
            self.later(0, Task::Tick(index));
            return;
        }
        for city in 0..self.towns.len() as u8 {
            self.next_arrival(city);
        }
    }

    pub(crate) fn schedule(&mut self, at: i64, task: Task) {
        self.order += 1;
        let at = at.max(self.now);
        self.queue.push(Reverse(Due {
            at,
            order: self.order,
            task,
        }));
    }

    pub(crate) fn later(&mut self, delay: i64, task: Task) {
        self.schedule(self.now + delay, task);
    }

    pub(crate) fn later_s(&mut self, low: f64, high: f64, task: Task) {
        let delay = self.draw.seconds(low, high);
        self.later(delay, task);
    }

    /// The ride, unless its slot belongs to another one by now.
    pub(crate) fn ride(&self, reference: RideRef) -> Option<&Ride> {
        let ride = &self.rides[reference.slot as usize];
        (ride.number as u32 == reference.tag).then_some(ride)
    }

    pub(crate) fn ride_mut(&mut self, reference: RideRef) -> &mut Ride {
        &mut self.rides[reference.slot as usize]
    }

    pub(crate) fn add_ride(&mut self, build: impl FnOnce(u64) -> Ride) -> RideRef {
        let number = self.next_ride;
        self.next_ride += 1;
        let ride = build(number);
        let slot = match self.free_rides.pop() {
            Some(slot) => {
                self.rides[slot as usize] = ride;
                slot
            }
            None => {
                self.rides.push(ride);
                (self.rides.len() - 1) as u32
            }
        };
        RideRef {
            slot,
            tag: number as u32,
        }
    }

    /// Gives the slot back once nothing is queued that still needs the ride.
    pub(crate) fn free_ride(&mut self, reference: RideRef) {
        let ride = &mut self.rides[reference.slot as usize];
        if ride.follow_ups == 0 {
            // no task can match this number any more
            ride.number = u64::MAX;
            self.free_rides.push(reference.slot);
        }
    }

    pub(crate) fn emit(&mut self, city: u8, cell: CellId, sequence: u32, body: Body) {
        let cell = self.towns[usize::from(city)].cells.h3(cell);
        let serial = self.serial;
        self.serial += 1;
        self.out.push(Event {
            serial,
            at: self.now,
            city,
            cell,
            sequence,
            body,
        });
    }

    /// An event under a customer's key.
    pub(crate) fn emit_customer(&mut self, customer: u32, cell: CellId, step: UserStep) {
        let rider = &mut self.riders[customer as usize];
        rider.sequence += 1;
        let (city, sequence) = (rider.city, rider.sequence);
        self.emit(city, cell, sequence, Body::User(step));
    }

    /// An event under a driver's key.
    pub(crate) fn emit_driver(&mut self, id: u32, step: UserStep) {
        let driver = &mut self.drivers[id as usize];
        driver.user_sequence += 1;
        let (city, cell, sequence) = (driver.city, driver.cell, driver.user_sequence);
        self.emit(city, cell, sequence, Body::User(step));
    }

    pub(crate) fn emit_vehicle(&mut self, id: u32, step: VehicleStep) {
        let driver = &mut self.drivers[id as usize];
        driver.vehicle_sequence += 1;
        let (city, cell, sequence) = (driver.city, driver.cell, driver.vehicle_sequence);
        self.emit(city, cell, sequence, Body::Vehicle(id, step));
    }
}

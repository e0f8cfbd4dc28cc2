//! The laws themselves, checked event by event.

use std::collections::{HashMap, HashSet};

use crate::event::{Body, Event, Fare, Person, RideStep, UserStep, VehicleStep};

/// Everything that is checked while events pass by.
#[derive(Default)]
pub(super) struct Laws {
    now: i64,
    serial: u64,
    sequences: HashMap<(u8, u64), u32>,
    rides: HashMap<u64, (&'static str, Option<u32>, i64)>,
    driving: HashMap<u32, u64>,
    vehicles: HashMap<u32, &'static str>,
    drivers: HashSet<u32>,
    customers: HashSet<u32>,
    riding: HashMap<u32, u64>,
}

impl Laws {
    pub(super) fn check(&mut self, event: &Event) {
        assert!(event.at >= self.now, "time goes back at {event:?}");
        assert_eq!(event.serial, self.serial, "a gap in the serials");
        self.now = event.at;
        self.serial += 1;
        let entity = match &event.body {
            Body::Ride(facts, _) => (0, facts.ride),
            Body::Vehicle(vehicle, _) => (1, u64::from(*vehicle)),
            Body::User(step) => match user_of(step) {
                Person::Driver(driver) => (2, u64::from(driver)),
                Person::Customer(customer) => (3, u64::from(customer)),
            },
        };
        let sequence = self.sequences.entry(entity).or_default();
        *sequence += 1;
        assert_eq!(event.sequence, *sequence, "sequence of {event:?}");
        match &event.body {
            Body::Ride(facts, step) => {
                assert!(
                    self.customers.contains(&facts.customer),
                    "unknown rider: {event:?}"
                );
                if let Some(driver) = facts.driver {
                    let known =
                        self.drivers.contains(&driver) && self.vehicles.contains_key(&driver);
                    assert!(known, "unknown driver: {event:?}");
                }
                self.ride(event, facts.ride, facts.customer, facts.driver, step);
                assert_eq!(facts.requested_at, self.rides[&facts.ride].2);
            }
            Body::Vehicle(vehicle, step) => self.vehicle(event, *vehicle, step),
            Body::User(step) => self.user(event, step),
        }
    }

    fn ride(
        &mut self,
        event: &Event,
        ride: u64,
        customer: u32,
        driver: Option<u32>,
        step: &RideStep,
    ) {
        let name = event.event_type();
        let before = self.rides.get(&ride).map_or("", |(last, ..)| last);
        let legal: &[&str] = match name {
            "requested" => &[""],
            "offered" => &["requested", "declined"],
            "declined" | "driver_assigned" => &["offered"],
            "driver_en_route" => &["driver_assigned"],
            "driver_arrived" => &["driver_en_route"],
            "ride_started" => &["driver_arrived"],
            "ride_completed" => &["ride_started"],
            "cancelled_by_driver" => &["driver_assigned", "driver_en_route", "driver_arrived"],
            "cancelled_by_rider" => &[
                "requested",
                "offered",
                "declined",
                "driver_assigned",
                "driver_en_route",
                "driver_arrived",
            ],
            "no_driver_found" => &["requested", "declined"],
            "fare_adjusted" => &["ride_completed", "fare_adjusted"],
            other => panic!("unknown status {other}"),
        };
        assert!(legal.contains(&before), "{before} -> {name}: {event:?}");
        let requested_at = self.rides.get(&ride).map_or(event.at, |(_, _, at)| *at);
        let former = self
            .rides
            .insert(ride, (name, driver, requested_at))
            .and_then(|r| r.1);
        match name {
            "requested" => {
                assert_eq!(driver, None);
                assert_eq!(
                    self.riding.insert(customer, ride),
                    None,
                    "two rides at once"
                );
            }
            "offered" => {
                let id = driver.expect("an offer names its driver");
                assert_eq!(
                    self.driving.insert(id, ride),
                    None,
                    "driver {id} has two rides"
                );
            }
            _ if former.is_some() && before != "declined" => {
                assert_eq!(driver, former, "{event:?}")
            }
            _ => {}
        }
        let ended = [
            "ride_completed",
            "cancelled_by_rider",
            "cancelled_by_driver",
            "no_driver_found",
        ];
        if ended.contains(&name) {
            assert_eq!(self.riding.remove(&customer), Some(ride));
        }
        if (ended.contains(&name) || name == "declined")
            && let Some(driver) = driver
        {
            assert_eq!(self.driving.remove(&driver), Some(ride), "{event:?}");
        }
        if let RideStep::RideCompleted(fare) = step {
            check_fare(fare);
        }
    }

    fn vehicle(&mut self, event: &Event, vehicle: u32, step: &VehicleStep) {
        let name = event.event_type();
        let before = self.vehicles.get(&vehicle).copied().unwrap_or("");
        assert!(
            self.drivers.contains(&vehicle),
            "vehicle before its driver: {event:?}"
        );
        let legal: &[&str] = match name {
            "registered" => &[""],
            "online" => &["registered", "offline", "maintenance"],
            "en_route" => &["online", "idle"],
            "on_trip" => &["en_route"],
            "idle" => &["en_route", "on_trip"],
            "offline" => &["online", "idle"],
            "maintenance" => &["offline"],
            "location" => {
                assert!(
                    ["online", "idle", "en_route", "on_trip"].contains(&before),
                    "{event:?}"
                );
                return;
            }
            other => panic!("unknown status {other}"),
        };
        assert!(legal.contains(&before), "{before} -> {name}: {event:?}");
        if let VehicleStep::EnRoute { ride } | VehicleStep::OnTrip { ride } = step {
            assert_eq!(self.driving.get(&vehicle), Some(ride), "{event:?}");
        }
        self.vehicles.insert(vehicle, name);
    }

    fn user(&mut self, event: &Event, step: &UserStep) {
        match step {
            UserStep::NewDriverSignup { driver } => assert!(self.drivers.insert(*driver)),
            UserStep::NewCustomerSignup { customer } => assert!(self.customers.insert(*customer)),
            UserStep::CustomerRating { ride, rating, .. }
            | UserStep::DriverRating { ride, rating, .. } => {
                let status = self.rides[ride].0;
                assert!(
                    ["ride_completed", "fare_adjusted"].contains(&status),
                    "{event:?}"
                );
                assert!((1..=5).contains(rating));
            }
            UserStep::ProfileUpdated { .. } | UserStep::PaymentMethodAdded { .. } => {}
        }
        match user_of(step) {
            Person::Driver(driver) => assert!(self.drivers.contains(&driver), "{event:?}"),
            Person::Customer(customer) => {
                assert!(self.customers.contains(&customer), "{event:?}");
            }
        }
    }
}

fn user_of(step: &UserStep) -> Person {
    match step {
        UserStep::NewDriverSignup { driver } | UserStep::DriverRating { driver, .. } => {
            Person::Driver(*driver)
        }
        UserStep::NewCustomerSignup { customer }
        | UserStep::CustomerRating { customer, .. }
        | UserStep::PaymentMethodAdded { customer, .. } => Person::Customer(*customer),
        UserStep::ProfileUpdated { person, .. } => *person,
    }
}

fn check_fare(fare: &Fare) {
    let parts =
        fare.base + fare.distance + fare.time + fare.surge + fare.tolls + fare.taxes + fare.fees
            - fare.discount
            + fare.tip;
    assert_eq!(fare.total, parts, "{fare:?}");
    let each = [
        fare.base,
        fare.distance,
        fare.time,
        fare.surge,
        fare.tolls,
        fare.taxes,
    ];
    assert!(each.iter().all(|part| *part >= 0), "{fare:?}");
    assert!(
        fare.fees >= 0 && fare.discount >= 0 && fare.tip >= 0 && fare.total > 0,
        "{fare:?}"
    );
    assert!(
        fare.driver_pay > 0 && (10..=30).contains(&fare.surge_tenths),
        "{fare:?}"
    );
}

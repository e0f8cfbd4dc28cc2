//! Records to JSON, by hand: serde would allocate and cost several times as much.

use crate::city::{self, City};
use crate::event::{Body, Event, Fare, Person, ProfileField, RideFacts, RideStep};
use crate::event::{UserStep, VehicleStep};
use crate::fault::{Damage, Record, Sending};
use crate::field::{degrees, escaped, id, location, number, tenths, text};
use crate::identity::{Identity, hex15};
use crate::spec::WorldSpec;
use crate::time_text::TimeText;

/// What a damaged record says instead of its event time.
const NO_TIME: &[u8] = b"once upon a time";
const FAR_FUTURE: &[u8] = b"2099-01-01T00:00:00.000Z";

/// Writes the records of one world.
pub(crate) struct Encoder {
    pub(crate) identity: Identity,
    cities: Vec<&'static City>,
    schema_v2_from: i64,
    event_time: TimeText,
    produced_at: TimeText,
    requested_at: TimeText,
}

impl Encoder {
    pub(crate) fn new(spec: &WorldSpec) -> Self {
        Self {
            identity: Identity::new(spec.seed),
            cities: spec
                .cities
                .iter()
                .map(|c| city::find(&c.slug).expect("invariant: the plan knows the cities"))
                .collect(),
            schema_v2_from: spec.schema_v2_from.unwrap_or(i64::MAX),
            event_time: TimeText::default(),
            produced_at: TimeText::default(),
            requested_at: TimeText::default(),
        }
    }

    /// Replaces the contents of `out` by the record's value.
    pub(crate) fn encode(&mut self, record: &Record, produced_at: i64, out: &mut Vec<u8>) {
        out.clear();
        let event = &record.event;
        self.event_time.set(event.at);
        self.produced_at.set(produced_at);
        let Sending::Malformed(damage) = record.sending else {
            self.object(
                event,
                Parts {
                    id: true,
                    time: None,
                },
                out,
            );
            return;
        };
        match damage {
            Damage::TruncatedJson => {
                self.object(
                    event,
                    Parts {
                        id: true,
                        time: None,
                    },
                    out,
                );
                // behind the id, before the end, and not within a character
                let mut end = 60 + (event.serial % 97) as usize;
                while std::str::from_utf8(&out[..end]).is_err() {
                    end -= 1;
                }
                out.truncate(end);
            }
            Damage::NotAnObject => {
                out.extend_from_slice(b"\"");
                out.extend_from_slice(event.event_type().as_bytes());
                out.extend_from_slice(b" ");
                out.extend_from_slice(self.identity.key(event).as_bytes());
                out.extend_from_slice(b"\"");
            }
            Damage::MissingEventId => self.object(
                event,
                Parts {
                    id: false,
                    time: None,
                },
                out,
            ),
            Damage::BadEventTime => {
                self.object(
                    event,
                    Parts {
                        id: true,
                        time: Some(NO_TIME),
                    },
                    out,
                );
            }
            Damage::EventTimeOutOfRange => {
                self.object(
                    event,
                    Parts {
                        id: true,
                        time: Some(FAR_FUTURE),
                    },
                    out,
                );
            }
        }
    }

    fn object(&mut self, event: &Event, parts: Parts, out: &mut Vec<u8>) {
        let time = self.event_time.text;
        let time = parts.time.unwrap_or(&time);
        let city = self.cities[usize::from(event.city)];
        out.extend_from_slice(b"{");
        if parts.id {
            out.extend_from_slice(b"\"event_id\":\"");
            out.extend_from_slice(&self.identity.event(event.serial));
            out.extend_from_slice(b"\",");
        }
        out.extend_from_slice(b"\"event_type\":\"");
        out.extend_from_slice(event.event_type().as_bytes());
        out.extend_from_slice(b"\"");
        text(out, b"event_time", time);
        out.extend_from_slice(b",\"produced_at\":\"");
        out.extend_from_slice(&self.produced_at.text);
        let v2 = event.at >= self.schema_v2_from;
        out.extend_from_slice(if v2 {
            b"\",\"schema_version\":2,\"city_id\":\""
        } else {
            b"\",\"schema_version\":1,\"city_id\":\""
        });
        out.extend_from_slice(city.slug.as_bytes());
        out.extend_from_slice(b"\",\"h3\":\"");
        out.extend_from_slice(&hex15(event.cell));
        out.extend_from_slice(b"\"");
        number(out, b"sequence", i64::from(event.sequence));
        match &event.body {
            Body::Ride(facts, step) => self.ride(event, facts, step, time, out),
            Body::User(step) => self.user(step, city, out),
            Body::Vehicle(vehicle, step) => self.vehicle(*vehicle, step, city, out),
        }
        if v2 {
            text(
                out,
                b"app_version",
                APP_VERSIONS[(event.serial % 3) as usize],
            );
        }
        out.extend_from_slice(b"}");
    }

    fn ride(
        &mut self,
        event: &Event,
        facts: &RideFacts,
        step: &RideStep,
        time: &[u8],
        out: &mut Vec<u8>,
    ) {
        id(out, b"ride_id", &self.identity.ride(facts.ride));
        id(out, b"customer_id", &self.identity.customer(facts.customer));
        if let Some(driver) = facts.driver {
            id(out, b"driver_id", &self.identity.driver(driver));
            id(out, b"vehicle_id", &self.identity.vehicle(driver));
        }
        text(out, b"status", event.event_type().as_bytes());
        text(out, b"ride_timestamp", time);
        self.requested_at.set(facts.requested_at);
        text(out, b"requested_at", &self.requested_at.text);
        location(out, b"pickup_location", facts.pickup);
        location(out, b"dropoff_location", facts.dropoff);
        match step {
            RideStep::Requested {
                surge_tenths,
                estimated_fare,
            } => {
                tenths(out, *surge_tenths);
                number(out, b"estimated_fare_cents", i64::from(*estimated_fare));
            }
            RideStep::DriverAssigned { eta_s } => number(out, b"eta_seconds", i64::from(*eta_s)),
            RideStep::RideCompleted(fare) => {
                completed(out, fare, self.cities[usize::from(event.city)]);
            }
            RideStep::CancelledByRider { reason, fee }
            | RideStep::CancelledByDriver { reason, fee } => {
                text(out, b"reason", reason.as_bytes());
                if *fee > 0 {
                    number(out, b"cancellation_fee_cents", i64::from(*fee));
                }
            }
            RideStep::FareAdjusted {
                adjustment,
                driver_pay_adjustment,
                reason,
            } => {
                number(out, b"adjustment_cents", i64::from(*adjustment));
                number(
                    out,
                    b"driver_pay_adjustment_cents",
                    i64::from(*driver_pay_adjustment),
                );
                text(out, b"reason", reason.as_bytes());
            }
            RideStep::Offered
            | RideStep::Declined
            | RideStep::DriverEnRoute
            | RideStep::DriverArrived
            | RideStep::RideStarted
            | RideStep::NoDriverFound => {}
        }
    }

    fn user(&self, step: &UserStep, city: &City, out: &mut Vec<u8>) {
        let ids = &self.identity;
        match step {
            UserStep::NewDriverSignup { driver } => {
                id(out, b"driver_id", &ids.driver(*driver));
                id(out, b"vehicle_id", &ids.vehicle(*driver));
                self.profile(Person::Driver(*driver), city, out);
            }
            UserStep::NewCustomerSignup { customer } => {
                id(out, b"customer_id", &ids.customer(*customer));
                self.profile(Person::Customer(*customer), city, out);
            }
            UserStep::ProfileUpdated {
                person,
                field,
                revision,
            } => {
                match person {
                    Person::Driver(driver) => id(out, b"driver_id", &ids.driver(*driver)),
                    Person::Customer(customer) => {
                        id(out, b"customer_id", &ids.customer(*customer));
                    }
                }
                let profile = ids.profile(*person, *revision, city);
                match field {
                    ProfileField::Name => escaped(out, b"name", &profile.name),
                    ProfileField::Phone => escaped(out, b"phone", &profile.phone),
                    ProfileField::Email => escaped(out, b"email", &profile.email),
                }
            }
            UserStep::CustomerRating {
                ride,
                customer,
                driver,
                rating,
            }
            | UserStep::DriverRating {
                ride,
                driver,
                customer,
                rating,
            } => {
                id(out, b"ride_id", &ids.ride(*ride));
                id(out, b"customer_id", &ids.customer(*customer));
                id(out, b"driver_id", &ids.driver(*driver));
                number(out, b"rating", i64::from(*rating));
            }
            UserStep::PaymentMethodAdded { customer, number } => {
                id(out, b"customer_id", &ids.customer(*customer));
                id(
                    out,
                    b"payment_token",
                    &ids.payment_token(*customer, *number),
                );
                text(
                    out,
                    b"brand",
                    ids.brand(*customer, *number, city).as_bytes(),
                );
            }
        }
    }

    fn profile(&self, person: Person, city: &City, out: &mut Vec<u8>) {
        let profile = self.identity.profile(person, 0, city);
        escaped(out, b"name", &profile.name);
        escaped(out, b"phone", &profile.phone);
        escaped(out, b"email", &profile.email);
    }

    fn vehicle(&self, vehicle: u32, step: &VehicleStep, city: &City, out: &mut Vec<u8>) {
        let ids = &self.identity;
        id(out, b"vehicle_id", &ids.vehicle(vehicle));
        id(out, b"driver_id", &ids.driver(vehicle));
        match step {
            VehicleStep::Registered => {
                let details = ids.vehicle_details(vehicle, city);
                text(out, b"make", details.make.as_bytes());
                text(out, b"model", details.model.as_bytes());
                number(out, b"year", i64::from(details.year));
                text(out, b"plate", details.plate.as_bytes());
                text(out, b"color", details.color.as_bytes());
                number(out, b"seats", i64::from(details.seats));
            }
            VehicleStep::EnRoute { ride } | VehicleStep::OnTrip { ride } => {
                id(out, b"ride_id", &ids.ride(*ride));
            }
            VehicleStep::Location {
                point,
                speed_kmh,
                heading,
            } => {
                out.extend_from_slice(b",\"lat\":");
                degrees(out, point.lat_e5);
                out.extend_from_slice(b",\"lon\":");
                degrees(out, point.lon_e5);
                number(out, b"speed_kmh", i64::from(*speed_kmh));
                number(out, b"heading", i64::from(*heading));
            }
            VehicleStep::Online
            | VehicleStep::Idle
            | VehicleStep::Offline
            | VehicleStep::Maintenance => {}
        }
    }
}

/// What an object is written with.
#[derive(Clone, Copy)]
struct Parts<'a> {
    id: bool,
    /// In place of the event time.
    time: Option<&'a [u8]>,
}

/// The field that schema version 2 adds to every event.
const APP_VERSIONS: [&[u8]; 3] = [b"7.0.1", b"7.1.0", b"7.1.2"];

fn completed(out: &mut Vec<u8>, fare: &Fare, city: &City) {
    number(out, b"distance_m", i64::from(fare.distance_m));
    number(out, b"duration_s", i64::from(fare.duration_s));
    tenths(out, fare.surge_tenths);
    text(out, b"currency", city.tariff.currency.as_bytes());
    for (name, cents) in [
        (&b"base_cents"[..], fare.base),
        (b"distance_cents", fare.distance),
        (b"time_cents", fare.time),
        (b"surge_cents", fare.surge),
        (b"tolls_cents", fare.tolls),
        (b"taxes_cents", fare.taxes),
        (b"fees_cents", fare.fees),
        (b"discount_cents", fare.discount),
        (b"tip_cents", fare.tip),
        (b"total_cents", fare.total),
        (b"driver_pay_cents", fare.driver_pay),
    ] {
        number(out, name, i64::from(cents));
    }
}

//! What happens in the simulated cities, as compact facts. [`crate::encode`] makes JSON of them.
//!
//! Riders, drivers, vehicles and rides are numbers here, unique within their kind; their public
//! ids are derived in [`crate::identity`].

use crate::place::Point;

/// One thing that happened. Small and `Copy`: millions pass through queues.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Event {
    /// Position in the world's sequence, from 0; the event's id is derived from it.
    pub(crate) serial: u64,
    /// When it happened, in milliseconds since 1970.
    pub(crate) at: i64,
    /// Index into the world's list of cities.
    pub(crate) city: u8,
    /// H3 cell at resolution 8.
    pub(crate) cell: u64,
    /// Position among the events of its entity (the Kafka key), from 1.
    pub(crate) sequence: u32,
    pub(crate) body: Body,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Body {
    Ride(RideFacts, RideStep),
    User(UserStep),
    Vehicle(Vehicle, VehicleStep),
}

/// What every event of a ride repeats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RideFacts {
    pub(crate) ride: u64,
    pub(crate) customer: u32,
    /// Known from the offer on; the vehicle has the driver's number.
    pub(crate) driver: Option<u32>,
    pub(crate) requested_at: i64,
    pub(crate) pickup: Point,
    pub(crate) dropoff: Point,
}

/// Money is in the minor unit of the city's currency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum RideStep {
    Requested {
        surge_tenths: u8,
        estimated_fare: i32,
    },
    Offered,
    Declined,
    DriverAssigned {
        eta_s: u32,
    },
    DriverEnRoute,
    DriverArrived,
    RideStarted,
    RideCompleted(Fare),
    CancelledByRider {
        reason: &'static str,
        fee: i32,
    },
    CancelledByDriver {
        reason: &'static str,
        fee: i32,
    },
    NoDriverFound,
    FareAdjusted {
        adjustment: i32,
        driver_pay_adjustment: i32,
        reason: &'static str,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fare {
    pub(crate) distance_m: u32,
    pub(crate) duration_s: u32,
    pub(crate) surge_tenths: u8,
    pub(crate) base: i32,
    pub(crate) distance: i32,
    pub(crate) time: i32,
    pub(crate) surge: i32,
    pub(crate) tolls: i32,
    pub(crate) taxes: i32,
    pub(crate) fees: i32,
    pub(crate) discount: i32,
    pub(crate) tip: i32,
    pub(crate) total: i32,
    pub(crate) driver_pay: i32,
}

/// Who a profile belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Person {
    Driver(u32),
    Customer(u32),
}

/// Which field of a profile changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProfileField {
    Name,
    Phone,
    Email,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum UserStep {
    NewDriverSignup {
        driver: u32,
    },
    NewCustomerSignup {
        customer: u32,
    },
    /// `revision` counts a person's changes; the new value is drawn from it.
    ProfileUpdated {
        person: Person,
        field: ProfileField,
        revision: u16,
    },
    CustomerRating {
        ride: u64,
        customer: u32,
        driver: u32,
        rating: u8,
    },
    DriverRating {
        ride: u64,
        driver: u32,
        customer: u32,
        rating: u8,
    },
    PaymentMethodAdded {
        customer: u32,
        number: u16,
    },
}

/// A vehicle and its driver share one number.
pub(crate) type Vehicle = u32;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum VehicleStep {
    Registered,
    Online,
    Idle,
    EnRoute {
        ride: u64,
    },
    OnTrip {
        ride: u64,
    },
    Offline,
    Maintenance,
    Location {
        point: Point,
        speed_kmh: u16,
        heading: u16,
    },
}

/// The three topics, in the order used for every array indexed by topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    Ride,
    User,
    Vehicle,
}

/// Names without prefix, indexed by `Topic as usize`.
pub(crate) const TOPICS: [&str; 3] = ["ride_events", "user_events", "vehicle_events"];

/// Event types by topic, indexed by [`Event::kind`].
pub(crate) const EVENT_TYPES: [&[&str]; 3] = [
    &[
        "requested",
        "offered",
        "declined",
        "driver_assigned",
        "driver_en_route",
        "driver_arrived",
        "ride_started",
        "ride_completed",
        "cancelled_by_rider",
        "cancelled_by_driver",
        "no_driver_found",
        "fare_adjusted",
    ],
    &[
        "new_driver_signup",
        "new_customer_signup",
        "profile_updated",
        "customer_rating_submission",
        "driver_rating_submission",
        "payment_method_added",
    ],
    &[
        "registered",
        "online",
        "idle",
        "en_route",
        "on_trip",
        "offline",
        "maintenance",
        "location",
    ],
];

impl Event {
    pub(crate) fn topic(&self) -> Topic {
        match self.body {
            Body::Ride(..) => Topic::Ride,
            Body::User(..) => Topic::User,
            Body::Vehicle(..) => Topic::Vehicle,
        }
    }

    /// Index into [`EVENT_TYPES`] of the topic.
    pub(crate) fn kind(&self) -> usize {
        match self.body {
            Body::Ride(_, step) => step.kind(),
            Body::User(step) => match step {
                UserStep::NewDriverSignup { .. } => 0,
                UserStep::NewCustomerSignup { .. } => 1,
                UserStep::ProfileUpdated { .. } => 2,
                UserStep::CustomerRating { .. } => 3,
                UserStep::DriverRating { .. } => 4,
                UserStep::PaymentMethodAdded { .. } => 5,
            },
            Body::Vehicle(_, step) => match step {
                VehicleStep::Registered => 0,
                VehicleStep::Online => 1,
                VehicleStep::Idle => 2,
                VehicleStep::EnRoute { .. } => 3,
                VehicleStep::OnTrip { .. } => 4,
                VehicleStep::Offline => 5,
                VehicleStep::Maintenance => 6,
                VehicleStep::Location { .. } => 7,
            },
        }
    }

    pub(crate) fn event_type(&self) -> &'static str {
        EVENT_TYPES[self.topic() as usize][self.kind()]
    }
}

impl RideStep {
    pub(crate) fn kind(&self) -> usize {
        match self {
            Self::Requested { .. } => 0,
            Self::Offered => 1,
            Self::Declined => 2,
            Self::DriverAssigned { .. } => 3,
            Self::DriverEnRoute => 4,
            Self::DriverArrived => 5,
            Self::RideStarted => 6,
            Self::RideCompleted(_) => 7,
            Self::CancelledByRider { .. } => 8,
            Self::CancelledByDriver { .. } => 9,
            Self::NoDriverFound => 10,
            Self::FareAdjusted { .. } => 11,
        }
    }
}

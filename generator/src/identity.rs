//! From numbers to public identities: ids, names, phones, e-mail addresses, plates.
//!
//! Everything is a function of the world's seed and the number, so nothing has to be stored, and
//! a replayed world has the same people. Names and numbers come from `fake`; addresses end in
//! example.com and the like; there are payment tokens, never card numbers.

use fake::Fake;
use fake::faker::internet::en::SafeEmail;
use fake::faker::name::en::Name;
use fake::faker::name::pt_br::Name as NamePortuguese;
use fake::faker::number::en::NumberWithFormat;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::city::City;
use crate::draw::mix;
use crate::event::{Body, Event, Person, UserStep};

/// A text id of at most 24 bytes, without a heap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id {
    bytes: [u8; 24],
    len: usize,
}

impl Id {
    fn new(prefix: &str, number: u64) -> Self {
        let mut bytes = [0; 24];
        let len = prefix.len() + 16;
        bytes[..prefix.len()].copy_from_slice(prefix.as_bytes());
        hex16(number, &mut bytes[prefix.len()..len]);
        Self { bytes, len }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn hex16(number: u64, out: &mut [u8]) {
    for (index, byte) in out.iter_mut().enumerate() {
        *byte = HEX[(number >> (60 - 4 * index)) as usize & 15];
    }
}

/// Writes an H3 index as its usual 15 hex digits.
pub(crate) fn hex15(number: u64) -> [u8; 15] {
    std::array::from_fn(|index| HEX[(number >> (56 - 4 * index)) as usize & 15])
}

/// The namer of one world.
pub(crate) struct Identity {
    seed: u64,
    /// One per kind of id. Adding it before mixing keeps ids distinct within the kind.
    salts: [u64; 8],
}

impl Identity {
    pub(crate) fn new(seed: u64) -> Self {
        let salts = std::array::from_fn(|kind| mix(seed.wrapping_add(mix(kind as u64 + 1))));
        Self { seed, salts }
    }

    fn number(&self, kind: usize, number: u64) -> u64 {
        mix(number
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(self.salts[kind]))
    }

    pub(crate) fn ride(&self, number: u64) -> Id {
        Id::new("ride_", self.number(0, number))
    }

    pub(crate) fn driver(&self, number: u32) -> Id {
        Id::new("drv_", self.number(1, u64::from(number)))
    }

    pub(crate) fn customer(&self, number: u32) -> Id {
        Id::new("cus_", self.number(2, u64::from(number)))
    }

    pub(crate) fn vehicle(&self, number: u32) -> Id {
        Id::new("veh_", self.number(3, u64::from(number)))
    }

    pub(crate) fn payment_token(&self, customer: u32, number: u16) -> Id {
        Id::new(
            "tok_",
            self.number(4, u64::from(customer) << 16 | u64::from(number)),
        )
    }

    /// A version 4 UUID: 122 of 128 bits of two bijections of the serial.
    pub(crate) fn event(&self, serial: u64) -> [u8; 36] {
        let high = (self.number(5, serial) & !0xf000) | 0x4000;
        let low = (self.number(6, serial) & !(0xc << 60)) | 0x8 << 60;
        let mut digits = [0; 32];
        hex16(high, &mut digits[..16]);
        hex16(low, &mut digits[16..]);
        let mut text = [b'-'; 36];
        text[..8].copy_from_slice(&digits[..8]);
        text[9..13].copy_from_slice(&digits[8..12]);
        text[14..18].copy_from_slice(&digits[12..16]);
        text[19..23].copy_from_slice(&digits[16..20]);
        text[24..].copy_from_slice(&digits[20..]);
        text
    }

    /// The Kafka key: the entity that the event is about.
    pub(crate) fn key(&self, event: &Event) -> Id {
        match event.body {
            Body::Ride(facts, _) => self.ride(facts.ride),
            Body::Vehicle(vehicle, _) => self.vehicle(vehicle),
            Body::User(step) => match step {
                UserStep::NewDriverSignup { driver }
                | UserStep::DriverRating { driver, .. }
                | UserStep::ProfileUpdated {
                    person: Person::Driver(driver),
                    ..
                } => self.driver(driver),
                UserStep::NewCustomerSignup { customer }
                | UserStep::CustomerRating { customer, .. }
                | UserStep::PaymentMethodAdded { customer, .. }
                | UserStep::ProfileUpdated {
                    person: Person::Customer(customer),
                    ..
                } => self.customer(customer),
            },
        }
    }

    fn rng(&self, person: Person, revision: u16) -> ChaCha8Rng {
        let number = match person {
            Person::Driver(number) => u64::from(number) << 1,
            Person::Customer(number) => u64::from(number) << 1 | 1,
        };
        ChaCha8Rng::seed_from_u64(self.number(7, number << 16 | u64::from(revision)))
    }

    /// Name, phone and e-mail of a person after so many changes of the profile.
    pub(crate) fn profile(&self, person: Person, revision: u16, city: &City) -> Profile {
        let mut rng = self.rng(person, revision);
        let name = if city.portuguese {
            NamePortuguese().fake_with_rng(&mut rng)
        } else {
            Name().fake_with_rng(&mut rng)
        };
        let phone = NumberWithFormat(city.phone).fake_with_rng(&mut rng);
        let email: String = SafeEmail().fake_with_rng(&mut rng);
        Profile { name, phone, email }
    }

    pub(crate) fn vehicle_details(&self, number: u32, city: &City) -> VehicleDetails {
        let seed = mix(self.seed ^ self.salts[3]).wrapping_add(u64::from(number));
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let digits: String = NumberWithFormat(city.plate).fake_with_rng(&mut rng);
        let plate = digits
            .chars()
            .map(|c| {
                if c == '$' {
                    LETTERS[pick(&mut rng, LETTERS.len())]
                } else {
                    c
                }
            })
            .collect();
        let (make, model, seats) = MODELS[pick(&mut rng, MODELS.len())];
        let year = 2013 + pick(&mut rng, 13) as u32;
        let color = COLORS[pick(&mut rng, COLORS.len())];
        VehicleDetails {
            make,
            model,
            year,
            plate,
            color,
            seats,
        }
    }

    pub(crate) fn brand(&self, customer: u32, number: u16, city: &City) -> &'static str {
        let bits = self.number(4, u64::from(customer) << 16 | u64::from(number));
        city.brands[(bits >> 32) as usize % city.brands.len()]
    }
}

fn pick(rng: &mut ChaCha8Rng, n: usize) -> usize {
    (rng.next_u64() >> 33) as usize % n
}

pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) phone: String,
    pub(crate) email: String,
}

pub(crate) struct VehicleDetails {
    pub(crate) make: &'static str,
    pub(crate) model: &'static str,
    pub(crate) year: u32,
    pub(crate) plate: String,
    pub(crate) color: &'static str,
    pub(crate) seats: u8,
}

/// Without I, O and Q, as most registries do it.
const LETTERS: [char; 23] = [
    'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'L', 'M', 'N', 'P', 'R', 'S', 'T', 'U', 'V',
    'W', 'X', 'Y', 'Z',
];

const MODELS: [(&str, &str, u8); 14] = [
    ("Toyota", "Corolla", 4),
    ("Toyota", "Camry", 4),
    ("Toyota", "Prius", 4),
    ("Toyota", "Sienna", 6),
    ("Honda", "Accord", 4),
    ("Honda", "Civic", 4),
    ("Hyundai", "Elantra", 4),
    ("Hyundai", "Ioniq 5", 4),
    ("Kia", "Niro", 4),
    ("Volkswagen", "Polo", 4),
    ("Suzuki", "Dzire", 4),
    ("Suzuki", "Ertiga", 6),
    ("Tesla", "Model 3", 4),
    ("BYD", "Atto 3", 4),
];

const COLORS: [&str; 7] = ["white", "black", "silver", "grey", "blue", "red", "green"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_ids_are_version_4_uuids() {
        let identity = Identity::new(42);
        let mut seen = std::collections::HashSet::new();
        for serial in 0..5_000 {
            let text = identity.event(serial);
            let text = std::str::from_utf8(&text).expect("ascii");
            let id = uuid::Uuid::parse_str(text).expect("a UUID");
            assert_eq!(id.get_version_num(), 4);
            assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
            assert!(seen.insert(id));
        }
    }

    #[test]
    fn ids_of_a_kind_are_distinct_and_depend_on_the_seed() {
        let (a, b) = (Identity::new(1), Identity::new(2));
        assert_ne!(a.ride(7).as_bytes(), a.ride(8).as_bytes());
        assert_ne!(a.ride(7).as_bytes(), b.ride(7).as_bytes());
        assert_eq!(a.driver(3).as_bytes().len(), 20);
        assert_ne!(a.driver(3).as_bytes()[4..], a.vehicle(3).as_bytes()[4..]);
    }

    #[test]
    fn profiles_are_stable_and_local() {
        let identity = Identity::new(42);
        let lagos = crate::city::find("lagos").expect("known");
        let first = identity.profile(Person::Driver(5), 0, lagos);
        let again = identity.profile(Person::Driver(5), 0, lagos);
        assert_eq!((first.name, first.phone.clone()), (again.name, again.phone));
        assert!(first.phone.starts_with("+234 80"), "{}", first.phone);
        assert!(first.email.contains("@example."), "{}", first.email);
        let changed = identity.profile(Person::Driver(5), 1, lagos);
        assert_ne!(first.phone, changed.phone);
        let plate = identity.vehicle_details(5, lagos).plate;
        assert!(plate.len() == 9 && !plate.contains(['#', '$']), "{plate}");
    }
}

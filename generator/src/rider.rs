//! Customers: who asks for a ride, and how long they wait.

/// A customer of one city.
#[derive(Clone, Debug)]
pub(crate) struct Rider {
    pub(crate) city: u8,
    /// Has a ride or is about to ask for one: one at a time.
    pub(crate) busy: bool,
    pub(crate) sequence: u32,
    pub(crate) revision: u16,
    pub(crate) payment_methods: u16,
}

impl Rider {
    pub(crate) fn new(city: u8) -> Self {
        Self {
            city,
            busy: true,
            sequence: 0,
            revision: 0,
            payment_methods: 0,
        }
    }
}

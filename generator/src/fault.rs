//! Faults on demand: what goes wrong between an event and its topic.
//!
//! The events stay as they are; faults change when and how often a record is sent, or add a
//! corrupted copy of it. So every event reaches its topic once undamaged (a late one after hours),
//! and sums downstream are not disturbed. Pure: simulated time in, records out, in an order that
//! depends on nothing but the seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use crate::draw::Draw;
use crate::event::Event;

/// Shares of events that meet each fault.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FaultRates {
    pub(crate) duplicates: f64,
    pub(crate) late: f64,
    pub(crate) out_of_order: f64,
    pub(crate) malformed: f64,
}

impl FaultRates {
    pub(crate) const NONE: Self = Self {
        duplicates: 0.0,
        late: 0.0,
        out_of_order: 0.0,
        malformed: 0.0,
    };
    /// Small, but every kind shows up within a simulated day.
    pub(crate) const DEFAULT: Self = Self {
        duplicates: 0.002,
        late: 0.001,
        out_of_order: 0.002,
        malformed: 0.0005,
    };
}

impl std::str::FromStr for FaultRates {
    type Err = String;

    /// `none`, `default`, or `duplicates=0.002,late=0.001,…`; kinds left out are 0.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "none" => return Ok(Self::NONE),
            "default" => return Ok(Self::DEFAULT),
            _ => {}
        }
        let mut rates = Self::NONE;
        for part in text.split(',') {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| format!("`{part}` is not of the form kind=share"))?;
            let share: f64 = value
                .trim()
                .parse()
                .map_err(|_| format!("`{value}` is not a number"))?;
            if !(0.0..=0.2).contains(&share) {
                return Err(format!("`{part}`: a share is between 0 and 0.2"));
            }
            match name.trim() {
                "duplicates" => rates.duplicates = share,
                "late" => rates.late = share,
                "out_of_order" => rates.out_of_order = share,
                "malformed" => rates.malformed = share,
                other => {
                    return Err(format!(
                        "unknown fault `{other}`; known: duplicates, late, out_of_order, malformed"
                    ));
                }
            }
        }
        Ok(rates)
    }
}

/// How a malformed record is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// The text ends in the middle.
    TruncatedJson,
    /// A JSON string instead of an object.
    NotAnObject,
    MissingEventId,
    /// The event time is no time at all.
    BadEventTime,
    /// The event time is in the year 2099.
    EventTimeOutOfRange,
}

pub(crate) const DAMAGES: [Damage; 5] = [
    Damage::TruncatedJson,
    Damage::NotAnObject,
    Damage::MissingEventId,
    Damage::BadEventTime,
    Damage::EventTimeOutOfRange,
];

pub(crate) const DAMAGE_NAMES: [&str; 5] = [
    "truncated_json",
    "not_an_object",
    "missing_event_id",
    "bad_event_time",
    "event_time_out_of_range",
];

/// Why a record is in the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    Original,
    /// Held back for hours.
    Late,
    /// Held back for seconds to minutes, so that neighbours overtake it.
    OutOfOrder,
    /// The bytes of an earlier record once more.
    Duplicate,
    /// A damaged extra copy.
    Malformed(Damage),
}

/// What goes to a topic: an event, and how it is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) event: Event,
    pub(crate) sending: Sending,
    /// Simulated time of sending; never goes back from one record to the next.
    pub(crate) at: i64,
}

struct Held {
    release: i64,
    order: u64,
    record: Record,
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}
impl Eq for Held {}
impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.release, self.order).cmp(&(other.release, other.order))
    }
}

/// Turns the world's events into the sequence of records that is sent.
pub(crate) struct Faults {
    draw: Draw,
    held: BinaryHeap<Reverse<Held>>,
    order: u64,
}

/// Late records come within this many hours, inside what consumers still accept.
const LATE_HOURS: (f64, f64) = (2.0, 30.0);

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            draw: Draw::new(seed, 1),
            held: BinaryHeap::new(),
            order: 0,
        }
    }

    /// Sends what was held back until `event.at`, then the event as its draw decides.
    pub(crate) fn push(&mut self, event: Event, rates: &FaultRates, send: &mut impl FnMut(Record)) {
        self.release_before(event.at + 1, send);
        let at = event.at;
        let original = Record {
            event,
            sending: Sending::Original,
            at,
        };
        let mut left = self.draw.unit();
        // one draw decides for at most one fault
        for (share, fault) in [
            (rates.duplicates, Sending::Duplicate),
            (rates.late, Sending::Late),
            (rates.out_of_order, Sending::OutOfOrder),
            (rates.malformed, Sending::Malformed(Damage::TruncatedJson)),
        ] {
            if left >= share {
                left -= share;
                continue;
            }
            match fault {
                Sending::Duplicate => {
                    send(original);
                    let delay = self.draw.seconds(1.0, 600.0);
                    self.hold(original, Sending::Duplicate, delay);
                }
                Sending::Late => {
                    let delay = self
                        .draw
                        .seconds(LATE_HOURS.0 * 3600.0, LATE_HOURS.1 * 3600.0);
                    self.hold(original, Sending::Late, delay);
                }
                Sending::OutOfOrder => {
                    let delay = self.draw.seconds(5.0, 300.0);
                    self.hold(original, Sending::OutOfOrder, delay);
                }
                Sending::Malformed(_) | Sending::Original => {
                    send(original);
                    let damage = DAMAGES[self.draw.below(DAMAGES.len())];
                    send(Record {
                        sending: Sending::Malformed(damage),
                        ..original
                    });
                }
            }
            return;
        }
        send(original);
    }

    /// Sends what is due before `until` (exclusive). Called at the end of a stretch of time, it
    /// changes nothing in the order: the next event comes at `until` or later.
    pub(crate) fn release_before(&mut self, until: i64, send: &mut impl FnMut(Record)) {
        while let Some(Reverse(held)) = self.held.peek() {
            if held.release >= until {
                return;
            }
            let Some(Reverse(held)) = self.held.pop() else {
                return;
            };
            send(Record {
                at: held.release,
                ..held.record
            });
        }
    }

    fn hold(&mut self, record: Record, sending: Sending, delay: i64) {
        self.order += 1;
        let release = record.at + delay;
        let record = Record { sending, ..record };
        self.held.push(Reverse(Held {
            release,
            order: self.order,
            record,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        let check = |text: &str, expected: Result<FaultRates, &str>| {
            assert_eq!(text.parse(), expected.map_err(str::to_owned), "{text}");
        };
        check("none", Ok(FaultRates::NONE));
        check(
            "duplicates=0.1,late=0.01",
            Ok(FaultRates {
                duplicates: 0.1,
                late: 0.01,
                ..FaultRates::NONE
            }),
        );
        check("late", Err("`late` is not of the form kind=share"));
        check("late=2", Err("`late=2`: a share is between 0 and 0.2"));
        check(
            "later=0.1",
            Err("unknown fault `later`; known: duplicates, late, out_of_order, malformed"),
        );
    }
}

//! A simulated ride-hail city: finite drivers, impatient riders, and every event they cause.
//!
//! Waits, cancellations, surge and utilisation are not drawn from tables; they follow from
//! drivers being matched to riders. So the three topics agree with each other, and what
//! downstream computes can be checked against the truth that a run prints. The crate refuses to
//! know what becomes of the events: it meets the rest only in Kafka topics and files.
//!
//! Reading order:
//! - [`city`]: the places, tariffs and daily curves. [`spec`]: what makes a world.
//! - [`world`]: the queue of tasks in simulated time, and what surrounds it: [`trip`] (a ride's
//!   life; its legal steps in [`ride`]), [`shift`] (drivers between rides), [`demand`] (who asks),
//!   [`town`] (who is free where, surge), [`live`] (a steady rate of events). All pure: seed and
//!   simulated time in, events out, the same on every platform ([`draw`]).
//! - [`event`]: what happened. [`fault`]: what goes wrong on the way. [`encode`] and
//!   [`identity`]: the JSON of it.
//! - [`pipeline`], [`publish`]: partitions, positions, Kafka. [`tally`], [`truth`]: what was
//!   acknowledged.
//! - [`plan`]: decides what a run does, from flags and what the topics hold. [`run`]: does it.

mod args;
mod city;
mod clock;
mod demand;
mod draw;
mod driver;
mod encode;
mod error;
mod event;
mod fault;
mod field;
mod follow_up;
mod identity;
#[cfg(test)]
mod laws;
mod live;
mod pipeline;
mod place;
mod plan;
mod publish;
mod ride;
mod rider;
mod run;
mod shift;
mod spec;
mod tally;
mod time_text;
mod town;
mod trip;
mod truth;
mod world;

pub use args::{FaultArg, GenerateArgs, SinkKind};
pub use error::Error;
pub use run::generate;
pub use truth::{
    AdjustmentSums, AdjustmentTruth, DayCount, FareSums, FareTruth, FaultTruth, RideCounts,
    RideTruth, TopicTruth, Truth,
};

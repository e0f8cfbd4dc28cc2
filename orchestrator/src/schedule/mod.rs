//! Jobs and their times: [`due`] computes instants (pure), [`fire`] turns them into queued runs, [`fleet`] carries
//! queued runs out, and [`service`] does all of it every second.

pub mod due;
pub mod fire;
pub mod fleet;
pub mod service;

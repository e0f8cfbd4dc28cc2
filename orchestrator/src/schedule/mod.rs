//! Jobs and their times: [`due`] computes instants (pure), [`fire`] turns them into queued runs, and [`fleet`]
//! carries queued runs out.

pub mod due;
pub mod fire;
pub mod fleet;

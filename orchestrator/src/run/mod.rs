//! One run, from what was asked to how it ended.
//!
//! Pure: [`state`] (what may follow what), [`plan`] (what starts next), [`events`] (what happened).
//! Effects: [`prepare`] reads the project, [`execute`] starts nodes, [`record`] writes the store,
//! [`invoke`] puts them in order; [`lost`] ends what nobody will go on with.

pub mod events;
pub mod execute;
pub mod failure;
pub mod invoke;
pub mod lost;
mod order;
pub mod plan;
pub mod prepare;
pub mod record;
pub mod request;
pub mod state;

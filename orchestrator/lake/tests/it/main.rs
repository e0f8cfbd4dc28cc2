//! The lake on real servers.

mod bed;
mod data;
mod moves;

//! Landing, topics and rejects against real Kafka and Postgres (`make up`). Each test has a database and topics
//! of its own. Servers are neither restarted nor harmed here: `tests/outage.rs` does that, on clusters of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod archived;
mod bed;
mod declared;
mod events;
mod exactly_once;
mod faults;
mod killed;
mod served;

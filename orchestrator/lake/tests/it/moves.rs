//! Moves on the real servers: Postgres, the object store, Trino. Trino knows one database, the warehouse, so these
//! tests share it; each has a schema of its own.

mod city;
mod faults;
mod given;
mod hazards;
mod keeping;
mod killed;
mod odd;
mod rested;
mod truth;
mod whole;

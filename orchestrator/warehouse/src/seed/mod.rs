//! Seeds: CSV files become rows, with the types dbt would infer.

mod csv;
mod infer;

pub(crate) use csv::{Csv, parse};
pub(crate) use infer::{Column, infer};

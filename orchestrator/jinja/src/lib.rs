//! dbt's Jinja dialect on top of minijinja.
//!
//! It knows templates, values and macros; it refuses to know projects, files and databases: those
//! come in as a [`scope::Scope`]. Reading order: [`engine`] (render a template), [`rewrite`] (how
//! dbt's spelling becomes minijinja's), [`blocks`] and [`macros`] (definitions and their calls),
//! [`list`] and [`format`](mod@format) (Python's values).

pub mod arguments;
mod blanks;
pub mod blocks;
pub mod calls;
mod clock;
mod constant;
pub mod decimal;
pub mod engine;
pub mod error;
mod escapes;
mod expression;
mod filters;
pub mod format;
pub mod functions;
#[cfg(test)]
mod invariants;
pub mod json;
mod lipsum;
pub mod list;
pub mod macros;
mod marks;
mod methods;
pub mod modules;
mod operators;
#[cfg(test)]
mod probes;
mod range;
mod return_value;
pub mod rewrite;
pub mod scope;
mod set;
mod slice;
mod views;
pub mod yaml;

pub use constant::is_constant;
pub use engine::{Engine, Rendered, Request};
pub use error::{Error, raise};
pub use macros::{Macro, Macros};
pub use scope::{Root, Scope};

//! Runs dbt projects on Postgres: a scheduler, a durable record of every run, a command line and a web page.
//! It runs any project and knows nothing about what one is for.
//!
//! Everything has the same silhouette: a pure file decides, a thin one beside it acts. In reading order:
//!
//! 1. [`run::state`]: what a node and a run may go through. [`run::plan`]: what starts next. Pure.
//! 2. [`run::execute`]: the loop that carries plans out; [`run::record`]: how it is written down meanwhile.
//! 3. [`store`]: the tables, and what a crash leaves in them.
//! 4. [`run::invoke`]: a run from request to result.
//! 5. [`jobs`] and [`schedule`]: what runs when, fired once however many processes look.
//! 6. [`archive`]: which tables leave Postgres for the lake, and when.
//! 7. [`cli`]: one file a verb. [`web`]: pages over the store.

pub mod archive;
pub mod artifacts;
pub mod cli;
pub mod clock;
pub mod config;
pub mod jobs;
pub mod reconcile;
pub mod retry;
pub mod run;
pub mod schedule;
pub mod secrets;
pub mod store;
pub mod telemetry;
pub mod web;

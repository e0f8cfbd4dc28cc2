//! A dbt project as data: files -> manifest -> graph -> selection -> compiled SQL.
//!
//! This crate reads files and nothing else: it knows no database driver, no clock, no async runtime.
//! What a template may ask of the database goes through the [`adapter::Adapter`] trait, which the
//! `warehouse` crate implements.
//!
//! Reading order: [`manifest`] (what a project is), [`load`] (how files become it), [`graph`] and
//! [`select`] (which nodes, in which order), [`compile`] (a node's SQL).

pub mod adapter;
mod assemble;
pub mod batches;
pub mod compile;
mod config;
mod context;
pub mod deferral;
pub mod error;
mod files;
pub mod graph;
mod hint;
mod inject;
pub mod load;
mod lookup;
pub mod manifest;
pub mod materialize;
pub mod operation;
pub mod packages;
mod parallel;
mod parse;
pub mod profile;
mod project_file;
pub mod relation;
pub mod rendered;
mod replaced;
mod roots;
pub mod sample;
pub mod select;
pub mod semantic;
pub mod state;
pub mod unit_test;
mod unused;
pub mod warnings;
pub mod yaml;

pub use compile::{Compiled, Injected};
pub use context::Said;
pub use context::table::{preview, preview_of_seed, rows_as_json};
pub use error::Error;
pub use graph::{Edges, Gates, Graph, execution_edges};
pub use inject::Cte;
pub use jinja::Macro;
pub use jinja::calls;
pub use jinja::json::text as json_text;
pub use load::{LoadOptions, PARSE_CACHE, ParseCache, Project, load};
pub use manifest::{Manifest, Node, UniqueId};
pub use materialize::{Broken, Materialized};
pub use profile::{PostgresTarget, Profile, Secret};
pub use project_file::QueryComment;

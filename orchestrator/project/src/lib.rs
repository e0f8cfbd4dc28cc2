//! A dbt project as data: files -> manifest -> graph -> selection -> compiled SQL.
//!
//! This crate reads files and nothing else: it knows no database driver, no clock, no async runtime.
//! What a template may ask of the database goes through the [`adapter::Adapter`] trait, which the
//! `warehouse` crate implements.
//!
//! Reading order: [`manifest`] (what a project is), [`load`] (how files become it), [`graph`] and
//! [`select`] (which nodes, in which order), [`compile`] (a node's SQL).

pub mod adapter;
pub mod compile;
pub mod error;
pub mod graph;
pub mod load;
pub mod manifest;
pub mod profile;
pub mod relation;
pub mod select;

pub use compile::Compiled;
pub use error::Error;
pub use graph::{Edges, Graph, execution_edges};
pub use load::{LoadOptions, Project, load};
pub use manifest::{Manifest, Node, UniqueId};
pub use profile::{PostgresTarget, Profile, Secret};

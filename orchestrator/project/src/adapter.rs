//! What templates may ask of a database while a node is compiled.

use std::fmt;

use crate::relation::{RelationKind, RelationName};

/// A result set, every value as JSON (numbers that JSON cannot hold exactly as text).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Column names in order.
    pub columns: Vec<String>,
    /// Rows; each as long as `columns`.
    pub rows: Vec<Vec<serde_json::Value>>,
}

/// A column as the catalog knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name as stored.
    pub name: String,
    /// `format_type` of the column, e.g. `character varying(20)`.
    pub data_type: String,
}

/// A database refused; the text is what a person should read, never a secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct AdapterError {
    /// The server's message with its position, or the client's.
    pub message: String,
    /// Five-character SQLSTATE when the server sent one.
    pub sqlstate: Option<String>,
}

/// The database as templates see it. Calls block: compile on a thread that may.
pub trait Adapter: fmt::Debug + Send + Sync {
    /// What `name` is now, or `None` when nothing of that name exists.
    ///
    /// # Errors
    /// The database's refusal.
    fn relation(&self, name: &RelationName) -> Result<Option<RelationKind>, AdapterError>;

    /// Columns of `name` in order; empty when it does not exist.
    ///
    /// # Errors
    /// The database's refusal.
    fn columns(&self, name: &RelationName) -> Result<Vec<Column>, AdapterError>;

    /// Runs `sql` and returns its rows (`run_query`, `statement`).
    ///
    /// # Errors
    /// The database's refusal.
    fn query(&self, sql: &str) -> Result<Table, AdapterError>;
}

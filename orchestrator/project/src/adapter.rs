//! What templates may ask of a database while a node is compiled.

use std::fmt;

use crate::relation::{RelationKind, RelationName};

/// A result set, every value as JSON: truth values and integers as such, all else as the server prints it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Column names in order.
    pub columns: Vec<String>,
    /// Postgres' names of their types, `INT4`, `TEXT[]`, …; none where there is no row.
    pub types: Vec<String>,
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

/// What a statement answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The server's words for what was done: `SELECT 99`, `CREATE VIEW`.
    pub message: String,
    /// The same without counts: `SELECT`.
    pub code: String,
    /// Rows written or read; `None` where the server counts none.
    pub rows_affected: Option<u64>,
    /// Rows of the last statement.
    pub table: Table,
}

/// How a template's statement meets the transaction of its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    /// Opens one, unless one is open.
    Inside,
    /// The same until the node has committed something; from then on by itself when none is open (`vacuum`). It is what
    /// dbt's driver does with statements that ask for no transaction.
    Implicit,
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

    /// Runs `sql`, one statement or several, and says what the last one did.
    ///
    /// # Errors
    /// The database's refusal.
    fn execute(&self, sql: &str, _transaction: Transaction) -> Result<Answer, AdapterError> {
        self.query(sql).map(|table| Answer {
            message: "OK".into(),
            code: "OK".into(),
            rows_affected: None,
            table,
        })
    }

    /// Columns that the query `sql` would have, with the server's names of their types; it is not run.
    ///
    /// # Errors
    /// The database's refusal.
    fn describe(&self, _sql: &str) -> Result<Vec<Column>, AdapterError> {
        Ok(Vec::new())
    }

    /// Commits what is open.
    ///
    /// # Errors
    /// The database's refusal.
    fn commit(&self) -> Result<(), AdapterError> {
        Ok(())
    }

    /// Relations of a schema.
    ///
    /// # Errors
    /// The database's refusal.
    fn relations(&self, _schema: &str) -> Result<Vec<(RelationName, RelationKind)>, AdapterError> {
        Ok(Vec::new())
    }

    /// Tells what `name` has become, so that it need not be asked.
    fn note(&self, _name: &RelationName, _kind: Option<RelationKind>) {}
}

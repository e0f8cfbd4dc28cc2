//! Names of relations, quoted as dbt-postgres quotes them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A relation's full name. Renders as `"database"."schema"."identifier"`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RelationName {
    /// Database; on Postgres always the connection's own.
    pub database: String,
    /// Schema.
    pub schema: String,
    /// Table or view name.
    pub identifier: String,
}

impl RelationName {
    /// `schema.identifier` without quotes, as console lines show it.
    #[must_use]
    pub fn display(&self) -> String {
        format!("{}.{}", self.schema, self.identifier)
    }

    /// The same relation under another identifier (a temporary or backup name).
    #[must_use]
    pub fn with_identifier(&self, identifier: impl Into<String>) -> Self {
        Self {
            identifier: identifier.into(),
            ..self.clone()
        }
    }
}

impl fmt::Display for RelationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = |part: &str| format!("\"{}\"", part.replace('"', "\"\""));
        write!(
            f,
            "{}.{}.{}",
            quote(&self.database),
            quote(&self.schema),
            quote(&self.identifier)
        )
    }
}

/// What a name stands for in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// An ordinary or partitioned table.
    Table,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
}

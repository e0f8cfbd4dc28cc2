//! Names of relations, quoted as dbt-postgres quotes them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

/// Which parts of a name stand in quotes. The others the database folds to small letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Quoting {
    /// The database.
    pub database: bool,
    /// The schema.
    pub schema: bool,
    /// The table or view.
    pub identifier: bool,
}

impl Quoting {
    /// Everything.
    pub const ALL: Self = Self::of([true; 3]);
    /// Nothing.
    pub const NONE: Self = Self::of([false; 3]);

    /// Of database, schema and identifier.
    #[must_use]
    pub const fn of([database, schema, identifier]: [bool; 3]) -> Self {
        Self {
            database,
            schema,
            identifier,
        }
    }

    /// As `written` has it where it says something.
    #[must_use]
    pub fn with(self, written: &Map<String, Json>) -> Self {
        let part = |key: &str, now: bool| written.get(key).and_then(Json::as_bool).unwrap_or(now);
        Self {
            database: part("database", self.database),
            schema: part("schema", self.schema),
            identifier: part("identifier", self.identifier),
        }
    }

    /// As manifests write it, with what is said of columns.
    pub(crate) fn written(self, column: Option<&Json>) -> Json {
        json!({ "database": self.database, "schema": self.schema, "identifier": self.identifier,
                "column": column })
    }

    /// Database, schema, identifier.
    #[must_use]
    pub const fn parts(self) -> [bool; 3] {
        [self.database, self.schema, self.identifier]
    }
}

impl Default for Quoting {
    fn default() -> Self {
        Self::ALL
    }
}

/// A relation's full name. Renders as `"database"."schema"."identifier"`; a quote within a part stands as it is there
/// (`BaseRelation.quoted` of dbt-adapters), so that a name may bring its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RelationName {
    /// Database; on Postgres always the connection's own.
    pub database: String,
    /// Schema.
    pub schema: String,
    /// Table or view name.
    pub identifier: String,
    /// How it is written.
    #[serde(default)]
    pub quoting: Quoting,
}

impl RelationName {
    /// A name of which every part is quoted.
    pub fn new(
        database: impl Into<String>,
        schema: impl Into<String>,
        identifier: impl Into<String>,
    ) -> Self {
        Self {
            database: database.into(),
            schema: schema.into(),
            identifier: identifier.into(),
            quoting: Quoting::ALL,
        }
    }

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

    /// The name that the database knows it by: what is not quoted is in small letters there.
    #[must_use]
    pub fn stored(&self) -> Self {
        let part = |text: &str, quoted: bool| {
            if quoted {
                text.to_owned()
            } else {
                text.to_lowercase()
            }
        };
        let quoting = self.quoting;
        Self::new(
            part(&self.database, quoting.database),
            part(&self.schema, quoting.schema),
            part(&self.identifier, quoting.identifier),
        )
    }
}

impl fmt::Display for RelationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [database, schema, identifier] = self.quoting.parts();
        let part = |text: &str, quoted: bool| {
            if quoted {
                format!("\"{text}\"")
            } else {
                text.to_owned()
            }
        };
        write!(
            f,
            "{}.{}.{}",
            part(&self.database, database),
            part(&self.schema, schema),
            part(&self.identifier, identifier)
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

#[cfg(test)]
mod tests {
    use super::{Quoting, RelationName};

    #[test]
    fn what_is_not_quoted_is_stored_in_small_letters() {
        let quoting = Quoting::of([true, false, false]);
        let name = RelationName {
            quoting,
            ..RelationName::new("Db", "Raw", "Orders")
        };
        assert_eq!(name.to_string(), "\"Db\".Raw.Orders");
        assert_eq!(name.stored().to_string(), "\"Db\".\"raw\".\"orders\"");
        let whole = RelationName::new("d", "s", "a\"b");
        assert_eq!(whole.to_string(), "\"d\".\"s\".\"a\"b\"");
        assert_eq!(whole.stored(), whole);
    }
}

//! What Trino answers, as data. Pure.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// One page of an answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// Trino's name of the query.
    pub id: String,
    /// Where the next page is; none = this is the last.
    pub next_uri: Option<String>,
    /// Columns, once they are known.
    pub columns: Option<Vec<Column>>,
    /// Rows of this page, each as wide as `columns`.
    #[serde(default)]
    pub data: Vec<Vec<Value>>,
    /// Why the statement failed.
    pub error: Option<Failure>,
    /// `CREATE VIEW` and the like.
    pub update_type: Option<String>,
    /// Rows changed.
    pub update_count: Option<u64>,
    /// How far it has come.
    #[serde(default)]
    pub stats: Stats,
}

/// How far a query has come.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// `QUEUED`, `RUNNING`, …
    #[serde(default)]
    pub state: String,
    /// Rows read so far.
    #[serde(default)]
    pub processed_rows: u64,
    /// Share of the work that is done, in per cent.
    pub progress_percentage: Option<f64>,
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as SQL writes it.
    #[serde(rename = "type")]
    pub data_type: String,
}

impl Column {
    /// Whether its values are numbers, which a table aligns to the right.
    #[must_use]
    pub fn is_number(&self) -> bool {
        let numbers = [
            "tinyint", "smallint", "integer", "bigint", "real", "double", "decimal",
        ];
        let base = self.data_type.split('(').next().unwrap_or_default();
        numbers.contains(&base)
    }
}

/// Why a statement failed.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// In words.
    pub message: String,
    /// `TABLE_NOT_FOUND`, …
    #[serde(default)]
    pub error_name: String,
    /// `USER_ERROR`, `EXTERNAL`, …
    #[serde(default)]
    pub error_type: String,
    /// Where in the statement.
    pub error_location: Option<Location>,
}

/// A place in a statement, from 1.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// Line.
    pub line_number: u32,
    /// Column.
    pub column_number: u32,
}

impl Failure {
    /// Whether the server has only begun to run.
    #[must_use]
    pub fn is_starting(&self) -> bool {
        self.error_name == "SERVER_STARTING_UP" || self.message.contains("still initializing")
    }

    /// What a person can do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self.error_name.as_str() {
            "CATALOG_NOT_FOUND" | "MISSING_CATALOG_NAME" => {
                Some("catalogs: druid, warehouse, lake; `show catalogs` lists them")
            }
            "SCHEMA_NOT_FOUND" | "MISSING_SCHEMA_NAME" => {
                Some("`show schemas from lake` lists a catalog's schemas")
            }
            "TABLE_NOT_FOUND" => Some("`show tables from lake.history` lists a schema's tables"),
            "JDBC_ERROR" if self.message.contains("read-only transaction") => {
                Some("that catalog is for reading; write to its server itself")
            }
            "PERMISSION_DENIED" => {
                Some("RIDEHAIL_TRINO_USER says who asks, and Trino's access rules what they may do")
            }
            "JDBC_ERROR" => Some("the server behind that catalog may be down: `make status`"),
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        if !self.error_name.is_empty() {
            write!(f, " ({})", self.error_name)?;
        }
        Ok(())
    }
}

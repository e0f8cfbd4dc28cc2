//! Do the systems agree? Figures from several places, declared in a data file, compared exactly.
//!
//! A check is a list of figures that must all be the same number. A figure comes from a truth file
//! (JSON), from Kafka's offsets, from a Postgres or from a Druid statement. [`checks`] reads the
//! file and [`verdict`] compares; both are pure. [`sources`] asks the systems, [`table`] draws.

pub mod checks;
pub mod sources;
pub mod table;
pub mod verdict;

/// Why a reconciliation could not be made. A disagreement is no error: it is a verdict.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The checks file or the truth file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The checks file is not what it should be.
    #[error("{path}: {message}")]
    Checks {
        /// The file.
        path: String,
        /// Line, column and what was expected.
        message: String,
    },
    /// The truth file is not JSON.
    #[error("{path} is not a truth file")]
    Truth {
        /// The file.
        path: String,
        /// Where it stops being JSON.
        #[source]
        source: serde_json::Error,
    },
}

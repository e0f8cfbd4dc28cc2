//! A client of Trino's statement API: <https://trino.io/docs/current/develop/client-protocol.html>.
//!
//! A statement is posted once; its answer names the next page, and so on until no page is named. Pages may be
//! asked for again, so a lost answer is fetched anew; the statement itself is never sent twice, since nobody knows
//! whether the first one runs. Dropping a [`Query`] before its end leaves the statement running until Trino gives
//! it up (`query.client.timeout`): call [`Query::cancel`].

mod answer;
mod client;

pub use answer::{Column, Failure, Page};
pub use client::{Query, Trino, TrinoArgs};

/// What can go wrong between us and Trino.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer.
    #[error("cannot reach Trino at {url}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// Nothing that could be asked.
    #[error("Trino cannot be asked at {url}")]
    Address {
        /// Where.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// An answer that is not one of Trino's.
    #[error("Trino at {url} answered {status}: {body}")]
    Refused {
        /// Where.
        url: String,
        /// HTTP status.
        status: u16,
        /// The first words of the body.
        body: String,
    },
    /// The statement failed.
    #[error("{0}")]
    Failed(Box<Failure>),
    /// The answer lacks what was asked for.
    #[error("Trino's answer to `{what}` cannot be used: {message}")]
    Answer {
        /// Which statement.
        what: String,
        /// What is wrong.
        message: String,
    },
}

impl Error {
    /// What a person can do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable { .. } => {
                Some("`make status` tells whether Trino is up; it needs a JDK 25")
            }
            Self::Address { .. } => Some("write RIDEHAIL_TRINO_URL as http://host:port"),
            Self::Refused {
                status: 401 | 403, ..
            } => Some("set RIDEHAIL_TRINO_USER to a user who may do this"),
            Self::Refused { .. } | Self::Answer { .. } => None,
            Self::Failed(failure) => failure.hint(),
        }
    }
}

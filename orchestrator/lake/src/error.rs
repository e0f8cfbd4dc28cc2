//! What can go wrong, and what the reader can do about it.

use crate::ledger::state::State;
use crate::trino;

/// An error of the lake.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A column's type has no counterpart in Iceberg.
    #[error("{table}: column `{column}` is {data_type}, which cannot be archived")]
    UnsupportedType {
        /// `schema.table`.
        table: String,
        /// The column.
        column: String,
        /// As Postgres formats it.
        data_type: String,
        /// What to do.
        hint: String,
    },
    /// A value of an archived column has no counterpart in Iceberg.
    #[error("{table}: column `{column}`: {message}")]
    Value {
        /// `schema.table`.
        table: String,
        /// The column.
        column: String,
        /// What is wrong with it.
        message: String,
    },
    /// Bytes that are not what was expected of a peer: COPY's stream, a Parquet file.
    #[error("{what}: {message}")]
    Malformed {
        /// Which stream or file.
        what: String,
        /// What is wrong with it.
        message: String,
    },
    /// A file of the lake is not what the ledger says.
    #[error("{location} {message}")]
    File {
        /// `s3://…`
        location: String,
        /// What has become of it.
        damage: Damage,
        /// Completes the file's name to a sentence.
        message: String,
    },
    /// Postgres failed.
    #[error("postgres refused to {what}")]
    Postgres {
        /// Completes "refused to …".
        what: &'static str,
        /// Why.
        source: sqlx::Error,
    },
    /// The object store failed.
    #[error("the object store failed at {what}")]
    ObjectStore {
        /// Operation and key.
        what: String,
        /// Why.
        source: object_store::Error,
    },
    /// Nobody listens where the object store should be.
    #[error("the object store at {server} does not answer")]
    StoreAway {
        /// `host:port`
        server: String,
        /// Why.
        source: std::io::Error,
    },
    /// Iceberg's library failed.
    #[error("iceberg failed to {what}")]
    Iceberg {
        /// Completes "failed to …".
        what: &'static str,
        /// Why.
        source: Box<iceberg::Error>,
    },
    /// The schema of the ledger could not be brought up to date.
    #[error("cannot prepare schema `lake`")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Trino failed.
    #[error(transparent)]
    Trino(#[from] crate::trino::Error),
    /// Another process has taken over.
    #[error("{table} was taken over by another process")]
    Superseded {
        /// `schema.table`.
        table: String,
    },
    /// Another process is at work.
    #[error("another process is archiving {table}")]
    Busy {
        /// `schema.table`.
        table: String,
    },
    /// The ledger is not where this step begins.
    #[error("moves cannot go from {from} to {to}: the ledger says that they are elsewhere")]
    OutOfStep {
        /// Where they should be.
        from: State,
        /// Where they should go.
        to: State,
    },
    /// The table cannot be archived as it is.
    #[error("{table} cannot be archived: {reason}")]
    Refused {
        /// `schema.table`.
        table: String,
        /// Why not.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// Something that is not a move cannot be done as things are.
    #[error("{what}: {reason}")]
    NotDone {
        /// What was asked for.
        what: String,
        /// Why not.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// An error, and what can be done about it where it happened.
    #[error("{error}")]
    Advised {
        /// The error.
        #[source]
        error: Box<Error>,
        /// What to do.
        hint: String,
    },
    /// Two accounts of the same rows differ. Nothing was dropped.
    #[error("{what} differ: {message}")]
    Differs {
        /// Which two accounts.
        what: String,
        /// In what.
        message: String,
    },
}

/// What has become of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It is not there.
    Missing,
    /// Its size, its rows or its bytes are others.
    Altered,
}

impl Error {
    /// The same, with what can be done about it here.
    pub(crate) fn advise(self, hint: String) -> Self {
        Self::Advised {
            error: Box::new(self),
            hint,
        }
    }

    /// The whole of it, causes included, in one line.
    #[must_use]
    pub fn told(&self) -> String {
        causes(self).fold(plain(&self.to_string()), |words, cause| {
            let text = plain(&cause.to_string());
            if words.contains(&text) {
                words
            } else {
                format!("{words}: {text}")
            }
        })
    }

    /// Whether Postgres gave up waiting for a lock.
    #[must_use]
    pub fn is_lock_timeout(&self) -> bool {
        match self {
            Self::Postgres { source, .. } => {
                let code = source.as_database_error().and_then(|error| error.code());
                code.as_deref() == Some("55P03")
            }
            Self::Advised { error, .. } => error.is_lock_timeout(),
            _ => false,
        }
    }

    /// Whether Trino does not take statements now: it is down, or has only begun to run.
    #[must_use]
    pub fn is_trino_away(&self) -> bool {
        match self {
            Self::Trino(trino::Error::Unreachable { .. }) => true,
            Self::Trino(trino::Error::Refused { status, .. }) => *status >= 500,
            Self::Trino(trino::Error::Failed(failure)) => failure.is_starting(),
            _ => false,
        }
    }

    /// What a person can do.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::UnsupportedType { hint, .. }
            | Self::Refused { hint, .. }
            | Self::NotDone { hint, .. }
            | Self::Advised { hint, .. } => Some(hint),
            Self::Trino(error) => error.hint(),
            Self::Superseded { .. } | Self::Busy { .. } => {
                Some("`ridehail archive status` shows what it does")
            }
            Self::Differs { .. } => {
                Some("the rows are still in Postgres; `ridehail archive verify` looks again")
            }
            Self::Migrate(_) => {
                Some("the role needs to own schema `lake` or to be allowed to create it")
            }
            Self::StoreAway { .. } => Some(
                "`make status` tells whether MinIO is up; RIDEHAIL_S3_ENDPOINT says where it is",
            ),
            // Iceberg's own trouble is mostly the store's
            Self::ObjectStore { .. } | Self::Iceberg { .. } => {
                causes(self).find_map(|cause| store_hint(cause.downcast_ref()?))
            }
            Self::Value { .. }
            | Self::Malformed { .. }
            | Self::File { .. }
            | Self::Postgres { .. }
            | Self::OutOfStep { .. } => None,
        }
    }
}

/// A text without the document that S3 servers answer with: what that says, and its code.
fn plain(text: &str) -> String {
    let Some((before, document)) = text
        .split_once("<?xml")
        .or_else(|| text.split_once("<Error>"))
    else {
        return text.to_owned();
    };
    let said = |name: &str| {
        let (_, rest) = document.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
    };
    let parts = [
        said("Message"),
        said("Code").map(|code| format!("({code})")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("{before}{}", parts.join(" "))
}

/// What an error comes from, nearest first.
fn causes(error: &Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(std::error::Error::source(error), |cause| cause.source())
}

fn store_hint(error: &object_store::Error) -> Option<&'static str> {
    match error {
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => Some(
            "the object store does not let this key do that: RIDEHAIL_S3_BUCKET, RIDEHAIL_S3_ACCESS_KEY and \
             RIDEHAIL_S3_SECRET_KEY belong together",
        ),
        object_store::Error::Generic { .. } => Some(
            "is the object store up? `make status` tells; RIDEHAIL_S3_ENDPOINT says where it is looked for",
        ),
        _ => None,
    }
}

/// Names the step that failed.
pub(crate) trait Doing<T> {
    /// `what` completes "refused to …" or "failed to …".
    fn doing(self, what: &'static str) -> Result<T, Error>;
}

/// Says of a statement that waited for a lock in vain who has it.
pub(crate) trait Locked<T> {
    /// `who` becomes a hint, when waiting is what failed.
    fn when_locked(self, who: &'static str) -> Result<T, Error>;
}

impl<T> Locked<T> for Result<T, Error> {
    fn when_locked(self, who: &'static str) -> Self {
        self.map_err(|error| {
            if error.is_lock_timeout() {
                error.advise(format!("{who}; the next run tries again"))
            } else {
                error
            }
        })
    }
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, what: &'static str) -> Result<T, Error> {
        // every statement ends here: tests kill the process after the n-th
        fail::fail_point!("lake::sql");
        self.map_err(|source| Error::Postgres { what, source })
    }
}

impl<T> Doing<T> for Result<T, iceberg::Error> {
    fn doing(self, what: &'static str) -> Result<T, Error> {
        self.map_err(|source| Error::Iceberg {
            what,
            source: Box::new(source),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_told_as_what_it_says() {
        let answer = "status 403 Forbidden: <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code>\
                      <Message>Access Denied.</Message><Key>a</Key></Error>";
        assert_eq!(
            plain(answer),
            "status 403 Forbidden: Access Denied. (AccessDenied)"
        );
        assert_eq!(plain("no document"), "no document");
    }
}

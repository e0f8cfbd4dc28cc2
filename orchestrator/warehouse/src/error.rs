//! What can go wrong, in the words Postgres and dbt use.

use std::borrow::Cow;
use std::path::PathBuf;

use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use crate::{caret, names};

/// What a caller may do about an [`Error`]. Match it without a wildcard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Running the node again can succeed: serialization failure, deadlock, lock timeout, a server
    /// that restarts, a connection that broke.
    Transient,
    /// The caller's token was cancelled; the statement was stopped on the server and rolled back.
    Cancelled,
    /// The server refused the statement; it will refuse it again.
    Database,
    /// No session could be had: address, password, database, TLS.
    Connection,
    /// The node's configuration or input file is wrong.
    Config,
}

/// Why a node, or a connection, failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No session could be had.
    #[error("could not connect to {place}: {reason}")]
    Connect {
        /// `user@host:port/database`.
        place: String,
        /// The server's or the operating system's words.
        reason: String,
        /// SQLSTATE when the server answered.
        sqlstate: Option<String>,
        /// What to check.
        hint: Option<String>,
    },
    /// A session ended while it was used.
    #[error("the connection to the database was lost: {reason}")]
    Lost {
        /// The driver's words.
        reason: String,
    },
    /// The server refused a statement. Displays as dbt shows it: message, `LINE n:` with a caret,
    /// `DETAIL:`, `HINT:`, `CONTEXT:`.
    #[error("{text}")]
    Statement {
        /// The whole text.
        text: String,
        /// Five characters.
        sqlstate: String,
        /// Our own advice, beside the server's.
        hint: Option<String>,
        /// The node's main statement, when it had been sent.
        run_sql: Option<String>,
    },
    /// The caller's token was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The node asks for something that cannot be done.
    #[error("{message}")]
    Config {
        /// What is wrong.
        message: String,
        /// What to write instead.
        hint: Option<String>,
    },
    /// A materialization found the database in a state its configuration excludes. dbt calls these
    /// compilation errors.
    #[error("{message}")]
    Compilation {
        /// What is wrong.
        message: String,
    },
    /// A template of the node, a hook's or its materialization's, failed.
    #[error("{error}")]
    Template {
        /// How.
        error: Box<project::Error>,
        /// The node's main statement, when it had been sent.
        run_sql: Option<String>,
    },
    /// What exists in the database changed between compiling and running.
    #[error("{relation} {change} while the node was compiled")]
    Moved {
        /// The relation.
        relation: String,
        /// `was dropped`, `was created`.
        change: &'static str,
    },
    /// The server would cut the relation's name off, and two such names might become one.
    #[error("Relation name '{name}' is longer than {} characters", names::MAX)]
    NameTooLong {
        /// The name.
        name: String,
    },
    /// A seed file cannot be read.
    #[error("{}: {message}", path.display())]
    Seed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        message: String,
    },
    /// A driver answered with something that does not fit the statement; a defect of this program.
    #[error("unexpected answer from the database: {message}")]
    Answer {
        /// What was read.
        message: String,
    },
}

impl Error {
    /// What the caller may do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Connect { sqlstate, .. } => match sqlstate {
                Some(code) if classify(code) == ErrorKind::Transient => ErrorKind::Transient,
                Some(_) | None => ErrorKind::Connection,
            },
            Self::Lost { .. } | Self::Moved { .. } => ErrorKind::Transient,
            Self::Statement { sqlstate, .. } => classify(sqlstate),
            Self::Cancelled => ErrorKind::Cancelled,
            Self::Template { error, .. } => match error.sqlstate() {
                Some(code) => classify(code),
                None => ErrorKind::Config,
            },
            Self::Config { .. }
            | Self::Compilation { .. }
            | Self::NameTooLong { .. }
            | Self::Seed { .. } => ErrorKind::Config,
            Self::Answer { .. } => ErrorKind::Database,
        }
    }

    /// SQLSTATE when the server sent one.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Connect { sqlstate, .. } => sqlstate.as_deref(),
            Self::Statement { sqlstate, .. } => Some(sqlstate),
            Self::Template { error, .. } => error.sqlstate(),
            Self::Lost { .. }
            | Self::Cancelled
            | Self::Config { .. }
            | Self::Compilation { .. }
            | Self::Moved { .. }
            | Self::Seed { .. }
            | Self::NameTooLong { .. }
            | Self::Answer { .. } => None,
        }
    }

    /// What a person can do, without the word `hint:`.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Connect { hint, .. }
            | Self::Statement { hint, .. }
            | Self::Config { hint, .. } => hint.as_deref(),
            Self::Lost { .. } => Some("the server's log says why it closed the session"),
            Self::Moved { .. } => {
                Some("something else builds the same relation; run the node again")
            }
            Self::Cancelled
            | Self::Compilation { .. }
            | Self::Template { .. }
            | Self::Seed { .. }
            | Self::NameTooLong { .. }
            | Self::Answer { .. } => None,
        }
    }

    /// The words dbt puts before `in model x (path)`.
    #[must_use]
    pub fn title(&self) -> &'static str {
        match self {
            Self::Connect { .. } | Self::Lost { .. } | Self::Statement { .. } => "Database Error",
            Self::Template { error, .. } if error.sqlstate().is_some() => "Database Error",
            Self::Config { .. } | Self::Compilation { .. } | Self::Template { .. } => {
                "Compilation Error"
            }
            Self::Cancelled
            | Self::Moved { .. }
            | Self::NameTooLong { .. }
            | Self::Seed { .. }
            | Self::Answer { .. } => "Runtime Error",
        }
    }

    /// The main statement of the node that failed, as dbt writes it to `target/run`. `None` when it
    /// was never sent.
    #[must_use]
    pub fn run_sql(&self) -> Option<&str> {
        match self {
            Self::Statement { run_sql, .. } | Self::Template { run_sql, .. } => run_sql.as_deref(),
            Self::Connect { .. }
            | Self::Lost { .. }
            | Self::Cancelled
            | Self::Config { .. }
            | Self::Compilation { .. }
            | Self::Moved { .. }
            | Self::Seed { .. }
            | Self::NameTooLong { .. }
            | Self::Answer { .. } => None,
        }
    }

    /// The same error, knowing what the node ran.
    #[must_use]
    pub(crate) fn within(mut self, sent: Option<String>) -> Self {
        if let Self::Statement { run_sql, .. } | Self::Template { run_sql, .. } = &mut self {
            *run_sql = sent;
        }
        self
    }

    /// The same error with advice of ours, unless it carries some.
    #[must_use]
    pub(crate) fn advise(self, advice: &str) -> Self {
        match self {
            Self::Statement {
                text,
                sqlstate,
                hint: None,
                run_sql,
            } => Self::Statement {
                text,
                sqlstate,
                hint: Some(advice.to_owned()),
                run_sql,
            },
            other => other,
        }
    }

    /// An error of the driver while `sql` ran.
    pub(crate) fn from_statement(error: sqlx::Error, sql: &str) -> Self {
        match error {
            sqlx::Error::Database(error) => {
                let sqlstate = error.code().map_or_else(String::new, Cow::into_owned);
                let text = error
                    .try_downcast_ref::<PgDatabaseError>()
                    .map_or_else(|| error.message().to_owned(), |e| describe(e, sql));
                Self::Statement {
                    text,
                    sqlstate,
                    hint: None,
                    run_sql: None,
                }
            }
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::TypeNotFound { .. } => Self::Answer {
                message: error.to_string(),
            },
            other => Self::Lost {
                reason: other.to_string(),
            },
        }
    }
}

/// The one place where a SQLSTATE is given a meaning.
fn classify(sqlstate: &str) -> ErrorKind {
    match sqlstate {
        // serialization failure, deadlock, lock timeout
        "40001" | "40P01" | "55P03" => ErrorKind::Transient,
        // the server shuts down, crashed, starts up; no session left
        "57P01" | "57P02" | "57P03" | "53300" => ErrorKind::Transient,
        code if code.starts_with("08") => ErrorKind::Transient,
        // bad password, no such database
        code if code.starts_with("28") || code == "3D000" => ErrorKind::Connection,
        _ => ErrorKind::Database,
    }
}

/// libpq's default layout of a server message, without the leading `ERROR:`.
fn describe(error: &PgDatabaseError, sql: &str) -> String {
    let mut text = error.message().to_owned();
    let mut line = |label: &str, value: &str| {
        text.push('\n');
        text.push_str(label);
        text.push_str(value);
    };
    // in the order of libpq, whose words dbt shows
    let pointer = match error.position() {
        Some(PgErrorPosition::Original(position)) => caret::point(sql, position),
        Some(PgErrorPosition::Internal { position, query }) => caret::point(query, position),
        None => None,
    };
    if let Some(pointer) = pointer {
        line("", &pointer);
    }
    if let Some(detail) = error.detail() {
        line("DETAIL:  ", detail);
    }
    if let Some(hint) = error.hint() {
        line("HINT:  ", hint);
    }
    if let Some(PgErrorPosition::Internal { query, .. }) = error.position() {
        line("QUERY:  ", query);
    }
    if let Some(context) = error.r#where() {
        line("CONTEXT:  ", context);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{ErrorKind, classify};

    #[test]
    fn states_a_retry_can_mend() {
        for code in ["40001", "40P01", "55P03", "57P03", "08006", "53300"] {
            assert_eq!(classify(code), ErrorKind::Transient, "{code}");
        }
        assert_eq!(classify("28P01"), ErrorKind::Connection);
        assert_eq!(classify("42703"), ErrorKind::Database);
    }
}

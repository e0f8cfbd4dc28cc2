//! Why a node failed, as one text that console, store, web and artifacts share.

use project::adapter::AdapterError;
use warehouse::ErrorKind;

use super::prepare::PlannedNode;
use crate::retry::{self, FailureKind};

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What `retry.rs` judges.
    pub kind: FailureKind,
    /// What failed, on what, and the server's words; several lines.
    pub text: String,
    /// What a person can do.
    pub hint: Option<String>,
}

impl Failure {
    /// The database, or the way to it, failed while the node ran.
    #[must_use]
    pub fn of_warehouse(
        node: &PlannedNode,
        error: &warehouse::Error,
        run_path: Option<&str>,
    ) -> Self {
        let kind = classify(error.kind(), error.sqlstate());
        let words = match error {
            warehouse::Error::Template { error, .. } => of_template(error),
            error => error.to_string(),
        };
        let mut text = headed(error.title(), node, &words);
        if let Some(run_path) = run_path.filter(|_| kind == FailureKind::Database) {
            text.push_str("\n  compiled code at ");
            text.push_str(run_path);
        }
        Self::with(kind, text, error.hint())
    }

    /// The node's SQL could not be made.
    #[must_use]
    pub fn of_project(node: &PlannedNode, error: &project::Error) -> Self {
        let (kind, title) = match error {
            project::Error::Adapter { source, .. } => (of_adapter(source), "Database Error"),
            project::Error::Io { .. }
            | project::Error::Yaml { .. }
            | project::Error::Config { .. }
            | project::Error::Template { .. }
            | project::Error::UnknownDependency { .. }
            | project::Error::Duplicate { .. }
            | project::Error::Cycle { .. }
            | project::Error::Selection { .. }
            | project::Error::NoSuchNode { .. } => (FailureKind::Project, "Compilation Error"),
        };
        Self::with(
            kind,
            headed(title, node, &of_template(error)),
            error.hint().as_deref(),
        )
    }

    /// The lake, or the way to it, failed while the node's days moved. The ledger holds how far they came.
    #[must_use]
    pub fn of_lake(node: &PlannedNode, error: &lake::Error) -> Self {
        let (kind, title, hint) = judge_lake(error);
        Self::with(
            kind,
            headed(title, node, &error.told()),
            error.hint().or(hint),
        )
    }

    /// The process that ran it is gone.
    #[must_use]
    pub fn lost(node: &PlannedNode) -> Self {
        let text = headed("Runtime Error", node, "the process that ran it is gone");
        Self::with(FailureKind::Lost, text, None)
    }

    /// Something this program should not have let happen.
    #[must_use]
    pub fn unexpected(node: &PlannedNode, message: &str) -> Self {
        Self::with(
            FailureKind::Project,
            headed("Runtime Error", node, message),
            None,
        )
    }

    fn with(kind: FailureKind, text: String, hint: Option<&str>) -> Self {
        let hint = hint.or_else(|| retry::hint(kind)).map(ToOwned::to_owned);
        Self { kind, text, hint }
    }
}

/// What went wrong in a template. What the database refused is told in its words alone, as dbt does: the heading names
/// the node.
fn of_template(error: &project::Error) -> String {
    match error {
        project::Error::Adapter { source, .. } => source.message.clone(),
        error => error.to_string(),
    }
}

/// dbt's layout: a heading that names the node, then every line indented by two.
fn headed(title: &str, node: &PlannedNode, message: &str) -> String {
    let mut text = format!(
        "{title} in {} {} ({})",
        node.resource_type, node.name, node.path
    );
    for line in message.lines() {
        text.push_str("\n  ");
        text.push_str(line);
    }
    text
}

fn classify(kind: ErrorKind, sqlstate: Option<&str>) -> FailureKind {
    match (kind, sqlstate) {
        // 40xxx: serialization failure, deadlock; 55xxx: a lock not granted in time
        (ErrorKind::Transient, Some(code)) if code.starts_with("40") || code.starts_with("55") => {
            FailureKind::Conflict
        }
        (ErrorKind::Transient, _) | (ErrorKind::Connection, None) => FailureKind::Connection,
        (ErrorKind::Cancelled, _) => FailureKind::Cancelled,
        (ErrorKind::Database, _) => FailureKind::Database,
        (ErrorKind::Config, _) | (ErrorKind::Connection, Some(_)) => FailureKind::Project,
    }
}

/// What a person can do about an error of the lake.
#[must_use]
pub fn lake_hint(error: &lake::Error) -> Option<&str> {
    let (kind, _, hint) = judge_lake(error);
    error.hint().or(hint).or_else(|| retry::hint(kind))
}

/// Kind, title and advice for errors that give none themselves.
fn judge_lake(error: &lake::Error) -> (FailureKind, &'static str, Option<&'static str>) {
    use lake::Error as E;
    match error {
        E::Advised { error, .. } => judge_lake(error),
        E::Postgres { source, .. } => {
            let kind = match source {
                sqlx::Error::Database(error) => of_sqlstate(error.code().as_deref()),
                sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
                    FailureKind::Connection
                }
                _ => FailureKind::Database,
            };
            (kind, "Database Error", None)
        }
        E::ObjectStore { .. } | E::StoreAway { .. } => {
            let hint = "is the object store up? `make status` tells";
            (FailureKind::Connection, "Lake Error", Some(hint))
        }
        E::Trino(error) => {
            let hint = "`make status` tells whether Trino is up; what is committed waits for it";
            (of_trino(error), "Trino Error", Some(hint))
        }
        // a session of a killed process holds the table until the server misses it
        E::Busy { .. } => (FailureKind::Conflict, "Lake Error", None),
        E::UnsupportedType { .. } | E::Refused { .. } | E::NotDone { .. } => {
            (FailureKind::Project, "Refused", None)
        }
        E::Value { .. }
        | E::Malformed { .. }
        | E::File { .. }
        | E::Iceberg { .. }
        | E::Migrate(_)
        | E::Superseded { .. }
        | E::OutOfStep { .. }
        | E::Differs { .. } => (FailureKind::Database, "Lake Error", None),
    }
}

fn of_trino(error: &lake::trino::Error) -> FailureKind {
    use lake::trino::Error as E;
    match error {
        E::Unreachable { .. } => FailureKind::Connection,
        E::Refused { status, .. } if *status >= 500 => FailureKind::Connection,
        // its own mistake, or that of a server behind it; a user's mistake stays one
        E::Failed(failure) if failure.error_type != "USER_ERROR" => FailureKind::Connection,
        E::Address { .. } => FailureKind::Project,
        E::Refused { .. } | E::Failed(_) | E::Answer { .. } => FailureKind::Database,
    }
}

/// What a template asked while it was compiled can meet the same deadlock.
fn of_adapter(error: &AdapterError) -> FailureKind {
    of_sqlstate(error.sqlstate.as_deref())
}

fn of_sqlstate(code: Option<&str>) -> FailureKind {
    match code {
        Some("40001" | "40P01" | "55P03") => FailureKind::Conflict,
        Some(code) if code.starts_with("08") || code.starts_with("57P") => FailureKind::Connection,
        Some(_) | None => FailureKind::Database,
    }
}

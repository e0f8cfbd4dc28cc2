//! What a caller asks of a run and gets back.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

/// A hook's template to its SQL.
pub type RenderHook = dyn Fn(&str) -> Result<String, project::Error> + Send + Sync;

/// Says in the server's log who sent a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryComment {
    /// What stands between `/*` and `*/`.
    pub text: String,
    /// Behind the statement, not on a line before it.
    pub append: bool,
}

impl QueryComment {
    /// `sql` with the comment.
    pub(crate) fn on(&self, sql: &str) -> String {
        let text = self.text.trim();
        if !self.append {
            return format!("/* {text} */\n{sql}");
        }
        let sql = sql.trim_end();
        match sql.strip_suffix(';') {
            Some(sql) => format!("{sql}\n/* {text} */;"),
            None => format!("{sql}\n/* {text} */"),
        }
    }
}

/// How a node is run.
#[derive(Clone, Default)]
pub struct RunOptions {
    /// `--full-refresh`; a node's own `full_refresh` config goes before it.
    pub full_refresh: bool,
    /// Act on `partition_by: {field, granularity}` of incremental models.
    pub native_partitions: bool,
    /// Columns and constraints, in parentheses, that a natively partitioned table is made with; without them it is
    /// shaped like its rows.
    pub contract: Option<String>,
    /// Stops the running statement on the server.
    pub cancel: CancellationToken,
    /// With every statement; `None` for none.
    pub query_comment: Option<QueryComment>,
    /// Renders a hook, in the node's session and on a thread that may block; without it hooks are run as written.
    pub hooks: Option<Arc<RenderHook>>,
    /// The folder `original_file_path` of a seed starts from.
    pub project_root: PathBuf,
    /// A seed's old rows are done away with by `adapter` in a hook: the project replaces the macros that do it.
    pub resets_by_macro: bool,
}

impl RunOptions {
    /// `sql`, which does away with a seed's old rows, or a hook that has the macro `name` do it.
    pub(crate) fn reset(&self, sql: String, name: &str) -> String {
        if self.resets_by_macro {
            let old = "adapter.get_relation(this.database, this.schema, this.identifier)";
            format!("{{% do adapter.{name}({old}) %}}")
        } else {
            sql
        }
    }
}

impl fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions")
            .field("full_refresh", &self.full_refresh)
            .field("native_partitions", &self.native_partitions)
            .field("project_root", &self.project_root)
            .finish_non_exhaustive()
    }
}

/// How a node ended when nothing failed to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeKind {
    /// A model was built or a seed loaded.
    Success,
    /// A test found nothing.
    Pass,
    /// A test found something it only warns of; or a model was built, but somebody should look at how.
    Warn,
    /// A test found something it forbids.
    Fail,
}

/// What a node did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub kind: OutcomeKind,
    /// dbt's text in the brackets: `SELECT 99`, `CREATE VIEW`, `INSERT 0 5`, `PASS`, `FAIL 5`.
    pub message: String,
    /// Rows written, where the server counts them.
    pub rows: Option<u64>,
    /// Tests: the value of `fail_calc`.
    pub failures: Option<i64>,
    /// Tests that warn or fail: `Got 5 results, configured to fail if != 0`. Models that warn: of what.
    pub explanation: Option<String>,
    /// The statement that did the work, as dbt writes it to `target/run`.
    pub run_sql: String,
    /// What a template says the database answered, by dbt's names; `None` where the message tells it.
    pub response: Option<serde_json::Value>,
    /// What a person should know of it.
    pub doubts: Vec<String>,
}

impl Outcome {
    pub(crate) fn success(message: String, rows: Option<u64>, run_sql: String) -> Self {
        Self {
            kind: OutcomeKind::Success,
            message,
            rows,
            failures: None,
            explanation: None,
            run_sql,
            response: None,
            doubts: Vec::new(),
        }
    }

    /// The same success, which somebody should look at.
    pub(crate) fn with_warning(self, explanation: String) -> Self {
        tracing::warn!("{explanation}");
        Self {
            kind: OutcomeKind::Warn,
            explanation: Some(explanation),
            ..self
        }
    }
}

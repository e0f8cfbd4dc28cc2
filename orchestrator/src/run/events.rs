//! What happened in a run, once. Console lines, the JSON log, the store and the web are renderings of this
//! one enum; whatever one of them shows, all of them can.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use project::adapter::Table;
use project::batches::Windows;
use project::manifest::UniqueId;
use project::warnings::Warning;
use project::{Injected, Said};

use super::invoke::hooks::HookResult;
use super::plan::NodeIx;
use super::prepare::PlannedNode;
use super::state::{NodeState, RunState};
use crate::retry::FailureKind;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Built, loaded or passed.
    Success,
    /// There was nothing to do: an exposure, a saved query.
    NoOp,
    /// A test found rows and only warns.
    Warned,
    /// Some windows of a microbatch model were built, others failed: what needs it is skipped.
    Partial,
    /// Failed for good.
    Failed,
    /// Its statement was cancelled.
    Cancelled,
}

/// What an attempt has to say for itself.
#[derive(Debug, Clone)]
pub struct Report {
    /// How it ended.
    pub ending: Ending,
    /// dbt's bracket text: `SELECT 99`, `PASS`, `FAIL 5`; for failures of other kinds `ERROR`.
    pub message: String,
    /// Rows written.
    pub rows: Option<u64>,
    /// Rows a test found.
    pub failures: Option<i64>,
    /// The failure in full.
    pub error: Option<String>,
    /// Why it failed.
    pub kind: Option<FailureKind>,
    /// What a person can do.
    pub hint: Option<String>,
    /// What its templates said to the person.
    pub said: Vec<Said>,
    /// SQL as compiled.
    pub compiled_sql: Option<Arc<str>>,
    /// Where that was written, below the working folder.
    pub compiled_path: Option<String>,
    /// Where the statement that builds the node was written, when it came so far.
    pub build_path: Option<String>,
    /// Ephemeral models in it.
    pub injected: Option<Arc<Injected>>,
    /// Macros that its text called.
    pub macros: Vec<UniqueId>,
    /// Some rows of what was loaded.
    pub rows_shown: Option<Table>,
    /// The relation that keeps the rows a test found, as SQL names it.
    pub stored: Option<String>,
    /// When compiling began and ended.
    pub compile: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// When executing began and ended.
    pub execute: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// What a template says the database answered, by dbt's names.
    pub response: Option<serde_json::Value>,
    /// What became of the windows of a microbatch model.
    pub windows: Option<Windows>,
    /// Whole duration.
    pub took: Duration,
}

/// How a window of a microbatch model ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchEnd {
    /// Built, with the server's words.
    Built(String),
    /// Failed, with the failure in full.
    Failed(String),
    /// Not tried, since the first one failed.
    Skipped,
}

/// Something happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// The program started.
    Invoked,
    /// The project was read; counts by kind of what it declares, in the order to print.
    Found {
        /// `("model", 5)`.
        counts: Vec<(&'static str, usize)>,
    },
    /// A person should know, nothing stops.
    Warning(Warning),
    /// A template outside any node said something.
    Said(Said),
    /// The selection is empty.
    NothingToDo {
        /// It is summed up all the same.
        summed_up: bool,
    },
    /// Nodes are about to start.
    Began {
        /// Number in the run store, unless not recorded.
        run_id: Option<i64>,
        /// Who of them there are.
        nodes: Arc<[PlannedNode]>,
        /// Attempts at once.
        threads: usize,
        /// Output of the profile.
        target: String,
    },
    /// A statement around the nodes starts.
    HookStarted {
        /// `package.on-run-start.0`.
        name: String,
        /// Position in its list, from 1.
        index: usize,
        /// Length of the list.
        total: usize,
    },
    /// It ended.
    HookFinished {
        /// How.
        result: HookResult,
        /// Position.
        index: usize,
        /// Length of the list.
        total: usize,
    },
    /// An attempt starts.
    NodeStarted {
        /// Which.
        node: NodeIx,
        /// From 1.
        attempt: u16,
        /// Position among those started or skipped so far, from 1: dbt's `n of m`.
        index: usize,
    },
    /// A window of a microbatch model starts, or has ended.
    Batch {
        /// Which model.
        node: NodeIx,
        /// Position of the window, from 1.
        index: usize,
        /// How many there are.
        total: usize,
        /// `2026-01-01`.
        label: String,
        /// How it ended and how long it took; `None` when it starts.
        ended: Option<(BatchEnd, Duration)>,
    },
    /// An attempt failed and another will follow.
    NodeRetrying {
        /// Which.
        node: NodeIx,
        /// The one that failed.
        attempt: u16,
        /// Position.
        index: usize,
        /// What it said.
        report: Report,
        /// Earliest start of the next.
        at: DateTime<Utc>,
    },
    /// A node ended.
    NodeFinished {
        /// Which.
        node: NodeIx,
        /// Its last attempt.
        attempt: u16,
        /// Position.
        index: usize,
        /// What it said.
        report: Report,
    },
    /// A node will not start.
    NodeSkipped {
        /// Which.
        node: NodeIx,
        /// Position.
        index: usize,
        /// Whom to thank: a node's `unique_id`, or `cancelled`.
        culprit: UniqueId,
        /// The ephemeral model that could not be made for it.
        broken: Option<Arc<BrokenInput>>,
        /// The first failure of the run, wherever, ends it.
        fail_fast: bool,
    },
    /// Statements are being cancelled.
    Cancelling {
        /// Nodes that were running.
        nodes: Vec<NodeIx>,
    },
    /// All nodes have ended.
    RunFinished {
        /// How.
        state: RunState,
        /// Why, when not simply that nodes failed.
        error: Option<String>,
        /// From [`Event::Invoked`] on.
        took: Duration,
    },
}

/// An ephemeral model without which a node is not tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenInput {
    /// The model.
    pub model: PlannedNode,
    /// The schema of the node that needs it, in which its relation would be.
    pub schema: String,
    /// Why it could not be compiled; `None`: it was skipped itself.
    pub error: Option<String>,
}

impl BrokenInput {
    /// dbt's word for what became of it.
    #[must_use]
    pub fn status(&self) -> &'static str {
        if self.error.is_some() {
            "error"
        } else {
            "skipped"
        }
    }

    /// What the results say of the node that needs it.
    #[must_use]
    pub fn message(&self, unique_id: &str) -> String {
        format!(
            "Compilation Error in {unique_id}, caused by compilation error in referenced ephemeral model {}",
            self.model.unique_id
        )
    }
}

/// An event with its time.
#[derive(Debug, Clone)]
pub struct Happened {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub event: Event,
}

/// Shows events to someone. Called in the order they happened; must not block for long.
pub trait Renderer: Send {
    /// Shows one.
    fn render(&mut self, happened: &Happened);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Renderer for Silent {
    fn render(&mut self, _: &Happened) {}
}

/// Counts of `Done. PASS=…`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Built, loaded, passed.
    pub pass: usize,
    /// Tests that warn.
    pub warn: usize,
    /// Failed or cancelled.
    pub error: usize,
    /// Skipped.
    pub skip: usize,
    /// Only told of.
    pub noop: usize,
}

impl Tally {
    /// Takes an ending into account.
    pub fn count(&mut self, ending: Ending) {
        match ending {
            Ending::Success => self.pass += 1,
            Ending::NoOp => self.noop += 1,
            Ending::Warned => self.warn += 1,
            Ending::Partial | Ending::Failed | Ending::Cancelled => self.error += 1,
        }
    }

    /// Counts nodes that have ended.
    #[must_use]
    pub fn of(states: &[NodeState]) -> Self {
        let mut tally = Self::default();
        for state in states {
            match state {
                NodeState::Success => tally.pass += 1,
                NodeState::Warned => tally.warn += 1,
                NodeState::Failed | NodeState::Cancelled => tally.error += 1,
                NodeState::Skipped => tally.skip += 1,
                NodeState::Queued | NodeState::Running { .. } | NodeState::UpForRetry { .. } => {}
            }
        }
        tally
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> usize {
        self.pass + self.warn + self.error + self.skip + self.noop
    }
}

//! One attempt at one node: wait for the mark, compile, run, report.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use project::Compiled;
use project::batches::{Window, Windows};
use project::manifest::Node;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use warehouse::{BlockingAdapter, QueryComment, RunOptions, Warehouse};

use super::archive::Archiver;
use super::build::{Build, Voice};
use crate::clock::SharedClock;
use crate::retry::FailureKind;
use crate::run::events::{Ending, Event, Report};
use crate::run::failure::Failure;
use crate::run::plan::NodeIx;
use crate::run::prepare::{PlannedNode, Prepared};
use crate::secrets::Secrets;

/// What attempts share.
#[derive(Debug)]
pub struct Worker {
    /// Project and nodes.
    pub prepared: Arc<Prepared>,
    /// What nodes are given to.
    pub engine: Engine,
    /// The time.
    pub clock: SharedClock,
    /// `--full-refresh`.
    pub full_refresh: bool,
    /// `--warn-error`, of tests.
    pub warn_error: bool,
    /// Ties statements in the server's log to this invocation.
    pub invocation_id: Uuid,
    /// What microbatch models take for now.
    pub now: DateTime<Utc>,
    /// `--event-time-start` and `--event-time-end`, or those of `--sample`.
    pub window: Window,
    /// What became of microbatch models' windows in the run that is tried again.
    pub windows: BTreeMap<String, Windows>,
    /// Takes what happens within a node.
    pub news: mpsc::UnboundedSender<Event>,
    /// Keep some rows of each seed for the end.
    pub show: bool,
    /// What reports must not tell.
    pub secrets: Secrets,
    /// Keep the compiled text of every node until the end, for run_results.json.
    pub artifacts: bool,
}

/// Who does the work of a node.
#[derive(Debug, Clone)]
pub enum Engine {
    /// Builds and tests it.
    Warehouse {
        /// The database.
        warehouse: Warehouse,
        /// Templates' view of it.
        adapter: BlockingAdapter,
    },
    /// Moves its old days.
    Lake(Box<Archiver>),
}

impl Engine {
    /// Closes every connection.
    pub async fn close(self) {
        match self {
            Self::Warehouse { warehouse, .. } => warehouse.close().await,
            Self::Lake(archiver) => archiver.close().await,
        }
    }
}

impl Worker {
    /// Whether executing `node` changes anything in the database.
    #[must_use]
    pub fn touches_data(&self, node: NodeIx) -> bool {
        let planned = self.node(node);
        let only_looks = matches!(
            planned.resource_type,
            "test" | "unit_test" | "exposure" | "saved_query"
        );
        !only_looks
            || self
                .manifest_node(planned)
                .is_some_and(|node| node.relation_name.is_some())
    }

    /// Whether reports keep their SQL until the end.
    #[must_use]
    pub fn keeps_sql(&self) -> bool {
        self.artifacts
    }

    /// A node's names.
    #[must_use]
    pub fn node(&self, node: NodeIx) -> &PlannedNode {
        self.prepared.node(node)
    }

    pub(super) fn manifest_node(&self, planned: &PlannedNode) -> Option<&Node> {
        self.prepared.project.manifest.nodes.get(&planned.unique_id)
    }

    /// A file below `target/`, and how to name it to a person who stands in the project's folder.
    pub(super) fn file(&self, folder: &str, path: &Path) -> (PathBuf, String) {
        let project = &self.prepared.project;
        let file = project.target_path.join(folder).join(path);
        let shown = file
            .strip_prefix(&project.root)
            .unwrap_or(&file)
            .display()
            .to_string();
        (file, shown)
    }
}

/// Runs one attempt to its end and never panics.
pub(super) async fn run_attempt(
    worker: &Arc<Worker>,
    node: NodeIx,
    claimed: Option<oneshot::Receiver<()>>,
    cancel: CancellationToken,
) -> Report {
    let began = worker.clock.now();
    let planned = worker.node(node);
    let span = tracing::debug_span!("node", id = %planned.unique_id);
    let work = attempt(worker, node, claimed, cancel);
    let mut report = {
        use tracing::Instrument;
        match AssertUnwindSafe(work.instrument(span)).catch_unwind().await {
            Ok(report) => report,
            Err(panic) => {
                let words = panic.downcast_ref::<String>().map(String::as_str);
                let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
                let message = format!("a bug: {}", words.unwrap_or("panic"));
                failed(&Failure::unexpected(planned, &message))
            }
        }
    };
    worker.secrets.strip_report(&mut report);
    report.took = (worker.clock.now() - began).to_std().unwrap_or_default();
    if worker.warn_error && planned.resource_type == "test" && report.ending == Ending::Warned {
        report.ending = Ending::Failed;
        report.kind = Some(FailureKind::TestFailure);
        report.message = report.message.replacen("WARN", "FAIL", 1);
    }
    report
}

async fn attempt(
    worker: &Arc<Worker>,
    node: NodeIx,
    claimed: Option<oneshot::Receiver<()>>,
    cancel: CancellationToken,
) -> Report {
    if let Some(claimed) = claimed
        && claimed.await.is_err()
    {
        return cancelled();
    }
    if cancel.is_cancelled() {
        return cancelled();
    }
    let planned = worker.node(node);
    if matches!(planned.resource_type, "exposure" | "saved_query") {
        let now = worker.clock.now();
        return Report {
            failures: Some(0),
            compile: Some((now, now)),
            execute: Some((now, now)),
            ..blank(Ending::NoOp, "NO-OP".to_owned())
        };
    }
    let (warehouse, adapter) = match &worker.engine {
        Engine::Warehouse { warehouse, adapter } => (warehouse, adapter),
        Engine::Lake(archiver) => return archiver.attempt(planned, &cancel).await,
    };
    let project = &worker.prepared.project;
    let folder = worker
        .manifest_node(planned)
        .map_or(project.root.as_path(), |node| project.root_of(node));
    let query_comment = match comment(worker, planned, adapter).await {
        Ok(comment) => comment,
        Err(failure) => return failed(&failure),
    };
    let options = RunOptions {
        full_refresh: worker.full_refresh,
        native_partitions: project.native_partitions(),
        contract: None,
        cancel: cancel.clone(),
        query_comment,
        project_root: folder.to_owned(),
        resets_by_macro: project.replaces_resets(),
        hooks: None,
    };
    // everything about the node, its templates' questions included, happens in one session
    let session = warehouse.session(&options);
    let adapter = adapter
        .clone()
        .with_cancel(cancel.clone())
        .within(session.clone());
    let build = Build {
        worker,
        node,
        planned,
        warehouse,
        session: &session,
        adapter,
        said: Voice::default(),
    };
    let done = build.run(options).await;
    session.end().await;
    match done {
        Ok(report) => report,
        Err(_) if cancel.is_cancelled() => cancelled(),
        Err(failure) => failed(&failure),
    }
}

pub(super) fn compile(
    worker: &Worker,
    node: NodeIx,
    adapter: &BlockingAdapter,
) -> Result<Compiled, Failure> {
    let planned = worker.node(node);
    let compiled = worker
        .prepared
        .project
        .compile(&planned.unique_id, adapter)
        .map_err(|error| Failure::of_project(planned, &error))?;
    if planned.resource_type != "seed" {
        let models = compiled.injected.models.iter().map(|(_, model)| model);
        let whole = Some(&compiled).filter(|_| planned.resource_type != "snapshot");
        for one in models.chain(whole).filter(|one| !one.sql.is_empty()) {
            write(&worker.file("compiled", &one.path).0, &one.sql);
        }
    }
    Ok(compiled)
}

/// Files below `target/` are for people; a full disk or a read-only checkout must not fail a node.
pub(crate) fn write(file: &Path, text: &str) {
    let folder = file.parent().map_or(Ok(()), std::fs::create_dir_all);
    if let Err(error) = folder.and_then(|()| std::fs::write(file, text)) {
        tracing::warn!(file = %file.display(), %error, "cannot write the compiled file");
    }
}

/// dbt's habit of saying in the server's log who sent a statement: in the words of `query-comment`, or ours.
async fn comment(
    worker: &Arc<Worker>,
    planned: &PlannedNode,
    adapter: &BlockingAdapter,
) -> Result<Option<QueryComment>, Failure> {
    let project = &worker.prepared.project;
    let wanted = project.query_comment.clone();
    if wanted.off {
        return Ok(None);
    }
    let own = || {
        let about = serde_json::json!({
            "app": "ridehail",
            "invocation_id": worker.invocation_id,
            "node_id": planned.unique_id,
        });
        about.to_string()
    };
    let (template, node) = (wanted.template, worker.manifest_node(planned));
    let text = match template.filter(|_| node.is_some()) {
        None => own(),
        Some(template) => {
            let (project, id) = (Arc::clone(project), planned.unique_id.clone());
            let adapter = Arc::new(adapter.clone());
            let rendered = spawn_blocking(move || project.render_comment(&id, &template, adapter));
            let panicked = |panic| Failure::unexpected(planned, &format!("a bug: {panic}"));
            let rendered = rendered.await.map_err(panicked)?;
            rendered.map_err(|error| Failure::of_project(planned, &error))?
        }
    };
    if text.contains("*/") {
        let message = format!("query comment contains illegal value \"*/\": {text}");
        return Err(Failure::unexpected(planned, &message));
    }
    let append = wanted.append;
    Ok((!text.trim().is_empty()).then_some(QueryComment { text, append }))
}

pub(crate) fn blank(ending: Ending, message: String) -> Report {
    Report {
        ending,
        message,
        rows: None,
        failures: None,
        error: None,
        kind: None,
        hint: None,
        said: Vec::new(),
        compiled_sql: None,
        compiled_path: None,
        build_path: None,
        injected: None,
        macros: Vec::new(),
        rows_shown: None,
        stored: None,
        compile: None,
        execute: None,
        windows: None,
        response: None,
        took: Duration::ZERO,
    }
}

pub(super) fn cancelled() -> Report {
    Report {
        kind: Some(FailureKind::Cancelled),
        ..blank(Ending::Cancelled, "CANCEL".to_owned())
    }
}

pub(super) fn failed(failure: &Failure) -> Report {
    Report {
        error: Some(failure.text.clone()),
        kind: Some(failure.kind),
        hint: failure.hint.clone(),
        ..blank(Ending::Failed, "ERROR".to_owned())
    }
}

/// A report about an attempt that another process began and nobody ended.
#[must_use]
pub fn lost(planned: &PlannedNode, began: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Report {
    let took = began
        .and_then(|began| (now - began).to_std().ok())
        .unwrap_or_default();
    Report {
        took,
        ..failed(&Failure::lost(planned))
    }
}

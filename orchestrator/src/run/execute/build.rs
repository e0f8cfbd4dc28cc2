//! One node in one session: compiled, built by the engine or by a template of the project, told.

use std::sync::{Arc, Mutex, PoisonError};

use project::adapter::{Adapter, Table};
use project::batches::is_microbatch;
use project::manifest::Node;
use project::materialize::{Step, Verdict};
use project::{Broken, Compiled, Macro, Said};
use tokio::task::spawn_blocking;
use warehouse::{
    BlockingAdapter, NodeSession, Outcome, OutcomeKind, RenderHook, RunOptions, Warehouse,
    check_name, judge,
};

use super::attempt::{Worker, blank, cancelled, compile, failed, write};
use crate::retry::FailureKind;
use crate::run::events::{Ending, Report};
use crate::run::failure::Failure;
use crate::run::plan::NodeIx;
use crate::run::prepare::{CLONE, PlannedNode};

/// What templates say while a node is built.
#[derive(Debug, Clone, Default)]
pub(super) struct Voice(Arc<Mutex<Vec<Said>>>);

impl Voice {
    pub(super) fn add(&self, messages: impl IntoIterator<Item = Said>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(messages);
    }

    pub(super) fn take(&self) -> Vec<Said> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A node and where it is built.
pub(super) struct Build<'a> {
    pub(super) worker: &'a Arc<Worker>,
    pub(super) node: NodeIx,
    pub(super) planned: &'a PlannedNode,
    pub(super) warehouse: &'a Warehouse,
    pub(super) session: &'a NodeSession,
    /// In that session.
    pub(super) adapter: BlockingAdapter,
    pub(super) said: Voice,
}

impl Build<'_> {
    /// Compiles and runs the node; an error is one of compiling.
    pub(super) async fn run(&self, options: RunOptions) -> Result<Report, Failure> {
        let (worker, planned) = (self.worker, self.planned);
        if planned.resource_type == "unit_test" {
            return self.unit_test().await;
        }
        let Some(node) = worker.manifest_node(planned) else {
            let message = "the project does not hold this node";
            return Err(Failure::unexpected(planned, message));
        };
        let project = &worker.prepared.project;
        if planned.materialized.as_deref() == Some(CLONE) {
            return self.clone_of(node, &options).await;
        }
        let template = project
            .materialization(node)
            .map_err(|error| Failure::of_project(planned, &error))?;

        if let Some(template) = template
            && is_microbatch(node)
        {
            return self.batches(node, template, &options).await;
        }
        let compile_began = worker.clock.now();
        let compiled = self
            .in_blocking({
                let (worker, node, adapter) = (Arc::clone(worker), self.node, self.adapter.clone());
                move || compile(&worker, node, &adapter)
            })
            .await??;
        self.said.add(compiled.messages.iter().cloned());
        let compile_ended = worker.clock.now();
        if planned.materialized.as_deref() == Some("ephemeral") {
            // what it says is heard again where it is used
            let mut report = blank(Ending::Success, String::new());
            self.keep_compiled(&mut report, compiled);
            return Ok(report);
        }
        let result = match template {
            _ if let Err(error) = check_name(node) => Err(error),
            Some(template) => {
                let done = self.templated(node, template, &compiled, &options, None);
                done.await?
            }
            None => {
                let options = RunOptions {
                    contract: self.contract(&compiled).await?,
                    hooks: Some(self.hooks(&compiled)),
                    ..options
                };
                let run = self
                    .warehouse
                    .run_in(self.session, node, &compiled, &options);
                run.await
            }
        };
        let mut report = self.report(result, &compiled);
        report.said = self.said.take();
        report.compile = Some((compile_began, compile_ended));
        report.execute = Some((compile_ended, worker.clock.now()));
        if worker.show && planned.resource_type == "seed" && report.ending == Ending::Success {
            report.rows_shown = self.some_rows(node).await?;
        }
        if planned.resource_type == "test" {
            report.stored = node.relation_name.as_ref().map(ToString::to_string);
        }
        if planned.resource_type != "seed" {
            self.keep_compiled(&mut report, compiled);
            if planned.resource_type == "test" {
                let project = &worker.prepared.project;
                report.macros.extend(project.called_by_run_of(node));
            }
        }
        Ok(report)
    }

    fn keep_compiled(&self, report: &mut Report, compiled: Compiled) {
        report.compiled_path = Some(self.worker.file("compiled", &compiled.path).1);
        report.compiled_sql = Some(Arc::from(compiled.sql));
        report.injected = Some(Arc::new(compiled.injected));
        report.macros = compiled.macros;
    }

    /// Ten rows of what was loaded, chosen at random. Nothing fails because of them.
    async fn some_rows(&self, node: &Node) -> Result<Option<Table>, Failure> {
        let Some(relation) = &node.relation_name else {
            return Ok(None);
        };
        let query = format!("select * from {relation} order by random() limit 10");
        let adapter = self.adapter.clone();
        let asked = self.in_blocking(move || adapter.query(&query)).await?;
        Ok(asked.ok())
    }

    /// What a partitioned table is made with; an error tells how the SQL does not keep its contract.
    pub(super) async fn contract(&self, compiled: &Compiled) -> Result<Option<String>, Failure> {
        let project = Arc::clone(&self.worker.prepared.project);
        let (id, sql) = (self.planned.unique_id.clone(), compiled.sql.clone());
        let adapter = Arc::new(self.adapter.clone());
        let told = self.in_blocking(move || project.contract_of_partitions(&id, &sql, adapter));
        told.await?
            .map_err(|error| Failure::of_project(self.planned, &error))
    }

    /// A view over what another environment has of the node.
    async fn clone_of(&self, node: &Node, options: &RunOptions) -> Result<Report, Failure> {
        let project = &self.worker.prepared.project;
        let template = project
            .clone_template(node)
            .map_err(|error| Failure::of_project(self.planned, &error))?;
        let compiled = project.clone_sql(node);
        let began = self.worker.clock.now();
        let done = self
            .templated(node, template, &compiled, options, None)
            .await?;
        let mut report = match done {
            // nothing is written where nothing is done
            Ok(done) if done.run_sql.is_empty() => blank(Ending::Success, done.message),
            done => self.report(done, &compiled),
        };
        report.said = self.said.take();
        report.compile = Some((began, began));
        report.execute = Some((began, self.worker.clock.now()));
        Ok(report)
    }

    /// Renders hooks when it is their turn.
    pub(super) fn hooks(&self, compiled: &Compiled) -> Arc<RenderHook> {
        let project = Arc::clone(&self.worker.prepared.project);
        let (id, sql) = (self.planned.unique_id.clone(), compiled.sql.clone());
        let (adapter, said) = (self.adapter.clone(), self.said.clone());
        Arc::new(move |hook: &str| {
            let rendered = project.render_hook(&id, hook, &sql, Arc::new(adapter.clone()))?;
            said.add(rendered.messages);
            Ok(rendered.text)
        })
    }

    /// Builds the node by a template.
    pub(super) async fn templated(
        &self,
        node: &Node,
        template: &Arc<Macro>,
        compiled: &Compiled,
        options: &RunOptions,
        step: Option<Step>,
    ) -> Result<Result<Outcome, warehouse::Error>, Failure> {
        let archived = self.warehouse.refuse_archived(self.session, node, options);
        if let Err(error) = archived.await {
            return Ok(Err(error));
        }
        let (project, id) = (
            Arc::clone(&self.worker.prepared.project),
            self.planned.unique_id.clone(),
        );
        let (template, compiled) = (Arc::clone(template), compiled.clone());
        let adapter = Arc::new(self.adapter.clone().looking_anew());
        let done = self
            .in_blocking(move || {
                project.materialize(&id, &template, &compiled, adapter, step.as_ref())
            })
            .await?;
        Ok(match done {
            Ok(done) => {
                self.said.add(done.messages);
                if let Some(found) = done.verdict {
                    let Verdict {
                        failures,
                        should_warn,
                        should_error,
                    } = found;
                    let config = &node.config;
                    let sql = done.run_sql;
                    return Ok(Ok(judge(config, failures, should_warn, should_error, sql)));
                }
                Ok(Outcome {
                    kind: OutcomeKind::Success,
                    message: done.message,
                    rows: done.rows,
                    failures: None,
                    explanation: None,
                    run_sql: done.run_sql,
                    response: done.response,
                    doubts: Vec::new(),
                })
            }
            Err(Broken { error, run_sql }) => Err(warehouse::Error::Template { error, run_sql }),
        })
    }

    pub(super) fn report(
        &self,
        result: Result<Outcome, warehouse::Error>,
        compiled: &Compiled,
    ) -> Report {
        let (run_file, run_path) = self.worker.file("run", &compiled.path);
        match result {
            Ok(outcome) => {
                write(&run_file, &outcome.run_sql);
                self.said.add(outcome.doubts.into_iter().map(Said::Warning));
                let build_path = Some(run_path);
                let (ending, kind) = match outcome.kind {
                    OutcomeKind::Success | OutcomeKind::Pass => (Ending::Success, None),
                    OutcomeKind::Warn => (Ending::Warned, None),
                    OutcomeKind::Fail => (Ending::Failed, Some(FailureKind::TestFailure)),
                };
                Report {
                    rows: outcome.rows,
                    failures: outcome.failures,
                    error: outcome.explanation,
                    kind,
                    build_path,
                    response: outcome.response,
                    ..blank(ending, outcome.message)
                }
            }
            Err(error) => {
                let build_path = error.run_sql().map(|sql| {
                    write(&run_file, sql);
                    run_path
                });
                let failure = Failure::of_warehouse(self.planned, &error, build_path.as_deref());
                let report = match failure.kind {
                    FailureKind::Cancelled => cancelled(),
                    FailureKind::Conflict
                    | FailureKind::Connection
                    | FailureKind::Lost
                    | FailureKind::Database
                    | FailureKind::Project
                    | FailureKind::TestFailure => failed(&failure),
                };
                Report {
                    build_path,
                    ..report
                }
            }
        }
    }

    pub(super) async fn in_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let panicked = |panic| Failure::unexpected(self.planned, &format!("a bug: {panic}"));
        spawn_blocking(work).await.map_err(panicked)
    }
}

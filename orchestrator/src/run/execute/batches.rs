//! A microbatch model: its windows one after the other, each compiled for itself and committed by itself. One that
//! fails leaves the others standing; when the first fails, the others are not tried. A run that is tried again builds
//! the windows that are missing.

use std::sync::Arc;
use std::time::Duration;

use project::adapter::Adapter;
use project::batches::{Batch, Span, Windows, again, batches};
use project::manifest::Node;
use project::materialize::Step;
use project::relation::RelationKind;
use project::{Compiled, Macro};
use warehouse::{Outcome, RunOptions};

use super::attempt::{blank, failed, write};
use super::build::Build;
use crate::retry::FailureKind;
use crate::run::events::{BatchEnd, Ending, Event, Report};
use crate::run::failure::Failure;

/// How far a model has come.
#[derive(Default)]
struct Progress {
    done: Vec<Span>,
    rows: u64,
    broken: Vec<(String, Report)>,
    compiled: Option<project::Compiled>,
}

impl Build<'_> {
    /// Builds every window of the model.
    pub(super) async fn batches(
        &self,
        node: &Node,
        template: &Arc<Macro>,
        options: &RunOptions,
    ) -> Result<Report, Failure> {
        let (worker, planned) = (self.worker, self.planned);
        let began = worker.clock.now();
        let before = worker.windows.get(&planned.unique_id);
        // what an earlier run has built stays, also of one that began with --full-refresh
        let starts_over = before.is_none() && self.full_refresh(node);
        let exists = self.has_table(node).await? && !starts_over;
        let windows = match before {
            Some(before) => again(node, &before.failed),
            None => batches(node, worker.window, exists, worker.now),
        };
        let windows = windows.map_err(|error| Failure::of_project(planned, &error))?;
        let mut progress = Progress::default();
        let total = windows.len();
        for (index, batch) in (1..).zip(&windows) {
            if options.cancel.is_cancelled() {
                break;
            }
            if index > 1 && progress.done.is_empty() {
                self.tell(
                    index,
                    total,
                    batch,
                    Some((BatchEnd::Skipped, Duration::ZERO)),
                );
                continue;
            }
            let step = Step {
                batch: batch.clone(),
                continues: exists || index > 1,
                first: index == 1,
                last: index == total,
            };
            self.tell(index, total, batch, None);
            let began = worker.clock.now();
            // one that cannot be compiled leaves the others standing too
            let report = self
                .window(node, template, options, step, &mut progress)
                .await
                .unwrap_or_else(|failure| failed(&failure));
            let took = (worker.clock.now() - began).to_std().unwrap_or_default();
            let ended = match report.ending {
                Ending::Success | Ending::NoOp | Ending::Warned => {
                    progress.done.push(batch.span());
                    BatchEnd::Built(report.message)
                }
                Ending::Partial | Ending::Failed | Ending::Cancelled => {
                    // what is open is undone, and the next window starts afresh
                    self.session.end().await;
                    let error = report.error.as_ref().unwrap_or(&report.message).clone();
                    progress.broken.push((batch.label.clone(), report));
                    BatchEnd::Failed(error)
                }
            };
            self.tell(index, total, batch, Some((ended, took)));
        }
        let mut report = self.sum(progress, &windows, began);
        if let (Some(sum), Some(before)) = (&mut report.windows, before) {
            sum.successful.extend(&before.successful);
        }
        Ok(report)
    }

    async fn window(
        &self,
        node: &Node,
        template: &Arc<Macro>,
        options: &RunOptions,
        step: Step,
        progress: &mut Progress,
    ) -> Result<Report, Failure> {
        let project = Arc::clone(&self.worker.prepared.project);
        let (id, adapter) = (node.unique_id.clone(), self.adapter.clone().looking_anew());
        let window = step.clone();
        let compiled = self
            .in_blocking(move || project.compile_step(&id, &window, Arc::new(adapter)))
            .await?
            .map_err(|error| Failure::of_project(self.planned, &error))?;
        self.said.add(compiled.messages.iter().cloned());
        let label = step.batch.label.clone();
        let done = match self.worker.prepared.project.is_partitioned(node) {
            true => self.partitioned(node, &compiled, options, &step).await?,
            false => {
                self.templated(node, template, &compiled, options, Some(step))
                    .await?
            }
        };
        if let Ok(outcome) = &done {
            progress.rows += outcome.rows.unwrap_or_default();
        }
        // every window has a file of its own, as in dbt
        let stem = compiled
            .path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut own = compiled.clone();
        own.path = compiled
            .path
            .with_extension("")
            .join(format!("{stem}_{label}.sql"));
        write(&self.worker.file("compiled", &own.path).0, &own.sql);
        let report = self.report(done, &own);
        progress.compiled = Some(compiled);
        Ok(report)
    }

    /// One window of a natively partitioned model: the first makes the table, those behind it are merged into their
    /// partitions.
    async fn partitioned(
        &self,
        node: &Node,
        compiled: &Compiled,
        options: &RunOptions,
        step: &Step,
    ) -> Result<Result<Outcome, warehouse::Error>, Failure> {
        let mut node = node.clone();
        let config = &mut node.config;
        config.full_refresh = Some(!step.continues);
        // what microbatch is on Postgres
        config.incremental_strategy = Some("merge".to_owned());
        // once for all windows
        if !step.first {
            config.pre_hook.clear();
        }
        if !step.last {
            config.post_hook.clear();
        }
        let options = RunOptions {
            contract: self.contract(compiled).await?,
            hooks: Some(self.hooks(compiled)),
            ..options.clone()
        };
        Ok(self
            .warehouse
            .run_in(self.session, &node, compiled, &options)
            .await)
    }

    fn sum(
        &self,
        progress: Progress,
        windows: &[Batch],
        began: chrono::DateTime<chrono::Utc>,
    ) -> Report {
        let worker = self.worker;
        let total = windows.len();
        let spans = windows.iter().map(Batch::span);
        let missing: Vec<Span> = spans.filter(|span| !progress.done.contains(span)).collect();
        let mut report = if missing.is_empty() {
            // what was sent stands in a file for each window
            Report {
                rows: Some(progress.rows),
                ..blank(Ending::Success, "SUCCESS".to_owned())
            }
        } else {
            let mut told: Vec<String> = Vec::new();
            let mut kind = FailureKind::Cancelled;
            let mut hint = None;
            for (label, report) in progress.broken {
                told.push(format!(
                    "batch {label}: {}",
                    report.error.unwrap_or(report.message)
                ));
                kind = report.kind.unwrap_or(kind);
                hint = hint.or(report.hint);
            }
            let (ending, message) = match (kind, progress.done.len()) {
                (FailureKind::Cancelled, _) => (Ending::Cancelled, "CANCEL".to_owned()),
                (_, 0) => (Ending::Failed, "ERROR".to_owned()),
                (_, done) => (Ending::Partial, format!("PARTIAL SUCCESS ({done}/{total})")),
            };
            Report {
                error: Some(told.join("\n")),
                kind: Some(kind),
                hint,
                rows: Some(progress.rows),
                ..blank(ending, message)
            }
        };
        report.windows = Some(Windows {
            successful: progress.done,
            failed: missing,
        });
        report.said = self.said.take();
        report.execute = Some((began, worker.clock.now()));
        if let Some(compiled) = progress.compiled {
            report.compiled_path = Some(worker.file("compiled", &compiled.path).1);
            report.build_path = Some(worker.file("run", &compiled.path).1);
            report.compiled_sql = Some(Arc::from(compiled.sql));
            report.injected = Some(Arc::new(compiled.injected));
            report.macros = compiled.macros;
        }
        report
    }

    fn full_refresh(&self, node: &Node) -> bool {
        node.config.full_refresh.unwrap_or(self.worker.full_refresh)
    }

    async fn has_table(&self, node: &Node) -> Result<bool, Failure> {
        let Some(name) = node.relation_name.clone() else {
            return Ok(false);
        };
        let adapter = self.adapter.clone().looking_anew();
        let found = self.in_blocking(move || adapter.relation(&name)).await?;
        let found = found.map_err(|error| Failure::unexpected(self.planned, &error.message))?;
        Ok(found == Some(RelationKind::Table))
    }

    fn tell(&self, index: usize, total: usize, batch: &Batch, ended: Option<(BatchEnd, Duration)>) {
        let event = Event::Batch {
            node: self.node,
            index,
            total,
            label: batch.label.clone(),
            ended,
        };
        // nobody listens any more only when the run is over
        let _ = self.worker.news.send(event);
    }
}

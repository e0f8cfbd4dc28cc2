//! The longer stories: what went wrong with a node, and how the statements around the nodes ended.

use std::time::Duration;

use chrono::{DateTime, Utc};
use project::Said;
use project::warnings::{MARK, NO_NODES_FOR_CRITERION, STATE_IS_TARGET, Warning};

use super::Console;
use super::words::{self, relation};
use crate::cli::printer::Color;
use crate::run::events::{BatchEnd, BrokenInput, Ending, Report};
use crate::run::invoke::hooks::{HookEnd, HookResult};
use crate::run::plan::NodeIx;

impl Console {
    pub(super) fn hook(
        &mut self,
        at: DateTime<Utc>,
        index: usize,
        total: usize,
        hook: &HookResult,
    ) {
        self.hooks += 1;
        let (verb, color) = match &hook.end {
            HookEnd::Passed(_) => ("OK", Color::Green),
            HookEnd::Failed(_) => ("ERROR", Color::Red),
            HookEnd::Skipped => ("SKIP", Color::Yellow),
        };
        match &hook.end {
            HookEnd::Passed(_) => self.tally.count(Ending::Success),
            HookEnd::Failed(_) => self.tally.count(Ending::Failed),
            HookEnd::Skipped => self.tally.skip += 1,
        }
        let words = format!("{index} of {total} {verb} hook: {}", hook.name);
        self.dotted(at, &words, Some(color), verb, Some(hook.took));
        if let HookEnd::Failed(message) = &hook.end {
            self.broken_hooks
                .push(format!("{} failed, error:\n {message}", hook.name));
        }
        // the nodes have a place of their own
        if index == total && hook.unique_id.contains("-on-run-start-") {
            self.line(at, "");
        }
    }

    /// Something to know. dbt marks most of these words, not all.
    pub(super) fn warning(&self, at: DateTime<Utc>, warning: &Warning) {
        if matches!(warning.event, NO_NODES_FOR_CRITERION | STATE_IS_TARGET) {
            self.line(at, &warning.text);
        } else {
            let mark = self.printer.paint(Color::Yellow, MARK);
            self.line(at, &warning.told().replacen(MARK, &mark, 1));
        }
    }

    /// What a template says. `print` is output and goes past `--quiet`.
    pub(super) fn said(&self, at: DateTime<Utc>, said: &Said) {
        match said {
            Said::Print(text) if self.prints => self.printer.line(text),
            Said::Print(_) => {}
            // without the mark of its own warnings, in dbt too
            Said::Log(text) | Said::Warning(text) => self.line(at, text),
        }
    }

    /// A window of a microbatch model.
    pub(super) fn batch(
        &self,
        at: DateTime<Utc>,
        node: NodeIx,
        (index, total): (usize, usize),
        label: &str,
        ended: Option<&(BatchEnd, Duration)>,
    ) {
        let of = format!("batch {label} of {}", relation(self.node(node)));
        let head = format!("Batch {index} of {total}");
        match ended {
            None => self.dotted(at, &format!("{head} START {of}"), None, "RUN", None),
            Some((BatchEnd::Built(message), took)) => {
                let words = format!("{head} OK created {of}");
                self.dotted(at, &words, Some(Color::Green), message, Some(*took));
            }
            Some((BatchEnd::Failed(error), took)) => {
                // nothing repeats it in the end when other windows were built
                self.always(at, &self.printer.paint(Color::Red, &format!("  {error}")));
                let words = format!("{head} ERROR creating {of}");
                self.dotted(at, &words, Some(Color::Red), "ERROR", Some(*took));
            }
            Some((BatchEnd::Skipped, took)) => {
                let words = format!("{head} SKIP {of}");
                self.dotted(at, &words, Some(Color::Yellow), "SKIPPED", Some(*took));
            }
        }
    }

    pub(super) fn tell_broken_hooks(&self, at: DateTime<Utc>) {
        for text in &self.broken_hooks {
            self.always(at, "");
            self.always(at, &format!("  {text}"));
        }
    }

    /// A node that is not tried. Behind an ephemeral model that cannot be made it counts as an error.
    pub(super) fn skipped(
        &mut self,
        at: DateTime<Utc>,
        node: NodeIx,
        index: usize,
        broken: Option<&BrokenInput>,
    ) {
        self.tally.skip += 1;
        let node = self.node(node);
        let Some(broken) = broken else {
            let words = words::skipped(node);
            self.result(at, index, &words, Some(Color::Yellow), "SKIP", None);
            return;
        };
        let words = format!(
            "SKIP relation {}.{} due to ephemeral model status '{}'",
            broken.schema,
            node.name,
            broken.status()
        );
        self.result(at, index, &words, Some(Color::Red), "ERROR SKIP", None);
        if let Some(error) = &broken.error {
            let model = &broken.model;
            let heading = format!("Failure in model {} ({})", model.name, model.path);
            self.always(at, &self.printer.paint(Color::Red, &heading));
            self.always(at, &format!("  {error}"));
        }
        self.blamed += 1;
    }

    /// A node that is not tried because another failed, wherever: no line is about it. What failed is told at once.
    pub(super) fn spared(&mut self, at: DateTime<Utc>) {
        self.tally.skip += 1;
        self.blamed += 1;
        if !std::mem::replace(&mut self.stopped_early, true)
            && let Some((node, report)) = self.problems.last()
        {
            self.problem(at, "Failure", Color::Red, *node, report);
        }
    }

    /// A source that is stale, or that could not be looked at.
    pub(super) fn stale(&self, at: DateTime<Utc>, node: NodeIx, report: &Report) {
        let node = self.node(node);
        self.always(at, "");
        if let Some(error) = &report.error {
            self.always(at, &format!("  {error}"));
            return;
        }
        let name = node.name.rsplit('.').next().unwrap_or_default();
        let heading = format!("Failure in source {name} ({})", node.path);
        self.always(at, &self.printer.paint(Color::Red, &heading));
        self.always(at, "  Status: error");
    }

    pub(super) fn problem(
        &self,
        at: DateTime<Utc>,
        word: &str,
        color: Color,
        node: NodeIx,
        report: &Report,
    ) {
        let node = self.node(node);
        // a unit test is called `model::test` on the lines about it, and by its own name here
        let name = node
            .name
            .split_once("::")
            .map_or(&*node.name, |(_, name)| name);
        let heading = format!("{word} in {} {name} ({})", node.resource_type, node.path);
        self.always(at, "");
        self.always(at, &self.printer.paint(color, &heading));
        let text = report.error.as_deref().unwrap_or(&report.message);
        // dbt indents what failed only
        let indent = if word == "Warning" { "" } else { "  " };
        self.always(at, &format!("{indent}{text}"));
        if let Some(hint) = &report.hint {
            self.always(at, &format!("  hint: {hint}"));
        }
        if let Some(path) =
            (report.compiled_path.as_ref()).filter(|_| node.resource_type != "snapshot")
        {
            self.always(at, "");
            self.always(at, &format!("  compiled code at {path}"));
        }
        if let Some(relation) = &report.stored {
            let query = format!("select * from {relation}");
            let rule = "-".repeat(query.chars().count());
            self.always(at, "");
            self.always(
                at,
                &format!("  See test failures:\n  {rule}\n  {query}\n  {rule}"),
            );
        }
    }
}

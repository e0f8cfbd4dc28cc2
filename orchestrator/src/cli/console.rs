//! dbt's console lines.
//!
//! `HH:MM:SS` in UTC, two blanks, the line; dots fill result lines up to column 80. People and scripts read
//! these; they are kept to the letter, but for the program's own name.

mod summary;
mod told;
pub(super) mod words;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::printer::{Color, Printer};

use crate::run::events::{Ending, Event, Happened, Renderer, Report, Tally};
use crate::run::plan::NodeIx;
use crate::run::prepare::PlannedNode;

pub use words::label;
use words::{built, declared, is_clone, lake_work, plural, relation, starts};

/// dbt's words when nothing is selected.
pub(super) const NOTHING_TO_DO: &str =
    "Nothing to do. Try checking your model configs and model specification args";

/// Column that dots run to.
const WIDTH: usize = 80;

/// The same on lines about one batch.
const BATCH_WIDTH: usize = 86;

/// Prints events as dbt does.
#[derive(Debug)]
pub struct Console {
    printer: Printer,
    quiet: bool,
    /// Times and levels as dbt's log file has them.
    for_file: bool,
    /// `print` of templates is heard.
    prints: bool,
    nodes: Arc<[PlannedNode]>,
    tally: Tally,
    /// What the summary repeats: failures and warnings, in the order they happened.
    problems: Vec<(NodeIx, Report)>,
    /// Models of which some windows failed: those have been told of.
    partial: usize,
    /// Skipped for an ephemeral model.
    blamed: usize,
    /// Fail-fast has ended the run.
    stopped_early: bool,
    /// Rows of what was loaded, where that was asked for.
    shown: Vec<(NodeIx, String)>,
    /// Statements around the nodes that ran, and what those that failed said.
    hooks: usize,
    broken_hooks: Vec<String>,
}

impl Console {
    /// Prints through `printer`; when `quiet`, only failures.
    #[must_use]
    pub fn new(printer: Printer, quiet: bool) -> Self {
        Self {
            printer,
            quiet,
            for_file: false,
            prints: true,
            nodes: Arc::from([]),
            tally: Tally::default(),
            problems: Vec::new(),
            partial: 0,
            blamed: 0,
            stopped_early: false,
            shown: Vec::new(),
            hooks: 0,
            broken_hooks: Vec::new(),
        }
    }

    /// Writes `logs/dbt.log`, which takes everything.
    #[must_use]
    pub fn for_file(printer: Printer) -> Self {
        Self {
            for_file: true,
            ..Self::new(printer, false)
        }
    }

    /// Whether `print` of templates is heard.
    #[must_use]
    pub fn printing(self, prints: bool) -> Self {
        Self { prints, ..self }
    }

    fn line(&self, at: DateTime<Utc>, text: &str) {
        if !self.quiet {
            self.say(at, "info ", text);
        }
    }

    fn always(&self, at: DateTime<Utc>, text: &str) {
        self.say(at, "error", text);
    }

    fn say(&self, at: DateTime<Utc>, level: &str, text: &str) {
        let line = if self.for_file {
            format!(
                "{} [{level}] [MainThread]: {text}",
                at.format("%H:%M:%S%.6f")
            )
        } else {
            format!("{}  {text}", at.format("%H:%M:%S"))
        };
        self.printer.line(&line);
    }

    fn node(&self, node: NodeIx) -> &PlannedNode {
        &self.nodes[node as usize]
    }

    fn result(
        &self,
        at: DateTime<Utc>,
        index: usize,
        words: &str,
        color: Option<Color>,
        status: &str,
        took: Option<Duration>,
    ) {
        let words = format!("{index} of {} {words}", self.nodes.len());
        self.dotted(at, &words, color, status, took);
    }

    fn dotted(
        &self,
        at: DateTime<Utc>,
        words: &str,
        color: Option<Color>,
        status: &str,
        took: Option<Duration>,
    ) {
        let status = color.map_or_else(
            || status.to_owned(),
            |color| self.printer.paint(color, status),
        );
        let took = took
            .map(|took| format!(" in {:.2}s", took.as_secs_f64()))
            .unwrap_or_default();
        let mut line = format!("{words} ");
        let width = if words.starts_with("Batch ") {
            BATCH_WIDTH
        } else {
            WIDTH
        };
        // count characters, not bytes: names may hold any letter
        for _ in line.chars().count()..width {
            line.push('.');
        }
        let text = format!("{line} [{status}{took}]");
        if color == Some(Color::Red) {
            self.always(at, &text);
        } else {
            self.line(at, &text);
        }
    }

    fn finished(&mut self, at: DateTime<Utc>, node: NodeIx, index: usize, report: &Report) {
        self.tally.count(report.ending);
        for said in &report.said {
            self.said(at, said);
        }
        let planned = Arc::clone(&self.nodes);
        let planned = &planned[node as usize];
        let took = Some(report.took);
        let failures = report.failures.unwrap_or_default();
        match (planned.resource_type, report.ending) {
            ("test" | "unit_test", Ending::Success) => {
                let words = format!("PASS {}", planned.name);
                self.result(at, index, &words, Some(Color::Green), "PASS", took);
            }
            ("test" | "unit_test", Ending::Warned) => {
                let status = format!("WARN {failures}");
                let words = format!("{status} {}", planned.name);
                self.result(at, index, &words, Some(Color::Yellow), &status, took);
            }
            ("test" | "unit_test", Ending::Failed) if report.failures.is_some() => {
                let status = format!("FAIL {failures}");
                let words = format!("{status} {}", planned.name);
                self.result(at, index, &words, Some(Color::Red), &status, took);
            }
            ("test" | "unit_test", Ending::Failed) => {
                let words = format!("ERROR {}", planned.name);
                self.result(at, index, &words, Some(Color::Red), "ERROR", took);
            }
            ("source", ending) if lake_work(planned).is_none() => {
                let (color, status) = match (ending, report.failures) {
                    (Ending::Success, _) => (Color::Green, "PASS"),
                    (Ending::Warned, _) => (Color::Yellow, "WARN"),
                    (_, Some(_)) => (Color::Red, "ERROR STALE"),
                    (_, None) => (Color::Red, "ERROR"),
                };
                let words = format!("{status} {}", label(planned));
                self.result(at, index, &words, Some(color), status, took);
            }
            (_, Ending::Cancelled) => {
                // dbt names the connection here; ours are not tied to nodes
                let words = format!("CANCEL query {}", planned.unique_id);
                self.result(at, index, &words, Some(Color::Red), "CANCEL", took);
            }
            (_, ending) if let Some(work) = lake_work(planned) => {
                let (done, doing) = work.verbs();
                let (verb, color, status) = match ending {
                    Ending::Success => {
                        (format!("OK {done}"), Color::Green, report.message.as_str())
                    }
                    Ending::Warned => (
                        format!("WARN {done}"),
                        Color::Yellow,
                        report.message.as_str(),
                    ),
                    _ => (format!("ERROR {doing}"), Color::Red, "ERROR"),
                };
                let words = format!("{verb} {}", relation(planned));
                self.result(at, index, &words, Some(color), status, took);
            }
            (_, Ending::NoOp) => {
                let words = format!("NO-OP {}", label(planned));
                self.result(at, index, &words, Some(Color::Yellow), "NO-OP", took);
            }
            // dbt says nothing of a clone but what its template says; what failed is in the summary
            _ if is_clone(planned) => {}
            (kind, Ending::Success | Ending::Warned) => {
                let verb = match kind {
                    "seed" => "OK loaded",
                    "snapshot" => "OK snapshotted",
                    _ => "OK created",
                };
                let words = format!("{verb} {}", built(planned));
                self.result(at, index, &words, Some(Color::Green), &report.message, took);
            }
            (_, Ending::Partial) => {
                let words = format!("PARTIALLY created {}", built(planned));
                self.result(
                    at,
                    index,
                    &words,
                    Some(Color::Yellow),
                    &report.message,
                    took,
                );
                self.partial += 1;
            }
            (kind, Ending::Failed) => {
                let (verb, color) = match kind {
                    "seed" => ("ERROR loading", Color::Red),
                    "snapshot" => ("ERROR snapshotting", Color::Red),
                    _ => ("ERROR creating", Color::Red),
                };
                let words = format!("{verb} {}", built(planned));
                self.result(at, index, &words, Some(color), &report.message, took);
            }
        }
        if let Some(table) = &report.rows_shown {
            self.shown.push((node, project::preview_of_seed(table)));
        }
        match report.ending {
            Ending::Failed | Ending::Warned => self.problems.push((node, report.clone())),
            Ending::Success | Ending::NoOp | Ending::Partial | Ending::Cancelled => {}
        }
    }
}

impl Renderer for Console {
    fn render(&mut self, happened: &Happened) {
        let at = happened.at;
        match &happened.event {
            Event::Invoked => {
                if self.for_file {
                    let rule = "=".repeat(30);
                    self.printer.line(&format!(
                        "\n\n{rule} {} | ridehail {rule}",
                        at.format("%F %H:%M:%S%.6f")
                    ));
                }
                let version = env!("CARGO_PKG_VERSION");
                self.line(at, &format!("Running with ridehail={version}"));
                self.line(at, &format!("Registered adapter: postgres={version}"));
            }
            Event::Found { counts } => {
                let found: Vec<String> = counts
                    .iter()
                    .filter(|(_, count)| *count > 0)
                    .map(|(kind, count)| plural(*count, declared(kind)))
                    .collect();
                self.line(at, &format!("Found {}", found.join(", ")));
            }
            Event::Warning(warning) => self.warning(at, warning),
            Event::Said(said) => self.said(at, said),
            Event::NothingToDo { summed_up } => {
                self.line(at, NOTHING_TO_DO);
                if *summed_up {
                    let none = "Done. PASS=0 WARN=0 ERROR=0 SKIP=0 NO-OP=0 TOTAL=0";
                    for line in ["", "Completed successfully", "", none] {
                        self.line(at, line);
                    }
                }
            }
            Event::Began {
                nodes,
                threads,
                target,
                ..
            } => {
                self.nodes = Arc::clone(nodes);
                self.line(at, "");
                self.line(
                    at,
                    &format!("Concurrency: {threads} threads (target='{target}')"),
                );
                self.line(at, "");
            }
            Event::HookStarted { name, index, total } => {
                let words = format!("{index} of {total} START hook: {name}");
                self.dotted(at, &words, None, "RUN", None);
            }
            Event::HookFinished {
                result,
                index,
                total,
            } => self.hook(at, *index, *total, result),
            Event::Batch {
                node,
                index,
                total,
                label,
                ended,
            } => self.batch(at, *node, (*index, *total), label, ended.as_ref()),
            // a further attempt has its own line already: the one that announced it
            Event::NodeStarted { attempt: 2.., .. } => {}
            Event::NodeStarted { node, .. } if !starts(self.node(*node)) => {}
            Event::NodeStarted { node, index, .. } => {
                let words = format!("START {}", label(self.node(*node)));
                self.result(at, *index, &words, None, "RUN", None);
            }
            Event::NodeRetrying {
                node,
                attempt,
                index,
                report,
                at: again,
            } => {
                let wait = (*again - at).to_std().unwrap_or_default();
                let words = format!(
                    "RETRY {} (attempt {attempt} failed)",
                    label(self.node(*node))
                );
                let status = format!("RETRY in {:.1}s", wait.as_secs_f64());
                self.result(at, *index, &words, Some(Color::Yellow), &status, None);
                if let Some(error) = &report.error {
                    self.line(at, &format!("  {error}"));
                }
            }
            Event::NodeFinished {
                node,
                index,
                report,
                ..
            } => {
                self.finished(at, *node, *index, report);
            }
            Event::NodeSkipped {
                node,
                index,
                broken,
                fail_fast,
                ..
            } => {
                if *fail_fast {
                    self.spared(at);
                } else {
                    self.skipped(at, *node, *index, broken.as_deref());
                }
            }
            Event::Cancelling { .. } => {}
            Event::RunFinished { state, error, took } => {
                self.summary(at, *state, error.as_deref(), *took);
            }
        }
    }
}

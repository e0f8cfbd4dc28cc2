//! The last lines: what was run, how long it took, what went wrong.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Console;
use super::words::{duration, is_clone, kinds, lake_work, plural, relation};
use crate::cli::printer::Color;
use crate::run::events::{Ending, Tally};
use crate::run::prepare::PlannedNode;
use crate::run::state::RunState;

impl Console {
    pub(super) fn summary(
        &self,
        at: DateTime<Utc>,
        state: RunState,
        error: Option<&str>,
        took: Duration,
    ) {
        let cloned = self.nodes.iter().any(is_clone);
        if !cloned {
            self.line(at, "");
            self.line(
                at,
                &format!(
                    "Finished running {} in {}.",
                    kinds(&self.nodes, self.hooks),
                    duration(took)
                ),
            );
        }
        let is_freshness =
            |node: &PlannedNode| node.resource_type == "source" && lake_work(node).is_none();
        if self.nodes.iter().all(is_freshness) {
            // dbt counts nothing here, it only repeats what went wrong
            self.tell_broken_hooks(at);
            for (node, report) in &self.problems {
                if report.ending == Ending::Failed {
                    self.stale(at, *node, report);
                }
            }
            self.line(at, "Done.");
            return;
        }
        self.rows(at);
        let errors = self.tally.error - self.partial + self.blamed;
        let partial = match self.partial {
            1 => "1 partial success".to_owned(),
            n => format!("{n} partial successes"),
        };
        let warnings = plural(self.tally.warn, "warning");
        let line = match (state, error) {
            (RunState::Cancelled, Some(error)) => format!("Cancelled: the run {error}"),
            (RunState::Cancelled, None) => "Exited because of keyboard interrupt".to_owned(),
            (RunState::Failed, Some(error)) => format!("Failed: {error}"),
            _ if errors > 0 => {
                let errors = plural(errors, "error");
                format!("Completed with {errors}, {partial}, and {warnings}:")
            }
            _ if self.partial > 0 => format!("Completed with {partial} and {warnings}"),
            _ if self.tally.warn > 0 => format!("Completed with {warnings}:"),
            _ => "Completed successfully".to_owned(),
        };
        let color = match (
            errors + usize::from(error.is_some()),
            self.tally.warn + self.partial,
            state,
        ) {
            (_, _, RunState::Cancelled) => Color::Yellow,
            (0, 0, _) => Color::Green,
            (0, _, _) => Color::Yellow,
            _ => Color::Red,
        };
        self.line(at, "");
        self.line(at, &self.printer.paint(color, &line));
        let (failed, warned): (Vec<_>, Vec<_>) = self
            .problems
            .iter()
            .partition(|(_, report)| report.ending == Ending::Failed);
        self.tell_broken_hooks(at);
        for (node, report) in failed {
            self.problem(at, "Failure", Color::Red, *node, report);
        }
        if !self.quiet {
            for (node, report) in warned {
                self.problem(at, "Warning", Color::Yellow, *node, report);
            }
        }
        let Tally {
            pass,
            warn,
            error,
            skip,
            noop,
        } = self.tally;
        self.line(at, "");
        self.line(
            at,
            &format!(
                "Done. PASS={pass} WARN={warn} ERROR={error} SKIP={skip} NO-OP={noop} TOTAL={}",
                self.tally.total()
            ),
        );
    }

    /// Rows of what was loaded.
    fn rows(&self, at: DateTime<Utc>) {
        for (node, table) in &self.shown {
            let header = format!("Random sample of table: {}", relation(self.node(*node)));
            self.line(at, "");
            self.line(at, &header);
            self.line(at, &"-".repeat(header.chars().count()));
            self.printer.write(table);
            self.line(at, "");
        }
    }
}

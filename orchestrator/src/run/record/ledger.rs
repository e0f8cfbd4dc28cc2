//! The rows of a run as they are to be written next. Pure: events in, an [`Entry`] out.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

use crate::run::events::{BatchEnd, Ending, Event, Happened, Report, Tally};
use crate::run::invoke::hooks::HookEnd;
use crate::run::plan::NodeIx;
use crate::store::journal::{Counts, Entry, EventWrite, NodeWrite, RunEnd};

/// Rows in memory, and which of them the store has not seen.
pub(super) struct Ledger {
    rows: Vec<NodeWrite>,
    dirty: BTreeSet<NodeIx>,
    events: Vec<EventWrite>,
    seq: i64,
    tally: Tally,
}

impl Ledger {
    /// A ledger over nodes whose stored attempts are `attempts`, after event `seq`; `tally` counts those
    /// that had ended before.
    pub(super) fn new(attempts: Vec<u16>, seq: i64, tally: Tally) -> Self {
        let row = |(node, attempt): (i32, u16)| {
            let attempt = small(attempt);
            NodeWrite {
                node,
                expected_attempt: attempt,
                attempt,
                ..NodeWrite::default()
            }
        };
        Self {
            rows: (0..).zip(attempts).map(row).collect(),
            dirty: BTreeSet::new(),
            events: Vec::new(),
            seq,
            tally,
        }
    }

    /// Takes an event into the rows.
    pub(super) fn take(&mut self, happened: &Happened) {
        if !super::is_recorded(&happened.event) {
            return;
        }
        let at = happened.at;
        let (kind, node, attempt, data) = match &happened.event {
            Event::Invoked | Event::Found { .. } | Event::Said(_) | Event::NothingToDo { .. } => {
                return;
            }
            Event::Warning(warning) => (
                "warning",
                None,
                None,
                json!({ "text": warning.text, "event": warning.event }),
            ),
            Event::Began {
                nodes,
                threads,
                target,
                ..
            } => {
                let data = json!({ "nodes": nodes.len(), "threads": threads, "target": target });
                ("run_started", None, None, data)
            }
            Event::HookStarted { name, .. } => {
                ("hook_started", None, None, json!({ "hook": name }))
            }
            Event::HookFinished { result, .. } => {
                let data = json!({
                    "hook": result.name, "message": match &result.end {
                        HookEnd::Passed(message) => Some(message),
                        HookEnd::Failed(_) | HookEnd::Skipped => None,
                    },
                    "error": result.end.error(), "seconds": result.took.as_secs_f64(),
                });
                ("hook_finished", None, None, data)
            }
            Event::Batch {
                node,
                index,
                total,
                label,
                ended,
            } => {
                let mut data = json!({ "batch": label, "index": index, "total": total });
                let kind = match ended {
                    None => "batch_started",
                    Some((end, took)) => {
                        let (message, error) = match end {
                            BatchEnd::Built(message) => (message.as_str(), None),
                            BatchEnd::Failed(error) => ("ERROR", Some(error)),
                            BatchEnd::Skipped => ("SKIPPED", None),
                        };
                        data["message"] = json!(message);
                        data["error"] = json!(error);
                        data["seconds"] = json!(took.as_secs_f64());
                        "batch_finished"
                    }
                };
                (kind, Some(*node), None, data)
            }
            Event::NodeStarted { node, attempt, .. } => {
                let row = self.row(*node);
                *row = NodeWrite {
                    node: row.node,
                    expected_attempt: row.expected_attempt,
                    attempt: small(*attempt),
                    state: "running",
                    started_at: Some(at),
                    ..NodeWrite::default()
                };
                ("node_started", Some(*node), Some(*attempt), json!({}))
            }
            Event::NodeRetrying {
                node,
                attempt,
                report,
                at: again,
                ..
            } => {
                let row = self.row(*node);
                row.state = "up_for_retry";
                row.retry_at = Some(*again);
                fill(row, report);
                let mut data = told(report);
                data["retry_at"] = json!(again);
                ("node_retrying", Some(*node), Some(*attempt), data)
            }
            Event::NodeFinished {
                node,
                attempt,
                report,
                ..
            } => {
                self.tally.count(report.ending);
                let row = self.row(*node);
                row.state = word(report.ending);
                row.finished_at = Some(at);
                row.attempt = small(*attempt);
                fill(row, report);
                ("node_finished", Some(*node), Some(*attempt), told(report))
            }
            Event::NodeSkipped { node, culprit, .. } => {
                self.tally.skip += 1;
                let row = self.row(*node);
                row.state = "skipped";
                row.finished_at = Some(at);
                row.retry_at = None;
                row.culprit = Some(culprit.clone());
                (
                    "node_skipped",
                    Some(*node),
                    None,
                    json!({ "culprit": culprit }),
                )
            }
            Event::Cancelling { nodes } => (
                "run_cancelling",
                None,
                None,
                json!({ "running": nodes.len() }),
            ),
            Event::RunFinished { state, error, took } => {
                let data = json!({
                    "state": state.word(), "error": error, "seconds": took.as_secs_f64(),
                });
                ("run_finished", None, None, data)
            }
        };
        self.dirty.extend(node);
        self.seq += 1;
        self.events.push(EventWrite {
            seq: self.seq,
            at,
            kind,
            node: node.map(|n| i32::try_from(n).unwrap_or(i32::MAX)),
            attempt: attempt.map(small),
            data,
        });
    }

    /// Everything the store has not seen.
    pub(super) fn entry(
        &mut self,
        run_id: i64,
        epoch: i64,
        now: DateTime<Utc>,
        end: Option<RunEnd>,
    ) -> Entry {
        let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        Entry {
            run_id,
            epoch,
            now,
            nodes: self
                .dirty
                .iter()
                .map(|&node| self.rows[node as usize].clone())
                .collect(),
            events: std::mem::take(&mut self.events),
            counts: Counts {
                succeeded: count(self.tally.pass),
                warned: count(self.tally.warn),
                failed: count(self.tally.error),
                skipped: count(self.tally.skip),
            },
            end,
        }
    }

    /// The last entry is in the store.
    pub(super) fn written(&mut self) {
        for node in std::mem::take(&mut self.dirty) {
            let row = &mut self.rows[node as usize];
            row.expected_attempt = row.attempt;
            row.compiled_sql = None;
        }
    }

    fn row(&mut self, node: NodeIx) -> &mut NodeWrite {
        &mut self.rows[node as usize]
    }
}

fn fill(row: &mut NodeWrite, report: &Report) {
    row.seconds = Some(report.took.as_secs_f64());
    row.message = Some(report.message.clone());
    row.rows_affected = report.rows.and_then(|rows| i64::try_from(rows).ok());
    row.failures = report.failures;
    row.error.clone_from(&report.error);
    row.compiled_sql = report.compiled_sql.as_deref().map(ToOwned::to_owned);
}

fn told(report: &Report) -> Json {
    json!({
        "state": word(report.ending),
        "message": report.message,
        "seconds": report.took.as_secs_f64(),
        "error": report.error,
    })
}

fn word(ending: Ending) -> &'static str {
    match ending {
        // the store knows no word for it: nothing went wrong
        Ending::Success | Ending::NoOp => "success",
        Ending::Warned => "warned",
        Ending::Partial | Ending::Failed => "failed",
        Ending::Cancelled => "cancelled",
    }
}

/// Retries are bounded far below what a smallint holds.
fn small(attempt: u16) -> i16 {
    i16::try_from(attempt).unwrap_or(i16::MAX)
}

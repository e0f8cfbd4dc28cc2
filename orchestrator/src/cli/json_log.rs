//! `--log-format json`: one object a line, shaped as dbt's structured log, which other tools parse.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use project::Said;
use serde_json::{Value as Json, json};

use super::console::{NOTHING_TO_DO, label};
use super::printer::Printer;
use crate::artifacts::run_results::status;
use crate::run::events::{BatchEnd, Event, Happened, Renderer, Tally};
use crate::run::plan::NodeIx;
use crate::run::prepare::PlannedNode;

/// Prints events as JSON.
#[derive(Debug)]
pub(super) struct JsonLog {
    printer: Printer,
    nodes: Arc<[PlannedNode]>,
    tally: Tally,
}

impl JsonLog {
    /// Prints through `printer`.
    #[must_use]
    pub(super) fn new(printer: Printer) -> Self {
        Self {
            printer,
            nodes: Arc::from([]),
            tally: Tally::default(),
        }
    }

    fn info(&self, node: NodeIx, status: &str) -> Json {
        let node = &self.nodes[node as usize];
        json!({
            "unique_id": node.unique_id,
            "node_name": node.name,
            "node_path": node.path,
            "resource_type": node.resource_type,
            "materialized": node.materialized.as_deref().unwrap_or(match node.resource_type {
                "unit_test" => "unit",
                _ => "test",
            }),
            "node_status": status,
            "node_relation": { "relation_name": node.relation, "schema": node.schema, "alias": node.name },
        })
    }
}

impl Renderer for JsonLog {
    fn render(&mut self, happened: &Happened) {
        if let Event::NodeFinished { report, .. } = &happened.event {
            for text in report.said.iter().map(Said::text) {
                self.write(
                    happened,
                    (
                        "I062",
                        "JinjaLogInfo",
                        "info",
                        text.to_owned(),
                        json!({ "msg": text }),
                    ),
                );
            }
        }
        let total = self.nodes.len();
        // (code, name, level, message, data): dbt's codes and names of the same events
        let (code, name, level, message, data) = match &happened.event {
            Event::Invoked => {
                let version = env!("CARGO_PKG_VERSION");
                let message = format!("Running with ridehail={version}");
                (
                    "A001",
                    "MainReportVersion",
                    "info",
                    message,
                    json!({ "version": version }),
                )
            }
            Event::Found { counts } => {
                let text: Vec<_> = counts
                    .iter()
                    .map(|(kind, n)| format!("{n} {kind}"))
                    .collect();
                let line = text.join(", ");
                (
                    "W006",
                    "FoundStats",
                    "info",
                    format!("Found {line}"),
                    json!({ "stat_line": line }),
                )
            }
            Event::Warning(warning) => (
                warning.code(),
                warning.event,
                "warn",
                warning.told(),
                json!({ "msg": warning.text }),
            ),
            Event::Said(said) => {
                let text = said.text().to_owned();
                let data = json!({ "msg": text });
                ("I062", "JinjaLogInfo", "info", text, data)
            }
            Event::NothingToDo { .. } => {
                let message = NOTHING_TO_DO.to_owned();
                ("Q035", "NothingToDo", "warn", message, json!({}))
            }
            Event::Began {
                nodes,
                threads,
                target,
                run_id,
            } => {
                self.nodes = Arc::clone(nodes);
                let message = format!("Concurrency: {threads} threads (target='{target}')");
                let data =
                    json!({ "num_threads": threads, "target_name": target, "run_id": run_id });
                ("Q027", "ConcurrencyLine", "info", message, data)
            }
            Event::HookStarted { name, index, total } => {
                let data = json!({ "statement": name, "index": index, "total": total });
                let message = format!("{index} of {total} START hook: {name}");
                ("Q032", "LogHookStartLine", "info", message, data)
            }
            Event::HookFinished {
                result,
                index,
                total,
            } => {
                let word = result.end.word();
                let level = if result.end.error().is_some() {
                    "error"
                } else {
                    "info"
                };
                let data = json!({
                    "statement": result.name, "index": index, "total": total, "status": word,
                    "execution_time": result.took.as_secs_f64(), "error": result.end.error(),
                });
                let message = format!("{index} of {total} {word} hook: {}", result.name);
                ("Q033", "LogHookEndLine", level, message, data)
            }
            Event::NodeStarted {
                node,
                index,
                attempt,
            } => {
                let description = label(&self.nodes[*node as usize]);
                let data = json!({
                    "description": description, "index": index, "total": total, "attempt": attempt,
                    "node_info": self.info(*node, "started"),
                });
                let message = format!("{index} of {total} START {description}");
                ("Q011", "LogStartLine", "info", message, data)
            }
            Event::Batch {
                node,
                index,
                total,
                label: batch,
                ended,
            } => {
                let info = self.info(*node, "started");
                let mut data = json!({
                    "batch_index": index, "total_batches": total, "description": batch, "node_info": info,
                });
                match ended {
                    None => {
                        let message = format!("Batch {index} of {total} START batch {batch}");
                        ("Q045", "LogStartBatch", "info", message, data)
                    }
                    Some((end, took)) => {
                        let (level, status) = match end {
                            BatchEnd::Built(message) => ("info", message.as_str()),
                            BatchEnd::Failed(error) => {
                                data["error"] = json!(error);
                                ("error", "error")
                            }
                            BatchEnd::Skipped => ("info", "skipped"),
                        };
                        data["status"] = json!(status);
                        data["execution_time"] = json!(took.as_secs_f64());
                        let message = format!("Batch {index} of {total} {status} batch {batch}");
                        ("Q046", "LogBatchResult", level, message, data)
                    }
                }
            }
            Event::NodeRetrying {
                node,
                index,
                attempt,
                report,
                at,
            } => {
                let data = json!({
                    "index": index, "total": total, "attempt": attempt, "retry_at": at,
                    "error": report.error, "node_info": self.info(*node, "up for retry"),
                });
                let message = format!(
                    "{index} of {total} RETRY {}",
                    label(&self.nodes[*node as usize])
                );
                ("Q091", "LogNodeRetry", "warn", message, data)
            }
            Event::NodeFinished {
                node,
                index,
                report,
                attempt,
            } => {
                self.tally.count(report.ending);
                let planned = &self.nodes[*node as usize];
                let (code, name) = match planned.resource_type {
                    "test" | "unit_test" => ("Q007", "LogTestResult"),
                    "seed" => ("Q016", "LogSeedResult"),
                    "snapshot" => ("Q015", "LogSnapshotResult"),
                    "exposure" | "saved_query" => ("Q019", "LogNodeNoOpResult"),
                    _ => ("Q012", "LogModelResult"),
                };
                let word = status(planned, report);
                let level = match word {
                    "success" | "pass" | "no-op" => "info",
                    "warn" => "warn",
                    _ => "error",
                };
                // readers know a finished node by these
                let time =
                    |at: DateTime<Utc>| json!(at.to_rfc3339_opts(SecondsFormat::Micros, true));
                let mut info = self.info(*node, word);
                info["node_started_at"] = time(happened.at - report.took);
                info["node_finished_at"] = time(happened.at);
                let data = json!({
                    "description": label(planned), "index": index, "total": total, "attempt": attempt,
                    "status": if word == "success" { report.message.as_str() } else { word },
                    "execution_time": report.took.as_secs_f64(),
                    "num_failures": report.failures.unwrap_or_default(),
                    "error": report.error,
                    "node_info": info,
                });
                (
                    code,
                    name,
                    level,
                    format!("{index} of {total} {word} {}", label(planned)),
                    data,
                )
            }
            Event::NodeSkipped {
                node,
                index,
                broken,
                ..
            } => {
                self.tally.skip += 1;
                let planned = &self.nodes[*node as usize];
                let data = json!({
                    "resource_type": planned.resource_type, "schema": planned.schema,
                    "node_name": planned.name, "index": index, "total": total,
                    "node_info": self.info(*node, "skipped"),
                });
                match broken {
                    Some(broken) => {
                        let mut data = data;
                        data["status"] = json!(broken.status());
                        data["error"] = json!(broken.error);
                        let message = format!(
                            "{index} of {total} SKIP {} due to ephemeral model status '{}'",
                            label(planned),
                            broken.status()
                        );
                        ("Z034", "LogSkipBecauseError", "error", message, data)
                    }
                    None => {
                        let message = format!("{index} of {total} SKIP {}", label(planned));
                        ("Q034", "SkippingDetails", "info", message, data)
                    }
                }
            }
            Event::Cancelling { nodes } => {
                let message = format!("cancelling {} statements", nodes.len());
                ("Z001", "MainKeyboardInterrupt", "info", message, json!({}))
            }
            Event::RunFinished { state, error, took } => {
                let Tally {
                    pass,
                    warn,
                    error: failed,
                    skip,
                    noop,
                } = self.tally;
                let message = format!(
                    "Done. PASS={pass} WARN={warn} ERROR={failed} SKIP={skip} NO-OP={noop} TOTAL={}",
                    self.tally.total()
                );
                let data = json!({
                    "stats": { "pass": pass, "warn": warn, "error": failed, "skip": skip, "noop": noop,
                               "total": self.tally.total() },
                    "state": state.word(), "error": error, "elapsed": took.as_secs_f64(),
                });
                ("Z023", "StatsLine", "info", message, data)
            }
        };
        self.write(happened, (code, name, level, message, data));
    }
}

impl JsonLog {
    fn write(
        &self,
        happened: &Happened,
        (code, name, level, message, data): (&str, &str, &str, String, Json),
    ) {
        self.printer.json(&json!({
            "info": {
                "category": "", "code": code, "name": name, "level": level, "msg": message,
                "pid": std::process::id(), "thread": "MainThread",
                "ts": happened.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            },
            "data": data,
        }));
    }
}

//! `target/run_results.json`, schema v6: how each node ended. Pure.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{Invocation, metadata, time};
use crate::run::events::{Ending, Report};
use crate::run::execute::Executed;
use crate::run::prepare::PlannedNode;
use crate::run::request::Request;
use crate::run::state::NodeState;

/// The results of a run: nodes that ran in the order they ended, then the skipped ones.
#[must_use]
pub fn render(
    about: &Invocation,
    request: &Request,
    nodes: &[PlannedNode],
    executed: &Executed,
    took: Duration,
) -> Json {
    let ran = executed
        .reports
        .iter()
        .map(|(node, report)| result(&nodes[*node as usize], report));
    let skipped = nodes
        .iter()
        .zip(&executed.states)
        .filter(|(_, state)| **state == NodeState::Skipped)
        .map(|(node, _)| skip(node));
    json!({
        "metadata": metadata(about, "run-results/v6"),
        "results": ran.chain(skipped).collect::<Vec<_>>(),
        "elapsed_time": took.as_secs_f64(),
        "args": {
            "which": about.which,
            "select": request.select,
            "exclude": request.exclude,
            "vars": request.vars,
            "full_refresh": request.full_refresh,
            "fail_fast": request.fail_fast,
            "threads": request.threads,
            "target": request.target,
            "profile": request.profile,
        },
    })
}

fn result(node: &PlannedNode, report: &Report) -> Json {
    let timing: Vec<Json> = [("compile", report.compile), ("execute", report.execute)]
        .into_iter()
        .filter_map(|(name, span)| {
            let (began, ended) = span?;
            Some(json!({ "name": name, "started_at": time(began), "completed_at": time(ended) }))
        })
        .collect();
    json!({
        "status": status(node, report),
        "timing": timing,
        "thread_id": "main",
        "execution_time": report.took.as_secs_f64(),
        "adapter_response": response(report),
        "message": report.error.as_deref().unwrap_or(&report.message),
        "failures": report.failures,
        "unique_id": node.unique_id,
        "compiled": report.compiled_sql.is_some(),
        "compiled_code": report.compiled_sql.as_deref(),
        "relation_name": node.relation,
        "batch_results": null,
    })
}

fn skip(node: &PlannedNode) -> Json {
    json!({
        "status": "skipped",
        "timing": [],
        "thread_id": "main",
        "execution_time": 0.0,
        "adapter_response": {},
        "message": null,
        "failures": null,
        "unique_id": node.unique_id,
        "compiled": false,
        "compiled_code": null,
        "relation_name": node.relation,
        "batch_results": null,
    })
}

/// dbt's word for how a node ended.
#[must_use]
pub fn status(node: &PlannedNode, report: &Report) -> &'static str {
    let is_test = node.resource_type == "test";
    match report.ending {
        Ending::Success if is_test => "pass",
        Ending::Success => "success",
        Ending::Warned => "warn",
        Ending::Failed if is_test && report.failures.is_some() => "fail",
        Ending::Failed | Ending::Cancelled => "error",
    }
}

/// What dbt-postgres reports of a statement: the command tag taken apart.
fn response(report: &Report) -> Json {
    if report.ending != Ending::Success {
        return json!({});
    }
    json!({
        "_message": report.message,
        "code": report.message.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' '),
        "rows_affected": report.rows,
    })
}

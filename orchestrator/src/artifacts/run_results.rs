//! `target/run_results.json`, schema v6: how each node ended. Pure.

use std::time::Duration;

use chrono::{DateTime, Utc};
use project::Project;
use project::manifest::ResourceType;
use serde_json::{Map, Value as Json, json};

use super::{Invocation, metadata, time};
use crate::run::events::{Ending, Report};
use crate::run::execute::Executed;
use crate::run::plan::NodeIx;
use crate::run::prepare::PlannedNode;
use crate::run::request::Request;
use crate::run::state::NodeState;

/// The results of a run: nodes that ran in the order they ended, then the skipped ones.
#[must_use]
pub fn render(
    about: &Invocation,
    request: &Request,
    project: &Project,
    nodes: &[PlannedNode],
    executed: &Executed,
    took: Duration,
) -> Json {
    let results = of_nodes(project, nodes, executed).collect();
    let mut document = document(about, request, results, took);
    if let Some(there) = &project.deferral {
        // `retry` reads there again
        document["args"]["state"] = json!(there.folder);
    }
    document
}

/// An entry for each node: those that ran in the order they ended, then the skipped ones.
pub fn of_nodes(
    project: &Project,
    nodes: &[PlannedNode],
    executed: &Executed,
) -> impl Iterator<Item = Json> {
    let ran = executed.reports.iter().filter_map(|(node, report)| {
        // an ephemeral model has no result
        let node = nodes.get(*node as usize)?;
        Some(result(project, node, report))
    });
    let states = (0..).zip(nodes).zip(&executed.states);
    let skipped = states
        .filter(|(_, state)| **state == NodeState::Skipped)
        .map(|((ix, node), _): ((NodeIx, &PlannedNode), _)| {
            let mut skipped = entry(project, &node.unique_id, "skipped");
            skipped["message"] = json!(executed.remarks.get(&ix));
            skipped
        });
    ran.chain(skipped)
}

/// The artifact with `results`.
#[must_use]
pub fn document(about: &Invocation, request: &Request, results: Vec<Json>, took: Duration) -> Json {
    json!({
        "metadata": metadata(about, "run-results/v6"),
        "results": results,
        "elapsed_time": took.as_secs_f64(),
        "args": args(about, request),
    })
}

/// The invocation by the names of dbt's flags: what `retry` starts from.
fn args(about: &Invocation, request: &Request) -> Json {
    let kinds: Vec<&str> = request
        .resource_types
        .iter()
        .map(|kind| crate::run::prepare::kind_word(*kind))
        .collect();
    json!({
        "which": about.which,
        "invocation_command": format!("ridehail {}", about.which),
        "select": request.select,
        "exclude": request.exclude,
        "resource_types": kinds,
        "exclude_resource_types": [],
        "indirect_selection": request.indirect,
        "vars": request.vars,
        "full_refresh": request.full_refresh,
        "fail_fast": request.fail_fast,
        "store_failures": request.store_failures,
        "empty": request.empty,
        "defer": request.defer,
        "favor_state": request.favor_state,
        "sample": request.sample,
        "event_time_start": request.event_time_start,
        "event_time_end": request.event_time_end,
        "retried_from": request.retried_from,
        "warn_error": request.warn_error,
        "warn_error_options": request.warn_error_options,
        "threads": request.threads,
        "target": request.target,
        "profile": request.profile,
        "write_json": true,
    })
}

/// The artifact of a macro that was called: `operation` as it was typed, with its arguments.
#[must_use]
pub fn of_operation(
    about: &Invocation,
    request: &Request,
    project: &Project,
    operation: (&str, &Map<String, Json>),
    success: bool,
    began: DateTime<Utc>,
) -> Json {
    let (name, arguments) = operation;
    let unique_id = project.operation_id(name).unwrap_or_default();
    let status = if success { "success" } else { "error" };
    let mut result = entry(project, &unique_id, status);
    let span = |name: &str, began, ended| json!({ "name": name, "started_at": time(began), "completed_at": time(ended) });
    let ended = about.generated_at;
    result["timing"] = json!([
        span("compile", about.started_at, began),
        span("execute", began, ended)
    ]);
    let took = (ended - about.started_at).to_std().unwrap_or_default();
    result["execution_time"] = json!(took.as_secs_f64());
    result["failures"] = json!(i32::from(!success));
    result["compiled"] = json!(false);
    let mut document = document(about, request, vec![result], took);
    // what `retry` calls again
    document["args"]["macro"] = json!(name);
    document["args"]["args"] = json!(arguments);
    document
}

/// The entry of a node that nothing is known of but how it ended.
#[must_use]
pub fn entry(project: &Project, unique_id: &str, status: &str) -> Json {
    let node = project.manifest.nodes.get(unique_id);
    // seeds have no SQL, so nothing of theirs is compiled
    let has_sql = node.is_some_and(|node| node.resource_type != ResourceType::Seed);
    let relation = node
        .filter(|_| has_sql)
        .and_then(|node| node.relation_name.as_ref());
    json!({
        "status": status,
        "timing": [],
        "thread_id": "Thread-1 (worker)",
        "execution_time": 0.0,
        "adapter_response": {},
        "message": null,
        "failures": null,
        "unique_id": unique_id,
        "compiled": has_sql.then_some(false),
        "compiled_code": null,
        "relation_name": relation.map(ToString::to_string),
        "batch_results": null,
    })
}

/// The entry of a node that ran.
#[must_use]
pub fn result(project: &Project, node: &PlannedNode, report: &Report) -> Json {
    let timing: Vec<Json> = [("compile", report.compile), ("execute", report.execute)]
        .into_iter()
        .filter_map(|(name, span)| {
            let (began, ended) = span?;
            Some(json!({ "name": name, "started_at": time(began), "completed_at": time(ended) }))
        })
        .collect();
    let is_test = matches!(node.resource_type, "test" | "unit_test");
    // a test that passes has nothing to say
    let message = match (&report.error, report.ending) {
        // what went wrong is told of each window
        (_, Ending::Partial) => Some(report.message.as_str()),
        (Some(error), _) => Some(error.as_str()),
        (None, Ending::Success) if is_test => None,
        (None, _) => Some(report.message.as_str()),
    };
    let mut value = entry(project, &node.unique_id, status(node, report));
    value["timing"] = json!(timing);
    value["execution_time"] = json!(report.took.as_secs_f64());
    value["adapter_response"] = response(node, report);
    value["message"] = json!(message);
    value["failures"] = json!(report.failures);
    value["batch_results"] = json!(report.windows);
    if report.windows.is_some() {
        // each window has a SQL of its own, and what failed of them stands in batch_results
        value["failures"] = json!(0);
    } else if let Some(sql) = &report.compiled_sql {
        value["compiled"] = json!(true);
        value["compiled_code"] = json!(sql);
    }
    value
}

/// dbt's word for how a node ended.
#[must_use]
pub fn status(node: &PlannedNode, report: &Report) -> &'static str {
    let is_test = matches!(node.resource_type, "test" | "unit_test");
    match report.ending {
        Ending::Success if is_test => "pass",
        Ending::Success => "success",
        Ending::NoOp => "no-op",
        Ending::Warned => "warn",
        Ending::Partial => "partial success",
        Ending::Failed if is_test && report.failures.is_some() => "fail",
        Ending::Failed | Ending::Cancelled => "error",
    }
}

/// What dbt-postgres reports of a statement: the command tag taken apart.
fn response(node: &PlannedNode, report: &Report) -> Json {
    if matches!(node.resource_type, "test" | "unit_test") {
        // every data test asks for one row of counts, a unit test for the rows of both sides
        let rows = match node.resource_type {
            "unit_test" => report.rows.unwrap_or(1),
            _ => 1,
        };
        return match report.failures {
            Some(_) => {
                json!({ "_message": format!("SELECT {rows}"), "code": "SELECT", "rows_affected": rows })
            }
            None => json!({}),
        };
    }
    if report.windows.is_some() {
        // each window has an answer of its own
        return json!({});
    }
    if report.ending != Ending::Success || report.message == "No-op" {
        return json!({});
    }
    if let Some(response) = &report.response {
        return response.clone();
    }
    let words = report.message.split(' ');
    let code: Vec<&str> = words.filter(|word| word.parse::<u64>().is_err()).collect();
    // what counts no rows says so as the driver of dbt does
    let counted = report
        .message
        .split(' ')
        .next_back()
        .and_then(|word| word.parse().ok());
    json!({
        "_message": report.message,
        "code": code.join(" "),
        "rows_affected": counted.unwrap_or(-1_i64),
    })
}

//! `ridehail retry`.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use project::batches::{self, Windows};
use serde_json::{Map, Value as Json};

use super::Advice;
use super::printer::Printer;
use super::run_operation::{self, RunOperationArgs};
use super::walk::{WalkOptions, go};
use crate::config::{LogArgs, NoEffectArgs, ProjectArgs, StoreArgs, mapping};
use crate::run::request::{Command, Request};

/// Runs again what failed or was skipped in the last run, with that run's options.
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// Nodes at once [default: as in that run]
    #[arg(long, value_name = "N", env = "DBT_THREADS", hide_env = true)]
    threads: Option<usize>,
    /// Rebuild incremental models from nothing [default: as in that run]
    #[arg(short, long, env = "DBT_FULL_REFRESH", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    full_refresh: bool,
    /// Stop at the first failure [default: as in that run]
    #[arg(short = 'x', long, env = "DBT_FAIL_FAST", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    fail_fast: bool,
    #[arg(long, hide = true, conflicts_with = "fail_fast")]
    no_fail_fast: bool,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// Do not record the run; for when the run store is away
    #[arg(long, help_heading = "Run store")]
    no_record: bool,
}

/// Statuses that are tried again.
const AGAIN: [&str; 5] = [
    "error",
    "fail",
    "skipped",
    "runtime error",
    "partial success",
];

pub(super) async fn execute(
    args: RetryArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let mut place = args.project.place();
    let target = args
        .project
        .target_path
        .clone()
        .unwrap_or_else(|| "target".into());
    let folder = args.project.state.state.clone().unwrap_or(target);
    let file = place.project_dir.join(&folder).join("run_results.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        return Err(Advice {
            what: format!(
                "Could not find previous run in '{}' target directory",
                folder.display()
            ),
            hint: "run `ridehail build` first, or name the folder of run_results.json with --state"
                .to_owned(),
        }
        .into());
    };
    let previous: Json =
        serde_json::from_str(&text).with_context(|| format!("cannot read {}", file.display()))?;
    if previous["args"]["which"] == "run-operation" {
        return called_again(args, &previous, log, printer).await;
    }
    let mut request = again(&previous)?;
    let state = previous["args"]["state"].as_str().map(Into::into);
    place.defer_state = place.defer_state.or(state);
    // what is typed now goes before what was typed then
    let given = args.project.apply(request.clone());
    request.profile = given.profile.or(request.profile);
    request.target = given.target.or(request.target);
    if args.project.vars.is_some() {
        request.vars = given.vars;
    }
    request.threads = args.threads.or(request.threads);
    request.warn_error = given.warn_error;
    request.fail_fast = (request.fail_fast || args.fail_fast) && !args.no_fail_fast;
    if args.full_refresh {
        // nothing of an earlier run is kept then
        request.full_refresh = true;
        request.windows.clear();
    }
    let options = WalkOptions {
        place,
        store: args.store,
        no_record: args.no_record,
        artifacts: log.writes_json(),
    };
    go(
        request,
        options,
        crate::config::EmptySelection::Ok,
        log,
        printer,
    )
    .await
}

/// Calls a macro once more that failed. One that did not is not called again.
async fn called_again(
    args: RetryArgs,
    previous: &Json,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let status = previous["results"][0]["status"].as_str();
    let operation = &previous["args"];
    let (Some("error"), Some(name)) = (status, operation["macro"].as_str()) else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut project = args.project;
    let text = |key: &str| operation[key].as_str().map(str::to_owned);
    project.profile = project.profile.or_else(|| text("profile"));
    project.target = project.target.or_else(|| text("target"));
    let vars = || operation["vars"].as_object().cloned();
    project.vars = project.vars.or_else(vars);
    let again = RunOperationArgs {
        name: name.to_owned(),
        args: operation["args"].as_object().cloned().unwrap_or_default(),
        project,
        no_effect: NoEffectArgs::default(),
    };
    run_operation::execute(again, log, printer).await
}

/// The request of that run, narrowed to the nodes that did not end well. Pure.
fn again(previous: &Json) -> Result<Request, Advice> {
    let args = &previous["args"];
    let which = args["which"].as_str().unwrap_or_default();
    let command = Command::of_word(which).ok_or_else(|| Advice {
        what: format!("the last run was '{which}', which cannot be tried again"),
        hint: "retry follows build, run, test, seed and snapshot".to_owned(),
    })?;
    let results = previous["results"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let nodes = results
        .iter()
        .filter(|result| {
            result["status"]
                .as_str()
                .is_some_and(|status| AGAIN.contains(&status))
        })
        .filter_map(|result| result["unique_id"].as_str())
        .filter(|id| !id.starts_with("operation."))
        .map(str::to_owned)
        .collect();
    let instant = |value: &Json| value.as_str().and_then(batches::instant);
    // a model of which nothing was built is built as it was asked for, from its first window
    let windows = results
        .iter()
        .filter_map(|result| {
            let id = result["unique_id"].as_str()?;
            let windows: Windows = serde_json::from_value(result["batch_results"].clone()).ok()?;
            let goes_on = !windows.successful.is_empty() && !windows.failed.is_empty();
            goes_on.then(|| (id.to_owned(), windows))
        })
        .collect();
    let began = &previous["metadata"];
    let began = [
        &args["retried_from"],
        &began["invocation_started_at"],
        &began["generated_at"],
    ];
    let text = |key: &str| args[key].as_str().map(str::to_owned);
    let flag = |key: &str| args[key] == Json::Bool(true);
    let threads = args["threads"]
        .as_u64()
        .and_then(|threads| usize::try_from(threads).ok());
    let vars = match &args["vars"] {
        Json::Object(vars) => vars.clone(),
        // older files keep them as they were typed
        Json::String(text) => mapping(text).unwrap_or_default(),
        _ => Map::new(),
    };
    Ok(Request {
        nodes: Some(nodes),
        vars,
        full_refresh: flag("full_refresh"),
        empty: flag("empty"),
        defer: flag("defer"),
        favor_state: flag("favor_state"),
        event_time_start: instant(&args["event_time_start"]),
        event_time_end: instant(&args["event_time_end"]),
        windows,
        retried_from: began.into_iter().find_map(instant),
        sample: serde_json::from_value(args["sample"].clone()).unwrap_or_default(),
        warn_error_options: args["warn_error_options"].as_object().cloned(),
        fail_fast: flag("fail_fast"),
        store_failures: flag("store_failures"),
        threads,
        profile: text("profile"),
        target: text("target"),
        ..Request::new(command)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_ended_badly_is_tried_again_as_it_was() {
        let result = |id: &str, status: &str| json!({ "unique_id": id, "status": status });
        let previous = json!({
            "args": { "which": "build", "full_refresh": true, "vars": { "a": 1 }, "threads": 3 },
            "results": [
                result("model.p.a", "success"), result("model.p.b", "error"), result("test.p.t", "fail"),
                result("model.p.c", "skipped"), result("test.p.w", "warn"), result("operation.p.x", "error"),
            ],
        });
        let request = again(&previous).unwrap();
        assert_eq!(
            request.nodes.as_deref().unwrap(),
            ["model.p.b", "test.p.t", "model.p.c"]
        );
        assert!(request.full_refresh);
        assert_eq!(request.threads, Some(3));
        assert_eq!(request.vars["a"], 1);
    }

    #[test]
    fn windows_that_failed_are_tried_again() {
        let days = |first: u32, last: u32| {
            let day = |n: u32| format!("2024-01-{n:02}T00:00:00+00:00");
            json!([[day(first), day(last)]])
        };
        let result = |id: &str, done: Json, failed: Json| {
            let windows = json!({ "successful": done, "failed": failed });
            json!({ "unique_id": id, "status": "partial success", "batch_results": windows })
        };
        let previous = json!({
            "metadata": { "invocation_started_at": "2024-02-01T10:00:00Z" },
            "args": {
                "which": "run", "event_time_start": "2024-01-01T00:00:00", "event_time_end": "2024-01-04T00:00:00",
            },
            "results": [
                result("model.p.some", days(1, 2), days(2, 3)),
                result("model.p.none", json!([]), days(1, 2)),
                json!({ "unique_id": "model.p.other", "status": "error", "batch_results": null }),
            ],
        });
        let request = again(&previous).unwrap();
        assert_eq!(request.event_time_start, batches::instant("2024-01-01"));
        assert_eq!(request.event_time_end, batches::instant("2024-01-04"));
        assert_eq!(request.windows.len(), 1);
        let failed = json!(request.windows["model.p.some"].failed);
        assert_eq!(failed, days(2, 3));
        assert_eq!(
            request.retried_from,
            batches::instant("2024-02-01T10:00:00Z")
        );
    }

    #[test]
    fn what_builds_nothing_is_not_tried_again() {
        assert!(again(&json!({ "args": { "which": "freshness" } })).is_err());
    }
}

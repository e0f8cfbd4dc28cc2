//! `ridehail runs ls|show|cancel`.

use std::process::ExitCode;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand, ValueEnum};
use project::Project;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::Advice;
use super::printer::{Color, Printer};
use crate::clock::{Clock, SystemClock};
use crate::config::{ProjectArgs, StoreArgs};
use crate::run::prepare::load;
use crate::run::request::{Command, Request};
use crate::store::node_runs::NodeRun;
use crate::store::runs::Run;
use crate::store::{Address, Store, node_runs, runs};

/// Recorded runs.
#[derive(Debug, Args)]
pub struct RunsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the latest runs, newest first
    Ls {
        /// Runs of this job only
        #[arg(long, value_name = "NAME")]
        job: Option<String>,
        /// How many
        #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
        limit: i64,
        #[command(flatten)]
        common: Common,
    },
    /// Show a run and its nodes
    Show {
        /// Number, as `runs ls` shows it
        #[arg(value_name = "RUN")]
        run_id: i64,
        #[command(flatten)]
        common: Common,
    },
    /// Ask a run to stop; whoever executes it cancels its statements
    Cancel {
        /// Number, as `runs ls` shows it
        #[arg(value_name = "RUN")]
        run_id: i64,
        #[command(flatten)]
        common: Common,
    },
}

/// Options of every one of them.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// A table for people, or JSON for scripts
    #[arg(short, long, value_name = "SHAPE", default_value = "text")]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) project: ProjectArgs,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// A table.
    Text,
    /// JSON.
    Json,
}

impl Common {
    /// Reads the project.
    pub(super) async fn load(&self) -> anyhow::Result<Project> {
        let place = self.project.place();
        let request = self.project.apply(Request::new(Command::Build));
        let now = SystemClock.now();
        let loaded =
            spawn_blocking(move || load(&place, &request, "list", now, Uuid::new_v4())).await?;
        Ok(loaded?)
    }

    /// Opens the run store; without a URL, the one in the profile's database.
    pub(super) async fn open(&self) -> anyhow::Result<Store> {
        let address = match self.store.address() {
            Some(address) => address,
            None => Address::Target(Box::new(self.load().await?.profile.target)),
        };
        Ok(Store::open(&address, 2).await?)
    }
}

pub(super) async fn execute(args: RunsArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let now = SystemClock.now();
    match args.what {
        What::Ls { job, limit, common } => {
            let store = common.open().await?;
            let runs = runs::list(store.pool(), job.as_deref(), None, limit).await?;
            match common.output {
                Output::Json => runs.iter().for_each(|run| printer.json(run)),
                Output::Text => print_list(printer, &runs, now),
            }
            store.close().await;
        }
        What::Show { run_id, common } => {
            let store = common.open().await?;
            let run = runs::get(store.pool(), run_id)
                .await?
                .ok_or_else(|| no_such(run_id))?;
            let nodes = node_runs::list(store.pool(), run_id).await?;
            match common.output {
                Output::Json => printer.json(&serde_json::json!({ "run": run, "nodes": nodes })),
                Output::Text => print_run(printer, &run, &nodes, now),
            }
            store.close().await;
        }
        What::Cancel { run_id, common } => {
            let store = common.open().await?;
            if !runs::request_cancel(store.pool(), run_id, now).await? {
                let run = runs::get(store.pool(), run_id)
                    .await?
                    .ok_or_else(|| no_such(run_id))?;
                printer.line(&format!("run {run_id} has ended already: {}", run.state));
                return Ok(ExitCode::from(1));
            }
            printer.line(&format!("run {run_id} was asked to stop"));
            store.close().await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn no_such(run_id: i64) -> anyhow::Error {
    let what = format!("there is no run {run_id}");
    Advice {
        what,
        hint: "`ridehail runs ls` lists them".to_owned(),
    }
    .into()
}

fn print_list(printer: &Printer, runs: &[Run], now: DateTime<Utc>) {
    if runs.is_empty() {
        printer.line("no runs yet");
        return;
    }
    printer.line(&format!(
        "{:>5}  {:<10}  {:<16}  {:<19}  {:>8}  {:>5} {:>4} {:>4} {:>4}  {}",
        "RUN", "STATE", "WHAT", "CREATED (UTC)", "TOOK", "OK", "WARN", "FAIL", "SKIP", "SELECTION"
    ));
    for run in runs {
        let what = run.job.as_deref().unwrap_or(&run.command);
        let took = run.duration(now).map(short).unwrap_or_default();
        printer.line(&format!(
            "{:>5}  {}  {what:<16}  {}  {took:>8}  {:>5} {:>4} {:>4} {:>4}  {}",
            run.run_id,
            painted(printer, &run.state, 10),
            run.created_at.format("%Y-%m-%d %H:%M:%S"),
            run.succeeded,
            run.warned,
            run.failed,
            run.skipped,
            run.request.selection(),
        ));
    }
}

fn print_run(printer: &Printer, run: &Run, nodes: &[NodeRun], now: DateTime<Utc>) {
    let line = |name: &str, value: &str| {
        if !value.is_empty() {
            printer.line(&format!("{name:<12} {value}"));
        }
    };
    let at = |at: Option<DateTime<Utc>>| {
        at.map(|at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string())
            .unwrap_or_default()
    };
    line("run", &run.run_id.to_string());
    line("state", &painted(printer, &run.state, 0));
    line(
        "command",
        &format!("{} {}", run.command, run.request.selection()),
    );
    line("job", run.job.as_deref().unwrap_or_default());
    line("trigger", &run.trigger);
    line("due", &at(run.due_at));
    line("started", &at(run.started_at));
    line("finished", &at(run.finished_at));
    line("took", &run.duration(now).map(short).unwrap_or_default());
    line("error", run.error.as_deref().unwrap_or_default());
    printer.line("");
    for node in nodes {
        let took = node
            .seconds
            .map(|seconds| format!("{seconds:.2}s"))
            .unwrap_or_default();
        let tries = if node.attempt > 1 {
            format!(" (attempt {})", node.attempt)
        } else {
            String::new()
        };
        let said = match (&node.culprit, &node.message) {
            (Some(culprit), _) => format!("because of {culprit}"),
            (None, Some(message)) => message.clone(),
            (None, None) => String::new(),
        };
        let text = format!(
            "  {}  {:<8} {:<44} {took:>8}  {said}{tries}",
            painted(printer, &node.state, 12),
            node.resource_type,
            node.name,
        );
        printer.line(text.trim_end());
        for detail in node.error.iter().flat_map(|error| error.lines()) {
            printer.line(&format!("      {detail}"));
        }
    }
}

/// A state in its colour, padded before the invisible bytes come in.
fn painted(printer: &Printer, state: &str, width: usize) -> String {
    let color = match state {
        "success" => Color::Green,
        "failed" => Color::Red,
        "warned" | "cancelled" | "cancelling" | "up_for_retry" => Color::Yellow,
        "queued" | "skipped" => Color::Dim,
        _ => return format!("{state:<width$}"),
    };
    printer.paint(color, &format!("{state:<width$}"))
}

/// `0.42s`, `3m12s`, `2h05m`.
pub(crate) fn short(took: TimeDelta) -> String {
    let millis = took.num_milliseconds().max(0);
    let seconds = millis / 1_000;
    match seconds {
        0..60 => format!("{}.{:02}s", seconds, millis % 1_000 / 10),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
    }
}

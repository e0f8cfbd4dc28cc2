//! `ridehail jobs ls|trigger`.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Advice;
use super::printer::Printer;
use super::runs::{Common, Output};
use crate::clock::{Clock, SystemClock};
use crate::jobs::{self, Job};
use crate::run::prepare::Place;
use crate::schedule::{due, fire};
use crate::store::leases;

/// The jobs of jobs.yml.
#[derive(Debug, Args)]
pub struct JobsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the jobs and when each is due next
    Ls {
        #[command(flatten)]
        common: Common,
    },
    /// Queue a run of a job; `ridehail serve` carries it out
    Trigger {
        /// Job
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        common: Common,
    },
}

pub(super) async fn execute(args: JobsArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let now = SystemClock.now();
    match args.what {
        What::Ls { common } => {
            let jobs = read(&common.project.place())?;
            if common.output == Output::Json {
                jobs.iter().for_each(|job| printer.json(job));
                return Ok(ExitCode::SUCCESS);
            }
            if jobs.is_empty() {
                printer.line("no jobs");
            }
            for job in &jobs {
                let next = job
                    .schedule
                    .as_ref()
                    .and_then(|times| due::next(times, now).ok());
                let when = match (&job.schedule, next) {
                    (Some(times), Some(next)) => format!(
                        "{} {} (next {})",
                        times.cron,
                        times.time_zone,
                        next.with_timezone(&times.time_zone)
                            .format("%Y-%m-%d %H:%M %Z")
                    ),
                    (Some(times), None) => {
                        format!("{} {} (never due)", times.cron, times.time_zone)
                    }
                    (None, _) => "when triggered".to_owned(),
                };
                let request = &job.request;
                let what = format!("{} {}", request.command.word(), request.selection());
                printer.line(&format!("{:<20} {what:<40} {when}", job.name));
            }
        }
        What::Trigger { name, common } => {
            let jobs = read(&common.project.place())?;
            let job = jobs.iter().find(|job| job.name == name).ok_or_else(|| {
                let known: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
                let what = format!("there is no job `{name}` in {}", jobs::FILE);
                Advice {
                    what,
                    hint: format!("jobs are: {}", known.join(", ")),
                }
            })?;
            // the run is for the scheduler of this project, should others share the store
            let project = common.load().await?.name;
            let store = common.open().await?;
            let run_id = fire::trigger(&store, &project, &job.request, now).await?;
            let schedulers = leases::with_prefix(store.pool(), "scheduler:").await?;
            if schedulers.iter().all(|lease| lease.expires_at <= now) {
                tracing::warn!(
                    "no scheduler is alive: the run waits until `ridehail serve` is started"
                );
            }
            match common.output {
                Output::Json => printer.json(&serde_json::json!({ "run_id": run_id })),
                Output::Text => printer.line(&format!("run {run_id} is queued")),
            }
            store.close().await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(place: &Place) -> Result<Vec<Job>, jobs::Error> {
    jobs::read(&place.project_dir)
}

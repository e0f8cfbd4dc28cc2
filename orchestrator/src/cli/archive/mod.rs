//! `ridehail archive …`: one file a verb. Each reads the project, whose models and sources carry the policies, and
//! opens the lake beside their tables.

mod abandon;
mod backup;
mod explain;
mod maintain;
mod pause;
mod preview;
mod progress;
mod refused;
mod restore;
mod run;
mod status;
mod table;
mod verify;
mod views;

use std::process::ExitCode;

use chrono::NaiveDate;
use clap::{Args, Subcommand};
use lake::Lake;
use lake::args::LakeArgs;
use lake::ledger::tables::{self, Table};
use project::Project;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::Advice;
use super::printer::Printer;
use crate::archive::{Archived, policies};
use crate::clock::{Clock, SystemClock};
use crate::config::{LogArgs, ProjectArgs};
use crate::run::execute::archive::{open, open_to_read};
use crate::run::prepare::load;
use crate::run::request::{Command, Request};

pub(crate) use progress::LogProgress;
pub(super) use views::no_trino;

/// Old days of partitioned tables, on their way from Postgres to Iceberg.
#[derive(Debug, Args)]
pub struct ArchiveArgs {
    #[command(subcommand)]
    what: What,
}

/// A new one is a file and a line in each list here.
#[derive(Debug, Subcommand)]
enum What {
    /// Show what is due, changing nothing
    Plan(preview::PlanArgs),
    /// Move what is due, end what is under way, flush late rows
    Run(Box<run::RunArgs>),
    /// Show where each table's boundary is and what is under way
    Status(status::StatusArgs),
    /// Tell what happened to a table's days, and what would happen next
    Explain(explain::ExplainArgs),
    /// Compare the archive with the ledger
    Verify(verify::VerifyArgs),
    /// Make or refresh the views that add the newest hours to the history
    Views(views::ViewsArgs),
    /// Give up a move that cannot go on: its day goes back to its writers
    Abandon(abandon::AbandonArgs),
    /// Let no move go on; one under way stops before its next state
    Pause(pause::PauseArgs),
    /// Let moves go on
    Resume(pause::ResumeArgs),
    /// Bring a day back to Postgres, to be read
    Restore(restore::RestoreArgs),
    /// Compact, expire, clean up and check
    Maintain(Box<maintain::MaintainArgs>),
    /// Dump warehouse, ledger and catalog together, and restore them
    Backup(Box<backup::BackupArgs>),
    /// Late rows that could not be archived
    Refused(refused::RefusedArgs),
}

pub(super) async fn execute(
    args: ArchiveArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Plan(args) => preview::execute(args, printer).await,
        What::Run(args) => run::execute(*args, log, printer).await,
        What::Status(args) => status::execute(args, printer).await,
        What::Explain(args) => explain::execute(args, printer).await,
        What::Verify(args) => verify::execute(args, log, printer).await,
        What::Views(args) => views::execute(args, printer).await,
        What::Abandon(args) => abandon::execute(args, printer).await,
        What::Pause(args) => pause::pause(args, printer).await,
        What::Resume(args) => pause::resume(args, printer).await,
        What::Restore(args) => restore::execute(args, printer).await,
        What::Maintain(args) => maintain::execute(*args, log, printer).await,
        What::Backup(args) => backup::execute(*args, printer).await,
        What::Refused(args) => refused::execute(args, printer).await,
    }
}

/// Where the project and the lake are.
#[derive(Debug, Args)]
pub(super) struct Common {
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    lake: LakeArgs,
}

impl Common {
    /// Reads the project.
    async fn load(&self) -> anyhow::Result<Project> {
        let place = self.project.place();
        let request = self.project.apply(Request::new(Command::Archive));
        let now = SystemClock.now();
        let loaded =
            spawn_blocking(move || load(&place, &request, "archive", now, Uuid::new_v4())).await?;
        Ok(loaded?)
    }

    /// Reads the project and opens the lake beside its tables.
    async fn open(&self) -> anyhow::Result<Opened> {
        let project = self.load().await?;
        let lake = open(&self.lake, &project).await?;
        Self::opened(project, lake)
    }

    /// The same for a role that may only read.
    async fn open_to_read(&self) -> anyhow::Result<Opened> {
        let project = self.load().await?;
        let lake = open_to_read(&self.lake, &project).await?;
        Self::opened(project, lake)
    }

    fn opened(project: Project, lake: Lake) -> anyhow::Result<Opened> {
        let policies = policies(&project)?;
        Ok(Opened {
            project,
            policies,
            lake,
        })
    }
}

/// A project and its lake.
struct Opened {
    project: Project,
    policies: Vec<Archived>,
    lake: Lake,
}

impl Opened {
    /// The table that a person means by `schema.table`, by the table's name alone, or by the model's or source's.
    async fn table(&self, name: &str) -> anyhow::Result<Table> {
        let all = tables::list(self.lake.pool()).await?;
        let by_policy = self
            .policies
            .iter()
            .filter(|archived| archived.name == name)
            .map(|archived| archived.policy.table.clone())
            .collect::<Vec<_>>();
        let mut meant = all.iter().filter(|table| {
            table.id.to_string() == name || table.id.name == name || by_policy.contains(&table.id)
        });
        let known = || {
            let names: Vec<String> = all.iter().map(|table| table.id.to_string()).collect();
            if names.is_empty() {
                "no table has an archive yet: `ridehail archive run` begins one".to_owned()
            } else {
                format!("tables with an archive: {}", names.join(", "))
            }
        };
        let (what, hint) = match (meant.next(), meant.next()) {
            (Some(table), None) => return Ok(table.clone()),
            (Some(_), Some(_)) => (format!("several tables are called `{name}`"), known()),
            (None, _) => (format!("`{name}` has no archive"), known()),
        };
        Err(Advice { what, hint }.into())
    }

    /// The policy of a table, when the project still has one.
    fn policy(&self, table: &Table) -> Option<&Archived> {
        self.policies
            .iter()
            .find(|archived| archived.policy.table == table.id)
    }
}

fn day(text: &str) -> Result<NaiveDate, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no day: write it as 2026-10-01"))
}

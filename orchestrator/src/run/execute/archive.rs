//! An attempt at archiving one table: hands it to the mover, and turns what comes back into a report.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use lake::Lake;
use lake::args::CatalogNames;
use lake::ledger::tables;
use lake::maintain;
use lake::mover::{self, Policy, Reporter, RunOptions};
use project::{Project, UniqueId};
use sqlx::ConnectOptions as _;
use tokio_util::sync::CancellationToken;

use super::attempt::{blank, cancelled, failed};
use crate::archive::report::{Verdict, message, verdict};
use crate::archive::{policies, upkeep, views};
use crate::run::events::{Ending, Report};
use crate::run::failure::Failure;
use crate::run::invoke::{Error, LakeAccess};
use crate::run::prepare::PlannedNode;
use crate::run::request::{Command, Request};
use crate::store::Address;

/// An open lake and what is to be done with it.
#[derive(Clone)]
pub struct Archiver {
    lake: Lake,
    names: CatalogNames,
    policies: Arc<HashMap<UniqueId, Policy>>,
    work: Work,
    reporter: Arc<dyn Reporter>,
    now: DateTime<Utc>,
}

#[derive(Clone)]
enum Work {
    Move(RunOptions),
    Maintain(maintain::Options),
}

impl fmt::Debug for Archiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archiver")
            .field("tables", &self.policies.len())
            .finish_non_exhaustive()
    }
}

/// Opens the lake beside the profile's tables.
///
/// # Errors
/// Postgres is out of reach or refuses the ledger's schema; the object store's address is none.
pub async fn open(args: &lake::args::LakeArgs, project: &Project) -> Result<Lake, Error> {
    Ok(Lake::open(args, &database(project)?).await?)
}

/// As [`open`], for who may read the ledger and change nothing.
///
/// # Errors
/// As there.
pub async fn open_to_read(args: &lake::args::LakeArgs, project: &Project) -> Result<Lake, Error> {
    Ok(Lake::open_to_read(args, &database(project)?).await?)
}

fn database(project: &Project) -> Result<String, Error> {
    let target = Address::Target(Box::new(project.profile.target.clone()));
    Ok(target.options()?.to_url_lossy().to_string())
}

impl Archiver {
    /// Opens the lake for the tables of `project`; ages are counted from `now`.
    ///
    /// # Errors
    /// See [`open`]; or a policy is wrong.
    pub async fn open(
        access: &LakeAccess,
        project: &Project,
        request: &Request,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let policies = policies(project)?
            .into_iter()
            .map(|archived| (archived.unique_id, archived.policy))
            .collect();
        Ok(Self {
            lake: open(&access.args, project).await?,
            names: access.args.names.clone(),
            policies: Arc::new(policies),
            work: match request.command {
                Command::Maintain => Work::Maintain(request.upkeep.for_lake()),
                _ => Work::Move(request.archive.for_mover()),
            },
            reporter: Arc::clone(&access.reporter),
            now: request.archive.now.or(request.upkeep.now).unwrap_or(now),
        })
    }

    /// Does to one table what the run is for.
    pub(super) async fn attempt(
        &self,
        planned: &PlannedNode,
        cancel: &CancellationToken,
    ) -> Report {
        let Some(policy) = self.policies.get(&planned.unique_id) else {
            return failed(&Failure::unexpected(
                planned,
                "the table has no archive policy",
            ));
        };
        match &self.work {
            Work::Move(options) => self.archive(planned, policy, options, cancel).await,
            Work::Maintain(options) => {
                let work = Box::pin(self.maintain(planned, policy, options));
                // every task can be begun anew
                let done = cancel.run_until_cancelled(work).await;
                done.unwrap_or_else(cancelled)
            }
        }
    }

    async fn maintain(
        &self,
        planned: &PlannedNode,
        policy: &Policy,
        options: &maintain::Options,
    ) -> Report {
        let table = match tables::get(self.lake.pool(), &policy.table).await {
            Ok(Some(table)) => table,
            Ok(None) => return blank(Ending::Success, "NOT archived yet".to_owned()),
            Err(error) => return failed(&Failure::of_lake(planned, &error)),
        };
        match maintain::run(&self.lake, &table, options, self.now).await {
            Ok(done) => ended(upkeep::message(&done), upkeep::verdict(&done), None),
            Err(error) => failed(&Failure::of_lake(planned, &error)),
        }
    }

    /// Brings one table's archive up to date.
    async fn archive(
        &self,
        planned: &PlannedNode,
        policy: &Policy,
        options: &RunOptions,
        cancel: &CancellationToken,
    ) -> Report {
        match self.lake.has(&policy.table).await {
            Ok(true) => {}
            Ok(false) => {
                let text = format!("there is no table {}", policy.table);
                let hint = Some("a model's first build makes it, a source's first load");
                return ended(
                    "NOT there yet".to_owned(),
                    Verdict::Warned { text, hint },
                    None,
                );
            }
            Err(error) => return failed(&Failure::of_lake(planned, &error)),
        }
        let reporter = self.reporter.as_ref();
        let run = mover::run(&self.lake, policy, self.now, options, reporter, cancel);
        let outcome = match Box::pin(run).await {
            Ok(outcome) => outcome,
            Err(error) => return failed(&Failure::of_lake(planned, &error)),
        };
        let message = message(&outcome);
        let mut verdict = verdict(&outcome);
        if verdict == Verdict::Done
            && let Err(error) = self.refresh_views(policy).await
        {
            verdict = Verdict::Warned {
                text: format!("the live views were not refreshed: {}", error.told()),
                hint: Some("history is not affected; `ridehail archive views` tries again"),
            };
        }
        ended(message, verdict, Some(outcome.rows))
    }

    /// The views over the newest hours, when the policy asks for them and there is someone to make them.
    async fn refresh_views(&self, policy: &Policy) -> Result<(), lake::Error> {
        let (Some(live), Some(trino)) = (&policy.live, self.lake.trino()) else {
            return Ok(());
        };
        let table = tables::get(self.lake.pool(), &policy.table).await?;
        // they read the history view, which the first move that gets so far makes
        if let Some(table) = table.filter(|table| table.view_text.is_some()) {
            views::refresh(trino, &self.names, &table, live, self.now).await?;
        }
        Ok(())
    }

    /// Closes every connection.
    pub async fn close(self) {
        self.lake.pool().close().await;
    }
}

/// A report of what came of a table.
fn ended(message: String, verdict: Verdict, rows: Option<u64>) -> Report {
    match verdict {
        Verdict::Done => Report {
            rows,
            ..blank(Ending::Success, message)
        },
        Verdict::Warned { text, hint } => Report {
            rows,
            error: Some(text),
            hint: hint.map(str::to_owned),
            ..blank(Ending::Warned, message)
        },
        Verdict::Cancelled => cancelled(),
    }
}

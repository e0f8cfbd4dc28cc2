//! `ridehail run-operation`.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::{Map, Value as Json};
use tokio::task::spawn_blocking;
use uuid::Uuid;
use warehouse::{RunOptions, Warehouse};

use super::printer::Printer;
use super::signals;
use super::teller::Teller;
use crate::artifacts::run_results::of_operation;
use crate::artifacts::{self, Invocation};
use crate::clock::{Clock, SystemClock};
use crate::config::{LogArgs, NoEffectArgs, ProjectArgs, mapping};
use crate::run::events::Event;
use crate::run::request::{Command, Request};

/// Calls a macro. Each `run_query` is committed by itself; what a `statement` block changes is undone unless the macro
/// commits (`{% do adapter.commit() %}`), as in dbt.
#[derive(Debug, Args)]
pub struct RunOperationArgs {
    /// The macro: its name, or package.name
    #[arg(value_name = "MACRO")]
    pub(super) name: String,
    /// Its keyword arguments, a YAML mapping
    #[arg(long, value_name = "YAML", value_parser = mapping, default_value = "{}")]
    pub(super) args: Map<String, Json>,
    #[command(flatten)]
    pub(super) project: ProjectArgs,
    #[command(flatten)]
    pub(super) no_effect: NoEffectArgs,
}

pub(super) async fn execute(
    args: RunOperationArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let request = args.project.apply(Request::new(Command::Build));
    let place = args.project.place();
    let (now, invocation_id) = (SystemClock.now(), Uuid::new_v4());
    let mut teller = Teller::new(log, printer, &place.project_dir);
    let project = teller
        .read(&place, &request, "run-operation", now, invocation_id)
        .await?;
    let warehouse = Warehouse::connect(&project.profile.target, 1).await?;
    let options = RunOptions {
        cancel: signals::cancel_on_signal()?,
        ..RunOptions::default()
    };
    let session = warehouse.session(&options).without_transaction();
    let adapter = warehouse
        .adapter()
        .with_cancel(options.cancel.clone())
        .within(session.clone());
    let (name, keywords) = (args.name, args.args);
    let began = SystemClock.now();
    let writes = log.writes_json();
    let done = spawn_blocking(move || {
        let done = project.run_operation(&name, &keywords, Arc::new(adapter));
        let about = Invocation {
            invocation_id,
            started_at: now,
            generated_at: SystemClock.now(),
            which: "run-operation",
        };
        // nothing of that name: nothing ran
        let ran = !matches!(done, Err(project::Error::Config { .. }));
        if writes && ran {
            let operation = (name.as_str(), &keywords);
            let success = done.is_ok();
            let results = of_operation(&about, &request, &project, operation, success, began);
            let written =
                artifacts::write_manifest(&about, &project, &HashMap::new()).and_then(|()| {
                    artifacts::write(&project.target_path, "run_results.json", &results)
                });
            if let Err(error) = written {
                tracing::warn!(%error, "cannot write the artifacts");
            }
        }
        done
    })
    .await?;
    session.end().await;
    warehouse.close().await;
    match done {
        Ok(done) => {
            for said in done.messages {
                teller.tell(Event::Said(said));
            }
            Ok(ExitCode::SUCCESS)
        }
        // nothing of that name is a mistake in the command, a macro that fails is a failure
        Err(error @ project::Error::Config { .. }) => Err(error.into()),
        Err(error) => {
            let told = anyhow::Error::from(error);
            Ok(super::fail(
                &told.context("Encountered an error while running operation"),
                1,
            ))
        }
    }
}

//! `ridehail parse`.

use std::collections::HashMap;
use std::process::ExitCode;

use clap::Args;
use uuid::Uuid;

use super::printer::Printer;
use super::teller::Teller;
use crate::artifacts::{self, Invocation};
use crate::clock::{Clock, SystemClock};
use crate::config::{LogArgs, NoEffectArgs, ProjectArgs};
use crate::run::request::{Command, Request};

/// Reads and checks the project, and writes target/manifest.json. Touches no database.
#[derive(Debug, Args)]
pub struct ParseArgs {
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    no_effect: NoEffectArgs,
}

pub(super) async fn execute(
    args: ParseArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let request = args.project.apply(Request::new(Command::Build));
    let place = args.project.place();
    let now = SystemClock.now();
    let invocation_id = Uuid::new_v4();
    let mut teller = Teller::new(log, printer, &place.project_dir);
    let project = teller
        .read(&place, &request, "parse", now, invocation_id)
        .await?;
    if log.writes_json() {
        let about = Invocation {
            invocation_id,
            started_at: now,
            generated_at: SystemClock.now(),
            which: "parse",
        };
        artifacts::write_manifest(&about, &project, &HashMap::new())?;
    }
    // the process ends here: giving back tens of thousands of nodes one by one would take longer than naming them did
    std::mem::forget(project);
    Ok(ExitCode::SUCCESS)
}

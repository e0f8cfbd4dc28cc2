//! `ridehail parse`.

use std::collections::HashMap;
use std::process::ExitCode;

use clap::Args;
use project::Project;
use uuid::Uuid;

use super::console::words::{declared, plural};
use super::printer::Printer;
use super::warn;
use crate::artifacts::{self, Invocation};
use crate::clock::{Clock, SystemClock};
use crate::config::{LogArgs, NoEffectArgs, ProjectArgs};
use crate::run::invoke::{counts, heed, read};
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
    let project = read(&place, &request, "parse", now, invocation_id).await?;
    heed(&project.rules, &project.warnings, &mut warn)?;
    if log.writes_json() {
        let about = Invocation {
            invocation_id,
            started_at: now,
            generated_at: SystemClock.now(),
            which: "parse",
        };
        artifacts::write_manifest(&about, &project, &HashMap::new())?;
    }
    if !log.quiet {
        printer.line(&found(&project));
    }
    // the process ends here: giving back tens of thousands of nodes one by one would take longer than naming them did
    std::mem::forget(project);
    Ok(ExitCode::SUCCESS)
}

/// `Found 2 models, 1 seed`: what the project holds.
fn found(project: &Project) -> String {
    let parts: Vec<String> = counts(project)
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| plural(count, declared(kind)))
        .collect();
    format!("Found {}", parts.join(", "))
}

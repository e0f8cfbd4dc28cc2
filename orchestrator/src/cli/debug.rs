//! `ridehail debug`.

use std::process::ExitCode;

use clap::Args;
use project::profile::Profile;
use project::{Error, LoadOptions, PostgresTarget};
use tokio::task::spawn_blocking;
use warehouse::Warehouse;

use super::printer::{Color, Printer};
use crate::config::{NoEffectArgs, ProjectArgs};

/// Checks that profiles.yml and dbt_project.yml can be read and that the database answers.
#[derive(Debug, Args)]
pub struct DebugArgs {
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    no_effect: NoEffectArgs,
    /// Check the connection only
    #[arg(long)]
    connection: bool,
    /// Print the command that opens the folder of profiles.yml, and nothing else
    #[arg(long)]
    config_dir: bool,
}

pub(super) async fn execute(args: DebugArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let options = args.project.options();
    if args.config_dir {
        let folder = project::profile::folder(&options);
        let open = if cfg!(target_os = "macos") {
            "open"
        } else {
            "xdg-open"
        };
        let folder = folder.display();
        printer.line(&format!(
            "To view your profiles.yml file, run:\n\n{open} {folder}"
        ));
        return Ok(ExitCode::SUCCESS);
    }
    let read = {
        let options = options.clone();
        spawn_blocking(move || read(&options)).await?
    };
    let mut failures: Vec<String> = Vec::new();
    head(printer, &options, &read);
    if !args.connection {
        printer.line("Configuration:");
        let mut state = |name: &str, error: Option<&Error>| {
            let word = match error {
                None => printer.paint(Color::Green, "OK found and valid"),
                Some(Error::Config { location: None, .. }) => {
                    printer.paint(Color::Red, "ERROR not found")
                }
                Some(_) => printer.paint(Color::Red, "ERROR invalid"),
            };
            printer.line(&format!("  {name} file [{word}]"));
            failures.extend(error.map(told));
        };
        state("profiles.yml", read.profile.as_ref().err());
        state("dbt_project.yml", read.project.as_ref().err());
    }
    match &read.profile {
        Err(_) => printer.line("Connection test skipped since no profile was found"),
        Ok(profile) => {
            connection(printer, &profile.target);
            let word = match Warehouse::connect(&profile.target, 1).await {
                Ok(warehouse) => {
                    warehouse.close().await;
                    printer.paint(Color::Green, "OK connection ok")
                }
                Err(error) => {
                    let hint = error.hint().map(|hint| format!("\nhint: {hint}"));
                    failures.push(format!(
                        "The database could not be reached:\n  > {error}{}",
                        hint.unwrap_or_default()
                    ));
                    printer.paint(Color::Red, "ERROR")
                }
            };
            printer.line(&format!("  Connection test: [{word}]\n"));
        }
    }
    if failures.is_empty() {
        printer.line(&printer.paint(Color::Green, "All checks passed!"));
        return Ok(ExitCode::SUCCESS);
    }
    let checks = match failures.len() {
        1 => "1 check failed:".to_owned(),
        count => format!("{count} checks failed:"),
    };
    printer.line(&printer.paint(Color::Red, &checks));
    for failure in failures {
        printer.line(&format!("{failure}\n"));
    }
    Ok(ExitCode::from(1))
}

/// What was read of the two files.
struct Read {
    profile: Result<Profile, Error>,
    project: Result<(), Error>,
}

fn read(options: &LoadOptions) -> Read {
    Read {
        profile: project::load::profile(options),
        project: project::load::check_file(options),
    }
}

fn told(error: &Error) -> String {
    let hint = error.hint().map(|hint| format!("\nhint: {hint}"));
    format!("{error}{}", hint.unwrap_or_default())
}

fn head(printer: &Printer, options: &LoadOptions, read: &Read) {
    let version = env!("CARGO_PKG_VERSION");
    printer.line(&format!("ridehail version: {version}"));
    printer.line(&format!(
        "os info: {}-{}",
        std::env::consts::OS,
        std::env::consts::ARCH
    ));
    let file = options.project_dir.join("dbt_project.yml");
    printer.line(&format!("Using dbt_project.yml file at {}", file.display()));
    if let Ok(profile) = &read.profile {
        printer.line(&format!("Using profile {}", profile.profile_name));
        printer.line(&format!("Using target {}", profile.target_name));
        printer.line("adapter type: postgres");
        printer.line(&format!("adapter version: {version}"));
    }
}

/// Where the connection goes, without what is secret.
fn connection(printer: &Printer, target: &PostgresTarget) {
    let none = || "None".to_owned();
    let text = |value: &Option<String>| value.clone().unwrap_or_else(none);
    printer.line("Connection:");
    for (name, value) in [
        ("host", target.host.clone()),
        ("port", target.port.to_string()),
        ("user", target.user.clone()),
        ("database", target.dbname.clone()),
        ("schema", target.schema.clone()),
        ("connect_timeout", target.connect_timeout.to_string()),
        ("role", text(&target.role)),
        ("search_path", text(&target.search_path)),
        ("keepalives_idle", target.keepalives_idle.to_string()),
        ("sslmode", text(&target.sslmode)),
        ("sslcert", text(&target.sslcert)),
        ("sslkey", text(&target.sslkey)),
        ("sslrootcert", text(&target.sslrootcert)),
        (
            "application_name",
            target
                .application_name
                .clone()
                .unwrap_or_else(|| "dbt".to_owned()),
        ),
        ("retries", target.retries.to_string()),
    ] {
        printer.line(&format!("  {name}: {value}"));
    }
}

//! `ridehail compile`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use project::manifest::ResourceType;
use project::select::selected;
use uuid::Uuid;

use super::compiling::{compile_nodes, compiled_kinds, connect, write_artifacts};
use super::printer::Printer;
use super::warn;
use crate::artifacts::Invocation;
use crate::clock::{Clock, SystemClock};
use crate::config::{LogArgs, ProjectArgs, SelectionArgs};
use crate::run::invoke::{heed, read};
use crate::run::request::{Command, Request};

/// Writes compiled SQL to `target/compiled`. Asks the database what exists, changes nothing.
#[derive(Debug, Args)]
pub struct CompileArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    project: ProjectArgs,
    /// Compile for models of no rows
    #[arg(long, env = "DBT_EMPTY", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    empty: bool,
    /// Compile incremental models as for a rebuild from nothing
    #[arg(short, long)]
    full_refresh: bool,
}

pub(super) async fn execute(
    args: CompileArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let request = args
        .selection
        .apply(args.project.apply(Request::new(Command::Build)));
    let request = Request {
        full_refresh: args.full_refresh,
        empty: args.empty,
        ..request
    };
    let place = args.project.place();
    let now = SystemClock.now();
    let invocation_id = Uuid::new_v4();
    let project = read(&place, &request, "compile", now, invocation_id).await?;
    let spec = request.spec(compiled_kinds(args.selection.kinds()));
    // an ephemeral model is part of others; by itself only who asks for it wants to see it
    let one = !request.select.is_empty();
    let found = selected(&project, &spec)?;
    heed(&project.rules, &project.warnings, &mut warn)?;
    heed(&project.rules, &found.warnings, &mut warn)?;
    project.note_selected(&found.ids);
    let chosen: Vec<String> = found
        .ids
        .into_iter()
        .filter(|id| {
            project
                .manifest
                .nodes
                .get(id)
                .is_some_and(|node| match node.resource_type {
                    ResourceType::Model => node.config.materialized != "ephemeral" || one,
                    ResourceType::Test
                    | ResourceType::Analysis
                    | ResourceType::Seed
                    | ResourceType::Snapshot => true,
                    _ => false,
                })
        })
        .collect();

    let mut chosen = chosen;
    if !one && request.exclude.is_empty() {
        // dbt compiles what runs around the nodes too
        chosen.extend(
            project
                .on_run_start
                .iter()
                .chain(&project.on_run_end)
                .cloned(),
        );
    }
    let project = Arc::new(project);
    let warehouse = connect(&project).await?;
    let mut compiled = compile_nodes(&project, chosen, &warehouse).await?;
    warehouse.close().await;
    let written = compiled.made.len();
    let single = compiled.last.take();
    if log.writes_json() {
        let about = Invocation {
            invocation_id,
            started_at: now,
            generated_at: SystemClock.now(),
            which: "compile",
        };
        let took = (SystemClock.now() - now).to_std().unwrap_or_default();
        write_artifacts(&about, &request, &project, compiled, took)?;
    }
    // a single node is what a person wants to see, as dbt shows it
    match single {
        Some((id, sql)) if written == 1 => {
            if !log.quiet {
                printer.line(&format!(
                    "Compiled node '{}' is:",
                    id.split('.').nth(2).unwrap_or(&id)
                ));
            }
            printer.line(&sql);
        }
        _ if log.quiet => {}
        _ => printer.line(&format!(
            "{written} nodes compiled to {}",
            project.target_path.join("compiled").display()
        )),
    }
    Ok(ExitCode::SUCCESS)
}

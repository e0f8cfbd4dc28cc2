//! `ridehail compile`.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use project::manifest::ResourceType;
use project::select::select;
use tokio::task::spawn_blocking;
use uuid::Uuid;
use warehouse::Warehouse;

use super::printer::Printer;
use crate::clock::{Clock, SystemClock};
use crate::config::{LogArgs, ProjectArgs, SelectionArgs};
use crate::run::prepare::load;
use crate::run::request::{Command, Request};

/// Writes compiled SQL to `target/compiled`. Asks the database what exists, changes nothing.
#[derive(Debug, Args)]
pub struct CompileArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    project: ProjectArgs,
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
        ..request
    };
    let place = args.project.place();
    let now = SystemClock.now();
    let project = {
        let request = request.clone();
        spawn_blocking(move || load(&place, &request, "compile", now, Uuid::new_v4())).await??
    };
    let spec = request.spec(args.selection.kinds());
    let chosen: Vec<String> = select(&project, &spec)?
        .into_iter()
        .filter(|id| {
            project
                .manifest
                .nodes
                .get(id)
                .is_some_and(|node| match node.resource_type {
                    ResourceType::Model
                    | ResourceType::Test
                    | ResourceType::Analysis
                    | ResourceType::Snapshot => true,
                    _ => false,
                })
        })
        .collect();

    let warehouse = Warehouse::connect(&project.profile.target, 1).await?;
    let schemas: BTreeSet<String> = project
        .manifest
        .nodes
        .values()
        .filter_map(|node| Some(node.relation_name.as_ref()?.schema.clone()))
        .collect();
    warehouse.prepare(&schemas).await?;
    let adapter = warehouse.adapter();
    let project = Arc::new(project);
    let worker = Arc::clone(&project);
    let (written, single) = spawn_blocking(move || {
        let mut single = None;
        for id in &chosen {
            let compiled = worker.compile(id, &adapter)?;
            let file = worker.target_path.join("compiled").join(&compiled.path);
            let folder = file.parent().map_or(Ok(()), std::fs::create_dir_all);
            folder
                .and_then(|()| std::fs::write(&file, &compiled.sql))
                .with_context(|| format!("cannot write {}", file.display()))?;
            single = Some((id.clone(), compiled.sql));
        }
        Ok::<_, anyhow::Error>((chosen.len(), single))
    })
    .await??;
    warehouse.close().await;
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

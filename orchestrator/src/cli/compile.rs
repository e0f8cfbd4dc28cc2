//! `ridehail compile`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use project::Project;
use project::manifest::ResourceType;
use project::select::selected;
use serde_json::json;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::compiling::{compile_nodes, compiled_kinds, connect, hooks, write_artifacts};
use super::console::NOTHING_TO_DO;
use super::printer::Printer;
use super::show::Shape;
use super::warn;
use crate::artifacts::Invocation;
use crate::clock::{Clock, SystemClock};
use crate::config::{LogArgs, NoEffectArgs, ProjectArgs, SelectionArgs};
use crate::run::invoke::{heed, read};
use crate::run::request::{Command, Request};

/// Writes compiled SQL to `target/compiled`. Asks the database what exists, changes nothing.
#[derive(Debug, Args)]
pub struct CompileArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    no_effect: NoEffectArgs,
    /// Compile for models of no rows
    #[arg(long, env = "DBT_EMPTY", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    empty: bool,
    #[arg(long, hide = true, conflicts_with = "empty")]
    no_empty: bool,
    /// Compile incremental models as for a rebuild from nothing
    #[arg(short, long)]
    full_refresh: bool,
    /// A query with Jinja, instead of nodes
    #[arg(long, value_name = "SQL", conflicts_with_all = ["select", "selector"])]
    inline: Option<String>,
    /// Shape of the SQL that is printed
    #[arg(long, value_name = "SHAPE", default_value = "text")]
    output: Shape,
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
    if let Some(query) = args.inline {
        heed(&project.rules, &project.warnings, &mut warn)?;
        let sql = inline(Arc::new(project), query).await?;
        printer.line(&told(None, &sql, args.output, log.quiet)?);
        return Ok(ExitCode::SUCCESS);
    }
    let spec = request.spec(compiled_kinds(args.selection.kinds()));
    // an ephemeral model is part of others; a result by itself it is only to who selects
    let selects = !request.select.is_empty();
    let found = selected(&project, &spec)?;
    heed(&project.rules, &project.warnings, &mut warn)?;
    heed(&project.rules, &found.warnings, &mut warn)?;
    project.note_selected(&found.ids);
    let has_sql = |id: &String| {
        let node = project.manifest.nodes.get(id);
        node.is_some_and(|node| {
            matches!(
                node.resource_type,
                ResourceType::Model
                    | ResourceType::Test
                    | ResourceType::Analysis
                    | ResourceType::Seed
                    | ResourceType::Snapshot
            )
        })
    };
    let mut chosen: Vec<String> = found.ids.into_iter().filter(has_sql).collect();
    chosen.extend(hooks(&project, &request));
    let project = Arc::new(project);
    let warehouse = connect(&project).await?;
    // who names a node wants to see its SQL, as with dbt
    let named = named(&project, &chosen, &request.select);
    let mut compiled = compile_nodes(&project, chosen, &warehouse, selects).await?;
    warehouse.close().await;
    let written = compiled.made.len();
    let single = compiled.last.take().filter(|_| written == 1);
    let sql_of = |id: &String| Some((id.clone(), compiled.made.get(id)?.compiled_code.clone()));
    let mut shown: Vec<(String, String)> = named.iter().filter_map(sql_of).collect();
    if shown.is_empty() {
        shown.extend(single);
    }
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
    for (id, sql) in &shown {
        let name = id.split('.').nth(2).unwrap_or(id);
        printer.line(&told(Some(name), sql, args.output, log.quiet)?);
    }
    if shown.is_empty() && !log.quiet {
        let folder = project.target_path.join("compiled");
        printer.line(&match written {
            0 => NOTHING_TO_DO.to_owned(),
            _ => format!("{written} nodes compiled to {}", folder.display()),
        });
    }
    Ok(ExitCode::SUCCESS)
}

/// Those of `chosen` that `select` calls by their names.
fn named(project: &Project, chosen: &[String], select: &[String]) -> Vec<String> {
    let words: Vec<&str> = select
        .iter()
        .flat_map(|words| words.split_whitespace())
        .collect();
    let is_named = |id: &&String| {
        let node = project.manifest.nodes.get(*id);
        node.is_some_and(|node| words.contains(&node.name.as_str()))
    };
    chosen.iter().filter(is_named).cloned().collect()
}

/// The SQL of a query that is no node.
async fn inline(project: Arc<Project>, query: String) -> anyhow::Result<String> {
    let warehouse = connect(&project).await?;
    let adapter = Arc::new(warehouse.adapter());
    let compiled = spawn_blocking(move || project.compile_inline(&query, adapter)).await?;
    warehouse.close().await;
    Ok(compiled?.sql)
}

/// What is printed of one node, or of a query without a name.
fn told(name: Option<&str>, sql: &str, shape: Shape, quiet: bool) -> serde_json::Result<String> {
    let heading = match (shape, name) {
        (Shape::Json, Some(name)) => {
            return serde_json::to_string_pretty(&json!({ "node": name, "compiled": sql }));
        }
        (Shape::Json, None) => return serde_json::to_string_pretty(&json!({ "compiled": sql })),
        (Shape::Text, Some(name)) => format!("Compiled node '{name}' is:"),
        (Shape::Text, None) => "Compiled inline node is:".to_owned(),
    };
    Ok(if quiet {
        sql.to_owned()
    } else {
        format!("{heading}\n{sql}")
    })
}

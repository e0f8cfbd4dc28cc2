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
use super::printer::Printer;
use super::show::Shape;
use super::teller::Teller;
use crate::artifacts::Invocation;
use crate::clock::{Clock, SystemClock};
use crate::config::{LogArgs, NoEffectArgs, ProjectArgs, SelectionArgs};
use crate::run::events::Event;
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
    let mut teller = Teller::new(log, printer, &place.project_dir);
    let project = teller
        .read(&place, &request, "compile", now, invocation_id)
        .await?;
    if let Some(query) = args.inline {
        teller.begin(&project, &request);
        let sql = inline(Arc::new(project), query, &mut teller).await?;
        show(&mut teller, printer, None, &sql, args.output, log)?;
        return Ok(ExitCode::SUCCESS);
    }
    let spec = request.spec(compiled_kinds(args.selection.kinds()));
    // an ephemeral model is part of others; a result by itself it is only to who selects
    let selects = !request.select.is_empty();
    let found = selected(&project, &spec)?;
    teller.heed(&project, &found.warnings)?;
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
    teller.begin_unless(chosen.is_empty(), &project, &request);
    // who names a node wants to see its SQL, as with dbt
    let named = named(&project, &chosen, &request.select);
    let compiled = compile_nodes(&project, chosen, &warehouse, selects, &mut teller).await?;
    warehouse.close().await;
    let sql_of = |id: &String| Some((id.clone(), compiled.made.get(id)?.compiled_code.clone()?));
    let shown: Vec<(String, String)> = named.iter().filter_map(sql_of).collect();
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
        show(&mut teller, printer, Some(name), sql, args.output, log)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Those of `chosen` whose names stand in the first word of `select`, as dbt looks for them: also `+name` and
/// `path:models/name.sql` call one.
fn named(project: &Project, chosen: &[String], select: &[String]) -> Vec<String> {
    let first = select.first().map_or("", String::as_str);
    let is_named = |id: &&String| {
        let node = project.manifest.nodes.get(*id);
        node.is_some_and(|node| first.contains(&node.name))
    };
    chosen.iter().filter(is_named).cloned().collect()
}

/// The SQL of a query that is no node.
async fn inline(
    project: Arc<Project>,
    query: String,
    teller: &mut Teller,
) -> anyhow::Result<String> {
    let warehouse = connect(&project).await?;
    let adapter = Arc::new(warehouse.adapter());
    let compiled = spawn_blocking(move || project.compile_inline(&query, adapter)).await?;
    warehouse.close().await;
    let compiled = compiled?;
    for said in compiled.messages {
        teller.tell(Event::Said(said));
    }
    Ok(compiled.sql)
}

/// Prints one node, or a query without a name: its SQL alone to who wants quiet.
fn show(
    teller: &mut Teller,
    printer: &Printer,
    name: Option<&str>,
    sql: &str,
    shape: Shape,
    log: &LogArgs,
) -> serde_json::Result<()> {
    let json = match name {
        Some(name) => json!({ "node": name, "compiled": sql }),
        None => json!({ "compiled": sql }),
    };
    match (shape, name) {
        (Shape::Json, _) => printer.line(&serde_json::to_string_pretty(&json)?),
        (Shape::Text, _) if log.quiet => printer.line(sql),
        (Shape::Text, Some(name)) => teller.line(format!("Compiled node '{name}' is:\n{sql}")),
        (Shape::Text, None) => teller.line(format!("Compiled inline node is:\n{sql}")),
    }
    Ok(())
}

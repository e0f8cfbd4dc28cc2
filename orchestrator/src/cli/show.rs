//! `ridehail show`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use project::adapter::{Adapter, Table};
use project::manifest::ResourceType;
use project::select::{Spec, selected};
use project::{Compiled, LoadOptions, Project, Said};
use serde_json::{Value as Json, json};
use tokio::task::spawn_blocking;
use uuid::Uuid;
use warehouse::Warehouse;

use super::printer::Printer;
use super::teller::Teller;
use super::{Advice, signals};
use crate::clock::{Clock, SystemClock};
use crate::config::{LogArgs, NoEffectArgs, ProjectArgs, SelectionArgs};
use crate::run::events::Event;
use crate::run::request::{Command, Request};

/// Runs the query of a node, or one typed here, and prints its first rows. Changes nothing.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// A query with Jinja, instead of a node's
    #[arg(long, value_name = "SQL", conflicts_with = "select")]
    inline: Option<String>,
    /// A query as it is, without Jinja and without the project
    #[arg(long, value_name = "SQL", conflicts_with_all = ["select", "inline"])]
    inline_direct: Option<String>,
    /// Rows to print; -1 for all
    #[arg(
        long,
        value_name = "N",
        default_value_t = 5,
        allow_negative_numbers = true
    )]
    limit: i64,
    /// Ask incremental models as for a rebuild from nothing
    #[arg(short, long)]
    full_refresh: bool,
    /// Shape of the answer
    #[arg(long, value_name = "SHAPE", default_value = "text")]
    output: Shape,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    no_effect: NoEffectArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shape {
    /// For people.
    Text,
    /// One object for each node.
    Json,
}

pub(super) async fn execute(
    args: ShowArgs,
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
    if let Some(query) = args.inline_direct {
        let options = args.project.options();
        let asked = direct(options, query, args.limit).await;
        let mut teller = Teller::new(log, printer, &args.project.place().project_dir);
        return match asked {
            Ok(table) => print(&mut teller, printer, log, args.output, None, &table),
            Err(error) => Ok(super::fail(&error, 1)),
        };
    }
    let place = args.project.place();
    let now = SystemClock.now();
    let mut teller = Teller::new(log, printer, &place.project_dir);
    let project = teller
        .read(&place, &request, "show", now, Uuid::new_v4())
        .await?;
    let nodes = match args.inline {
        Some(_) => vec![None],
        None => chosen(&project, &args.selection, &request, &mut teller)?,
    };
    teller.begin_unless(nodes.is_empty(), &project, &request);
    let warehouse = Warehouse::connect(&project.profile.target, 1).await?;
    let cancel = signals::cancel_on_signal()?;
    let adapter = warehouse.adapter().with_cancel(cancel);
    let project = Arc::new(project);
    for id in nodes {
        let (project, adapter, inline) =
            (Arc::clone(&project), adapter.clone(), args.inline.clone());
        let name = id.as_deref().and_then(|id| id.split('.').nth(2));
        let name = name.map(str::to_owned);
        let asked = spawn_blocking(move || {
            ask(
                &project,
                id.as_deref(),
                &inline.unwrap_or_default(),
                args.limit,
                adapter,
            )
        });
        let (table, said) = match asked.await? {
            Ok(answer) => answer,
            Err(error) => return Ok(super::fail(&error, 1)),
        };
        for said in said {
            teller.tell(Event::Said(said));
        }
        let name = name.as_deref();
        print(&mut teller, printer, log, args.output, name, &table)?;
    }
    warehouse.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Prints what was asked for.
fn print(
    teller: &mut Teller,
    printer: &Printer,
    log: &LogArgs,
    shape: Shape,
    name: Option<&str>,
    table: &Table,
) -> anyhow::Result<ExitCode> {
    match shape {
        Shape::Json => printer.line(&serde_json::to_string_pretty(&object(name, table))?),
        Shape::Text if log.quiet => printer.write(&project::preview(table)),
        Shape::Text => {
            let what = match name {
                Some(name) => format!("node '{name}'"),
                None => "inline node".to_owned(),
            };
            teller.line(format!("Previewing {what}:\n{}", project::preview(table)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks the database of the profile, knowing nothing of the project.
async fn direct(options: LoadOptions, query: String, limit: i64) -> anyhow::Result<Table> {
    let profile = spawn_blocking(move || project::load::profile(&options)).await??;
    let warehouse = Warehouse::connect(&profile.target, 1).await?;
    let adapter = warehouse
        .adapter()
        .with_cancel(signals::cancel_on_signal()?);
    let table = spawn_blocking(move || adapter.query(&query)).await?;
    warehouse.close().await;
    let mut table = table?;
    // the query stays as it is: it may be none that another can be put around
    if let Ok(limit) = usize::try_from(limit) {
        table.rows.truncate(limit);
    }
    Ok(table)
}

/// The nodes whose rows are wanted; there is no default, as a whole project is hardly meant.
fn chosen(
    project: &Project,
    selection: &SelectionArgs,
    request: &Request,
    teller: &mut Teller,
) -> anyhow::Result<Vec<Option<String>>> {
    if request.select.is_empty() && request.exclude.is_empty() {
        return Err(Advice {
            what: "show needs to know what to show".to_owned(),
            hint: "name a node with --select, or give a query with --inline".to_owned(),
        }
        .into());
    }
    let spec = Spec {
        indirect: project::select::Indirect::Empty,
        ..request.spec(selection.kinds())
    };
    let shown = |id: &String| {
        let node = project.manifest.nodes.get(id);
        node.is_some_and(|node| {
            matches!(
                node.resource_type,
                ResourceType::Model
                    | ResourceType::Test
                    | ResourceType::Analysis
                    | ResourceType::Snapshot
                    | ResourceType::Seed
            )
        })
    };
    let found = selected(project, &spec)?;
    teller.heed(project, &found.warnings)?;
    project.note_selected(&found.ids);
    let nodes: Vec<_> = found.ids.into_iter().filter(shown).map(Some).collect();
    Ok(nodes)
}

fn ask(
    project: &Project,
    id: Option<&str>,
    inline: &str,
    limit: i64,
    adapter: warehouse::BlockingAdapter,
) -> anyhow::Result<(Table, Vec<Said>)> {
    let seed = id
        .and_then(|id| project.manifest.nodes.get(id))
        .filter(|node| node.resource_type == ResourceType::Seed)
        .and_then(|node| node.relation_name.as_ref());
    let compiled: Compiled = match (id, seed) {
        (_, Some(relation)) => Compiled {
            sql: format!("select * from {relation}"),
            ..Compiled::default()
        },
        (Some(id), None) => project.compile(id, &adapter)?,
        (None, None) => project.compile_inline(inline, Arc::new(adapter.clone()))?,
    };
    let mut sql = compiled.sql;
    if limit >= 0 {
        // on a line of its own: the query may end in a comment
        sql = format!("select * from (\n{sql}\n) as preview\nlimit {limit}");
    }
    Ok((adapter.query(&sql)?, compiled.messages))
}

fn object(name: Option<&str>, table: &Table) -> Json {
    let rows = project::rows_as_json(table);
    match name {
        Some(name) => json!({ "node": name, "show": rows }),
        None => json!({ "show": rows }),
    }
}

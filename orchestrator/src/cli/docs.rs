//! `ridehail docs`.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Subcommand};
use project::Project;
use project::adapter::Adapter;
use project::manifest::ResourceType;
use project::select::selected;
use serde_json::Value as Json;
use tokio::task::spawn_blocking;
use uuid::Uuid;
use warehouse::Warehouse;

use super::compiling::{
    CompiledNodes, compile_nodes, compiled_kinds, connect, hooks, write_artifacts,
};
use super::printer::Printer;
use super::teller::Teller;
use super::{Advice, signals};
use crate::artifacts::catalog::{self, Relation};
use crate::artifacts::{self, Invocation};
use crate::clock::{Clock, SystemClock};
use crate::config::{LogArgs, NoEffectArgs, ProjectArgs, SelectionArgs};
use crate::run::request::{Command, Request};
use crate::web::docs::{Docs, Inlined, file};

/// Make and show the project's documentation.
#[derive(Debug, Args)]
pub struct DocsArgs {
    #[command(subcommand)]
    verb: DocsVerb,
}

#[derive(Debug, Subcommand)]
enum DocsVerb {
    /// Write manifest.json, catalog.json and index.html to the target folder
    Generate(Box<GenerateArgs>),
    /// Serve them to a browser of this machine
    Serve(Box<ServeArgs>),
}

#[derive(Debug, Args)]
struct GenerateArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    no_effect: NoEffectArgs,
    /// Do not compile; the manifest stays as it is
    #[arg(long, action = ArgAction::SetTrue, overrides_with = "compile")]
    no_compile: bool,
    #[arg(long, hide = true)]
    compile: bool,
    /// Do not ask the database: a catalog that holds nothing
    #[arg(long, env = "DBT_EMPTY_CATALOG", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    empty_catalog: bool,
    /// Write static_index.html too: one file that needs no server
    #[arg(long = "static", action = ArgAction::SetTrue)]
    one_file: bool,
}

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    no_effect: NoEffectArgs,
    /// Port
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    port: u16,
    /// Address; loopback only, as there is no login
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "DBT_HOST",
        hide_env = true,
        default_value = "127.0.0.1"
    )]
    host: String,
    /// Kept for dbt's sake: no browser is ever opened
    #[arg(long, action = ArgAction::SetTrue)]
    no_browser: bool,
    #[arg(long, hide = true)]
    browser: bool,
}

impl DocsArgs {
    /// Whether it goes on until told to stop.
    pub(super) fn stays(&self) -> bool {
        matches!(self.verb, DocsVerb::Serve(_))
    }
}

pub(super) async fn execute(
    args: DocsArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    match args.verb {
        DocsVerb::Generate(args) => generate(*args, log, printer).await,
        DocsVerb::Serve(args) => serve(*args, printer).await,
    }
}

async fn generate(
    args: GenerateArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let request = args
        .selection
        .apply(args.project.apply(Request::new(Command::Build)));
    let place = args.project.place();
    let (began, invocation_id) = (SystemClock.now(), Uuid::new_v4());
    let mut teller = Teller::new(log, printer, &place.project_dir);
    let project = teller
        .read(&place, &request, "generate", began, invocation_id)
        .await?;
    let project = Arc::new(project);
    let spec = request.spec(compiled_kinds(args.selection.kinds()));
    let found = selected(&project, &spec)?;
    teller.heed(&project, &found.warnings)?;
    let selected = found.ids;
    project.note_selected(&selected);
    let warehouse = connect(&project).await?;
    let compiled = if args.no_compile {
        CompiledNodes::default()
    } else {
        let is_compiled = |id: &&String| {
            let node = project.manifest.nodes.get(*id);
            node.is_some_and(|node| node.resource_type != ResourceType::Operation)
        };
        let mut chosen: Vec<String> = selected.iter().filter(is_compiled).cloned().collect();
        chosen.extend(hooks(&project, &request));
        teller.begin_unless(chosen.is_empty(), &project, &request);
        compile_nodes(&project, chosen, &warehouse, false, &mut teller).await?
    };
    teller.line("Building catalog");
    let found = if args.empty_catalog {
        Vec::new()
    } else {
        look(&project, &warehouse).await?
    };
    warehouse.close().await;
    let about = Invocation {
        invocation_id,
        started_at: began,
        generated_at: SystemClock.now(),
        which: "generate",
    };
    // as in dbt, a selection is one of what is compiled
    let everything = args.no_compile || (request.select.is_empty() && request.exclude.is_empty());
    let wanted = |id: &str| everything || selected.contains(id);
    let catalog = catalog::render(&about, &project, &found, &wanted);
    let folder = &project.target_path;
    if !args.no_compile {
        let took = (SystemClock.now() - began).to_std().unwrap_or_default();
        write_artifacts(&about, &request, &project, compiled, took)?;
    }
    artifacts::write(folder, "catalog.json", &catalog)
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    let page = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    page("index.html", file(None)?)?;
    if args.one_file {
        let manifest = std::fs::read_to_string(folder.join("manifest.json"))
            .with_context(|| format!("there is no manifest.json in {}", folder.display()))?;
        let data = Inlined {
            manifest,
            catalog: catalog.to_string(),
        };
        page("static_index.html", file(Some(&data))?)?;
    }
    let written = folder.join("catalog.json");
    let written = std::path::absolute(&written).unwrap_or(written);
    teller.line(format!("Catalog written to {}", written.display()));
    Ok(ExitCode::SUCCESS)
}

/// What the database holds in the project's schemas.
async fn look(project: &Project, warehouse: &Warehouse) -> anyhow::Result<Vec<Relation>> {
    let schemas: BTreeSet<String> = catalog::schemas(&project.manifest);
    if schemas.is_empty() {
        return Ok(Vec::new());
    }
    let adapter = warehouse.adapter();
    let table = spawn_blocking(move || adapter.query(&catalog::query(&schemas))).await??;
    let answer = table.rows.first().and_then(|row| row.first());
    let text = answer.and_then(Json::as_str).unwrap_or("[]");
    serde_json::from_str(text).context("the database's catalog is not what was asked for")
}

async fn serve(args: ServeArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let place = args.project.place();
    let target = args.project.target_path.unwrap_or_else(|| "target".into());
    let folder = place.project_dir.join(target);
    if !folder.join("manifest.json").is_file() {
        return Err(Advice {
            what: format!("there is no documentation in {}", folder.display()),
            hint: "run `ridehail docs generate` first".to_owned(),
        }
        .into());
    }
    let host = if args.host == "localhost" {
        "127.0.0.1"
    } else {
        &args.host
    };
    let ip: IpAddr = host
        .parse()
        .with_context(|| format!("'{host}' is no address"))?;
    let cancel = signals::cancel_on_signal()?;
    let docs = Docs::bind(SocketAddr::new(ip, args.port), folder).await?;
    if let Some(address) = docs.address() {
        printer.line(&format!("Serving docs at {address}"));
        printer.line(&format!(
            "To access from your browser, navigate to: http://{address}"
        ));
        printer.line("Press Ctrl+C to exit.");
    }
    docs.serve(cancel).await?;
    Ok(ExitCode::SUCCESS)
}

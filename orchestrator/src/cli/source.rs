//! `ridehail source freshness`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use project::adapter::Adapter;
use project::manifest::{Manifest, Node, ResourceType, Source};
use project::select::select;
use project::{Project, Said, UniqueId};
use serde_json::Value as Json;
use tokio::task::spawn_blocking;
use uuid::Uuid;
use warehouse::BlockingAdapter;

use super::compiling::connect;
use super::printer::Printer;
use super::walk::renderer;
use crate::artifacts::{self, Invocation, sources};
use crate::clock::{Clock, SystemClock};
use crate::config::{LogArgs, NoEffectArgs, ProjectArgs, SelectionArgs};
use crate::run::events::{Ending, Event, Happened, Report};
use crate::run::execute::attempt::blank;
use crate::run::invoke::{counts, read};
use crate::run::prepare::PlannedNode;
use crate::run::request::{Command, Request};
use crate::run::state::RunState;

/// Look after tables that something else fills.
#[derive(Debug, Args)]
pub struct SourceArgs {
    #[command(subcommand)]
    verb: SourceVerb,
}

#[derive(Debug, Subcommand)]
enum SourceVerb {
    /// Tell which sources have had no new rows for too long
    #[command(visible_alias = "snapshot-freshness")]
    Freshness(FreshnessArgs),
}

#[derive(Debug, Args)]
struct FreshnessArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    no_effect: NoEffectArgs,
    /// File to write the results to [default: sources.json in the target folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What became of one source.
struct Checked {
    report: Report,
    /// For the artifact, which holds only sources that could be asked about.
    result: Option<Json>,
}

pub(super) async fn execute(
    args: SourceArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let SourceVerb::Freshness(args) = args.verb;
    let request = args
        .selection
        .apply(args.project.apply(Request::new(Command::Build)));
    let place = args.project.place();
    let (began, invocation_id) = (SystemClock.now(), Uuid::new_v4());
    let mut renderer = renderer(log, printer, &place.project_dir);
    let mut tell = |event: Event| {
        renderer.render(&Happened {
            at: SystemClock.now(),
            event,
        });
    };
    tell(Event::Invoked);
    let mut project = read(&place, &request, "freshness", began, invocation_id).await?;
    let chosen = chosen(&project, &request)?;
    tell(Event::Found {
        counts: counts(&project),
    });
    if chosen.is_empty() {
        tell(Event::NothingToDo { summed_up: false });
        tell(Event::Said(Said::Log("Done.".to_owned())));
    } else {
        let nodes: Arc<[PlannedNode]> = chosen.iter().map(planned).collect();
        tell(Event::Began {
            run_id: None,
            nodes,
            threads: 1,
            target: project.profile.target_name.clone(),
        });
    }
    add_queries(&mut project, &chosen);
    let project = Arc::new(project);
    let mut results = Vec::new();
    let mut failed = false;
    if !chosen.is_empty() {
        let warehouse = connect(&project).await?;
        // one after the other: each is a question of milliseconds
        for ((node, index), source) in (0..).zip(1..).zip(&chosen) {
            tell(Event::NodeStarted {
                node,
                index,
                attempt: 1,
            });
            let (project, source, adapter) =
                (Arc::clone(&project), source.clone(), warehouse.adapter());
            let Checked { report, result } =
                spawn_blocking(move || check(&project, &source, &adapter)).await?;
            failed |= report.ending == Ending::Failed;
            results.extend(result);
            tell(Event::NodeFinished {
                node,
                index,
                report,
                attempt: 1,
            });
        }
        warehouse.close().await;
    }
    let took = (SystemClock.now() - began).to_std().unwrap_or_default();
    if !chosen.is_empty() {
        let state = if failed {
            RunState::Failed
        } else {
            RunState::Success
        };
        tell(Event::RunFinished {
            state,
            error: None,
            took,
        });
    }
    let about = Invocation {
        invocation_id,
        started_at: began,
        generated_at: SystemClock.now(),
        which: "freshness",
    };
    write(
        &project,
        args.output.as_deref(),
        &sources::document(&about, &results, took),
    )?;
    Ok(ExitCode::from(u8::from(failed)))
}

/// The sources of the selection that ask to be checked.
fn chosen(project: &Project, request: &Request) -> Result<Vec<Source>, project::Error> {
    let spec = request.spec(vec![ResourceType::Source]);
    let selected = select(project, &spec)?;
    let sources = &project.manifest.sources;
    let found = selected.iter().filter_map(|id| sources.get(id));
    Ok(found
        .filter(|source| sources::is_checked(source))
        .cloned()
        .collect())
}

fn planned(source: &Source) -> PlannedNode {
    PlannedNode {
        unique_id: source.unique_id.clone(),
        name: format!("{}.{}", source.source_name, source.name),
        resource_type: "source",
        materialized: None,
        relation: Some(source.relation_name.display()),
        schema: Some(source.relation_name.schema.clone()),
        path: source.original_file_path.display().to_string(),
        package: source.package_name.clone(),
        waits_for: Vec::new(),
    }
}

/// The node whose SQL is a source's `loaded_at_query`.
fn query_id(source: &Source) -> UniqueId {
    format!(
        "analysis.{}.loaded_at_query.{}.{}",
        source.package_name, source.source_name, source.name
    )
}

/// Queries of sources are templates: they become nodes of this project, so that they see what nodes see.
fn add_queries(project: &mut Project, chosen: &[Source]) {
    let mut manifest: Manifest = (*project.manifest).clone();
    for source in chosen {
        let Some(query) = &source.loaded_at_query else {
            continue;
        };
        let node = Node {
            unique_id: query_id(source),
            resource_type: ResourceType::Analysis,
            name: source.name.clone(),
            alias: source.relation_name.identifier.clone(),
            package_name: source.package_name.clone(),
            path: source.original_file_path.clone(),
            original_file_path: source.original_file_path.clone(),
            raw_code: query.clone(),
            relation_name: Some(source.relation_name.clone()),
            line: 1,
            ..Node::default()
        };
        manifest.nodes.insert(node.unique_id.clone(), node);
    }
    project.manifest = Arc::new(manifest);
}

/// Asks the database about one source. Blocks.
fn check(project: &Project, source: &Source, adapter: &BlockingAdapter) -> Checked {
    let began = SystemClock.now();
    let looked = look(project, source, adapter);
    let ended = SystemClock.now();
    let mut report = match &looked {
        Ok(looked) => match sources::judge(source, looked.age()) {
            sources::Status::Pass => blank(Ending::Success, "PASS".to_owned()),
            sources::Status::Warn => blank(Ending::Warned, "WARN".to_owned()),
            sources::Status::Error => Report {
                failures: Some(1),
                ..blank(Ending::Failed, "ERROR STALE".to_owned())
            },
        },
        Err(error) => Report {
            error: Some(error.clone()),
            ..blank(Ending::Failed, "ERROR".to_owned())
        },
    };
    report.took = (ended - began).to_std().unwrap_or(Duration::ZERO);
    let result = looked
        .ok()
        .map(|looked| sources::result(source, &looked, &criteria(source), began, ended));
    Checked { report, result }
}

fn criteria(source: &Source) -> Json {
    project::rendered::freshness(source.freshness.as_ref())
}

/// When rows last came in.
fn look(
    project: &Project,
    source: &Source,
    adapter: &BlockingAdapter,
) -> Result<sources::Looked, String> {
    let place = format!(
        "source {} ({})",
        source.name,
        source.original_file_path.display()
    );
    let own = match source.loaded_at_query {
        Some(_) => {
            let compiled = project.compile(&query_id(source), adapter);
            Some(
                compiled
                    .map_err(|error| format!("Compilation Error in {place}\n  {error}"))?
                    .sql,
            )
        }
        None => None,
    };
    let sql = sources::query(source, own.as_deref()).ok_or_else(|| {
        format!(
            "Runtime Error in {place}\n  Could not compute freshness for source {}: no 'loaded_at_field' \
             provided and postgres adapter does not support metadata-based freshness checks.",
            source.name
        )
    })?;
    let table = adapter.query(&sql).map_err(|error| {
        format!(
            "Database Error in {place}\n  {}",
            error.message.replace('\n', "\n  ")
        )
    })?;
    let answer = table
        .rows
        .first()
        .and_then(|row| row.first())
        .and_then(Json::as_str);
    sources::read(source, answer.unwrap_or_default())
        .map_err(|error| format!("Compilation Error in {place}\n  {error}"))
}

fn write(project: &Project, output: Option<&Path>, document: &Json) -> anyhow::Result<()> {
    let (folder, name) = match output {
        Some(file) => {
            let name = file
                .file_name()
                .and_then(|name| name.to_str())
                .context("--output names no file")?;
            (file.parent().unwrap_or_else(|| Path::new(".")), name)
        }
        None => (project.target_path.as_path(), "sources.json"),
    };
    artifacts::write(folder, name, document)
        .with_context(|| format!("cannot write {name} to {}", folder.display()))
}

//! `ridehail source freshness`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use project::adapter::Adapter;
use project::manifest::{Manifest, Node, ResourceType, Source};
use project::select::select;
use project::{Project, UniqueId};
use serde_json::{Map, Value as Json};
use tokio::task::spawn_blocking;
use uuid::Uuid;
use warehouse::BlockingAdapter;

use super::compiling::connect;
use super::printer::Printer;
use super::signals;
use super::teller::Teller;
use crate::artifacts::{self, Invocation, sources};
use crate::clock::{Clock, SharedClock, SystemClock};
use crate::config::{LogArgs, NoEffectArgs, ProjectArgs, SelectionArgs};
use crate::run::events::{Ending, Event, Report};
use crate::run::execute::attempt::blank;
use crate::run::invoke::hooks::{HookResult, Hooks, names_of_freshness};
use crate::run::prepare::PlannedNode;
use crate::run::request::{Command, Request};
use crate::run::state::RunState;
use crate::secrets::Secrets;

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
    let mut teller = Teller::new(log, printer, &place.project_dir);
    let mut project = teller
        .read(&place, &request, "freshness", began, invocation_id)
        .await?;
    let chosen = chosen(&project, &request)?;
    add_queries(&mut project, &chosen);
    let project = Arc::new(project);
    let done = if chosen.is_empty() {
        teller.tell(Event::NothingToDo { summed_up: false });
        teller.line("Done.");
        Done::default()
    } else {
        let nodes: Arc<[PlannedNode]> = chosen.iter().map(planned).collect();
        teller.tell(Event::Began {
            run_id: None,
            nodes,
            threads: 1,
            target: project.profile.target_name.clone(),
        });
        look_at_all(&project, &chosen, place.secrets(), &mut teller, began).await?
    };
    let took = (SystemClock.now() - began).to_std().unwrap_or_default();
    let about = Invocation {
        invocation_id,
        started_at: began,
        generated_at: SystemClock.now(),
        which: "freshness",
    };
    write(
        &project,
        args.output.as_deref(),
        &sources::document(&about, &done.results, took),
    )?;
    Ok(ExitCode::from(u8::from(done.failed)))
}

/// What became of all of them.
#[derive(Debug, Default)]
struct Done {
    results: Vec<Json>,
    failed: bool,
}

/// Asks about each source, between the statements around a run.
async fn look_at_all(
    project: &Arc<Project>,
    chosen: &[Source],
    secrets: Secrets,
    teller: &mut Teller,
    began: DateTime<Utc>,
) -> anyhow::Result<Done> {
    let warehouse = connect(project).await?;
    let cancel = signals::cancel_on_signal()?;
    let clock: SharedClock = Arc::new(SystemClock);
    let with_hooks =
        project.flags.get("source_freshness_run_project_hooks") != Some(&Json::Bool(false));
    let hooks = Hooks {
        project,
        warehouse: &warehouse,
        clock: &clock,
        cancel: &cancel,
        secrets,
    };
    let mut around = Vec::new();
    if with_hooks {
        let none = Map::new();
        let started = hooks
            .run(&project.on_run_start, &none, teller.renderer())
            .await?;
        around.extend(started.results);
        if let Some(error) = started.error {
            return Err(error.into());
        }
    }
    let mut done = Done::default();
    let mut seen = Vec::new();
    // one after the other: each is a question of milliseconds
    for ((node, index), source) in (0..).zip(1..).zip(chosen) {
        if cancel.is_cancelled() {
            break;
        }
        let started = Event::NodeStarted {
            node,
            index,
            attempt: 1,
        };
        teller.tell(started);
        let adapter = warehouse.adapter().with_cancel(cancel.clone());
        let checked = spawn_blocking({
            let (project, source) = (Arc::clone(project), source.clone());
            move || check(&project, &source, &adapter)
        });
        let Checked { report, result } = checked.await?;
        done.failed |= report.ending == Ending::Failed;
        seen.push(sources::seen(source, &report, result.as_ref()));
        done.results.extend(result);
        let finished = Event::NodeFinished {
            node,
            index,
            report,
            attempt: 1,
        };
        teller.tell(finished);
    }
    let mut broken = None;
    if with_hooks {
        let failed = around.iter().filter(|hook| hook.end.error().is_some());
        let failed = failed.map(HookResult::artifact);
        let names = names_of_freshness(project, failed.chain(seen));
        let ended = hooks
            .run(&project.on_run_end, &names, teller.renderer())
            .await?;
        around.extend(ended.results);
        broken = ended.error;
    }
    warehouse.close().await;
    // what was interrupted did not succeed
    done.failed |= cancel.is_cancelled() || around.iter().any(|hook| hook.end.error().is_some());
    let state = match (cancel.is_cancelled(), done.failed) {
        (true, _) => RunState::Cancelled,
        (false, true) => RunState::Failed,
        (false, false) => RunState::Success,
    };
    let ended = Event::RunFinished {
        state,
        error: None,
        took: (SystemClock.now() - began).to_std().unwrap_or_default(),
    };
    teller.tell(ended);
    match broken {
        Some(error) => Err(error.into()),
        None => Ok(done),
    }
}

/// The sources of the selection that ask to be checked.
fn chosen(project: &Project, request: &Request) -> Result<Vec<Source>, project::Error> {
    let spec = request.spec(vec![ResourceType::Source]);
    let selected = select(project, &spec)?;
    let sources = &project.manifest.sources;
    let found = selected.iter().filter_map(|id| sources.get(id));
    let mut found: Vec<Source> = found
        .filter(|source| source.is_checked())
        .cloned()
        .collect();
    // dbt's order
    found.sort_by(|one, other| one.unique_id.cmp(&other.unique_id));
    Ok(found)
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

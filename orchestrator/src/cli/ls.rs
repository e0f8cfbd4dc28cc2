//! `ridehail ls`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use project::Project;
use project::manifest::version_text;
use project::select::selected;
use project::state::Change;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::printer::Printer;
use super::warn;
use crate::artifacts::manifest::Things;
use crate::artifacts::{self, Invocation};
use crate::clock::{Clock, SystemClock};
use crate::config::{LogArgs, NoEffectArgs, ProjectArgs, SelectionArgs};
use crate::run::invoke::{heed, read};
use crate::run::prepare::kind_word;
use crate::run::request::{Command, Request};

/// Lists nodes without touching the database.
#[derive(Debug, Args)]
pub struct LsArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    no_effect: NoEffectArgs,
    /// What to print of each node
    #[arg(long, value_name = "WHAT", default_value = "selector")]
    output: Output,
    /// Keys of `--output json` [default: alias name package_name depends_on tags config resource_type …]
    #[arg(long, value_name = "KEY", num_args = 1.., value_delimiter = ' ')]
    output_keys: Vec<String>,
    /// Say below each line what differs from the run that --state names
    #[arg(long)]
    why: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Dotted path, as `--select` takes it.
    Selector,
    /// Name.
    Name,
    /// File.
    Path,
    /// One JSON object a line.
    Json,
}

/// What dbt puts into a JSON line when nothing is said.
const KEYS: &[&str] = &[
    "alias",
    "name",
    "package_name",
    "depends_on",
    "tags",
    "config",
    "resource_type",
    "source_name",
    "original_file_path",
    "unique_id",
];

pub(super) async fn execute(
    args: LsArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let request = args
        .selection
        .apply(args.project.apply(Request::new(Command::Build)));
    let place = args.project.place();
    let now = SystemClock.now();
    let invocation_id = Uuid::new_v4();
    let project = read(&place, &request, "list", now, invocation_id).await?;
    let spec = request.spec(args.selection.kinds());
    let found = selected(&project, &spec)?;
    heed(&project.rules, &project.warnings, &mut warn)?;
    heed(&project.rules, &found.warnings, &mut warn)?;
    if log.writes_json() {
        let about = Invocation {
            invocation_id,
            started_at: now,
            generated_at: SystemClock.now(),
            which: "list",
        };
        artifacts::write_manifest(&about, &project, &HashMap::new())?;
    }
    let mut chosen = found.ids;
    chosen.sort();
    let things = Things::of(&project);
    let mut lines: Vec<String> = chosen
        .iter()
        .filter_map(|id| {
            let line = line(&project, &things, id, args.output, &args.output_keys)?;
            Some(if args.why {
                line + &why(&project, id)
            } else {
                line
            })
        })
        .collect();
    if lines.is_empty() {
        tracing::warn!("No nodes selected!");
        return Ok(ExitCode::SUCCESS);
    }
    lines.push(String::new());
    printer.write(&lines.join("\n"));
    Ok(ExitCode::SUCCESS)
}

/// What of `id` differs from the earlier run, a line each.
fn why(project: &Project, id: &str) -> String {
    let changes = project
        .previous
        .as_ref()
        .map(|previous| previous.why(project, id));
    let told = |change: &Change| format!("\n  {}: {}", change.aspect.word(), change.how);
    changes.unwrap_or_default().iter().map(told).collect()
}

/// What is listed of a thing, whatever its kind.
struct Listed {
    selector: String,
    name: String,
    file: PathBuf,
}

fn line(
    project: &Project,
    things: &Things<'_>,
    id: &str,
    output: Output,
    keys: &[String],
) -> Option<String> {
    let listed = of_node(project, id).or_else(|| of_other(project, id))?;
    Some(match output {
        Output::Selector => listed.selector,
        Output::Name => listed.name,
        Output::Path => listed.file.display().to_string(),
        Output::Json => pick(&things.get(id)?, keys),
    })
}

fn of_node(project: &Project, id: &str) -> Option<Listed> {
    let node = project.manifest.nodes.get(id)?;
    Some(Listed {
        selector: node.fqn.join("."),
        name: match &node.version {
            Some(version) => format!("{}.v{}", node.name, version_text(version)),
            None => node.name.clone(),
        },
        file: node.original_file_path.clone(),
    })
}

fn of_other(project: &Project, id: &str) -> Option<Listed> {
    let manifest = &project.manifest;
    if let Some(source) = manifest.sources.get(id) {
        let name = format!("{}.{}", source.source_name, source.name);
        return Some(Listed {
            selector: format!("source:{}.{name}", source.package_name),
            name,
            file: source.original_file_path.clone(),
        });
    }
    if let Some(exposure) = manifest.exposures.get(id) {
        return Some(Listed {
            selector: format!("exposure:{}.{}", exposure.package_name, exposure.name),
            name: exposure.name.clone(),
            file: exposure.original_file_path.clone(),
        });
    }
    if let Some(test) = manifest.unit_tests.get(id) {
        let version = test
            .version
            .iter()
            .map(|v| format!("_v{}", version_text(v)));
        let name: String = std::iter::once(test.name.clone()).chain(version).collect();
        return Some(Listed {
            selector: format!("unit_test:{}.{name}", test.package_name),
            name: test.name.clone(),
            file: test.original_file_path.clone(),
        });
    }
    let thing = None
        .or_else(|| manifest.metrics.get(id))
        .or_else(|| manifest.semantic_models.get(id))
        .or_else(|| manifest.saved_queries.get(id))?;
    let kind = kind_word(thing.resource_type);
    Some(Listed {
        selector: format!("{kind}:{}.{}", thing.package_name, thing.name),
        name: thing.name.clone(),
        file: thing.original_file_path.clone(),
    })
}

/// The keys asked for, `config.materialized` among them; without any, those that dbt shows.
fn pick(value: &Json, keys: &[String]) -> String {
    let mut kept = Map::new();
    if keys.is_empty() {
        let known = value.as_object().into_iter().flatten();
        let known = known.filter(|(key, _)| KEYS.contains(&key.as_str()));
        kept.extend(known.map(|(key, value)| (key.clone(), value.clone())));
    }
    for key in keys {
        let found = key.split('.').try_fold(value, |at, part| at.get(part));
        let nested = key.contains('.');
        if let Some(found) = found.filter(|found| !(nested && found.is_null())) {
            kept.insert(key.clone(), found.clone());
        }
    }
    project::json_text(&Json::Object(kept), false)
}

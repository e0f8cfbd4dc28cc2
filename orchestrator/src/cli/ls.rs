//! `ridehail ls`.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use project::Project;
use project::select::{Spec, select};
use serde_json::{Map, Value as Json, json};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::printer::Printer;
use crate::clock::{Clock, SystemClock};
use crate::config::{ProjectArgs, SelectionArgs};
use crate::run::prepare::{kind_word, load};
use crate::run::request::{Command, Request};

/// Lists nodes without touching the database.
#[derive(Debug, Args)]
pub struct LsArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    project: ProjectArgs,
    /// What to print of each node
    #[arg(long, value_name = "WHAT", default_value = "selector")]
    output: Output,
    /// Keys of `--output json` [default: alias name package_name depends_on tags config resource_type …]
    #[arg(long, value_name = "KEY", num_args = 1.., value_delimiter = ' ')]
    output_keys: Vec<String>,
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

pub(super) async fn execute(args: LsArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let request = args
        .selection
        .apply(args.project.apply(Request::new(Command::Build)));
    let place = args.project.place();
    let now = SystemClock.now();
    let project = {
        let request = request.clone();
        spawn_blocking(move || load(&place, &request, "list", now, Uuid::new_v4())).await??
    };
    let spec = Spec {
        select: request.select,
        exclude: request.exclude,
        resource_types: args.selection.kinds(),
        indirect: request.indirect.into(),
    };
    let mut lines: Vec<String> = select(&project, &spec)?
        .iter()
        .filter_map(|id| line(&project, id, args.output, &args.output_keys))
        .collect();
    if lines.is_empty() {
        tracing::warn!("no nodes selected");
        return Ok(ExitCode::SUCCESS);
    }
    lines.sort();
    lines.push(String::new());
    printer.write(&lines.join("\n"));
    Ok(ExitCode::SUCCESS)
}

fn line(project: &Project, id: &str, output: Output, keys: &[String]) -> Option<String> {
    if let Some(node) = project.manifest.nodes.get(id) {
        return Some(match output {
            Output::Selector => match kind_word(node.resource_type) {
                "operation" => return None,
                _ => node.fqn.join("."),
            },
            Output::Name => node.name.clone(),
            Output::Path => node.original_file_path.display().to_string(),
            Output::Json => {
                let mut value = serde_json::to_value(node).ok()?;
                value["tags"] = json!(node.config.tags);
                value["config"] = json!(node.config.raw);
                pick(value, keys)
            }
        });
    }
    let source = project.manifest.sources.get(id)?;
    Some(match output {
        Output::Selector => format!("source:{}", source.fqn.join(".")),
        Output::Name => format!("{}.{}", source.source_name, source.name),
        Output::Path => source.original_file_path.display().to_string(),
        Output::Json => {
            let mut value = serde_json::to_value(source).ok()?;
            value["resource_type"] = json!("source");
            pick(value, keys)
        }
    })
}

fn pick(value: Json, keys: &[String]) -> String {
    let wanted = |key: &str| {
        if keys.is_empty() {
            KEYS.contains(&key)
        } else {
            keys.iter().any(|k| k == key)
        }
    };
    let Json::Object(object) = value else {
        return String::new();
    };
    let kept: Map<String, Json> = object.into_iter().filter(|(key, _)| wanted(key)).collect();
    Json::Object(kept).to_string()
}

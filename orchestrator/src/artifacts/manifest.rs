//! `target/manifest.json`, schema v12: what the project declares.

mod config;
mod keys;
mod macros;
mod node;

use std::collections::HashMap;
use std::io::{self, Write};
use std::panic::resume_unwind;
use std::thread;

use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use project::manifest::{Manifest, Node, Semantic, Source, UniqueId, UnitTest};
use project::select::written_selectors;
use project::{Compiled, Cte, Project, rendered};
use serde::Serialize;
use serde_json::{Value as Json, json};

use self::node::Rendered;
use super::document::Document;
use super::{Invocation, metadata};

/// What the invocation made of a node; others have only been read.
#[derive(Debug, Clone, Default)]
pub struct Made {
    /// Its SQL; none of a model that was compiled window by window.
    pub compiled_code: Option<String>,
    /// Where that lies; snapshots' is not told.
    pub compiled_path: Option<String>,
    /// Where the statement that was run lies.
    pub build_path: Option<String>,
    /// Ephemeral models in it, deepest first.
    pub extra_ctes: Vec<Cte>,
    /// Macros that it called, whether parsing saw them or not.
    pub macros: Vec<UniqueId>,
}

impl Made {
    /// Of a node that was compiled and not run.
    #[must_use]
    pub fn of(project: &Project, compiled: &Compiled) -> Self {
        let file = project.target_path.join("compiled").join(&compiled.path);
        let shown = file.strip_prefix(&project.root).unwrap_or(&file);
        Self {
            compiled_code: Some(compiled.sql.clone()),
            // nothing is written of nothing
            compiled_path: (!compiled.sql.is_empty()).then(|| shown.display().to_string()),
            build_path: None,
            extra_ctes: compiled.injected.ctes.clone(),
            macros: compiled.macros.clone(),
        }
    }
}

/// The macros of `project` as JSON: most of a small project's manifest, and nothing that its nodes change.
#[must_use]
pub fn macros(project: &Project, at: DateTime<Utc>) -> Vec<u8> {
    let rendered = macros::render(&project.manifest, seconds(at));
    serde_json::to_vec(&rendered).unwrap_or_default()
}

fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_micros() as f64 / 1e6
}

/// Writes the manifest of `project`; `made` by unique id, `macros` as [`macros()`] has them.
///
/// # Errors
/// `out` takes no more.
pub fn write(
    out: &mut dyn Write,
    about: &Invocation,
    project: &Project,
    made: &HashMap<String, Made>,
    macros: &[u8],
) -> io::Result<()> {
    let manifest = &project.manifest;
    let created = seconds(about.generated_at);
    let runs_hooks = !matches!(
        about.which,
        "compile" | "generate" | "parse" | "list" | "run-operation" | "freshness"
    );
    let semantic = |thing: &Semantic| rendered::semantic(thing, created);
    thread::scope(|scope| {
        // rendered beside the nodes
        let maps = scope.spawn(|| -> io::Result<_> {
            let (parents, children) = edges(project);
            Ok((
                serde_json::to_vec(&parents)?,
                serde_json::to_vec(&children)?,
            ))
        });
        let primary_keys = keys::primary(manifest);
        let render = |node| Rendered {
            first_hook: usize::from(runs_hooks),
            ..of_node(project, node, made, &primary_keys, created)
        };
        let mut document = Document::begin(out)?;
        document.value("metadata", &head(about, project))?;
        if manifest.untargeted.is_empty() {
            document.entries("nodes", &manifest.nodes, render)?;
        } else {
            let all = manifest.nodes.iter().chain(untargeted(manifest));
            let all: IndexMap<String, &Node> = all.map(|(id, node)| (id.clone(), node)).collect();
            document.entries("nodes", &all, |node| render(node))?;
        }
        document.entries("sources", &manifest.sources, |source| {
            rendered::source(source, created)
        })?;
        document.rendered("macros", macros)?;
        document.entries("docs", &manifest.docs, rendered::doc)?;
        document.entries("exposures", &manifest.exposures, |exposure| {
            rendered::exposure(exposure, created)
        })?;
        document.entries("metrics", &manifest.metrics, semantic)?;
        document.entries("groups", &manifest.groups, rendered::group)?;
        document.value("selectors", &written_selectors(&manifest.selectors))?;
        let nodes = manifest.disabled.iter();
        let nodes = nodes.filter(|(id, _)| !manifest.untargeted.contains(*id));
        let nodes = nodes.map(|(id, node)| (id.clone(), Gone::Node(node)));
        let sources = manifest.disabled_sources.iter();
        let sources = sources.map(|(id, source)| (id.clone(), Gone::Source(source)));
        let semantics = manifest.disabled_semantics.iter();
        let semantics = semantics.map(|(id, thing)| (id.clone(), Gone::Semantic(thing)));
        document.entries(
            "disabled",
            &nodes.chain(sources).chain(semantics).collect(),
            |gone| match gone {
                Gone::Node(node) => {
                    let again = manifest.disabled_again.iter();
                    let again = again.filter(|other| other.unique_id == node.unique_id);
                    // what was made of the one that is switched on is not theirs
                    let render = |node| Rendered {
                        made: None,
                        ..render(node)
                    };
                    Disabled::Nodes([*node].into_iter().chain(again).map(render).collect())
                }
                Gone::Source(source) => {
                    let mut source = rendered::source(source, created);
                    source["config"]["enabled"] = Json::Bool(false);
                    Disabled::Other([source])
                }
                Gone::Semantic(thing) => Disabled::Other([semantic(thing)]),
            },
        )?;
        let (parents, children) = maps.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        document.rendered("parent_map", &parents)?;
        document.rendered("child_map", &children)?;
        document.value("group_map", &group_map(project))?;
        document.entries("saved_queries", &manifest.saved_queries, semantic)?;
        document.entries("semantic_models", &manifest.semantic_models, semantic)?;
        document.entries("unit_tests", &manifest.unit_tests, |test| {
            rendered::unit_test(test, schema_of(project, test), created)
        })?;
        document.value("functions", &json!({}))?;
        document.end()
    })
}

fn of_node<'a>(
    project: &'a Project,
    node: &'a Node,
    made: &'a HashMap<String, Made>,
    primary_keys: &'a HashMap<&str, Vec<String>>,
    created: f64,
) -> Rendered<'a> {
    let key = primary_keys.get(node.unique_id.as_str());
    Rendered {
        project,
        node,
        made: made.get(&node.unique_id),
        primary_key: key.map_or(&[], Vec::as_slice),
        created,
        first_hook: 1,
    }
}

/// Where the model is built that `test` tests.
fn schema_of<'a>(project: &'a Project, test: &UnitTest) -> &'a str {
    let model = test.depends_on.nodes.first();
    let model = model.and_then(|id| project.manifest.nodes.get(id));
    model.map_or(&project.profile.target.schema, |model| &model.schema)
}

/// Tests whose target is not there.
fn untargeted(manifest: &Manifest) -> impl Iterator<Item = (&UniqueId, &Node)> {
    let ids = manifest.untargeted.iter();
    ids.filter_map(|id| manifest.disabled.get_key_value(id))
}

/// What `enabled: false` takes out of the graph.
enum Gone<'a> {
    Node(&'a Node),
    Source(&'a Source),
    Semantic(&'a Semantic),
}

/// The same as it is written.
#[derive(Serialize)]
#[serde(untagged)]
enum Disabled<'a> {
    Nodes(Vec<Rendered<'a>>),
    Other([Json; 1]),
}

/// Whatever the manifest holds, one at a time.
#[derive(Debug)]
pub struct Things<'a> {
    project: &'a Project,
    keys: HashMap<&'a str, Vec<String>>,
}

impl<'a> Things<'a> {
    /// Those of `project`.
    #[must_use]
    pub fn of(project: &'a Project) -> Self {
        Self {
            project,
            keys: keys::primary(&project.manifest),
        }
    }

    /// The unit test of that id.
    #[must_use]
    pub fn unit_test(&self, id: &str) -> Option<&UnitTest> {
        self.project.manifest.unit_tests.get(id)
    }

    /// A node, source, exposure, unit test, … as manifest.json has it.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Json> {
        let manifest = &self.project.manifest;
        let made = HashMap::new();
        if let Some(node) = manifest.nodes.get(id) {
            let node = of_node(self.project, node, &made, &self.keys, 0.0);
            return serde_json::to_value(node).ok();
        }
        if let Some(source) = manifest.sources.get(id) {
            return Some(rendered::source(source, 0.0));
        }
        if let Some(exposure) = manifest.exposures.get(id) {
            return Some(rendered::exposure(exposure, 0.0));
        }
        if let Some(test) = manifest.unit_tests.get(id) {
            let schema = schema_of(self.project, test);
            return Some(rendered::unit_test(test, schema, 0.0));
        }
        let semantics = [
            &manifest.metrics,
            &manifest.semantic_models,
            &manifest.saved_queries,
        ];
        let found = semantics.iter().find_map(|things| things.get(id))?;
        Some(rendered::semantic(found, 0.0))
    }
}

fn head(about: &Invocation, project: &Project) -> Json {
    let mut head = metadata(about, "manifest/v12");
    let name = &project.manifest.project_name;
    head["project_name"] = json!(name);
    // MD5 is dbt's choice: readers join on it
    head["project_id"] = json!(super::md5(name));
    head["user_id"] = Json::Null;
    head["send_anonymous_usage_stats"] = json!(false);
    head["adapter_type"] = json!("postgres");
    head["quoting"] = project.quoting.clone();
    head["run_started_at"] = json!(super::with_zone(about.started_at));
    head
}

type Edges<'a> = IndexMap<&'a str, Vec<&'a str>>;

/// Parents and children by id, each list sorted.
fn edges(project: &Project) -> (Edges<'_>, Edges<'_>) {
    let manifest = &project.manifest;
    let (mut parents, mut children) = (Edges::new(), Edges::new());
    let needs = manifest
        .nodes
        .iter()
        .map(|(id, node)| (id, node.depends_on.nodes.as_slice()))
        .chain(
            manifest
                .exposures
                .iter()
                .map(|(id, exposure)| (id, exposure.depends_on.nodes.as_slice())),
        )
        .chain(manifest.sources.keys().map(|id| (id, [].as_slice())))
        .chain(untargeted(manifest).map(|(id, node)| (id, node.depends_on.nodes.as_slice())))
        .chain(
            manifest
                .unit_tests
                .iter()
                .map(|(id, test)| (id, test.depends_on.nodes.as_slice())),
        )
        .chain(
            [
                &manifest.metrics,
                &manifest.semantic_models,
                &manifest.saved_queries,
            ]
            .into_iter()
            .flatten()
            .map(|(id, thing)| (id, thing.depends_on.nodes.as_slice())),
        );
    for (id, inputs) in needs {
        children.entry(id).or_default();
        for input in inputs {
            children.entry(input).or_default().push(id);
        }
        let mut inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        inputs.sort_unstable();
        parents.insert(id, inputs);
    }
    for list in children.values_mut() {
        list.sort_unstable();
    }
    (parents, children)
}

/// Nodes, saved queries, semantic models and metrics by the group they are in.
fn group_map(project: &Project) -> Edges<'_> {
    let names = project.manifest.groups.values();
    let mut groups: Edges<'_> = names
        .map(|group| (group.name.as_str(), Vec::new()))
        .collect();
    let manifest = &project.manifest;
    let nodes = manifest.nodes.iter().map(|(id, node)| (id, &node.group));
    let semantics = [
        &manifest.saved_queries,
        &manifest.semantic_models,
        &manifest.metrics,
    ];
    let semantics = semantics.into_iter().flatten();
    let semantics = semantics.map(|(id, thing)| (id, &thing.group));
    for (id, group) in nodes.chain(semantics) {
        if let Some(members) = group
            .as_ref()
            .and_then(|name| groups.get_mut(name.as_str()))
        {
            members.push(id);
        }
    }
    groups
}

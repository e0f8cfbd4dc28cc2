//! From a request to the list of nodes and what each waits for.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexSet;
use project::manifest::{Manifest, Node, ResourceType};
use project::select::{Selected, selected};
use project::warnings::Warning;
use project::{Edges, Gates, ParseCache, Project, UniqueId, execution_edges};
use serde::Serialize;

use super::plan::{Cycle, Limits, NodeIx, Plan};
use super::request::{Command, LakeWork, Request};
use super::state::NodeState;
use crate::archive::policies;
use crate::secrets::Secrets;

mod load;
mod planned;

pub use load::{load, options};
use planned::{plan_node, plan_told, plan_unit_test, waits_for};

/// Where this machine keeps the project: what a request leaves out.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// Folder of `dbt_project.yml`.
    pub project_dir: PathBuf,
    /// Folder of `profiles.yml`.
    pub profiles_dir: Option<PathBuf>,
    /// Folder of artifacts.
    pub target_path: Option<PathBuf>,
    /// Folder with the artifacts of an earlier run, below the project's.
    pub state: Option<PathBuf>,
    /// The same for `--defer`, where that is another.
    pub defer_state: Option<PathBuf>,
    /// Take a project that asks for another version of dbt.
    pub skip_version_check: bool,
    /// Whether results of earlier parses are used, and kept.
    pub parse_cache: ParseCache,
    /// The environment, for `env_var`.
    pub env: BTreeMap<String, String>,
}

impl Place {
    /// What of the environment nobody is to read.
    #[must_use]
    pub fn secrets(&self) -> Secrets {
        Secrets::among(
            self.env
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        )
    }
}

/// How the nodes of `clone` are built, whatever their own materialization.
pub const CLONE: &str = "clone";

/// A node as a run needs it: names and labels, no template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedNode {
    /// `model.package.name`.
    pub unique_id: UniqueId,
    /// Its name.
    pub name: String,
    /// `model`, `seed`, `test`, `snapshot`.
    pub resource_type: &'static str,
    /// How it is built; `None` for tests, the word of a [`LakeWork`] for what is archived.
    pub materialized: Option<String>,
    /// `schema.identifier`.
    pub relation: Option<String>,
    /// The schema it is built in.
    pub schema: Option<String>,
    /// File, below the project's root.
    pub path: String,
    /// Package.
    pub package: String,
    /// Positions of what it waits for.
    pub waits_for: Vec<i32>,
}

/// A loaded project and what of it is to be executed.
#[derive(Debug)]
pub struct Prepared {
    /// The project.
    pub project: Arc<Project>,
    /// The nodes in order; a position in this list is the node's number in the run.
    pub nodes: Arc<[PlannedNode]>,
    /// Ephemeral models that were chosen. They are compiled in the run's order, so that what needs a broken one is not
    /// tried; nobody is told of them, and nothing is recorded. Their numbers follow those of `nodes`.
    pub ephemeral: Arc<[PlannedNode]>,
    /// For each node and ephemeral model, the numbers of those it waits for.
    pub prerequisites: Vec<Vec<NodeIx>>,
    /// Nodes of a `build` that read tables of no node: what fills them may be a seed that they do not name.
    pub reads_sources: Vec<bool>,
    /// What a person should know of the selection.
    pub warnings: Vec<Warning>,
}

impl Prepared {
    /// The plan of a run of it that goes on from `states`; `None`: from the beginning.
    ///
    /// # Errors
    /// [`Cycle`] when no order exists.
    pub fn plan(&self, states: Option<Vec<NodeState>>, limits: Limits) -> Result<Plan, Cycle> {
        let plan = match states {
            None => Plan::new(&self.prerequisites, limits),
            Some(mut states) => {
                states.resize(self.prerequisites.len(), NodeState::Queued);
                Plan::resume(&self.prerequisites, states, limits)
            }
        };
        Ok(plan?.behind_sources(&self.reads_sources))
    }

    /// A node or an ephemeral model by its number.
    #[must_use]
    pub fn node(&self, node: NodeIx) -> &PlannedNode {
        let at = node as usize;
        let hidden = || &self.ephemeral[at - self.nodes.len()];
        self.nodes.get(at).unwrap_or_else(hidden)
    }
}

/// The word for a kind of node.
#[must_use]
pub fn kind_word(kind: ResourceType) -> &'static str {
    match kind {
        ResourceType::Model => "model",
        ResourceType::Test => "test",
        ResourceType::Seed => "seed",
        ResourceType::Snapshot => "snapshot",
        ResourceType::Analysis => "analysis",
        ResourceType::Operation => "operation",
        ResourceType::Source => "source",
        ResourceType::UnitTest => "unit_test",
        ResourceType::Exposure => "exposure",
        ResourceType::Metric => "metric",
        ResourceType::SemanticModel => "semantic_model",
        ResourceType::SavedQuery => "saved_query",
    }
}

/// The same word for one that came out of the store.
#[must_use]
pub fn known_kind(word: &str) -> &'static str {
    [
        "model",
        "test",
        "seed",
        "snapshot",
        "analysis",
        "operation",
        "source",
        "unit_test",
        "exposure",
        "saved_query",
    ]
    .into_iter()
    .find(|known| *known == word)
    .unwrap_or("node")
}

/// Chooses the nodes of `request` and orders them.
///
/// # Errors
/// A selector that is not understood.
pub fn prepare(project: Arc<Project>, request: &Request) -> Result<Prepared, Box<project::Error>> {
    let Selected {
        ids: selected,
        warnings,
    } = match &request.nodes {
        Some(wanted) => {
            let manifest = &project.manifest;
            let all = manifest.nodes.keys().chain(manifest.unit_tests.keys());
            let all = all
                .chain(manifest.exposures.keys())
                .chain(manifest.saved_queries.keys());
            Selected {
                ids: all.filter(|id| wanted.contains(id)).cloned().collect(),
                warnings: Vec::new(),
            }
        }
        None => selected(&project, &request.spec(request.kinds())).map_err(Box::new)?,
    };
    project.note_selected(&selected);
    if let Some(work) = request.command.of_lake() {
        return prepare_archive(project, &selected, work);
    }
    let manifest = &project.manifest;
    // a run that is tried again holds what its results tell of
    let with_ephemeral =
        request.nodes.is_none() && matches!(request.command, Command::Build | Command::Run);
    let ephemeral: Vec<UniqueId> = selected
        .iter()
        .filter(|id| with_ephemeral && manifest.nodes.get(*id).is_some_and(is_ephemeral))
        .cloned()
        .collect();
    let mut chosen: IndexSet<UniqueId> = selected
        .into_iter()
        .filter(|id| match manifest.nodes.get(id) {
            Some(node) if request.command == Command::Clone => is_cloned(node),
            Some(node) => is_executed(node),
            // what is no node is only there to be told of
            None => true,
        })
        .collect();
    // of what stands equally deep, the first by its id starts first, as in dbt
    chosen.sort();
    let shown = chosen.len();
    chosen.extend(ephemeral);
    let edges = match request.command {
        // each is there by itself
        Command::Clone => Edges::new(),
        Command::Build if request.nodes.is_some() => {
            execution_edges(&project, &chosen, Gates::TestsAgain)
        }
        Command::Build => execution_edges(&project, &chosen, Gates::Tests),
        _ => execution_edges(&project, &chosen, Gates::None),
    };
    let number: HashMap<&str, NodeIx> =
        (0..).zip(&chosen).map(|(n, id)| (id.as_str(), n)).collect();
    let prerequisites: Vec<Vec<NodeIx>> = chosen
        .iter()
        .map(|id| {
            let inputs = edges.get(id).into_iter().flatten();
            inputs
                .filter_map(|input| number.get(input.as_str()).copied())
                .collect()
        })
        .collect();
    let waits = waits_for(&prerequisites, shown);
    let mut nodes = chosen.iter().zip(waits).filter_map(|(id, waits_for)| {
        let node = project.manifest.nodes.get(id);
        let node = node.map(|node| match request.command {
            Command::Clone => PlannedNode {
                materialized: Some(CLONE.to_owned()),
                ..plan_node(node)
            },
            _ => plan_node(node),
        });
        let unit_test = || Some(plan_unit_test(project.manifest.unit_tests.get(id)?));
        let told = || plan_told(&project, id);
        let planned = node.or_else(unit_test).or_else(told)?;
        Some(PlannedNode {
            waits_for,
            ..planned
        })
    });
    let shown = nodes.by_ref().take(shown).collect();
    let ephemeral = nodes.collect();
    let reads_sources = match request.command {
        Command::Build => chosen.iter().map(|id| reads_source(manifest, id)).collect(),
        _ => Vec::new(),
    };
    Ok(Prepared {
        project,
        nodes: shown,
        ephemeral,
        prerequisites,
        reads_sources,
        warnings,
    })
}

/// Tables with a policy, each on its own: none waits for another, as each has its own boundary.
fn prepare_archive(
    project: Arc<Project>,
    selected: &IndexSet<UniqueId>,
    work: LakeWork,
) -> Result<Prepared, Box<project::Error>> {
    let nodes: Arc<[PlannedNode]> = policies(&project)?
        .iter()
        .filter(|archived| selected.contains(&archived.unique_id))
        .map(|archived| PlannedNode {
            unique_id: archived.unique_id.clone(),
            name: archived.name.clone(),
            resource_type: kind_word(archived.kind),
            materialized: Some(work.word().to_owned()),
            relation: Some(archived.policy.table.to_string()),
            // nothing is built, so no schema is made
            schema: None,
            path: archived.path.display().to_string(),
            package: archived.package.clone(),
            waits_for: Vec::new(),
        })
        .collect();
    Ok(Prepared {
        project,
        prerequisites: vec![Vec::new(); nodes.len()],
        nodes,
        ephemeral: Arc::new([]),
        reads_sources: Vec::new(),
        warnings: Vec::new(),
    })
}

fn reads_source(manifest: &Manifest, id: &str) -> bool {
    let node = manifest.nodes.get(id);
    let mut inputs = node.into_iter().flat_map(|node| &node.depends_on.nodes);
    inputs.any(|id| manifest.sources.contains_key(id))
}

/// A model that lives in the SQL of others.
fn is_ephemeral(node: &Node) -> bool {
    node.resource_type == ResourceType::Model && node.config.materialized == "ephemeral"
}

/// Nothing executes an ephemeral model or an empty file.
fn is_executed(node: &Node) -> bool {
    let empty = node.resource_type != ResourceType::Seed && node.raw_code.trim().is_empty();
    !is_ephemeral(node) && !empty
}

/// What `clone` makes a view of: everything that has a relation, however it is filled there.
fn is_cloned(node: &Node) -> bool {
    let kind = node.resource_type;
    matches!(
        kind,
        ResourceType::Model | ResourceType::Seed | ResourceType::Snapshot
    ) && node.config.materialized != "ephemeral"
}

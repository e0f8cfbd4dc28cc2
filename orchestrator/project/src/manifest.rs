//! What a project is, once every file is read. Field names are dbt's manifest v12 names.

use std::path::PathBuf;

use indexmap::{IndexMap, IndexSet};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::relation::RelationName;
use crate::semantic::TimeSpine;

mod resources;

pub use resources::{
    DocBlock, Exposure, Fixture, Format, Group, Overrides, Semantic, Source, UnitTest,
};

/// `model.ridehail.fct_rides`, `test.…`, `seed.…`, `source.ridehail.raw.ride_events`.
pub type UniqueId = String;

/// Everything a project declares.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Manifest {
    /// The root project's name.
    pub project_name: String,
    /// Models, seeds, tests and the other nodes, in file order.
    pub nodes: IndexMap<UniqueId, Node>,
    /// Sources by unique id.
    pub sources: IndexMap<UniqueId, Source>,
    /// Macros by unique id (`macro.package.name`).
    pub macros: IndexMap<UniqueId, Macro>,
    /// Exposures by unique id (`exposure.package.name`); never executed.
    pub exposures: IndexMap<UniqueId, Exposure>,
    /// Unit tests by unique id.
    pub unit_tests: IndexMap<UniqueId, UnitTest>,
    /// Metrics by unique id; never executed.
    pub metrics: IndexMap<UniqueId, Semantic>,
    /// Semantic models by unique id; never executed.
    pub semantic_models: IndexMap<UniqueId, Semantic>,
    /// Saved queries by unique id; never executed.
    pub saved_queries: IndexMap<UniqueId, Semantic>,
    /// Metrics, semantic models and saved queries that are disabled.
    pub disabled_semantics: IndexMap<UniqueId, Semantic>,
    /// Groups by unique id.
    pub groups: IndexMap<UniqueId, Group>,
    /// `selectors.yml`: each entry as written, rendered, by name.
    pub selectors: IndexMap<String, Json>,
    /// `{% docs %}` blocks by unique id (`doc.package.name`).
    pub docs: IndexMap<UniqueId, DocBlock>,
    /// Nodes that `enabled: false` takes out of the graph.
    pub disabled: IndexMap<UniqueId, Node>,
    /// Further ones of an id that is in it.
    pub disabled_again: Vec<Node>,
    /// Of those the tests whose target is not there: dbt keeps them among the nodes, as disabled ones.
    pub untargeted: IndexSet<UniqueId>,
    /// Sources that it takes out.
    pub disabled_sources: IndexMap<UniqueId, Source>,
}

impl Manifest {
    /// Keeps a node that is switched off. The first of an id stands for the others.
    pub(crate) fn set_aside(&mut self, node: Node) {
        match self.disabled.entry(node.unique_id.clone()) {
            indexmap::map::Entry::Vacant(place) => {
                place.insert(node);
            }
            indexmap::map::Entry::Occupied(_) => self.disabled_again.push(node),
        }
    }
}

/// What a node is.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ResourceType {
    /// A SQL model.
    #[default]
    Model,
    /// A generic or singular data test.
    Test,
    /// A CSV seed.
    Seed,
    /// A snapshot.
    Snapshot,
    /// A saved query that is only compiled.
    Analysis,
    /// A hook of the project.
    Operation,
    /// A source (never executed, but selectable).
    Source,
    /// Rows in, rows out.
    UnitTest,
    /// Someone who uses the project (selectable only, like what follows).
    Exposure,
    /// A metric.
    Metric,
    /// A semantic model.
    SemanticModel,
    /// A saved query.
    SavedQuery,
}

/// One node of the graph.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Node {
    /// `model.package.name`.
    pub unique_id: UniqueId,
    /// Kind of node.
    pub resource_type: ResourceType,
    /// Name as `ref` uses it.
    pub name: String,
    /// Alias: the relation's identifier.
    pub alias: String,
    /// Package that owns it.
    pub package_name: String,
    /// Path below its model (test, seed) path.
    pub path: PathBuf,
    /// Path below the project's root.
    pub original_file_path: PathBuf,
    /// Folders and name, for `fqn:` and config trees.
    pub fqn: Vec<String>,
    /// Template text.
    pub raw_code: String,
    /// Effective configuration.
    pub config: NodeConfig,
    /// Every tag: those of the configuration, for tests also those of their column.
    pub tags: Vec<String>,
    /// Text from property files.
    pub description: String,
    /// Column properties, in order.
    pub columns: IndexMap<String, ColumnInfo>,
    /// Database that it is built in, or would be.
    pub database: String,
    /// Schema that it is built in, or would be.
    pub schema: String,
    /// Where it is built; `None` for ephemeral models and tests that store nothing.
    pub relation_name: Option<RelationName>,
    /// Arguments of every `ref`, in order.
    pub refs: Vec<RefArgs>,
    /// Arguments of every `source`: `[source, table]`.
    pub source_refs: Vec<Vec<String>>,
    /// What it needs.
    pub depends_on: DependsOn,
    /// For generic tests.
    pub test_metadata: Option<TestMetadata>,
    /// For generic tests: the node they stand on.
    pub attached_node: Option<UniqueId>,
    /// For generic tests: section and entry of the property file that they stand in.
    pub file_key_name: Option<String>,
    /// For generic tests on a column.
    pub column_name: Option<String>,
    /// Of a model with versions: its own.
    pub version: Option<Json>,
    /// Of a model with versions: the one that `ref` without version means.
    pub latest_version: Option<Json>,
    /// The group it belongs to; a generic test belongs to that of its node.
    pub group: Option<String>,
    /// Of models: `private`, `protected` or `public`.
    pub access: Option<String>,
    /// Constraints on the whole table, as written.
    pub constraints: Vec<Json>,
    /// When a version stops being kept.
    pub deprecation_date: Option<Json>,
    /// How it is laid out in time, if metrics are laid out over it.
    pub time_spine: Option<TimeSpine>,
    /// The property file that describes it.
    pub patch_path: Option<PathBuf>,
    /// The package of that file, when it is another one's.
    pub patch_package: Option<String>,
    /// Configuration by key as the topmost level that has the key wrote it, nothing merged into it.
    pub unrendered_config: IndexMap<String, Json>,
    /// `{% docs %}` blocks that the description shows.
    pub doc_blocks: Vec<UniqueId>,
    /// Line of `original_file_path` where the node starts (0 = whole file).
    pub line: usize,
}

impl Node {
    /// The property file that describes it, as manifests write it: `package://path`.
    #[must_use]
    pub fn patch_uri(&self) -> Option<String> {
        let path = self.patch_path.as_ref();
        let path = path.filter(|_| self.test_metadata.is_none())?;
        let package = self.patch_package.as_ref().unwrap_or(&self.package_name);
        Some(format!("{package}://{}", path.display()))
    }
}

/// Effective configuration of a node: known keys typed, the rest kept as written.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NodeConfig {
    /// False removes the node from the graph.
    pub enabled: bool,
    /// view, table, incremental, ephemeral, seed, test, …
    pub materialized: String,
    /// Tags, merged down the tree.
    pub tags: Vec<String>,
    /// Free metadata.
    pub meta: IndexMap<String, Json>,
    /// Key columns of an incremental model; empty when none.
    pub unique_key: Vec<String>,
    /// append, delete+insert, merge; `None` = the adapter's default.
    pub incremental_strategy: Option<String>,
    /// ignore, fail, append_new_columns, sync_all_columns.
    pub on_schema_change: String,
    /// `{field, granularity, ahead}`, of which native partitions are made when the project asks for them.
    pub partition_by: Option<PartitionBy>,
    /// `indexes=[{columns, unique, type}]`.
    pub indexes: Vec<IndexConfig>,
    /// The model's own answer to `--full-refresh`.
    pub full_refresh: Option<bool>,
    /// SQL run before the model, each with its `transaction` flag.
    pub pre_hook: Vec<Hook>,
    /// SQL run after the model.
    pub post_hook: Vec<Hook>,
    /// `error` or `warn` (tests).
    pub severity: String,
    /// `!= 0`, `> 10` (tests).
    pub warn_if: String,
    /// `!= 0` (tests).
    pub error_if: String,
    /// Row filter of a test's input.
    pub r#where: Option<String>,
    /// Row limit of a test.
    pub limit: Option<u64>,
    /// Aggregate a test's failures are computed with; default `count(*)`.
    pub fail_calc: String,
    /// Keep failing rows in a table.
    pub store_failures: Option<bool>,
    /// Every key as the project wrote it (after inheritance), for templates and artifacts.
    pub raw: IndexMap<String, Json>,
}

impl NodeConfig {
    /// `contract: {enforced: true}`: columns and constraints are as the property file has them.
    #[must_use]
    pub fn enforces_contract(&self) -> bool {
        let contract = self.raw.get("contract");
        contract.and_then(|contract| contract.get("enforced")) == Some(&Json::Bool(true))
    }
}

/// Native partitioning of an incremental model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionBy {
    /// Column of type timestamptz, timestamp or date.
    pub field: String,
    /// `day`, `month`, ….
    pub granularity: String,
    /// How many periods after the newest one get their partitions ahead of any row.
    #[serde(default)]
    pub ahead: u32,
}

/// One entry of `indexes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexConfig {
    /// Columns or expressions, in order.
    pub columns: Vec<String>,
    /// Unique index.
    #[serde(default)]
    pub unique: bool,
    /// Access method, `btree` when absent.
    #[serde(default)]
    pub r#type: Option<String>,
}

/// One hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Template.
    pub sql: String,
    /// Inside the node's transaction.
    pub transaction: bool,
}

/// Properties of a column.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ColumnInfo {
    /// Name.
    pub name: String,
    /// Text.
    pub description: String,
    /// Declared type.
    pub data_type: Option<String>,
    /// Free metadata.
    pub meta: IndexMap<String, Json>,
    /// Tags, inherited by its tests.
    pub tags: Vec<String>,
    /// Constraints, as written.
    pub constraints: Vec<Json>,
    /// Whether its name is quoted in SQL.
    pub quote: Option<bool>,
    /// Of columns of time: `day`, `month`, ….
    pub granularity: Option<String>,
    /// What stands under keys of the project's own.
    #[serde(default)]
    pub more: IndexMap<String, Json>,
    /// `{% docs %}` blocks that the description shows.
    pub doc_blocks: Vec<UniqueId>,
}

/// Arguments of a `ref`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefArgs {
    /// Name.
    pub name: String,
    /// Package, when named.
    pub package: Option<String>,
    /// Version, when named.
    pub version: Option<Json>,
}

impl RefArgs {
    /// The latest version of what is called `name`.
    #[must_use]
    pub fn name(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }
}

/// A version as names and messages write it: `2` of `2` and of `"2"`.
#[must_use]
pub fn version_text(version: &Json) -> String {
    match version {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Edges of a node.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DependsOn {
    /// Nodes and sources, in order of first mention.
    pub nodes: Vec<UniqueId>,
    /// Macros.
    pub macros: Vec<UniqueId>,
}

/// Which generic test, with which arguments.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TestMetadata {
    /// `not_null`.
    pub name: String,
    /// Package of the test macro, when named.
    pub namespace: Option<String>,
    /// Arguments.
    pub kwargs: IndexMap<String, Json>,
}

/// A macro.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Macro {
    /// `macro.package.name`.
    pub unique_id: UniqueId,
    /// Name.
    pub name: String,
    /// Package.
    pub package_name: String,
    /// File.
    pub original_file_path: PathBuf,
    /// Whole source of the macro, tags included.
    pub macro_sql: String,
    /// What a property file says of it.
    pub properties: MacroProperties,
}

/// What a property file says of a macro.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct MacroProperties {
    /// The file, below the project's root; `None`: none says anything.
    pub patch_path: Option<PathBuf>,
    /// In words.
    pub description: String,
    /// Anything.
    pub meta: Map<String, Json>,
    /// How it is shown.
    pub docs: Map<String, Json>,
    /// Its arguments, as written.
    pub arguments: Vec<MacroArgument>,
}

/// An argument of a macro.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct MacroArgument {
    /// Name.
    pub name: String,
    /// In any notation.
    #[serde(rename = "type")]
    pub data_type: Option<String>,
    /// In words.
    pub description: String,
}

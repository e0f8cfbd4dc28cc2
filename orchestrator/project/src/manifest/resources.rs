//! What a project declares besides nodes, sources and macros. Nothing of it is executed, unit tests
//! aside.

use std::path::PathBuf;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{ColumnInfo, DependsOn, RefArgs, ResourceType, UniqueId};
use crate::error::Location;
use crate::relation::RelationName;
use crate::semantic::{Body, Metric, SavedQuery, SemanticModel};

/// A metric, a semantic model or a saved query.
#[derive(Debug, Clone, Serialize)]
pub struct Semantic {
    /// `metric.package.name`, `semantic_model.…`, `saved_query.…`.
    pub unique_id: UniqueId,
    /// Kind.
    pub resource_type: ResourceType,
    /// Name.
    pub name: String,
    /// Package.
    pub package_name: String,
    /// Path below its model path.
    pub path: PathBuf,
    /// Where declared.
    pub original_file_path: PathBuf,
    /// The line its entry begins at; 0 means unknown.
    pub line: usize,
    /// Folders and name.
    pub fqn: Vec<String>,
    /// Text; none where nothing is written.
    pub description: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Group.
    pub group: Option<String>,
    /// Effective configuration.
    pub config: IndexMap<String, Json>,
    /// The same as it is written.
    pub unrendered_config: IndexMap<String, Json>,
    /// Arguments of every `ref`.
    pub refs: Vec<RefArgs>,
    /// What it needs.
    pub depends_on: DependsOn,
    /// What its kind alone has.
    pub body: Body,
}

impl Semantic {
    /// Where it is declared.
    #[must_use]
    pub fn location(&self) -> Location {
        Location::line(&self.original_file_path, self.line)
    }

    /// What it says, if it is a metric.
    #[must_use]
    pub fn metric(&self) -> Option<&Metric> {
        match &self.body {
            Body::Metric(metric) => Some(metric),
            Body::Model(_) | Body::Query(_) => None,
        }
    }

    /// What it says, if it is a semantic model.
    #[must_use]
    pub fn model(&self) -> Option<&SemanticModel> {
        match &self.body {
            Body::Model(model) => Some(model),
            Body::Metric(_) | Body::Query(_) => None,
        }
    }

    /// What it says, if it is a saved query.
    #[must_use]
    pub fn query(&self) -> Option<&SavedQuery> {
        match &self.body {
            Body::Query(query) => Some(query),
            Body::Metric(_) | Body::Model(_) => None,
        }
    }
}

/// Who owns models together, and may use each other's private ones.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Group {
    /// `group.package.name`.
    pub unique_id: UniqueId,
    /// Name.
    pub name: String,
    /// Package.
    pub package_name: String,
    /// Path below its model path.
    pub path: PathBuf,
    /// Where declared.
    pub original_file_path: PathBuf,
    /// Owner as written.
    pub owner: Json,
    /// Text.
    pub description: Option<String>,
    /// `config:` as written.
    pub config: Map<String, Json>,
}

/// Shape of a fixture's rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A list of mappings.
    #[default]
    Dict,
    /// Lines of text; by now a list of mappings too.
    Csv,
    /// A query.
    Sql,
}

/// Rows in the place of a relation, or the rows that are expected.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Fixture {
    /// `ref(…)`, `source(…)` or `this`; absent for what is expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// A list of mappings, or the text of a query.
    pub rows: Json,
    /// Shape.
    pub format: Format,
    /// The file the rows came from, when they did.
    pub fixture: Option<String>,
}

/// What a unit test puts in the place of the project's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Overrides {
    /// Macros by name: the value they give.
    #[serde(default)]
    pub macros: Map<String, Json>,
    /// Vars.
    #[serde(default)]
    pub vars: Map<String, Json>,
    /// Environment variables.
    #[serde(default)]
    pub env_vars: Map<String, Json>,
}

/// Rows in, rows out: a model's logic without its data.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct UnitTest {
    /// `unit_test.package.model.name`, behind it `_v2` when the model has versions.
    pub unique_id: UniqueId,
    /// Name.
    pub name: String,
    /// Name of the model.
    pub model: String,
    /// Package.
    pub package_name: String,
    /// Path below its model path.
    pub path: PathBuf,
    /// Where declared.
    pub original_file_path: PathBuf,
    /// Folders, model, name.
    pub fqn: Vec<String>,
    /// Text.
    pub description: String,
    /// Rows in.
    pub given: Vec<Fixture>,
    /// Rows out.
    pub expect: Fixture,
    /// Replaced macros and variables.
    pub overrides: Option<Overrides>,
    /// `{include, exclude}` as written.
    pub versions: Option<Json>,
    /// Version of the model.
    pub version: Option<Json>,
    /// False takes it out of the graph.
    pub enabled: bool,
    /// Tags.
    pub tags: Vec<String>,
    /// Free metadata.
    pub meta: IndexMap<String, Json>,
    /// The model.
    pub depends_on: DependsOn,
    /// Line of its file.
    pub line: usize,
}

impl UnitTest {
    /// `model::name`, as console lines call it.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.version {
            Some(version) => {
                let version = super::version_text(version);
                format!("{}::{}_v{version}", self.model, self.name)
            }
            None => format!("{}::{}", self.model, self.name),
        }
    }
}

/// Something outside the project that uses it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Exposure {
    /// `exposure.package.name`.
    pub unique_id: UniqueId,
    /// Name.
    pub name: String,
    /// Package.
    pub package_name: String,
    /// Where declared.
    pub original_file_path: PathBuf,
    /// Folders and name.
    pub fqn: Vec<String>,
    /// `dashboard`, `notebook`, ….
    pub r#type: String,
    /// Owner as written.
    pub owner: Json,
    /// Text.
    pub description: String,
    /// Address.
    pub url: Option<String>,
    /// Name for people.
    pub label: Option<String>,
    /// `high`, `medium`, `low`.
    pub maturity: Option<String>,
    /// Free metadata.
    pub meta: IndexMap<String, Json>,
    /// Its configuration as written, without what stands beside `config`.
    #[serde(default)]
    pub unrendered_config: IndexMap<String, Json>,
    /// Tags.
    pub tags: Vec<String>,
    /// Names of the metrics it uses.
    pub metrics: Vec<String>,
    /// Arguments of every `ref`.
    pub refs: Vec<RefArgs>,
    /// Arguments of every `source`.
    pub source_refs: Vec<Vec<String>>,
    /// What it needs.
    pub depends_on: DependsOn,
}

/// One `{% docs %}` block.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DocBlock {
    /// `doc.package.name`.
    pub unique_id: UniqueId,
    /// Name.
    pub name: String,
    /// Package.
    pub package_name: String,
    /// File.
    pub original_file_path: PathBuf,
    /// Text between the tags.
    pub block_contents: String,
}

/// A table that something else fills.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Source {
    /// `source.package.source.table`.
    pub unique_id: UniqueId,
    /// Source.
    pub source_name: String,
    /// Table.
    pub name: String,
    /// Package.
    pub package_name: String,
    /// Where declared.
    pub original_file_path: PathBuf,
    /// Folders, source, table.
    pub fqn: Vec<String>,
    /// Text.
    pub description: String,
    /// Where it lies.
    pub relation_name: RelationName,
    /// Text of the source it belongs to.
    pub source_description: String,
    /// Who fills it.
    pub loader: String,
    /// Column that tells when a row came in.
    pub loaded_at_field: Option<String>,
    /// Column that tells when a row happened.
    #[serde(default)]
    pub event_time: Option<String>,
    /// Query that tells when the last row came in.
    pub loaded_at_query: Option<String>,
    /// Freshness thresholds as written, null when the check is switched off.
    pub freshness: Option<Json>,
    /// Where and how the table lies outside the database, for packages that make it.
    #[serde(default)]
    pub external: Option<Json>,
    /// `quoting` of the source and the table as written.
    #[serde(default)]
    pub quoting: Map<String, Json>,
    /// Configuration under keys that have no meaning of their own.
    #[serde(default)]
    pub more_config: IndexMap<String, Json>,
    /// Configuration as written, that of the source and the table alone.
    pub unrendered_config: IndexMap<String, Json>,
    /// `database` and `schema` before they were rendered.
    pub unrendered_place: [Option<String>; 2],
    /// Free metadata of the source it belongs to.
    pub source_meta: IndexMap<String, Json>,
    /// `{% docs %}` blocks that the description shows.
    pub doc_blocks: Vec<UniqueId>,
    /// Tags.
    pub tags: Vec<String>,
    /// Free metadata.
    pub meta: IndexMap<String, Json>,
    /// Column properties.
    pub columns: IndexMap<String, ColumnInfo>,
}

//! What a semantic model says of a model's columns.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value as Json};

use super::words::{Absent, Aggregation, DimensionType, EntityType, Granularity, printed};

/// A semantic model's own keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SemanticModel {
    /// `ref('…')` as written.
    pub model: String,
    /// Where the model is built, once that is known.
    #[serde(skip_deserializing)]
    pub node_relation: Option<NodeRelation>,
    /// How people call it.
    #[serde(default)]
    pub label: Option<String>,
    /// What its measures do not say.
    #[serde(default)]
    pub defaults: Option<Defaults>,
    /// What it joins by.
    #[serde(default)]
    pub entities: Vec<Entity>,
    /// What adds up.
    #[serde(default)]
    pub measures: Vec<Measure>,
    /// What it is grouped by.
    #[serde(default)]
    pub dimensions: Vec<Dimension>,
    /// Nothing written fills it.
    #[serde(skip_deserializing)]
    pub metadata: Absent,
    /// The entity of each row, where no column is its key.
    #[serde(default)]
    pub primary_entity: Option<String>,
}

/// Where a model is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeRelation {
    /// Its last part.
    pub alias: String,
    /// Schema.
    pub schema_name: String,
    /// Database.
    pub database: String,
    /// The whole, quoted; none of an ephemeral model.
    pub relation_name: Option<String>,
}

/// What measures do not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// The dimension they are in time by.
    #[serde(default)]
    pub agg_time_dimension: Option<String>,
}

/// What the owners of a part keep: nothing but `meta` is read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PartConfig {
    /// Anything.
    #[serde(default)]
    pub meta: Map<String, Json>,
}

/// What joins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the words are dbt's")]
pub struct Entity {
    pub name: String,
    pub r#type: EntityType,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub label: Option<String>,
    #[serde(default)]
    pub role: Option<String>,
    #[serde(default)]
    pub expr: Option<String>,
    #[serde(default)]
    pub config: PartConfig,
}

/// What is grouped by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the words are dbt's")]
pub struct Dimension {
    pub name: String,
    pub r#type: DimensionType,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub label: Option<String>,
    #[serde(default)]
    pub is_partition: bool,
    #[serde(default)]
    pub type_params: Option<TimeParams>,
    #[serde(default)]
    pub expr: Option<String>,
    #[serde(skip_deserializing)]
    pub metadata: Absent,
    #[serde(default)]
    pub config: PartConfig,
}

impl Dimension {
    /// Whether it tells when.
    #[must_use]
    pub fn is_time(&self) -> bool {
        self.r#type == DimensionType::Time
    }

    /// Which end of a row's validity it is.
    #[must_use]
    pub fn validity(&self) -> Option<&Validity> {
        self.type_params.as_ref()?.validity_params.as_ref()
    }
}

/// How a dimension tells the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeParams {
    /// How precisely.
    pub time_granularity: Granularity,
    /// Which end of a row's validity it is.
    #[serde(default)]
    pub validity_params: Option<Validity>,
}

/// Which end of a row's validity a dimension is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validity {
    /// The first moment.
    #[serde(default)]
    pub is_start: bool,
    /// The moment after the last.
    #[serde(default)]
    pub is_end: bool,
}

/// What adds up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the words are dbt's")]
pub struct Measure {
    pub name: String,
    pub agg: Aggregation,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub label: Option<String>,
    /// A metric of the same name is made of it. dbt makes it and then forgets that it was asked to.
    #[serde(default, serialize_with = "forgotten")]
    pub create_metric: bool,
    #[serde(default, deserialize_with = "printed")]
    pub expr: Option<String>,
    #[serde(default)]
    pub agg_params: Option<AggregationParams>,
    #[serde(default)]
    pub non_additive_dimension: Option<NonAdditive>,
    #[serde(default)]
    pub agg_time_dimension: Option<String>,
    #[serde(default)]
    pub config: PartConfig,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn forgotten<S: Serializer>(_: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(false)
}

/// Of a percentile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AggregationParams {
    /// Which, from 0 to 1.
    #[serde(default)]
    pub percentile: Option<f64>,
    /// A value that is there, not one between two.
    #[serde(default)]
    pub use_discrete_percentile: bool,
    /// Nearly is enough.
    #[serde(default)]
    pub use_approximate_percentile: bool,
}

/// The dimension along which a measure does not add up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NonAdditive {
    /// Its name.
    pub name: String,
    /// Which of its values stands for all.
    pub window_choice: Aggregation,
    /// Of each what.
    #[serde(default)]
    pub window_groupings: Vec<String>,
}

impl SemanticModel {
    /// The dimension that `measure` is in time by.
    #[must_use]
    pub fn time_of<'a>(&'a self, measure: &'a Measure) -> Option<&'a str> {
        let own = measure.agg_time_dimension.as_deref();
        let default = || self.defaults.as_ref()?.agg_time_dimension.as_deref();
        own.filter(|name| !name.is_empty()).or_else(default)
    }

    /// `meta` of every part, to which that of the whole is added.
    pub(crate) fn metas(&mut self) -> impl Iterator<Item = &mut Map<String, Json>> {
        let entities = self.entities.iter_mut().map(|part| &mut part.config.meta);
        let measures = self.measures.iter_mut().map(|part| &mut part.config.meta);
        let dimensions = self.dimensions.iter_mut().map(|part| &mut part.config.meta);
        entities.chain(measures).chain(dimensions)
    }

    /// Descriptions of every part.
    pub(crate) fn descriptions(&mut self) -> impl Iterator<Item = &mut String> {
        let entities = self.entities.iter_mut().map(|part| &mut part.description);
        let measures = self.measures.iter_mut().map(|part| &mut part.description);
        let dimensions = self.dimensions.iter_mut().map(|part| &mut part.description);
        entities.chain(measures).chain(dimensions).flatten()
    }
}

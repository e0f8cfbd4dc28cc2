//! Metrics, semantic models and saved queries: what they say, with every key that the manifest has. Nothing here is
//! executed; other tools read it.

use serde::Serialize;

pub(crate) mod check;
mod manifest;
mod metric;
mod model;
mod query;
pub(crate) mod spine;
mod words;

pub use manifest::semantic_manifest;
pub use metric::{
    ConstantProperty, Conversion, Cumulative, InputMeasure, InputMetric, Metric, TypeParams,
};
pub use model::{
    AggregationParams, Defaults, Dimension, Entity, Measure, NodeRelation, NonAdditive, PartConfig,
    SemanticModel, TimeParams, Validity,
};
pub use query::{Export, ExportConfig, QueryParams, SavedQuery};
pub use spine::{CustomGranularity, TimeSpine};
pub use words::{
    Absent, Aggregation, Calculation, Condition, Destination, DimensionType, EntityType, Filter,
    Granularity, MetricType, Named, PeriodAggregation, Window,
};

/// What one of them says: the keys that its kind alone has.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Body {
    /// A metric.
    Metric(Box<Metric>),
    /// A semantic model.
    Model(Box<SemanticModel>),
    /// A saved query.
    Query(Box<SavedQuery>),
}

//! What a metric is made of.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::words::{
    Absent, Calculation, Filter, MetricType, Named, PeriodAggregation, Window, listed, printed,
};

/// A metric's own keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// How people call it.
    pub label: String,
    /// How it is made.
    pub r#type: MetricType,
    /// Of what.
    pub type_params: TypeParams,
    /// Which rows count.
    #[serde(default)]
    pub filter: Option<Filter>,
    /// Nothing written fills it.
    #[serde(skip_deserializing)]
    pub metadata: Absent,
    /// The span of time it is shown by.
    #[serde(default)]
    pub time_granularity: Option<String>,
    /// What else its owners keep.
    #[serde(default)]
    pub meta: Map<String, Json>,
    /// Always empty.
    #[serde(skip_deserializing)]
    pub sources: Vec<Json>,
    /// Always empty.
    #[serde(skip_deserializing)]
    pub metrics: Vec<Json>,
}

/// What a metric is made of; which keys count depends on its type.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeParams {
    /// Of a simple or cumulative metric.
    #[serde(default)]
    pub measure: Option<Named<InputMeasure>>,
    /// Every measure below it, found once all metrics are known.
    #[serde(skip_deserializing)]
    pub input_measures: Vec<InputMeasure>,
    /// Of a ratio.
    #[serde(default)]
    pub numerator: Option<Named<InputMetric>>,
    /// Of a ratio.
    #[serde(default)]
    pub denominator: Option<Named<InputMetric>>,
    /// Of a derived metric.
    #[serde(default, deserialize_with = "printed")]
    pub expr: Option<String>,
    /// An older place of the cumulative one's.
    #[serde(default)]
    pub window: Option<Window>,
    /// An older place of the cumulative one's.
    #[serde(default)]
    pub grain_to_date: Option<String>,
    /// Of a derived metric.
    #[serde(default, deserialize_with = "listed")]
    pub metrics: Vec<Named<InputMetric>>,
    /// Of a conversion metric.
    #[serde(default)]
    pub conversion_type_params: Option<Conversion>,
    /// Of a cumulative metric.
    #[serde(default)]
    pub cumulative_type_params: Option<Cumulative>,
    /// Nothing written fills it.
    #[serde(skip_deserializing)]
    pub metric_aggregation_params: Absent,
}

/// A measure, as a metric takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputMeasure {
    /// Its name.
    pub name: String,
    /// Which rows count.
    #[serde(default)]
    pub filter: Option<Filter>,
    /// What it is called in the metric.
    #[serde(default)]
    pub alias: Option<String>,
    /// Days without rows are there too.
    #[serde(default)]
    pub join_to_timespine: bool,
    /// What such days show.
    #[serde(default)]
    pub fill_nulls_with: Option<i64>,
}

impl InputMeasure {
    /// The measure `name` as it is.
    pub(crate) fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            filter: None,
            alias: None,
            join_to_timespine: false,
            fill_nulls_with: None,
        }
    }
}

/// A metric, as another takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputMetric {
    /// Its name.
    pub name: String,
    /// Which rows count.
    #[serde(default)]
    pub filter: Option<Filter>,
    /// What it is called in the metric.
    #[serde(default)]
    pub alias: Option<String>,
    /// How long ago.
    #[serde(default)]
    pub offset_window: Option<Window>,
    /// At the start of which span.
    #[serde(default)]
    pub offset_to_grain: Option<String>,
}

/// Who came, and who came back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conversion {
    /// Who came.
    pub base_measure: Named<InputMeasure>,
    /// Who came back.
    pub conversion_measure: Named<InputMeasure>,
    /// Which entity that is.
    pub entity: String,
    /// What is counted.
    #[serde(default = "rate")]
    pub calculation: Calculation,
    /// Within how long.
    #[serde(default)]
    pub window: Option<Window>,
    /// What must be the same then and later.
    #[serde(default)]
    pub constant_properties: Option<Vec<ConstantProperty>>,
}

fn rate() -> Calculation {
    Calculation::ConversionRate
}

/// What must be the same then and later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConstantProperty {
    /// Then.
    pub base_property: String,
    /// Later.
    pub conversion_property: String,
}

/// What adds up over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cumulative {
    /// Over how long.
    #[serde(default)]
    pub window: Option<Window>,
    /// Since the start of which span.
    #[serde(default)]
    pub grain_to_date: Option<String>,
    /// What of a period is shown.
    #[serde(default = "first")]
    pub period_agg: PeriodAggregation,
    /// Nothing written fills it.
    #[serde(skip_deserializing)]
    pub metric: Absent,
}

fn first() -> PeriodAggregation {
    PeriodAggregation::First
}

impl Metric {
    /// Puts what older keys say where it belongs now; a metric that does not add up over time has nothing of it.
    pub(crate) fn settle(&mut self) {
        let parameters = &mut self.type_params;
        let nested = parameters.cumulative_type_params.take();
        if self.r#type == MetricType::Cumulative {
            let mut nested = nested.unwrap_or(Cumulative {
                window: None,
                grain_to_date: None,
                period_agg: first(),
                metric: Absent::default(),
            });
            nested.window = nested.window.or_else(|| parameters.window.clone());
            let grain = nested.grain_to_date;
            nested.grain_to_date = grain.or_else(|| parameters.grain_to_date.clone());
            parameters.cumulative_type_params = Some(nested);
        }
        if let Some(grain) = &mut parameters.grain_to_date {
            *grain = grain.to_lowercase();
        }
    }

    /// The measures it names itself.
    #[must_use]
    pub fn measures(&self) -> Vec<&InputMeasure> {
        let parameters = &self.type_params;
        match self.r#type {
            MetricType::Simple | MetricType::Cumulative => {
                parameters.measure.iter().map(|named| &named.0).collect()
            }
            MetricType::Conversion => match &parameters.conversion_type_params {
                Some(both) => vec![&both.base_measure.0, &both.conversion_measure.0],
                None => Vec::new(),
            },
            MetricType::Ratio | MetricType::Derived => Vec::new(),
        }
    }

    /// The metrics it names.
    #[must_use]
    pub fn inputs(&self) -> Vec<&InputMetric> {
        let parameters = &self.type_params;
        match self.r#type {
            MetricType::Derived => parameters.metrics.iter().map(|named| &named.0).collect(),
            MetricType::Ratio => [&parameters.numerator, &parameters.denominator]
                .into_iter()
                .flatten()
                .map(|named| &named.0)
                .collect(),
            MetricType::Simple | MetricType::Cumulative | MetricType::Conversion => Vec::new(),
        }
    }
}

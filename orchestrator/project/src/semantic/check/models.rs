//! What a semantic model and its parts must and must not say.

use super::{Report, Sight};
use crate::manifest::Semantic;
use crate::semantic::{
    Aggregation, Dimension, DimensionType, EntityType, Granularity, Measure, SemanticModel,
};

pub(super) fn check(sight: &Sight<'_>, report: &mut Report) {
    for (thing, model) in &sight.models {
        let mut one = One {
            thing,
            model,
            report,
        };
        for measure in &model.measures {
            one.percentile(measure);
            one.count(measure);
            one.time(measure);
            one.non_additive(measure);
        }
        one.validity();
        one.natural();
        one.default_time();
        one.primary();
    }
    spines(sight, report);
}

/// One semantic model.
struct One<'a> {
    thing: &'a Semantic,
    model: &'a SemanticModel,
    report: &'a mut Report,
}

impl<'a> One<'a> {
    fn wrong(&mut self, message: impl Into<String>) {
        self.report.wrong(self.thing, message);
    }

    fn of_measure(&mut self, measure: &Measure, what: &str) {
        let message = format!("Measure '{}' {what}", measure.name);
        self.report.part(self.thing, &measure.name, message);
    }

    fn dimension(&self, name: &str) -> Option<&'a Dimension> {
        self.model
            .dimensions
            .iter()
            .find(|dimension| dimension.name == name)
    }

    fn percentile(&mut self, measure: &Measure) {
        let parameters = measure.agg_params.as_ref();
        let percentile = parameters.and_then(|parameters| parameters.percentile);
        match measure.agg {
            Aggregation::Percentile => match percentile {
                None => self.of_measure(
                    measure,
                    "uses a PERCENTILE aggregation, which requires agg_params.percentile to be provided",
                ),
                Some(value) if value <= 0.0 || value >= 1.0 => self.of_measure(
                    measure,
                    &format!(
                        "has the percentile '{value}', but it must be between 0 and 1, and neither of them: use min \
                         for 0, max for 1"
                    ),
                ),
                Some(_) => {}
            },
            Aggregation::Median => {
                if percentile.is_some_and(|value| value != 0.5) {
                    self.of_measure(
                        measure,
                        "uses a MEDIAN aggregation, while percentile is not '0.5'",
                    );
                }
                if parameters.is_some_and(|parameters| parameters.use_discrete_percentile) {
                    self.of_measure(
                        measure,
                        "uses a MEDIAN aggregation, while use_discrete_percentile is set to true",
                    );
                }
            }
            agg => {
                let Some(parameters) = parameters else { return };
                let given = [
                    ("percentile", percentile.is_some_and(|value| value != 0.0)),
                    ("use_discrete_percentile", parameters.use_discrete_percentile),
                    ("use_approximate_percentile", parameters.use_approximate_percentile),
                ];
                let given = given.iter().filter(|(_, given)| *given);
                let given: Vec<&str> = given.map(|(key, _)| *key).collect();
                if !given.is_empty() {
                    let given = given.join(", ");
                    self.of_measure(
                        measure,
                        &format!(
                            "with aggregation '{agg}' uses agg_params ({given}) only relevant to Percentile measures"
                        ),
                    );
                }
            }
        }
    }

    fn count(&mut self, measure: &Measure) {
        if measure.agg != Aggregation::Count {
            return;
        }
        match &measure.expr {
            None => self.of_measure(
                measure,
                "uses a COUNT aggregation, which requires an expr to be provided. Provide 'expr: 1' if a count of all \
                 rows is desired",
            ),
            Some(expr) if expr.to_lowercase().starts_with("distinct ") => self.of_measure(
                measure,
                &format!(
                    "uses a 'count' aggregation with a DISTINCT expr: '{expr}'. Please use the count_distinct \
                     aggregation type"
                ),
            ),
            Some(_) => {}
        }
    }

    /// Every measure is in time by a dimension of its own model.
    fn time(&mut self, measure: &Measure) {
        match self.model.time_of(measure) {
            None => self.of_measure(
                measure,
                "has no aggregation time dimension. Set 'agg_time_dimension' on the measure, or in the defaults of \
                 the semantic model",
            ),
            Some(name) if !self.dimension(name).is_some_and(Dimension::is_time) => {
                let message = format!(
                    "In semantic model '{}', measure '{}' has the aggregation time dimension set to '{name}', which is \
                     not a valid time dimension in the semantic model",
                    self.thing.name, measure.name
                );
                self.report.part(self.thing, &measure.name, message);
            }
            Some(_) => {}
        }
    }

    fn non_additive(&mut self, measure: &Measure) {
        let Some(own) = &measure.non_additive_dimension else {
            return;
        };
        let time = self
            .model
            .time_of(measure)
            .and_then(|name| self.dimension(name));
        let Some(time) = time else { return };
        let begin = format!("has a non_additive_dimension with name '{}' that", own.name);
        let granularity = |dimension: &Dimension| {
            dimension
                .type_params
                .as_ref()
                .map(|params| params.time_granularity)
        };
        match self.dimension(&own.name) {
            None => {
                let model = &self.thing.name;
                let rest =
                    format!("{begin} is not defined as a dimension in semantic model '{model}'");
                self.of_measure(measure, &rest);
            }
            Some(found) => {
                if found.r#type != DimensionType::Time {
                    let rest = "is defined as a categorical dimension which is not supported";
                    self.of_measure(measure, &format!("{begin} {rest}"));
                }
                if let (Some(a), Some(b)) = (granularity(found), granularity(time))
                    && a != b
                {
                    let name = &time.name;
                    self.of_measure(
                        measure,
                        &format!(
                            "{begin} has a base time granularity ({a}) that is not equal to that of the measure's \
                             agg_time_dimension {name} ({b})"
                        ),
                    );
                }
            }
        }
        if !matches!(own.window_choice, Aggregation::Min | Aggregation::Max) {
            let choice = own.window_choice;
            self.of_measure(
                measure,
                &format!(
                    "has a non_additive_dimension with an invalid 'window_choice' of '{choice}'. Only choices \
                     supported are 'min' or 'max'"
                ),
            );
        }
        let entities = &self.model.entities;
        let unknown = own.window_groupings.iter();
        let unknown = unknown.filter(|name| entities.iter().all(|entity| entity.name != **name));
        let unknown: Vec<&str> = unknown.map(String::as_str).collect();
        if !unknown.is_empty() {
            let unknown = unknown.join(", ");
            self.of_measure(
                measure,
                &format!(
                    "has a non_additive_dimension with an invalid 'window_groupings'. These entities do not exist in \
                     the semantic model: {unknown}"
                ),
            );
        }
    }

    /// Rows that are valid for a while say from when until when, and have a natural key.
    fn validity(&mut self) {
        let dimensions = self.model.dimensions.iter();
        let marked: Vec<_> = dimensions
            .filter_map(|d| Some((&d.name, d.validity()?)))
            .collect();
        if marked.is_empty() {
            return;
        }
        let begin = format!("Semantic model {}", self.thing.name);
        let starts = marked.iter().filter(|(_, v)| v.is_start).count();
        let ends = marked.iter().filter(|(_, v)| v.is_end).count();
        if marked.len() != 2 || starts != 1 || ends != 1 {
            let names: Vec<&str> = marked.iter().map(|(name, _)| name.as_str()).collect();
            self.wrong(format!(
                "{begin} has validity params on: {}. A validity window takes exactly two time dimensions - one marked \
                 `is_start` and the other marked `is_end`",
                names.join(", ")
            ));
        }
        let has = |kinds: &[EntityType]| {
            let mut entities = self.model.entities.iter();
            entities.any(|entity| kinds.contains(&entity.r#type))
        };
        let natural = has(&[EntityType::Natural]);
        let keyed = has(&[EntityType::Primary, EntityType::Unique]);
        if !natural {
            self.wrong(format!(
                "{begin} has validity param dimensions defined, but does not have an entity with type `natural` set"
            ));
        }
        if keyed {
            self.wrong(format!(
                "{begin} has validity param dimensions defined and also one or more entities designated as `primary` \
                 or `unique`. This is not yet supported"
            ));
        }
        if !self.model.measures.is_empty() {
            self.wrong(format!(
                "{begin} has both measures and validity param dimensions defined. Please remove either"
            ));
        }
    }

    fn natural(&mut self) {
        let entities = self.model.entities.iter();
        let natural = entities.filter(|entity| entity.r#type == EntityType::Natural);
        let mut names: Vec<&str> = natural.map(|entity| entity.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let (shown, model) = (names.join(", "), &self.thing.name);
        if names.len() > 1 {
            let count = names.len();
            self.wrong(format!(
                "Semantic models can have at most one natural entity, but semantic model `{model}` has {count}: {shown}"
            ));
        }
        let windowed = self.model.dimensions.iter().any(|d| d.validity().is_some());
        if !names.is_empty() && !windowed {
            self.wrong(format!(
                "Semantic model `{model}` uses a natural entity ({shown}) but does not define a validity window"
            ));
        }
    }

    fn default_time(&mut self) {
        let defaults = self.model.defaults.as_ref();
        let Some(name) = defaults.and_then(|defaults| defaults.agg_time_dimension.as_deref())
        else {
            return;
        };
        if !self.dimension(name).is_some_and(Dimension::is_time) {
            self.wrong(format!(
                "Default aggregation time dimension was specified as '{name}' which doesn't exist as a time dimension \
                 in semantic model named '{}'",
                self.thing.name
            ));
        }
    }

    /// A model with dimensions has one primary entity.
    fn primary(&mut self) {
        let entities = self.model.entities.iter();
        let primary = entities.filter(|entity| entity.r#type == EntityType::Primary);
        let names: Vec<&str> = primary.map(|entity| entity.name.as_str()).collect();
        let model = &self.thing.name;
        match (&names[..], &self.model.primary_entity) {
            ([_, _, ..], _) => self.wrong(format!(
                "Semantic models can have only one primary entity. The semantic model `{model}` has {}: {}",
                names.len(),
                names.join(", ")
            )),
            ([name], Some(field)) => self.wrong(format!(
                "The semantic model `{model}` has an entity named `{name}` with type primary but it also has the \
                 `primary_entity` field set to `{field}`. Both should not be present in the model"
            )),
            ([], None) if !self.model.dimensions.is_empty() => self.wrong(format!(
                "The semantic model {model} contains dimensions, but it does not define a primary entity. Either add \
                 an entity with type PRIMARY or set a value for the primary_entity key"
            )),
            _ => {}
        }
    }
}

/// Spines that nobody could choose between, and dimensions that are finer than any of them.
fn spines(sight: &Sight<'_>, report: &mut Report) {
    let Some(finest) = sight.spines.iter().map(|spine| spine.granularity).min() else {
        return;
    };
    let mut seen: Vec<Granularity> = Vec::new();
    for spine in &sight.spines {
        if seen.contains(&spine.granularity) {
            report.doubt(format!(
                "Only one time spine is supported per granularity. Got several for {}.",
                spine.granularity
            ));
        }
        seen.push(spine.granularity);
    }
    let dimensions = sight.models.iter().flat_map(|(_, model)| &model.dimensions);
    let params = dimensions.filter_map(|dimension| dimension.type_params.as_ref());
    match params.map(|params| params.time_granularity).min() {
        Some(smallest) if smallest < finest => report.doubt(format!(
            "To avoid unexpected query errors, configuring a time spine at or below the smallest time dimension \
             granularity is recommended. Smallest time dimension granularity: {smallest}; smallest time spine \
             granularity: {finest}"
        )),
        Some(_) => {}
        None => {
            if let Some((first, _)) = sight.models.first() {
                report.wrong(first, "no time dimension says its 'time_granularity'");
            }
        }
    }
}

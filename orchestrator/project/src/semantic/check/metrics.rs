//! What a metric of each type must and must not say.

use std::collections::{HashMap, HashSet};

use super::names::wrong_with;
use super::{Report, Sight};
use crate::manifest::Semantic;
use crate::semantic::{
    Aggregation, Conversion, Granularity, InputMeasure, Metric, MetricType, SemanticModel, Window,
};

const NO_CUSTOM: &str = "Custom granularities are not supported for this field yet";

pub(super) fn check(sight: &Sight<'_>, report: &mut Report) {
    let custom = sight.custom();
    for (thing, metric) in &sight.metrics {
        let mut one = One {
            thing,
            metric,
            custom: &custom,
            report,
        };
        one.offsets();
        match metric.r#type {
            MetricType::Derived => one.derived(),
            MetricType::Cumulative => one.cumulative(),
            MetricType::Conversion => one.conversion(sight),
            MetricType::Simple | MetricType::Ratio => {}
        }
    }
    aliases(sight, report);
}

/// Aliases of measures are called like nothing else, and are there where filters tell two uses of a measure apart.
fn aliases(sight: &Sight<'_>, report: &mut Report) {
    let measures = sight.models.iter().flat_map(|(_, model)| &model.measures);
    let measures: HashSet<&str> = measures.map(|measure| measure.name.as_str()).collect();
    let mut used: HashMap<&str, Vec<&str>> = HashMap::new();
    for (thing, metric) in &sight.metrics {
        let inputs = &metric.type_params.input_measures;
        let mut uses: HashMap<&str, usize> = HashMap::new();
        for input in inputs {
            *uses.entry(&input.name).or_default() += 1;
        }
        let bare = |input: &&InputMeasure| {
            uses[input.name.as_str()] > 1 && input.filter.is_some() && input.alias.is_none()
        };
        for input in inputs.iter().filter(bare) {
            report.wrong(
                thing,
                format!(
                    "Metric {} depends on multiple different constrained versions of measure {}. In such cases, \
                     aliases must be provided",
                    thing.name, input.name
                ),
            );
        }
        for (input, alias) in inputs.iter().filter_map(|i| Some((i, i.alias.as_deref()?))) {
            for message in wrong_with(alias) {
                report.wrong(thing, message);
            }
            if measures.contains(alias) {
                report.wrong(
                    thing,
                    format!(
                        "Alias `{alias}` for measure `{}` conflicts with measure names defined elsewhere in the model",
                        input.name
                    ),
                );
            }
            let others = used.entry(alias).or_default();
            if !others.is_empty() {
                report.wrong(
                    thing,
                    format!(
                        "Measure alias {alias} conflicts with a measure alias used elsewhere in the model, in {}",
                        others.join(", ")
                    ),
                );
            }
            others.push(&thing.name);
        }
    }
}

/// One metric.
struct One<'a> {
    thing: &'a Semantic,
    metric: &'a Metric,
    custom: &'a [&'a str],
    report: &'a mut Report,
}

impl One<'_> {
    fn wrong(&mut self, message: impl Into<String>) {
        self.report.wrong(self.thing, message);
    }

    fn window(&mut self, window: &Window, allow_custom: bool) {
        let is_custom = |word: &str| self.custom.contains(&word);
        let is_standard = |word: &str| Granularity::ALL.contains(&word);
        let word = window.granularity.as_str();
        let singular = word.strip_suffix('s');
        let word = singular
            .filter(|word| is_custom(word) || is_standard(word))
            .unwrap_or(word);
        let message = format!("Invalid time granularity '{word}' in window: '{window}'");
        if !is_custom(word) && !is_standard(word) {
            self.wrong(message);
        } else if !allow_custom && !is_standard(word) {
            self.wrong(format!("{message}. {NO_CUSTOM}"));
        }
    }

    fn grain(&mut self, key: &str, grain: &str) {
        if !Granularity::ALL.contains(&grain.to_lowercase().as_str()) {
            self.wrong(format!(
                "Invalid time granularity found in `{key}`: '{grain}'. {NO_CUSTOM}"
            ));
        }
    }

    fn offsets(&mut self) {
        for input in &self.metric.type_params.metrics {
            if let Some(window) = &input.offset_window {
                self.window(window, true);
            }
            if let Some(grain) = &input.offset_to_grain {
                self.grain("offset_to_grain", grain);
            }
            if input.offset_window.is_some() && input.offset_to_grain.is_some() {
                self.wrong(format!(
                    "Both offset_window and offset_to_grain set for derived metric '{}' on input metric '{}'. Please \
                     set one or the other",
                    self.thing.name, input.name
                ));
            }
        }
    }

    fn derived(&mut self) {
        let (name, parameters) = (&self.thing.name, &self.metric.type_params);
        if parameters.metrics.is_empty() {
            self.wrong(format!(
                "No input metrics found for derived metric '{name}'. Please add metrics to type_params.metrics"
            ));
        }
        let used: HashSet<&str> = parameters
            .metrics
            .iter()
            .map(|input| input.name.as_str())
            .collect();
        for input in &parameters.metrics {
            let Some(alias) = input.alias.as_deref().filter(|alias| !alias.is_empty()) else {
                continue;
            };
            for message in wrong_with(alias) {
                self.wrong(message);
            }
            if used.contains(alias) {
                self.wrong(format!(
                    "Alias '{alias}' for input metric: '{}' is already being used. Please choose another alias",
                    input.name
                ));
            }
        }
        let Some(expr) = parameters.expr.as_deref().filter(|expr| !expr.is_empty()) else {
            self.report.doubt(format!(
                "No `expr` set for derived metric {name}. Please add an `expr` that references all input metrics."
            ));
            return;
        };
        for input in &parameters.metrics {
            let alias = input.alias.as_deref().filter(|alias| !alias.is_empty());
            let shown = alias.unwrap_or(&input.name);
            if !expr.contains(shown) {
                self.report.doubt(format!(
                    "Input metric '{shown}' is not used in `expr`: '{expr}' for derived metric '{name}'. Please update \
                     the `expr` or remove the input metric."
                ));
            }
        }
    }

    fn cumulative(&mut self) {
        let parameters = &self.metric.type_params;
        let Some(nested) = &parameters.cumulative_type_params else {
            return;
        };
        if let (Some(older), Some(window)) = (&parameters.window, &nested.window)
            && older != window
        {
            self.wrong(format!(
                "Got differing values for `window` on cumulative metric '{}': '{older}' in `type_params`, '{window}' \
                 in `type_params.cumulative_type_params`. Please remove the first",
                self.thing.name
            ));
        }
        if let Some(grain) = &nested.grain_to_date {
            self.grain("grain_to_date", grain);
        }
        if nested.window.is_some() && nested.grain_to_date.is_some() {
            self.wrong(
                "Both window and grain_to_date set for cumulative metric. Please set one or the other",
            );
        }
        if let Some(window) = &nested.window {
            self.window(window, false);
        }
    }

    fn conversion(&mut self, sight: &Sight<'_>) {
        let Some(both) = &self.metric.type_params.conversion_type_params else {
            return;
        };
        let of = |input: &InputMeasure| {
            let mut models = sight.models.iter();
            models.find(|(_, model)| model.measures.iter().any(|own| own.name == input.name))
        };
        let (Some(base), Some(conversion)) = (of(&both.base_measure), of(&both.conversion_measure))
        else {
            return;
        };
        for (role, (thing, model)) in [("base", base), ("conversion", conversion)] {
            if !model
                .entities
                .iter()
                .any(|entity| entity.name == both.entity)
            {
                self.wrong(format!(
                    "Entity: {} not found in {role} semantic model: {}",
                    both.entity, thing.name
                ));
            }
        }
        self.counted(base.1, &both.base_measure);
        self.counted(conversion.1, &both.conversion_measure);
        if both.conversion_measure.filter.is_some() {
            self.report.doubt(format!(
                "Measure input {} has a filter. For conversion metrics, filtering on a conversion input measure is not \
                 fully supported yet.",
                both.conversion_measure.name
            ));
        }
        if let Some(window) = &both.window {
            self.window(window, false);
        }
        self.constants(both, [*base, *conversion]);
    }

    /// Only what is counted converts.
    fn counted(&mut self, model: &SemanticModel, input: &InputMeasure) {
        let mut measures = model.measures.iter();
        let Some(measure) = measures.find(|measure| measure.name == input.name) else {
            return;
        };
        let counts = match measure.agg {
            Aggregation::Count | Aggregation::CountDistinct => true,
            Aggregation::Sum => measure.expr.as_deref() == Some("1"),
            _ => false,
        };
        if !counts {
            self.wrong(format!(
                "For conversion metrics, the measure must be COUNT/SUM(1)/COUNT_DISTINCT. Measure: {} is agg type: {}",
                measure.name, measure.agg
            ));
        }
    }

    fn constants(
        &mut self,
        both: &Conversion,
        [base, conversion]: [(&Semantic, &SemanticModel); 2],
    ) {
        for constant in both.constant_properties.iter().flatten() {
            for (name, (thing, model)) in [
                (&constant.base_property, base),
                (&constant.conversion_property, conversion),
            ] {
                let mut known = model.entities.iter().map(|part| &part.name);
                let found = known.any(|part| part == name)
                    || model.dimensions.iter().any(|part| part.name == *name);
                if !found {
                    self.wrong(format!(
                        "The provided constant property: {name}, cannot be found in semantic model {}",
                        thing.name
                    ));
                }
            }
        }
    }
}

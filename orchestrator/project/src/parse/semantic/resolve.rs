//! What metrics, semantic models and saved queries need: measures and metrics by name, and places of models.

use std::collections::HashMap;

use crate::error::Error;
use crate::hint::closest;
use crate::manifest::{Manifest, ResourceType, Semantic, UniqueId};
use crate::parse::resolve::label;
use crate::semantic::{Body, InputMeasure, MetricType, NodeRelation};

/// Sets what metrics and saved queries depend on, the measures below every metric, and where every semantic model's
/// model is built. What semantic models depend on are references, and known.
pub(crate) fn resolve(manifest: &mut Manifest) -> Result<(), Error> {
    place_models(manifest);
    let names = Names::of(manifest);
    let mut known = Known::default();
    for id in manifest.metrics.keys() {
        names.metric(manifest, id, &mut known, &mut Vec::new())?;
    }
    let mut queries: Vec<(UniqueId, Vec<UniqueId>)> = Vec::new();
    for (id, thing) in &manifest.saved_queries {
        let asked = thing
            .query()
            .map_or(&[][..], |query| &query.query_params.metrics);
        let mut parents = Vec::new();
        for name in asked {
            add(&mut parents, names.metric_id(manifest, thing, name)?);
        }
        queries.push((id.clone(), parents));
    }
    for (id, (parents, measures)) in known {
        if let Some(thing) = manifest.metrics.get_mut(&id) {
            thing.depends_on.nodes = parents;
            if let Body::Metric(metric) = &mut thing.body {
                metric.type_params.input_measures = measures;
            }
        }
    }
    for (id, parents) in queries {
        if let Some(thing) = manifest.saved_queries.get_mut(&id) {
            thing.depends_on.nodes = parents;
        }
    }
    Ok(())
}

fn place_models(manifest: &mut Manifest) {
    for thing in manifest.semantic_models.values_mut() {
        let parent = thing.depends_on.nodes.first();
        let Some(node) = parent.and_then(|id| manifest.nodes.get(id)) else {
            continue;
        };
        if let Body::Model(model) = &mut thing.body {
            model.node_relation = Some(NodeRelation {
                alias: node.alias.clone(),
                schema_name: node.schema.clone(),
                database: node.database.clone(),
                relation_name: node.relation_name.as_ref().map(ToString::to_string),
            });
        }
    }
}

/// Parents and measures of metrics, by id.
type Known = HashMap<UniqueId, (Vec<UniqueId>, Vec<InputMeasure>)>;

fn add<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// Who has a name.
struct Names {
    /// Semantic models by measure.
    measures: HashMap<String, UniqueId>,
    metrics: HashMap<String, UniqueId>,
}

impl Names {
    fn of(manifest: &Manifest) -> Self {
        let mut measures = HashMap::new();
        for model in manifest.semantic_models.values() {
            for measure in model.model().map_or(&[][..], |body| &body.measures) {
                let first = measures.entry(measure.name.clone());
                first.or_insert_with(|| model.unique_id.clone());
            }
        }
        let metrics = manifest.metrics.values();
        let metrics = metrics.map(|metric| (metric.name.clone(), metric.unique_id.clone()));
        Self {
            measures,
            metrics: metrics.collect(),
        }
    }

    fn metric_id(
        &self,
        manifest: &Manifest,
        asker: &Semantic,
        name: &str,
    ) -> Result<UniqueId, Error> {
        self.metrics.get(name).cloned().ok_or_else(|| {
            let mut gone = manifest.disabled_semantics.values();
            let disabled =
                gone.any(|thing| thing.resource_type == ResourceType::Metric && thing.name == name);
            missing(asker, "metric", name, &self.metrics, disabled)
        })
    }

    /// Finds out what the metric `id` needs, those it is made of first; `open` are the ones that are being asked.
    fn metric(
        &self,
        manifest: &Manifest,
        id: &UniqueId,
        known: &mut Known,
        open: &mut Vec<UniqueId>,
    ) -> Result<(), Error> {
        if known.contains_key(id) {
            return Ok(());
        }
        let Some((thing, metric)) = manifest
            .metrics
            .get(id)
            .and_then(|m| Some((m, m.metric()?)))
        else {
            return Ok(());
        };
        if let Some(start) = open.iter().position(|above| above == id) {
            let mut path = open.split_off(start);
            path.push(id.clone());
            return Err(Error::Cycle { path });
        }
        let (mut parents, mut measures) = (Vec::new(), Vec::new());
        if let Some(message) = incomplete(metric) {
            return Err(Error::Config {
                location: Some(thing.location()),
                message: format!("metric '{}': {message}", thing.name),
                hint: None,
            });
        }
        for measure in metric.measures() {
            let owner = self.measures.get(&measure.name);
            let owner = owner.ok_or_else(|| {
                let mut gone = manifest.disabled_semantics.values();
                let disabled = gone.any(|thing| {
                    let model = thing.model();
                    model.is_some_and(|model| model.measures.iter().any(|m| m.name == measure.name))
                });
                missing(thing, "measure", &measure.name, &self.measures, disabled)
            })?;
            add(&mut parents, owner.clone());
            add(&mut measures, measure.clone());
        }
        open.push(id.clone());
        for input in metric.inputs() {
            let input = self.metric_id(manifest, thing, &input.name)?;
            self.metric(manifest, &input, known, open)?;
            for measure in known.get(&input).into_iter().flat_map(|(_, all)| all) {
                add(&mut measures, measure.clone());
            }
            add(&mut parents, input);
        }
        open.pop();
        known.insert(id.clone(), (parents, measures));
        Ok(())
    }
}

/// What a metric of this type cannot be without.
fn incomplete(metric: &crate::semantic::Metric) -> Option<&'static str> {
    let parameters = &metric.type_params;
    match metric.r#type {
        MetricType::Simple | MetricType::Cumulative if parameters.measure.is_none() => {
            Some("'type_params' name no 'measure'")
        }
        MetricType::Ratio if parameters.numerator.is_none() || parameters.denominator.is_none() => {
            Some("Invalid ratio metric. Both a numerator and denominator must be specified")
        }
        MetricType::Conversion if parameters.conversion_type_params.is_none() => {
            Some("a conversion metric must have 'conversion_type_params'")
        }
        _ => None,
    }
}

fn missing(
    asker: &Semantic,
    what: &str,
    name: &str,
    known: &HashMap<String, UniqueId>,
    disabled: bool,
) -> Error {
    let hint = if disabled {
        Some(format!(
            "enable what declares '{name}', or do not depend on it"
        ))
    } else {
        let found = closest(name, known.keys().map(String::as_str));
        found.map(|found| format!("did you mean '{found}'?"))
    };
    let reason = if disabled {
        "is disabled"
    } else {
        "was not found"
    };
    Error::UnknownDependency {
        subject: format!("{} '{}'", label(asker.resource_type), asker.unique_id),
        wanted: format!("a {what} named '{name}'"),
        reason: reason.into(),
        location: Box::new(asker.location()),
        hint,
    }
}

//! Names and labels.

use std::collections::{HashMap, HashSet};

use super::{Report, Sight};
use crate::manifest::Semantic;
use crate::semantic::Granularity;

/// Words that are no names in any of the databases that a semantic layer may query.
const RESERVED: [&str; 26] = [
    "and", "as", "create", "distinct", "for", "from", "full", "having", "in", "inner", "into",
    "is", "join", "left", "like", "natural", "not", "null", "on", "or", "right", "select", "union",
    "using", "where", "with",
];

/// Names that the semantic layer gives itself.
const OWN: [&str; 2] = ["metric_time", "mf_internal_uuid"];

pub(super) fn check(sight: &Sight<'_>, report: &mut Report) {
    let mut taken: HashMap<&str, &str> = HashMap::new();
    for (thing, model) in &sight.models {
        of_thing(thing, report);
        let measures = model
            .measures
            .iter()
            .map(|part| ("measure", part.name.as_str()));
        let entities = model
            .entities
            .iter()
            .map(|part| ("entity", part.name.as_str()));
        let dimensions = model
            .dimensions
            .iter()
            .map(|part| ("dimension", part.name.as_str()));
        let mut seen: HashMap<&str, &str> = HashMap::new();
        for (kind, name) in measures.chain(entities).chain(dimensions) {
            taken.insert(name, kind);
            for message in wrong_with(name) {
                report.part(thing, name, message);
            }
            if RESERVED.contains(&name.to_lowercase().as_str()) {
                let message =
                    format!("'{name}' is an SQL reserved keyword, and thus no {kind} 'name'");
                report.part(thing, name, message);
            }
            match seen.get(name) {
                Some(first) => report.part(
                    thing,
                    name,
                    format!(
                        "In semantic model `{}`, can't use name `{name}` as {kind} when it was already used as \
                         {first}",
                        thing.name
                    ),
                ),
                None => {
                    seen.insert(name, kind);
                }
            }
        }
        relation(thing, model, report);
    }
    for (thing, _) in &sight.metrics {
        of_thing(thing, report);
    }
    for (thing, _) in &sight.queries {
        of_thing(thing, report);
    }
    same_names(sight, report);
    taken.extend(
        sight
            .metrics
            .iter()
            .map(|(thing, _)| (thing.name.as_str(), "metric")),
    );
    taken.extend(
        sight
            .models
            .iter()
            .map(|(thing, _)| (thing.name.as_str(), "semantic_model")),
    );
    granularities(sight, &taken, report);
    labels(sight, report);
}

fn of_thing(thing: &Semantic, report: &mut Report) {
    for message in wrong_with(&thing.name) {
        report.wrong(thing, message);
    }
}

/// One name, in two packages.
fn same_names(sight: &Sight<'_>, report: &mut Report) {
    let models = sight.models.iter().map(|(thing, _)| *thing);
    let metrics = sight.metrics.iter().map(|(thing, _)| *thing);
    let queries = sight.queries.iter().map(|(thing, _)| *thing);
    let mut seen = HashSet::new();
    for thing in models.chain(metrics).chain(queries) {
        let kind = crate::parse::nodes::kind_name(thing.resource_type);
        if !seen.insert((kind, thing.name.as_str())) {
            let message = format!(
                "Can't use name `{}` for a {kind} when it was already used for another {kind}",
                thing.name
            );
            report.wrong(thing, message);
        }
    }
}

fn relation(thing: &Semantic, model: &crate::semantic::SemanticModel, report: &mut Report) {
    let Some(relation) = &model.node_relation else {
        return;
    };
    let name = relation.relation_name.as_deref().unwrap_or_default();
    let is_reserved = |part: &str| RESERVED.contains(&part.to_lowercase().as_str());
    if name.split('.').any(is_reserved) {
        report.wrong(thing, format!("'{name}' contains an SQL reserved keyword"));
    }
}

/// Spans of time that the project makes up are called like nothing else.
fn granularities(sight: &Sight<'_>, taken: &HashMap<&str, &str>, report: &mut Report) {
    let mut seen = HashSet::new();
    for spine in &sight.spines {
        for custom in &spine.spine.custom_granularities {
            let name = custom.name.as_str();
            for message in wrong_with(name) {
                report.at(spine.location(), message);
            }
            if let Some(kind) = taken.get(name) {
                let message = format!(
                    "Can't use name `{name}` for a custom granularity when it was already used for a {kind}"
                );
                report.at(spine.location(), message);
            }
            if !seen.insert(name) {
                let message = format!(
                    "Custom granularity names must be unique, but there are two called `{name}`"
                );
                report.at(spine.location(), message);
            }
        }
    }
}

/// What a name must not be.
pub(super) fn wrong_with(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_sound = name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(inner)
        && !name.contains("__");
    if !is_sound {
        found.push(format!(
            "Invalid name `{name}` - names may only contain lower case letters, numbers, and underscores. They must \
             start with a lower case letter, cannot end with an underscore, cannot contain two underscores in a row, \
             and must be at least 2 characters long"
        ));
    }
    if Granularity::of(name).is_some() {
        found.push(format!(
            "Invalid name `{name}` - names cannot match reserved time granularity keywords ({})",
            Granularity::ALL.join(", ")
        ));
    }
    if OWN.contains(&name.to_lowercase().as_str()) {
        found.push(format!(
            "Invalid name `{name}` - this name is reserved by MetricFlow"
        ));
    }
    found
}

/// Nobody could tell two things with one label apart.
fn labels(sight: &Sight<'_>, report: &mut Report) {
    let metrics = sight.metrics.iter();
    let metrics = metrics.map(|(thing, metric)| ("metric", *thing, Some(&metric.label)));
    let models = sight.models.iter();
    let models = models.map(|(thing, model)| ("semantic model", *thing, model.label.as_ref()));
    let mut seen: HashMap<(&str, &str), &str> = HashMap::new();
    for (kind, thing, label) in metrics.chain(models) {
        let Some(label) = label else { continue };
        if let Some(first) = seen.get(&(kind, label.as_str())) {
            report.wrong(
                thing,
                format!(
                    "Can't use label `{label}` for {kind} `{}` as it's already used for {kind} `{first}`",
                    thing.name
                ),
            );
        } else {
            seen.insert((kind, label), &thing.name);
        }
    }
    let mut entities: HashMap<&str, (&str, &str)> = HashMap::new();
    for (thing, model) in &sight.models {
        let of_dimensions = model.dimensions.iter();
        let of_dimensions =
            of_dimensions.map(|part| ("Dimension", "dimensions", part.label.as_ref()));
        let of_entities = model.entities.iter();
        let of_entities = of_entities.map(|part| ("Entity", "entities", part.label.as_ref()));
        let of_measures = model.measures.iter();
        let of_measures = of_measures.map(|part| ("Measure", "measures", part.label.as_ref()));
        let mut within = HashSet::new();
        for (kind, many, label) in of_dimensions.chain(of_entities).chain(of_measures) {
            let Some(label) = label else { continue };
            if !within.insert((kind, label)) {
                report.wrong(
                    thing,
                    format!(
                        "{kind} labels must be unique within a semantic model. The label `{label}` was used for \
                         several {many} on semantic model `{}`",
                        thing.name
                    ),
                );
            }
        }
        for entity in &model.entities {
            let Some(label) = &entity.label else { continue };
            let (first, known) = *entities.entry(&entity.name).or_insert((&thing.name, label));
            if known != label {
                report.part(
                    thing,
                    &entity.name,
                    format!(
                        "Entities with the same name must have the same label or none. Entity `{}` on semantic model \
                         `{}` has label `{label}` but on semantic model `{first}` it is `{known}`",
                        entity.name, thing.name
                    ),
                );
            }
        }
    }
}

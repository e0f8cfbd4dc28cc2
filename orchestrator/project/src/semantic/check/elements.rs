//! What the parts of several semantic models are to each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Report, Sight};
use crate::semantic::EntityType;

pub(super) fn check(sight: &Sight<'_>, report: &mut Report) {
    measures(sight, report);
    kinds(sight, report);
    dimensions(sight, report);
    primaries(sight, report);
}

/// A measure's name says which semantic model it is of.
fn measures(sight: &Sight<'_>, report: &mut Report) {
    let mut seen: HashMap<&str, Vec<&str>> = HashMap::new();
    for (thing, model) in &sight.models {
        for measure in &model.measures {
            let owners = seen.entry(&measure.name).or_default();
            if !owners.is_empty() {
                let message = format!(
                    "Found measure with name {} in multiple semantic models with names ({})",
                    measure.name,
                    owners.join(", ")
                );
                report.part(thing, &measure.name, message);
            }
            owners.push(&thing.name);
        }
    }
}

/// A name means the same kind of part everywhere.
fn kinds(sight: &Sight<'_>, report: &mut Report) {
    let mut kinds: BTreeMap<&str, BTreeMap<&str, BTreeSet<usize>>> = BTreeMap::new();
    for (index, (_, model)) in sight.models.iter().enumerate() {
        let measures = model.measures.iter().map(|part| ("measure", &part.name));
        let dimensions = model
            .dimensions
            .iter()
            .map(|part| ("dimension", &part.name));
        let entities = model.entities.iter().map(|part| ("entity", &part.name));
        for (kind, name) in measures.chain(dimensions).chain(entities) {
            kinds
                .entry(name)
                .or_default()
                .entry(kind)
                .or_default()
                .insert(index);
        }
    }
    for (name, used) in kinds.iter().filter(|(_, used)| used.len() > 1) {
        let all: Vec<&str> = used.keys().copied().collect();
        for (kind, models) in used {
            let names = models
                .iter()
                .map(|index| sight.models[*index].0.name.as_str());
            let names: Vec<&str> = names.collect();
            let Some(first) = models.first() else {
                continue;
            };
            report.part(
                sight.models[*first].0,
                name,
                format!(
                    "In semantic models {}, element `{name}` is of type {kind}, but it is used as types {} across the \
                     model",
                    names.join(", "),
                    all.join(", ")
                ),
            );
        }
    }
}

/// Dimensions of one name are of one type.
fn dimensions(sight: &Sight<'_>, report: &mut Report) {
    let mut seen = HashMap::new();
    for (thing, model) in &sight.models {
        for dimension in &model.dimensions {
            let own = (dimension.r#type, dimension.is_partition);
            let (kind, is_partition) = *seen.entry(&dimension.name).or_insert(own);
            let name = &dimension.name;
            if kind != dimension.r#type {
                report.part(
                    thing,
                    name,
                    format!(
                        "In semantic model `{}`, type conflict for dimension `{name}` - already in model as type \
                         `{kind}` but got `{}`",
                        thing.name, dimension.r#type
                    ),
                );
            }
            if is_partition != dimension.is_partition {
                report.part(
                    thing,
                    name,
                    format!(
                        "In semantic model `{}`, conflicting is_partition attribute for dimension `{name}`",
                        thing.name
                    ),
                );
            }
        }
    }
}

/// A dimension is called by its primary entity: the two together mean one.
fn primaries(sight: &Sight<'_>, report: &mut Report) {
    let mut known: HashMap<(&str, &str), &str> = HashMap::new();
    for (thing, model) in &sight.models {
        let mut entities = model.entities.iter();
        let primary = entities.find(|entity| entity.r#type == EntityType::Primary);
        let primary = primary.map(|entity| &entity.name);
        let Some(primary) = model.primary_entity.as_ref().or(primary) else {
            continue;
        };
        for dimension in &model.dimensions {
            let key = (primary.as_str(), dimension.name.as_str());
            if let Some(first) = known.get(&key) {
                let message = format!(
                    "Dimension + primary entity pairings must be unique. Semantic model `{}` has a primary entity of \
                     `{primary}` and dimension `{}`, but this pairing is already in use on semantic model `{first}`",
                    thing.name, dimension.name
                );
                report.part(thing, &dimension.name, message);
            } else {
                known.insert(key, &thing.name);
            }
        }
    }
}

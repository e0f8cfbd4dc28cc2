//! Conditions of metrics and saved queries, and what saved queries group and order by.

use std::collections::HashSet;

use super::calls::{Meaning, Place, named};
use super::{Report, Sight};
use crate::manifest::Semantic;
use crate::semantic::{Filter, QueryParams};

pub(super) fn check(sight: &Sight<'_>, report: &mut Report) {
    let custom = sight.custom();
    for (thing, metric) in &sight.metrics {
        let parameters = &metric.type_params;
        let (name, whole) = (&thing.name, metric.filter.as_ref());
        let mut filters = vec![(format!("filter of metric `{name}`"), whole)];
        if let Some(measure) = &parameters.measure {
            let what = format!(
                "filter of measure input `{}` on metric `{name}`",
                measure.name
            );
            filters.push((what, measure.filter.as_ref()));
        }
        for (role, input) in [
            ("numerator", &parameters.numerator),
            ("denominator", &parameters.denominator),
        ] {
            let filter = input.as_ref().and_then(|input| input.filter.as_ref());
            filters.push((format!("the {role} filter on metric `{name}`"), filter));
        }
        for input in &parameters.metrics {
            let what = format!(
                "filter for input metric `{}` on metric `{name}`",
                input.name
            );
            filters.push((what, input.filter.as_ref()));
        }
        for (what, filter) in filters {
            conditions(thing, &what, filter, &custom, report);
        }
    }
    let known = groupable(sight);
    for (thing, query) in &sight.queries {
        let asked = &query.query_params;
        let what = format!("a filter in saved query `{}`", thing.name);
        conditions(thing, &what, asked.r#where.as_ref(), &custom, report);
        grouping(thing, asked, &known, &custom, report);
        order(thing, asked, report);
        if let Some(limit) = asked.limit.filter(|limit| *limit < 0) {
            report.wrong(
                thing,
                format!("Invalid limit value: {limit} (should be >= 0)"),
            );
        }
    }
}

/// Every condition reads, and its spans of time are there.
fn conditions(
    thing: &Semantic,
    what: &str,
    filter: Option<&Filter>,
    custom: &[&str],
    report: &mut Report,
) {
    for condition in filter.iter().flat_map(|filter| &filter.where_filters) {
        let template = &condition.where_sql_template;
        match meanings(template, custom) {
            Err(error) => report.wrong(
                thing,
                format!("cannot read {what}: {error}\n    {}", template.trim()),
            ),
            Ok(found) => {
                let is_known = |grain: &String| {
                    crate::semantic::Granularity::of(grain).is_some()
                        || custom.contains(&grain.as_str())
                };
                let grains = found.into_iter().filter_map(|meaning| meaning.grain);
                for grain in grains.filter(|grain| !is_known(grain)) {
                    report.doubt(format!(
                        "{what} is not valid. `{grain}` is not a valid granularity name."
                    ));
                }
            }
        }
    }
}

fn meanings(template: &str, custom: &[&str]) -> Result<Vec<Meaning>, String> {
    let calls = named(template, Place::Plain)?;
    let meanings = calls.iter().map(|call| call.meaning(Place::Plain, custom));
    meanings.collect()
}

/// What a saved query may group by.
fn groupable<'m>(sight: &Sight<'m>) -> HashSet<&'m str> {
    let metrics = sight.metrics.iter().map(|(thing, _)| thing.name.as_str());
    let models = sight.models.iter();
    let parts = models.flat_map(|(_, model)| {
        let dimensions = model.dimensions.iter().map(|part| part.name.as_str());
        dimensions.chain(model.entities.iter().map(|part| part.name.as_str()))
    });
    metrics.chain(parts).chain(["metric_time"]).collect()
}

fn grouping(
    thing: &Semantic,
    asked: &QueryParams,
    known: &HashSet<&str>,
    custom: &[&str],
    report: &mut Report,
) {
    for item in &asked.group_by {
        match meanings(&format!("{{{{{item}}}}}"), custom) {
            Err(error) => report.wrong(
                thing,
                format!(
                    "cannot read a group-by in saved query `{}`: {error}\n    {item}",
                    thing.name
                ),
            ),
            Ok(found) => match &found[..] {
                [one] if known.contains(one.element.as_str()) => {}
                _ => report.wrong(thing, format!("`{item}` is not a valid group-by name")),
            },
        }
    }
}

/// What is ordered by is asked for.
fn order(thing: &Semantic, asked: &QueryParams, report: &mut Report) {
    if asked.order_by.is_empty() {
        return;
    }
    let one = |item: &str, place: Place| match named(&format!("{{{{ {item} }}}}"), place) {
        Ok(mut calls) if calls.len() == 1 => Ok(calls.remove(0)),
        Ok(_) => Err("it names not exactly one thing".to_owned()),
        Err(error) => Err(error),
    };
    let metrics = asked.metrics.iter().map(|name| format!("Metric('{name}')"));
    let items = metrics.chain(asked.group_by.iter().cloned());
    let mut valid = Vec::new();
    for item in items {
        match one(&item, Place::Plain) {
            Ok(call) => valid.push(call),
            // it was told of above, and what is ordered by could be that
            Err(_) => return,
        }
    }
    for item in &asked.order_by {
        match one(item, Place::OrderBy) {
            Err(error) => report.wrong(
                thing,
                format!(
                    "cannot read an order-by in saved query `{}`: {error}\n    {item}",
                    thing.name
                ),
            ),
            Ok(mut call) => {
                call.descending = None;
                if !valid.contains(&call) {
                    let message = format!(
                        "{item} does not match any of the listed metrics or group-by items"
                    );
                    report.wrong(thing, message);
                }
            }
        }
    }
}

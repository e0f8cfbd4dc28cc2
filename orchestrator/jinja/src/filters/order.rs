//! Filters that put values in order: `sort`, `dictsort`, `unique`, `min`, `max`.

use std::cmp::Ordering;

use minijinja::value::{Kwargs, Rest, Tuple, Value};
use minijinja::{Environment, Error, State};

use super::given;
use crate::arguments::Arguments;
use crate::decimal::hashable;
use crate::error::raise;
use crate::list::{list, pairs_of};
use crate::operators::{ordering, sorted};

type Filter = fn(&State<'_, '_>, &Value, &Arguments<'_>) -> Result<Value, Error>;

/// Adds them to `env`.
pub(super) fn install(env: &mut Environment<'static>) {
    let filters: [(&'static str, Filter); 5] = [
        ("sort", sort),
        ("dictsort", dictsort),
        ("unique", unique),
        ("min", |state, value, given| {
            extreme(state, value, given, Ordering::Less)
        }),
        ("max", |state, value, given| {
            extreme(state, value, given, Ordering::Greater)
        }),
    ];
    for (name, filter) in filters {
        env.add_filter(
            name,
            move |state: &State<'_, '_>, value: Value, args: Rest<Value>, keywords: Kwargs| {
                filter(state, &value, &Arguments::of(&given(args, keywords)))
            },
        );
    }
}

/// What an attribute's path, `a.b` or `0`, finds in `item`.
fn found(item: &Value, path: &Value) -> Result<Value, Error> {
    let Some(path) = path.as_str() else {
        return item.get_item(path);
    };
    path.split('.')
        .try_fold(item.clone(), |item, part| match part.parse::<usize>() {
            Ok(at) => item.get_item(&at.into()),
            Err(_) => item.get_attr(part),
        })
}

/// What there is to go through; a text by its characters.
fn characters(value: &Value) -> Result<Vec<Value>, Error> {
    match value.as_str() {
        Some(text) => Ok(text.chars().map(Value::from).collect()),
        None => Ok(value.try_iter()?.collect()),
    }
}

/// `key`, without case unless that counts.
fn folded(key: Value, case_sensitive: bool) -> Value {
    match key.as_str() {
        Some(text) if !case_sensitive => text.to_lowercase().into(),
        _ => key,
    }
}

/// `sort(reverse=False, case_sensitive=False, attribute=None)`.
fn sort(state: &State<'_, '_>, value: &Value, arguments: &Arguments<'_>) -> Result<Value, Error> {
    let case_sensitive = arguments.flag(1, "case_sensitive");
    let attribute = arguments.get(2, "attribute").filter(|name| !name.is_none());
    let paths: Vec<Value> = match attribute.as_ref().map(|name| (name, name.as_str())) {
        Some((_, Some(names))) => names.split(',').map(Value::from).collect(),
        Some((place, None)) => vec![place.clone()],
        None => Vec::new(),
    };
    let keyed = |item: Value| {
        let keys = match attribute.is_some() {
            true => paths
                .iter()
                .map(|path| found(&item, path))
                .collect::<Result<_, _>>()?,
            false => vec![item.clone()],
        };
        let keys: Vec<Value> = keys;
        let keys = keys.into_iter().map(|key| folded(key, case_sensitive));
        Ok((keys.collect(), item))
    };
    let items = characters(value)?.into_iter().map(keyed);
    let items = items.collect::<Result<_, Error>>()?;
    sorted(state, items, arguments.flag(0, "reverse")).map(list)
}

/// `dictsort(case_sensitive=False, by='key', reverse=False)`.
fn dictsort(
    state: &State<'_, '_>,
    value: &Value,
    arguments: &Arguments<'_>,
) -> Result<Value, Error> {
    let by = arguments.get(1, "by");
    let by_value = match by.as_ref().and_then(Value::as_str) {
        None | Some("key") => false,
        Some("value") => true,
        Some(_) => return Err(raise("You can only sort by either \"key\" or \"value\"")),
    };
    let keyed = |(key, value): (Value, Value)| {
        let by = if by_value { &value } else { &key };
        let by = folded(by.clone(), arguments.flag(0, "case_sensitive"));
        (vec![by], Tuple::from([key, value]).into())
    };
    let items = pairs_of(value)?.into_iter().map(keyed).collect();
    sorted(state, items, arguments.flag(2, "reverse")).map(list)
}

/// `unique(case_sensitive=False, attribute=None)`: the first of those that are alike.
fn unique(_: &State<'_, '_>, value: &Value, arguments: &Arguments<'_>) -> Result<Value, Error> {
    let case_sensitive = arguments.flag(0, "case_sensitive");
    let attribute = arguments.get(1, "attribute").filter(|name| !name.is_none());
    let mut seen = std::collections::HashSet::new();
    let mut kept = Vec::new();
    for item in characters(value)? {
        let key = match &attribute {
            Some(path) => found(&item, path)?,
            None => item.clone(),
        };
        if seen.insert(hashable(folded(key, case_sensitive))) {
            kept.push(item);
        }
    }
    Ok(list(kept))
}

/// `min(case_sensitive=False, attribute=None)`: the first of those that are least, or most.
fn extreme(
    state: &State<'_, '_>,
    value: &Value,
    arguments: &Arguments<'_>,
    wanted: Ordering,
) -> Result<Value, Error> {
    let attribute = arguments.get(1, "attribute").filter(|name| !name.is_none());
    let mut best: Option<(Value, Value)> = None;
    for item in characters(value)? {
        let key = match &attribute {
            Some(path) => found(&item, path)?,
            None => item.clone(),
        };
        let key = folded(key, arguments.flag(0, "case_sensitive"));
        let better = match &best {
            Some((least, _)) => ordering(state, &key, least)? == wanted,
            None => true,
        };
        if better {
            best = Some((key, item));
        }
    }
    Ok(best.map_or(Value::UNDEFINED, |(_, item)| item))
}

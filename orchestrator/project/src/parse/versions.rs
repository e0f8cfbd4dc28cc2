//! Versions of a model: one YAML entry to a patch for each.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use crate::error::Error;
use crate::manifest::version_text;
use crate::parse::properties::{Patch, column_of, tests_of};
use crate::yaml::{Entry, texts};

/// Which version of a model a patch describes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Version {
    pub(crate) v: Json,
    pub(crate) latest: Json,
}

impl Version {
    pub(crate) fn is_latest(&self) -> bool {
        self.v == self.latest
    }
}

/// Whether version `a` is above `b`: as numbers where both are, else as text.
pub(crate) fn above(a: &Json, b: &Json) -> bool {
    let (a, b) = (version_text(a), version_text(b));
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a > b,
        _ => a > b,
    }
}

/// A patch for each version of `entry`, by the name of the file that defines it. `base` is what the
/// entry says of all of them.
pub(crate) fn of(entry: &Entry<'_>, base: &Patch) -> Result<IndexMap<String, Patch>, Error> {
    let entries = entry.entries("versions")?;
    let mut numbers: Vec<Json> = Vec::new();
    for version in &entries {
        let number = match version.map.get("v") {
            Some(v @ (Json::Number(_) | Json::String(_))) => v.clone(),
            _ => return Err(entry.wrong(format!("a version of model '{}' has no 'v'", base.name))),
        };
        if numbers
            .iter()
            .any(|known| version_text(known) == version_text(&number))
        {
            return Err(entry.wrong(format!(
                "Found duplicate version: '{}' in versions list of model '{}'",
                version_text(&number),
                base.name
            )));
        }
        numbers.push(number);
    }
    let highest = numbers
        .iter()
        .reduce(|best, next| if above(next, best) { next } else { best });
    let latest = match entry.map.get("latest_version") {
        Some(latest) if !latest.is_null() => {
            if !numbers.contains(latest) {
                let known: Vec<String> = numbers.iter().map(version_text).collect();
                return Err(entry.wrong(format!(
                    "latest_version: {} is not one of model '{}' versions: [{}]",
                    version_text(latest),
                    base.name,
                    known.join(", ")
                )));
            }
            latest.clone()
        }
        _ => highest.cloned().unwrap_or(Json::Null),
    };
    let mut found = IndexMap::new();
    for (version, v) in entries.iter().zip(&numbers) {
        let file = version
            .text("defined_in")?
            .unwrap_or_else(|| format!("{}_v{}", base.name, version_text(v)));
        let version = Version {
            v: v.clone(),
            latest: latest.clone(),
        };
        let patch = one(entry, base, entry_of(&entries, v), version)?;
        found.insert(file, patch);
    }
    Ok(found)
}

fn entry_of<'e, 'a>(entries: &'e [Entry<'a>], v: &Json) -> &'e Entry<'a> {
    // every number came from one of them
    let of = |entry: &&Entry<'_>| entry.map.get("v") == Some(v);
    entries.iter().find(of).unwrap_or(&entries[0])
}

/// What one version says, on top of what the model says.
fn one(
    entry: &Entry<'_>,
    base: &Patch,
    version: &Entry<'_>,
    number: Version,
) -> Result<Patch, Error> {
    let mut config = base.config.clone();
    merge(&mut config, &version.mapping("config")?);
    for key in ["access", "docs"] {
        if let Some(value) = version.map.get(key).filter(|value| !value.is_null()) {
            config.insert(key.to_owned(), value.clone());
        }
    }
    let mut written = base.written.clone();
    written.extend(version.mapping("config")?);
    let mut patch = Patch {
        written,
        config,
        version: Some(number),
        columns: IndexMap::new(),
        column_tests: Vec::new(),
        deprecation_date: version.map.get("deprecation_date").cloned(),
        // dbt checks the one of a model with versions, and then loses it
        time_spine: None,
        ..base.clone()
    };
    if let Some(text) = version.text("description")?.filter(|text| !text.is_empty()) {
        patch.description = text;
    }
    let constraints = version.list("constraints")?;
    if !constraints.is_empty() {
        patch.constraints = constraints.to_vec();
    }
    let replaces = ["tests", "data_tests"]
        .iter()
        .any(|key| version.map.get(*key).is_some_and(|value| !value.is_null()));
    if replaces {
        patch.tests = tests_of(version)?;
    }
    let columns = version.entries("columns")?;
    let (filters, own): (Vec<_>, Vec<_>) = columns
        .into_iter()
        .partition(|column| column.map.contains_key("include"));
    if filters.len() > 1 {
        return Err(entry.wrong("version can have at most one include/exclude element"));
    }
    let is_included = included(entry, filters.first())?;
    let inherited = entry.entries("columns")?.into_iter().filter(|column| {
        let name = column.map.get("name").and_then(Json::as_str);
        name.is_none_or(&is_included)
    });
    let quote_all = entry.map.get("quote_columns") == Some(&Json::Bool(true));
    for column in inherited.chain(own) {
        let (info, tests) = column_of(&column, quote_all)?;
        patch.column_tests.extend(tests);
        patch.columns.insert(info.name.clone(), info);
    }
    Ok(patch)
}

/// Which of the model's columns a version keeps: `include: all`, `*` or names, and `exclude`.
fn included(entry: &Entry<'_>, filter: Option<&Entry<'_>>) -> Result<impl Fn(&str) -> bool, Error> {
    let include = filter.and_then(|filter| filter.map.get("include"));
    let names: Option<HashSet<String>> = match include {
        None => None,
        Some(Json::String(text)) if text == "all" || text == "*" => None,
        Some(Json::Array(_)) => Some(texts(include).into_iter().collect()),
        Some(_) => {
            return Err(entry.wrong("include must be one of ('all', '*') or a list of strings"));
        }
    };
    let exclude: HashSet<String> = texts(filter.and_then(|filter| filter.map.get("exclude")))
        .into_iter()
        .collect();
    if names.is_some() && !exclude.is_empty() {
        return Err(entry.wrong("exclude can only be specified if include is one of ('all', '*')"));
    }
    Ok(move |name: &str| {
        names.as_ref().is_none_or(|names| names.contains(name)) && !exclude.contains(name)
    })
}

/// Puts `above` on top of `config`: mappings key by key, lists in front.
fn merge(config: &mut Map<String, Json>, above: &Map<String, Json>) {
    for (key, value) in above {
        match (config.get_mut(key), value) {
            (Some(Json::Object(below)), Json::Object(above)) => merge(below, above),
            (Some(Json::Array(below)), Json::Array(above)) => {
                let all = above.iter().chain(below.iter()).cloned().collect();
                *below = all;
            }
            _ => {
                config.insert(key.clone(), value.clone());
            }
        }
    }
}

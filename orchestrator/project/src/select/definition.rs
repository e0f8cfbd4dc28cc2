//! `selectors.yml`: named selections.

use std::path::Path;

use indexmap::IndexMap;
use jinja::Engine;
use serde_json::{Map, Value as Json};

use super::Indirect;
use super::criteria::Criteria;
use crate::context::yaml_scope::{YamlScope, render};
use crate::error::{Error, Location};
use crate::files;
use crate::yaml::{self, kind};

/// What a selection is made of.
#[derive(Debug, Clone)]
pub(super) enum Definition {
    /// One criterion, and how tests follow it where that is not the command line's choice.
    One(Box<Criteria>, Option<Indirect>),
    /// Any of these.
    Union(Vec<Definition>, Indirect),
    /// All of these.
    Intersection(Vec<Definition>, Indirect),
    /// This, of which the person was told by `name` when it is nothing.
    Expected(Box<Definition>, String),
    /// The first without the second.
    Difference(Box<(Definition, Definition)>, Indirect),
}

/// The entries of `selectors.yml` in `root`, rendered, in order.
pub(crate) fn read(
    root: &Path,
    engine: &Engine,
    scope: &YamlScope,
) -> Result<IndexMap<String, Json>, Error> {
    let path = root.join("selectors.yml");
    let shown = Path::new("selectors.yml");
    let mut found = IndexMap::new();
    if !path.is_file() {
        return Ok(found);
    }
    let text = files::read(&path)?;
    let raw = yaml::parse(&text, shown)?;
    let rendered = render(&raw, engine, scope, shown, &|_| false)?;
    if rendered.is_null() {
        return Ok(found);
    }
    let entry = yaml::Entry::of(&rendered, shown, &text, "selectors.yml")?;
    let mut default: Option<String> = None;
    for selector in entry.entries("selectors")? {
        let name = selector.name()?;
        if !selector.map.contains_key("definition") {
            return Err(selector.wrong(format!("selector '{name}' has no 'definition'")));
        }
        if selector.map.get("default") == Some(&Json::Bool(true))
            && let Some(first) = default.replace(name.clone())
        {
            return Err(selector.wrong(format!(
                "Found multiple selectors with `default: true`: {first} and {name}"
            )));
        }
        found.insert(name, Json::Object(selector.map.clone()));
    }
    // whoever reads the file wants to know of all its mistakes, not only of those of one name
    for name in found.keys() {
        named(&found, name)?;
    }
    Ok(found)
}

/// The selectors as dbt's manifest has them: texts taken apart, and in the place of another's name what it means.
#[must_use]
pub fn written(selectors: &IndexMap<String, Json>) -> IndexMap<String, Json> {
    let mut done: IndexMap<String, Json> = IndexMap::new();
    for (name, entry) in selectors {
        let mut entry = entry.clone();
        entry["definition"] = written_definition(&entry["definition"], &done);
        done.insert(name.clone(), entry);
    }
    done
}

fn written_definition(definition: &Json, known: &IndexMap<String, Json>) -> Json {
    let all = |parts: &Json| -> Json {
        let parts = parts.as_array().into_iter().flatten();
        parts.map(|part| written_definition(part, known)).collect()
    };
    match definition {
        Json::String(text) => {
            Criteria::parse(text).map_or_else(|_| definition.clone(), |one| one.written())
        }
        Json::Object(map) => {
            for key in ["union", "intersection"] {
                if let Some(parts) = map.get(key) {
                    return serde_json::json!({ key: all(parts) });
                }
            }
            match map.iter().next() {
                Some((key, parts)) if key == "exclude" => {
                    serde_json::json!({ "exclude": all(parts) })
                }
                Some((method, value)) if map.len() == 1 => {
                    serde_json::json!({ "method": method, "value": value })
                }
                Some((key, method)) if key == "method" && method == "selector" => {
                    let other = map.get("value").and_then(Json::as_str).unwrap_or_default();
                    let other = known.get(other).map(|entry| entry["definition"].clone());
                    other.unwrap_or_else(|| definition.clone())
                }
                _ => definition.clone(),
            }
        }
        _ => definition.clone(),
    }
}

/// The name of the selector that `default: true` marks.
pub(super) fn default_of(selectors: &IndexMap<String, Json>) -> Option<&str> {
    selectors
        .iter()
        .find(|(_, entry)| entry.get("default") == Some(&Json::Bool(true)))
        .map(|(name, _)| name.as_str())
}

/// What selector `name` means.
pub(super) fn named(selectors: &IndexMap<String, Json>, name: &str) -> Result<Definition, Error> {
    let reader = Reader { selectors, name };
    let Some(at) = selectors.get_index_of(name) else {
        let hint = crate::hint::closest(name, selectors.keys().map(String::as_str));
        return Err(Error::Selection {
            selector: name.to_owned(),
            message: format!(
                "Could not find selector named {name}, expected one of {:?}",
                { selectors.keys().collect::<Vec<_>>() }
            ),
            hint: hint.map(|found| format!("did you mean '{found}'?")),
        });
    };
    let definition = &selectors[at]["definition"];
    if let Json::Object(map) = definition
        && map.len() > 1
        && (map.contains_key("union") || map.contains_key("intersection"))
    {
        let keys: Vec<&str> = map.keys().map(String::as_str).collect();
        return Err(reader.wrong(format!(
            "Only a single 'union' or 'intersection' key is allowed in a root level selector \
             definition; found {}.",
            keys.join(",")
        )));
    }
    reader.any(definition, at)
}

struct Reader<'a> {
    selectors: &'a IndexMap<String, Json>,
    name: &'a str,
}

impl Reader<'_> {
    fn wrong(&self, message: String) -> Error {
        Error::Config {
            location: Some(Location::file("selectors.yml")),
            message: format!("selector '{}': {message}", self.name),
            hint: None,
        }
    }

    /// A text, a set of definitions or a mapping. Selectors before the one at `above` may be named.
    fn any(&self, value: &Json, above: usize) -> Result<Definition, Error> {
        match value {
            Json::String(text) => Ok(Definition::One(Box::new(Criteria::parse(text)?), None)),
            Json::Object(map) => {
                if let Some(parts) = map.get("union") {
                    self.set("union", parts, above)
                } else if let Some(parts) = map.get("intersection") {
                    self.set("intersection", parts, above)
                } else {
                    self.mapping(map, above)
                }
            }
            other => Err(self.wrong(format!(
                "expected union, intersection, text or a mapping, found {}",
                kind(other)
            ))),
        }
    }

    fn set(&self, word: &str, parts: &Json, above: usize) -> Result<Definition, Error> {
        let mut included = Vec::new();
        let mut excluded = None;
        for part in self.list(word, parts)? {
            let exclude = part.as_object().and_then(|map| map.get("exclude"));
            match exclude {
                None => included.push(self.any(part, above)?),
                Some(_) if excluded.is_some() => {
                    return Err(self.wrong(
                        "You cannot provide multiple exclude arguments to the same selector set \
                         operator"
                            .into(),
                    ));
                }
                Some(list) => excluded = Some(self.excluded(list, above)?),
            }
        }
        let set = match word {
            "union" => Definition::Union(included, Indirect::Eager),
            _ => Definition::Intersection(included, Indirect::Eager),
        };
        Ok(without(set, excluded))
    }

    fn list<'j>(&self, word: &str, value: &'j Json) -> Result<&'j [Json], Error> {
        value.as_array().map(Vec::as_slice).ok_or_else(|| {
            self.wrong(format!(
                "Invalid value for key \"{word}\". Expected a list."
            ))
        })
    }

    fn excluded(&self, list: &Json, above: usize) -> Result<Definition, Error> {
        let parts = self
            .list("exclude", list)?
            .iter()
            .map(|part| self.any(part, above))
            .collect::<Result<_, _>>()?;
        Ok(Definition::Union(parts, Indirect::Eager))
    }

    fn mapping(&self, map: &Map<String, Json>, above: usize) -> Result<Definition, Error> {
        let text = |value: &Json| match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        let single = map.iter().next().filter(|_| map.len() == 1);
        let (method, value) = match (single, map.get("method"), map.get("value")) {
            (Some((method, value)), _, _) => (method.clone(), text(value)),
            (None, Some(method), Some(value)) => (text(method), text(value)),
            _ => {
                let keys: Vec<&str> = map.keys().map(String::as_str).collect();
                return Err(self.wrong(format!(
                    "Expected either 1 key or else \"method\" and \"value\" keys, but got [{}]",
                    keys.join(", ")
                )));
            }
        };
        if method == "selector" {
            let at = self.selectors.get_index_of(value.as_str());
            let Some(at) = at.filter(|at| *at < above) else {
                return Err(self.wrong(format!(
                    "Existing selector definition for {value} not found."
                )));
            };
            return self.any(&self.selectors[at]["definition"], at);
        }
        let mut criteria = Criteria::parse(&format!("{method}:{value}"))?;
        criteria.value = value;
        let flag = |key: &str| map.get(key) == Some(&Json::Bool(true));
        let depth = |key: &str| {
            let number = map.get(key).and_then(Json::as_u64);
            number.and_then(|depth| usize::try_from(depth).ok())
        };
        criteria.parents = flag("parents");
        criteria.children = flag("children");
        criteria.childrens_parents = flag("childrens_parents");
        criteria.parents_depth = depth("parents_depth");
        criteria.children_depth = depth("children_depth");
        if criteria.children && criteria.childrens_parents {
            return Err(self.wrong("'children' and 'childrens_parents' exclude each other".into()));
        }
        let indirect = match map.get("indirect_selection").and_then(Json::as_str) {
            None => None,
            Some("eager") => Some(Indirect::Eager),
            Some("cautious") => Some(Indirect::Cautious),
            Some("buildable") => Some(Indirect::Buildable),
            Some("empty") => Some(Indirect::Empty),
            Some(other) => {
                return Err(self.wrong(format!(
                    "indirect_selection '{other}' is none of eager, cautious, buildable, empty"
                )));
            }
        };
        let one = Definition::One(Box::new(criteria), indirect);
        let excluded = map.get("exclude").map(|list| self.excluded(list, above));
        Ok(without(one, excluded.transpose()?))
    }
}

fn without(included: Definition, excluded: Option<Definition>) -> Definition {
    match excluded {
        None => included,
        Some(excluded) => Definition::Difference(Box::new((included, excluded)), Indirect::Eager),
    }
}

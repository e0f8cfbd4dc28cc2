//! `results` of `on-run-end`: how nodes ended, by dbt's names. Not dicts, but objects that know their `to_dict()`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use jinja::json::to_value;
use jinja::list::list;
use minijinja::value::{Enumerator, Object, ObjectRepr, Tuple, Value};
use minijinja::{Error, ErrorKind, State};
use serde_json::{Map, Value as Json, json};

/// Something with named parts.
#[derive(Debug)]
struct Record {
    parts: Vec<(String, Value)>,
    /// What `to_dict()` gives.
    plain: Json,
    /// What stands for a part that is not there; nothing does, unless it says so.
    lacking: Option<Value>,
}

impl Record {
    /// `plain`, whose parts `special` turns into something else than their JSON.
    fn of(plain: &Json, special: impl Fn(&str, &Json) -> Option<Value>) -> Value {
        Value::from_object(Self::new(plain, special))
    }

    fn new(plain: &Json, special: impl Fn(&str, &Json) -> Option<Value>) -> Self {
        let parts = plain.as_object().into_iter().flatten();
        let parts = parts
            .map(|(key, value)| {
                let special = special(key, value);
                (key.clone(), special.unwrap_or_else(|| to_value(value)))
            })
            .collect();
        Self {
            parts,
            plain: plain.clone(),
            lacking: None,
        }
    }

    fn part(&self, name: &str) -> Option<Value> {
        let found = self.parts.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }
}

impl Object for Record {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.part(key.as_str()?).or_else(|| self.lacking.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names = self
            .parts
            .iter()
            .map(|(name, _)| Value::from(name.as_str()));
        Enumerator::Values(names.collect())
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "to_dict" => Ok(to_value(&self.plain)),
            "get" if self.lacking.is_some() => {
                let name = args.first().and_then(Value::as_str).unwrap_or_default();
                let fallback = || args.get(1).cloned().unwrap_or(Value::from(()));
                Ok(self.part(name).unwrap_or_else(fallback))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// The variables of a project as dbt's configuration holds them: `to_dict()` gives them.
pub(crate) fn var_provider(vars: &Map<String, Json>) -> Value {
    let mut provider = Record::new(&json!({ "vars": vars }), |_, _| None);
    provider.plain = Json::Object(vars.clone());
    Value::from_object(provider)
}

/// How a node ended, from its entry in run_results.json with the `node` itself beside it. The entry's `unique_id` can be
/// asked for; dbt's dict has only the node's.
fn result(entry: &Json) -> Value {
    let mut plain = entry.clone();
    if let Some(map) = plain.as_object_mut() {
        map.shift_remove("unique_id");
    }
    let mut record = Record::new(entry, |key, value| match key {
        "node" if value.is_object() => Some(node(value)),
        "max_loaded_at" | "snapshotted_at" => Some(jinja::modules::timestamp(instant(value)?)),
        "timing" => Some(list(value.as_array().into_iter().flatten().map(span))),
        _ => None,
    });
    record.plain = plain;
    Value::from_object(record)
}

fn node(given: &Json) -> Value {
    Record::of(given, |key, value| {
        (key == "config").then(|| configuration(value))
    })
}

/// A configuration, of which dbt's objects say none where a key is not there.
fn configuration(given: &Json) -> Value {
    Value::from_object(Record {
        lacking: Some(Value::from(())),
        ..Record::new(given, |_, _| None)
    })
}

/// A part of the time it took; its ends are moments without a zone, as dbt's are.
fn span(given: &Json) -> Value {
    Record::of(given, |_, value| {
        Some(jinja::modules::naive_timestamp(instant(value)?))
    })
}

fn instant(written: &Json) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(written.as_str()?).ok()?;
    Some(at.to_utc())
}

/// What `on-run-end` sees besides what every template sees.
pub(crate) fn names(given: &Map<String, Json>) -> Vec<(&'static str, Value)> {
    let all = |name: &str| given.get(name).and_then(Json::as_array);
    let pair = |pair: &Json| {
        let parts = pair.as_array().into_iter().flatten().map(to_value);
        Tuple::new(parts.collect()).into()
    };
    let results = all("results").map(|results| list(results.iter().map(result)));
    let schemas = all("schemas").map(|schemas| list(schemas.iter().map(to_value)));
    let pairs = all("database_schemas").map(|pairs| list(pairs.iter().map(pair)));
    [
        ("results", results),
        ("schemas", schemas),
        ("database_schemas", pairs),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use minijinja::Environment;
    use serde_json::json;

    use super::node;

    #[test]
    fn a_configuration_has_none_where_a_key_is_not_there() {
        let node = node(&json!({ "name": "n", "config": { "tags": ["a"] } }));
        let shown = |template: &str| {
            let env = Environment::new();
            env.render_str(template, minijinja::context! { node => node.clone() })
                .unwrap()
        };
        assert_eq!(
            shown("{{ node.config.tags[0] }}{{ node.config.get('tags')[0] }}"),
            "aa"
        );
        assert_eq!(shown("{{ node.config.full_refresh is none }}"), "True");
        assert_eq!(shown("{{ node.config.get('full_refresh', 7) }}"), "7");
        assert_eq!(shown("{{ node.nothing is defined }}"), "False");
    }
}

//! `config(…)`, `config.get`, `config.require`.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use jinja::arguments::Arguments;
use jinja::json;
use minijinja::value::{Object, ObjectRepr, Value, ValueKind};
use minijinja::{Error, ErrorKind, State};
use serde_json::Value as Json;

use crate::config;
use crate::context::{Mode, NodeScope, lock};
use crate::manifest::ResourceType;

const WRONG: &str = "invalid inline config: give keywords or one dict";

/// The callable `config` of a rendering.
#[derive(Debug)]
struct Config(NodeScope);

/// `config` as a value.
pub(crate) fn value(scope: &NodeScope) -> Value {
    Value::from_object(Config(scope.clone()))
}

impl Config {
    fn record(&self, arguments: &Arguments<'_>) -> Result<Value, Error> {
        let Mode::Parse(capture) = &self.0.mode else {
            return Ok(Value::from(""));
        };
        let mut given: IndexMap<String, Value> = arguments.keywords().collect();
        match (arguments.count(), given.is_empty()) {
            (1, true) => {
                let only = arguments.required(0, "config")?;
                if only.kind() != ValueKind::Map {
                    return Err(jinja::raise(WRONG));
                }
                for key in only.try_iter()? {
                    let value = only.get_item(&key)?;
                    given.insert(jinja::format::text(&key).into_owned(), value);
                }
            }
            (0, _) => {}
            _ => {
                return Err(jinja::raise(
                    "invalid inline model config: give keywords or one dict",
                ));
            }
        }
        let mut recorded = lock(&capture.config);
        let first = recorded.is_empty();
        for (key, value) in given {
            let value = json::from_value(&value)
                .unwrap_or_else(|| Json::String(jinja::format::text(&value).into_owned()));
            if first && config::is_bare(&key, &value) {
                lock(&capture.bare).push(config::canonical(&key).to_owned());
            }
            config::merge_one(&mut recorded, &key, value);
        }
        Ok(Value::from(""))
    }

    fn find(&self, name: &str) -> Option<Json> {
        let node = &self.0.node;
        let name = config::canonical(name);
        if name == "snapshot_table_column_names" && node.resource_type == ResourceType::Snapshot {
            return Some(snapshot_columns(
                node.config.raw.get("snapshot_meta_column_names"),
            ));
        }
        let stored = node.config.raw.get(name).cloned();
        stored
            .or_else(|| config::default_of(name, node.resource_type))
            .or_else(|| node.config.meta.get(name).cloned())
    }
}

/// The names of a snapshot's own columns: those that the project gives them, or dbt's.
fn snapshot_columns(given: Option<&Json>) -> Json {
    let names = [
        "dbt_valid_from",
        "dbt_valid_to",
        "dbt_scd_id",
        "dbt_updated_at",
        "dbt_is_deleted",
    ];
    let name_of = |name: &str| {
        let own = given
            .and_then(|given| given.get(name))
            .and_then(Json::as_str);
        (
            name.to_owned(),
            Json::from(own.filter(|own| !own.is_empty()).unwrap_or(name)),
        )
    };
    Json::Object(names.map(name_of).into_iter().collect())
}

impl Object for Config {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        self.record(&Arguments::of(args))
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "model" => self.0.plain("model"),
            name => self.find(name).map(|value| json::to_value(&value)),
        }
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let arguments = Arguments::of(args);
        let parsing = self.0.run().is_none();
        let persist = |what: &str| {
            let found = self
                .find("persist_docs")
                .and_then(|docs| docs.get(what).cloned());
            Value::from(!parsing && found == Some(Json::Bool(true)))
        };
        match method {
            "get" | "require" if parsing => Ok(Value::from("")),
            "meta_get" | "meta_require" if parsing => Ok(Value::from("")),
            "get" => Ok(match self.find(&arguments.text(0, "name")?) {
                Some(found) => json::to_value(&found),
                None => arguments.get(1, "default").unwrap_or(Value::from(())),
            }),
            "require" => {
                let name = arguments.text(0, "name")?;
                self.find(&name)
                    .map(|found| json::to_value(&found))
                    .ok_or_else(|| {
                        jinja::raise(format!(
                            "Model '{}' does not define a required config parameter '{name}'.",
                            self.0.node.unique_id
                        ))
                    })
            }
            "meta_get" | "meta_require" => {
                let found = self.0.node.config.meta.get(&arguments.text(0, "name")?);
                Ok(found
                    .map(json::to_value)
                    .or_else(|| arguments.get(1, "default"))
                    .unwrap_or(Value::from(())))
            }
            "set" => {
                if let Mode::Parse(capture) = &self.0.mode {
                    let value = json::from_value(&arguments.required(1, "value")?);
                    let name = arguments.text(0, "name")?;
                    let value = value.unwrap_or(Json::Null);
                    config::merge_one(&mut lock(&capture.config), &name, value);
                }
                Ok(Value::from(""))
            }
            "persist_relation_docs" => Ok(persist("relation")),
            "persist_column_docs" => Ok(persist("columns")),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<config>")
    }
}

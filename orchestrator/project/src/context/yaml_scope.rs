//! What YAML files may use: `env_var`, `var`, `target`, and what dbt's base context has (`context/base.py`, 1.11).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;
use jinja::functions::function;
use jinja::modules::timestamp;
use jinja::{Engine, Request, Root, Scope, json};
use minijinja::value::Value;
use serde_json::{Map, Value as Json};

use crate::context::{environment, flags};
use crate::error::{Error, Location};
use crate::load::LoadOptions;

/// Names for YAML values.
#[derive(Debug, Clone, Default)]
pub(crate) struct YamlScope {
    pub(crate) env: Arc<BTreeMap<String, String>>,
    /// `--vars` alone, or with the project's own.
    pub(crate) vars: Map<String, Json>,
    /// `target`, once the profile is known.
    pub(crate) target: Option<Value>,
    /// `DBT_ENV_SECRET_*` may be read.
    pub(crate) secrets: bool,
    /// `flags`, `run_started_at`, `invocation_id`.
    pub(crate) invocation: BTreeMap<&'static str, Value>,
}

impl YamlScope {
    /// What files see before the profile is known.
    pub(crate) fn of(options: &LoadOptions) -> Self {
        Self {
            env: Arc::new(options.env.clone()),
            vars: options.vars.clone(),
            target: None,
            secrets: true,
            invocation: BTreeMap::from([
                ("flags", flags::flags(options, &IndexMap::new())),
                ("run_started_at", timestamp(options.started_at)),
                ("invocation_id", options.invocation_id.as_str().into()),
            ]),
        }
    }
}

impl Scope for YamlScope {
    fn variable(&self, _root: &Arc<Root>, name: &str) -> Option<Value> {
        match name {
            "env_var" => Some(environment::env_var(Arc::clone(&self.env), self.secrets)),
            "var" => {
                let vars = self.vars.clone();
                Some(function("var", move |_, arguments| {
                    let name = arguments.text(0, "name")?;
                    match (vars.get(&name), arguments.get(1, "default")) {
                        (Some(value), _) => Ok(json::to_value(value)),
                        (None, Some(default)) => Ok(default),
                        (None, None) => Err(jinja::raise(format!(
                            "Required var '{name}' not found in config"
                        ))),
                    }
                }))
            }
            "target" => self.target.clone(),
            "dbt_version" => Some(Value::from(super::DBT_VERSION)),
            "thread_id" => Some(Value::from("MainThread")),
            "log" | "print" => Some(function("log", |_, _| Ok(Value::from("")))),
            _ => self.invocation.get(name).cloned(),
        }
    }
}

/// `value` with every string rendered, except below the key paths that `late` names. A string that
/// is one expression gives the expression's own value, anything else text.
pub(crate) fn render(
    value: &Json,
    engine: &Engine,
    scope: &YamlScope,
    path: &Path,
    late: &dyn Fn(&[&str]) -> bool,
) -> Result<Json, Error> {
    let scope: Arc<dyn Scope> = Arc::new(scope.clone());
    let mut keys = Vec::new();
    walk(
        value,
        &mut keys,
        &mut |text, keys| {
            native(text, engine, &scope, "root").map_err(|error| Error::Config {
                location: Some(Location::file(path)),
                message: format!("{} (value of '{}')", error.message, keys.join(".")),
                hint: None,
            })
        },
        late,
    )
}

/// Renders one string that stands below the given keys.
type Leaf<'l> = dyn FnMut(&str, &[&str]) -> Result<Json, Error> + 'l;

fn walk<'a>(
    value: &'a Json,
    keys: &mut Vec<&'a str>,
    leaf: &mut Leaf<'_>,
    late: &dyn Fn(&[&str]) -> bool,
) -> Result<Json, Error> {
    if !keys.is_empty() && late(keys) {
        return Ok(value.clone());
    }
    Ok(match value {
        // dbt renders every text, and Jinja takes the last newline of a template away
        Json::String(text) => match text.strip_suffix('\n').unwrap_or(text) {
            text if text.contains("{{") || text.contains("{%") => leaf(text, keys)?,
            text => Json::from(text),
        },
        Json::Array(items) => Json::Array(
            items
                .iter()
                .map(|item| walk(item, keys, leaf, late))
                .collect::<Result<_, _>>()?,
        ),
        Json::Object(pairs) => {
            let mut rendered = Map::new();
            for (key, value) in pairs {
                keys.push(key);
                let value = walk(value, keys, leaf, late);
                keys.pop();
                rendered.insert(key.clone(), value?);
            }
            Json::Object(rendered)
        }
        other => other.clone(),
    })
}

/// Renders one string as dbt's native templates do.
pub(crate) fn native(
    text: &str,
    engine: &Engine,
    scope: &Arc<dyn Scope>,
    package: &str,
) -> Result<Json, jinja::Error> {
    let request = Request {
        name: "yaml",
        source: text,
        package,
        scope: Arc::clone(scope),
        forgiving: false,
    };
    let value = native_value(&request, engine)?;
    Ok(json::from_value(&value).unwrap_or_else(|| Json::String(value.to_string())))
}

/// Like [`native`], the value itself.
pub(crate) fn native_value(request: &Request<'_>, engine: &Engine) -> Result<Value, jinja::Error> {
    match single_expression(request.source) {
        Some(expression) => {
            let value = engine.evaluate(&Request {
                source: expression,
                ..request.clone()
            })?;
            Ok(match jinja::is_constant(expression) {
                true => Value::from(jinja::format::text(&value).as_ref()),
                false => value,
            })
        }
        None => Ok(Value::from(engine.render(request)?.text)),
    }
}

/// The expression of a string that is one `{{ … }}` and nothing else but comments.
fn single_expression(text: &str) -> Option<&str> {
    let mut text = text;
    while let Some((comment, after)) = text.strip_prefix("{#").and_then(|t| t.split_once("#}")) {
        text = if comment.ends_with('-') {
            after.trim_start()
        } else {
            after
        };
    }
    if let Some((before, _)) = text.strip_suffix("#}").and_then(|t| t.rsplit_once("{#")) {
        text = before;
    }
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    let inner = inner.strip_suffix('-').unwrap_or(inner);
    (!inner.contains("{{") && !inner.contains("}}") && !inner.contains("{%")).then_some(inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jinja::{Engine, Macros, Request, Scope};

    use super::{YamlScope, native_value};

    /// What dbt 1.11 gives for the same texts (`get_rendered(…, native=True)` with `target`): constants are texts.
    #[test]
    fn constants_are_texts_and_values_are_values() {
        let scope = YamlScope {
            target: Some(jinja::json::to_value(&serde_json::json!({"threads": 5}))),
            ..YamlScope::default()
        };
        let scope: Arc<dyn Scope> = Arc::new(scope);
        let engine = Engine::new(Macros::default());
        for (source, expected) in [
            ("{{ true }}", "'True'"),
            ("{{ none }}", "'None'"),
            ("{{ 2*3 }}", "'6'"),
            ("{{ {'a': [1]} }}", "\"{'a': [1]}\""),
            ("{{ 1 == 1 and 'a' is not none }}", "'True'"),
            ("{{ '1' | as_number }}", "1"),
            ("{{ 'a' | upper }}", "'A'"),
            ("{{ ['a'] | join(d=',') }}", "'a'"),
            ("{{ 'a,b'.split(',') }}", "['a', 'b']"),
            ("{{ {'a':1}.a }}", "'1'"),
            ("{{ [1,2] | map('string') | list }}", "['1', '2']"),
            ("{{ target.threads }}", "5"),
            ("{{ target.threads == 5 }}", "True"),
            ("{{ [target.threads] }}", "[5]"),
            ("{# c #}{{ target.threads }}{# d #}", "5"),
            (" {{ target.threads }}", "' 5'"),
            ("{{ 5 if target.threads else 6 }}", "5"),
            ("{{ none if target.threads else 1 }}", "None"),
            ("{{ builtins.zip([1], ['a']) }}", "[(1, 'a')]"),
            ("{{ flags is defined }}", "False"),
        ] {
            let request = Request {
                name: "yaml",
                source,
                package: "root",
                scope: Arc::clone(&scope),
                forgiving: false,
            };
            let value = native_value(&request, &engine).unwrap();
            assert_eq!(jinja::format::repr(&value), expected, "{source}");
        }
    }
}

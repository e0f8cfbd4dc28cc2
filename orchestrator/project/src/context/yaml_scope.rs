//! What YAML files may use: `env_var`, `var`, `target`, `dbt_version`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jinja::functions::function;
use jinja::{Engine, Request, Root, Scope, json};
use minijinja::value::Value;
use serde_json::{Map, Value as Json};

use crate::context::environment;
use crate::error::{Error, Location};

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
            _ => None,
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
        Some(expression) => engine.evaluate(&Request {
            source: expression,
            ..request.clone()
        }),
        None => Ok(Value::from(engine.render(request)?.text)),
    }
}

/// The expression of a string that is one `{{ … }}` and nothing else.
fn single_expression(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    let inner = inner.strip_suffix('-').unwrap_or(inner);
    (!inner.contains("{{") && !inner.contains("}}") && !inner.contains("{%")).then_some(inner)
}

//! Arguments of generic tests: as YAML writes them, and as their macros get them.

use std::sync::Arc;

use indexmap::IndexMap;
use jinja::calls::Call;
use jinja::{Request, Scope};
use minijinja::value::Value;
use serde_json::Value as Json;

use crate::config::Raw;
use crate::context::Shared;
use crate::context::yaml_scope::native_value;
use crate::manifest::{Node, UniqueId};
use crate::parse::test_names::python_text;
use crate::yaml;

/// `not_null`, `{unique: {…}}` or `{test_name: unique, …}`.
pub(crate) fn name_and_arguments(test: &Json) -> Result<(String, IndexMap<String, Json>), String> {
    let mapping = match test {
        Json::String(name) => return Ok((name.clone(), IndexMap::new())),
        Json::Object(mapping) => mapping,
        other => {
            return Err(format!(
                "expected a name or a mapping, found {}",
                yaml::kind(other)
            ));
        }
    };
    if let Some(name) = mapping.get("test_name") {
        let name = name.as_str().ok_or("'test_name' must be text")?.to_owned();
        let rest = mapping.iter().filter(|(key, _)| *key != "test_name");
        return Ok((name, rest.map(|(k, v)| (k.clone(), v.clone())).collect()));
    }
    match mapping.iter().next() {
        Some((name, arguments)) if mapping.len() == 1 => match arguments {
            Json::Object(arguments) => Ok((name.clone(), arguments.clone().into_iter().collect())),
            other => Err(format!(
                "the arguments of '{name}' must be a mapping, not {} (is it indented too little?)",
                yaml::kind(other)
            )),
        },
        _ => {
            let keys: Vec<&str> = mapping.keys().map(String::as_str).collect();
            Err(format!(
                "expected one test, found {} keys ({}): indent the arguments below the test's name",
                keys.len(),
                keys.join(", ")
            ))
        }
    }
}

/// The template that calls the test's macro, in dbt's words.
pub(crate) fn raw_code(kind: &str, namespace: Option<&str>, config: &Raw) -> String {
    let prefix = namespace
        .map(|namespace| format!("{namespace}."))
        .unwrap_or_default();
    let mut code = format!("{{{{ {prefix}test_{kind}(**_dbt_generic_test_kwargs) }}}}");
    let configs: Vec<String> = config
        .iter()
        .map(|(key, value)| match value {
            Json::String(text) => format!("{key}=\"{}\"", text.replace('"', "\\\"")),
            other => format!("{key}={}", python_text(other)),
        })
        .collect();
    if !configs.is_empty() {
        code.push_str(&format!("{{{{ config({}) }}}}", configs.join(",")));
    }
    code
}

/// A scope that also knows the arguments of a generic test.
#[derive(Debug)]
struct WithArguments {
    inner: Arc<dyn Scope>,
    arguments: Value,
}

impl Scope for WithArguments {
    fn variable(&self, root: &Arc<jinja::Root>, name: &str) -> Option<Value> {
        match name {
            "_dbt_generic_test_kwargs" => Some(self.arguments.clone()),
            _ => self.inner.variable(root, name),
        }
    }

    fn is_macro(&self, name: &str) -> bool {
        self.inner.is_macro(name)
    }
}

/// `scope` in which `_dbt_generic_test_kwargs` is `arguments`.
pub(crate) fn with_arguments(scope: &Arc<dyn Scope>, arguments: Value) -> Arc<dyn Scope> {
    Arc::new(WithArguments {
        inner: Arc::clone(scope),
        arguments,
    })
}

/// The arguments of a generic test as its macro gets them: text that looks like a call is one, other
/// text is a template, column names stay as they are.
pub(crate) fn rendered_arguments(
    shared: &Shared,
    node: &Node,
    scope: &Arc<dyn Scope>,
    forgiving: bool,
) -> Result<IndexMap<String, Value>, jinja::Error> {
    let mut rendered = IndexMap::new();
    let Some(metadata) = &node.test_metadata else {
        return Ok(rendered);
    };
    for (name, value) in &metadata.kwargs {
        let value = if name == "column_name" {
            jinja::json::to_value(value)
        } else {
            argument(shared, node, scope, forgiving, value)?
        };
        rendered.insert(name.clone(), value);
    }
    Ok(rendered)
}

/// Macros that the arguments call, in their order. `get_where_subquery`, around the test's node, is one.
pub(crate) fn called_by_arguments(shared: &Shared, node: &Node) -> Vec<UniqueId> {
    let macros = shared.engine.macros();
    let mut found = Vec::new();
    let mut open: Vec<&Json> = match &node.test_metadata {
        Some(metadata) => metadata.kwargs.values().rev().collect(),
        None => Vec::new(),
    };
    while let Some(value) = open.pop() {
        match value {
            Json::String(text) => {
                let call = looks_like_call(text).then(|| format!("{{{{ {text} }}}}"));
                for call in jinja::calls::calls(call.as_deref().unwrap_or(text)) {
                    let called = match &call {
                        Call::Plain(name) => macros.resolve(&node.package_name, name),
                        Call::Of(package, name) => macros.in_package(package, name),
                        Call::Dispatch(..) => None,
                    };
                    found.extend(called.map(|called| called.unique_id.clone()));
                }
            }
            Json::Array(items) => open.extend(items.iter().rev()),
            Json::Object(pairs) => open.extend(pairs.values().collect::<Vec<_>>().iter().rev()),
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
    found
}

fn argument(
    shared: &Shared,
    node: &Node,
    scope: &Arc<dyn Scope>,
    forgiving: bool,
    value: &Json,
) -> Result<Value, jinja::Error> {
    let each = |value: &Json| argument(shared, node, scope, forgiving, value);
    match value {
        Json::String(text) => {
            let call = looks_like_call(text).then(|| format!("{{{{ {text} }}}}"));
            let request = Request {
                name: &node.unique_id,
                source: call.as_deref().unwrap_or(text),
                package: &node.package_name,
                scope: Arc::clone(scope),
                forgiving,
            };
            native_value(&request, &shared.engine)
        }
        Json::Array(items) => Ok(jinja::list::list(
            items.iter().map(each).collect::<Result<Vec<_>, _>>()?,
        )),
        Json::Object(pairs) => {
            let pairs = pairs
                .iter()
                .map(|(key, value)| Ok((Value::from(key.as_str()), each(value)?)));
            Ok(jinja::list::dict(
                pairs.collect::<Result<Vec<_>, jinja::Error>>()?,
            ))
        }
        other => Ok(jinja::json::to_value(other)),
    }
}

/// `ref('x')` and its like without braces.
fn looks_like_call(text: &str) -> bool {
    let text = text.trim();
    ["env_var", "ref", "var", "source", "doc"]
        .iter()
        .any(|name| {
            text.strip_prefix(name)
                .map(str::trim_start)
                .is_some_and(|rest| rest.len() > 2 && rest.starts_with('(') && rest.ends_with(')'))
        })
}

//! `var`.

use std::sync::Arc;

use jinja::functions::function as host;
use jinja::{Request, Scope, json};
use minijinja::value::Value;
use serde_json::{Map, Value as Json};

use crate::context::{NodeScope, Shared};

/// What `name` is for a node of `package`: the command line, then the root project's vars for the
/// package, then its global ones, then the package's own.
pub(crate) fn find<'a>(shared: &'a Shared, package: &str, name: &str) -> Option<&'a Json> {
    let scoped = |vars: &'a Map<String, Json>| {
        vars.get(package)
            .and_then(Json::as_object)
            .and_then(|own| own.get(name))
            .or_else(|| {
                // a mapping named like a package is that package's scope, not a variable
                vars.get(name)
                    .filter(|value| !(value.is_object() && shared.packages.contains(name)))
            })
    };
    shared.cli_vars.get(name).or_else(|| {
        shared
            .package_vars
            .get(&shared.project_name)
            .and_then(scoped)
            .or_else(|| shared.package_vars.get(package).and_then(scoped))
    })
}

/// The callable `var`, with `var.has_var`.
pub(crate) fn function(scope: &NodeScope) -> Value {
    let scope = scope.clone();
    host("var", move |_, arguments| {
        let name = arguments.text(0, "var_name")?;
        let package = &scope.node.package_name;
        match (
            find(&scope.shared, package, &name),
            arguments.get(1, "default"),
        ) {
            (Some(Json::String(text)), _) if text.contains("{{") => {
                let request = Request {
                    name: "var",
                    source: text,
                    package,
                    scope: Arc::new(scope.clone()) as Arc<dyn Scope>,
                    forgiving: scope.run().is_none(),
                };
                let rendered = scope.shared.engine.render(&request);
                rendered
                    .map(|r| Value::from(r.text))
                    .map_err(|e| jinja::raise(e.message))
            }
            (Some(value), _) => Ok(json::to_value(value)),
            (None, Some(default)) => Ok(default),
            (None, None) if scope.run().is_none() => Ok(Value::from(())),
            (None, None) => Err(jinja::raise(format!(
                "Required var '{name}' not found in config. Set it under vars: in \
                 dbt_project.yml or with --vars"
            ))),
        }
    })
}

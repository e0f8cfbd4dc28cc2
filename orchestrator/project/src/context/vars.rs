//! `var`.

use std::sync::Arc;

use jinja::arguments::Arguments;
use jinja::{Request, Scope, json};
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
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
    Value::from_object(Var(scope.clone()))
}

#[derive(Debug)]
struct Var(NodeScope);

impl Object for Var {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let arguments = Arguments::of(args);
        let name = arguments.text(0, "var_name")?;
        self.0.var(&name, arguments.get(1, "default"))
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        if method != "has_var" {
            return Err(Error::from(ErrorKind::UnknownMethod));
        }
        let name = Arguments::of(args).text(0, "var_name")?;
        let found = find(&self.0.shared, &self.0.node.package_name, &name);
        Ok(Value::from(found.is_some()))
    }
}

impl NodeScope {
    fn var(&self, name: &str, default: Option<Value>) -> Result<Value, Error> {
        let package = &self.node.package_name;
        match (find(&self.shared, package, name), default) {
            (Some(Json::String(text)), _) if text.contains("{{") => {
                let request = Request {
                    name: "var",
                    source: text,
                    package,
                    scope: Arc::new(self.clone()) as Arc<dyn Scope>,
                    forgiving: self.run().is_none(),
                };
                let rendered = self.shared.engine.render(&request);
                rendered
                    .map(|rendered| Value::from(rendered.text))
                    .map_err(|error| jinja::raise(error.message))
            }
            (Some(value), _) => Ok(json::to_value(value)),
            (None, Some(default)) => Ok(default),
            (None, None) if self.run().is_none() => Ok(Value::from(())),
            (None, None) => Err(jinja::raise(format!(
                "Required var '{name}' not found in config. Set it under vars: in \
                 dbt_project.yml or with --vars"
            ))),
        }
    }
}

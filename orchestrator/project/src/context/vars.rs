//! `var`.

use std::sync::Arc;

use jinja::arguments::Arguments;
use jinja::{Request, Scope, json};
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};
use serde_json::{Map, Value as Json};

use crate::context::{NodeScope, Shared};

/// What holds variables for a node of `package`, the strongest first: the command line, then what the root project
/// says for the package, then what it says for all, then the package's own.
fn levels<'a>(shared: &'a Shared, package: &'a str) -> impl Iterator<Item = &'a Map<String, Json>> {
    let of_file = |file: &str| shared.package_vars.get(file);
    let files = [of_file(&shared.project_name), of_file(package)];
    let files = files.into_iter().flatten().flat_map(move |vars| {
        let scoped = vars.get(package).and_then(Json::as_object);
        scoped.into_iter().chain([vars])
    });
    std::iter::once(&shared.cli_vars).chain(files)
}

/// What `name` is for a node of `package`. What a project says for one package is a variable too, named like it.
pub(crate) fn find<'a>(shared: &'a Shared, package: &'a str, name: &str) -> Option<&'a Json> {
    levels(shared, package).find_map(|vars| vars.get(name))
}

/// All that [`find`] finds for `package`.
pub(crate) fn all(shared: &Shared, package: &str) -> Map<String, Json> {
    let mut all = Map::new();
    for vars in levels(shared, package) {
        for (name, value) in vars {
            all.entry(name).or_insert_with(|| value.clone());
        }
    }
    all
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

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let arguments = Arguments::of(args);
        let name = arguments.text(0, "var_name")?;
        self.0.var(state, &name, arguments.get(1, "default"))
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
    /// A text may be a template; the macros it calls are called where the variable stands.
    fn var(
        &self,
        state: &State<'_, '_>,
        name: &str,
        default: Option<Value>,
    ) -> Result<Value, Error> {
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
                let rendered = rendered.map_err(|error| jinja::raise(error.message))?;
                self.note_called(state, rendered.macros);
                Ok(Value::from(rendered.text))
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

//! The names that a unit test gives its model: inputs for relations, values for macros and variables.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use indexmap::IndexSet;
use jinja::functions::function;
use jinja::{Root, Scope, raise};
use minijinja::value::Value;
use serde_json::Value as Json;

use crate::context::refs::wanted;
use crate::context::{lock, relation};
use crate::lookup::{Found, Lookup};
use crate::manifest::UnitTest;
use crate::relation::RelationName;

/// A relation that rows stand in for.
#[derive(Debug, Clone)]
pub(super) struct Input {
    /// Node or source.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) package: String,
    pub(super) cte: String,
    /// Where the types of its columns are looked up.
    pub(super) relation: Option<RelationName>,
    /// And where, when it does not exist there.
    pub(super) deferred: Option<RelationName>,
    /// Position among the test's inputs.
    pub(super) fixture: usize,
}

#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) inputs: Vec<Input>,
    pub(super) by_id: HashMap<String, usize>,
    pub(super) this: Option<usize>,
    /// Inputs that the model's text names, in order.
    pub(super) used: Mutex<IndexSet<usize>>,
}

impl Given {
    fn cte(&self, at: usize) -> Value {
        lock(&self.used).insert(at);
        relation::cte(RelationName::new("", "", self.inputs[at].cte.as_str()))
    }

    fn of(&self, id: &str, test: &UnitTest, shown: &str) -> Result<Value, minijinja::Error> {
        match self.by_id.get(id) {
            Some(at) => Ok(self.cte(*at)),
            None => Err(raise(format!(
                "unit_test '{}' ({}) depends on a node named '{shown}' which was not found: give it \
                 rows",
                test.unique_id,
                test.original_file_path.display()
            ))),
        }
    }
}

/// The names that a unit test changes; everything else is as the model sees it.
#[derive(Debug)]
pub(super) struct UnitScope {
    pub(super) inner: Arc<dyn Scope>,
    pub(super) given: Arc<Given>,
    pub(super) test: Arc<UnitTest>,
    pub(super) lookup: Arc<Lookup>,
    pub(super) project: String,
}

impl UnitScope {
    fn refer(&self) -> Value {
        let (given, test) = (Arc::clone(&self.given), Arc::clone(&self.test));
        let (lookup, project) = (Arc::clone(&self.lookup), self.project.clone());
        function("ref", move |_, arguments| {
            let wanted = wanted(arguments)?;
            match lookup.find_ref(&project, &test.package_name, &wanted) {
                Found::Node(id) => given.of(&id, &test, &wanted.name),
                Found::Disabled | Found::Nothing => given.of("", &test, &wanted.name),
            }
        })
    }

    fn source(&self) -> Value {
        let (given, test) = (Arc::clone(&self.given), Arc::clone(&self.test));
        let (lookup, project) = (Arc::clone(&self.lookup), self.project.clone());
        function("source", move |_, arguments| {
            let parts = vec![arguments.text(0, "source")?, arguments.text(1, "table")?];
            let id = lookup.find_source(&project, &test.package_name, &parts);
            given.of(&id.unwrap_or_default(), &test, &parts.join("."))
        })
    }

    /// `var` or `env_var`: what the test says, else what the project says.
    fn replaced(
        &self,
        root: &Arc<Root>,
        name: &'static str,
        values: &serde_json::Map<String, Json>,
    ) -> Option<Value> {
        let inner = self.inner.variable(root, name)?;
        if values.is_empty() {
            return Some(inner);
        }
        let values = values.clone();
        Some(function(name, move |state, arguments| {
            let wanted = arguments.text(0, "name")?;
            match values.get(&wanted) {
                Some(value) => Ok(jinja::json::to_value(value)),
                None => inner.call(state, arguments.all()),
            }
        }))
    }
}

impl Scope for UnitScope {
    fn variable(&self, root: &Arc<Root>, name: &str) -> Option<Value> {
        let none = crate::manifest::Overrides::default();
        let overrides = self.test.overrides.as_ref().unwrap_or(&none);
        match name {
            "ref" => Some(self.refer()),
            "source" => Some(self.source()),
            "this" => Some(match self.given.this {
                Some(at) => self.given.cte(at),
                None => Value::from(()),
            }),
            "var" => self.replaced(root, "var", &overrides.vars),
            "env_var" => self.replaced(root, "env_var", &overrides.env_vars),
            _ => self.inner.variable(root, name),
        }
    }

    fn is_macro(&self, name: &str) -> bool {
        self.inner.is_macro(name)
    }

    fn replaces(&self, name: &str) -> Option<Value> {
        let macros = &self.test.overrides.as_ref()?.macros;
        let value = jinja::json::to_value(macros.get(name)?);
        Some(function("override", move |_, _| Ok(value.clone())))
    }
}

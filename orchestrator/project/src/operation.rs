//! What is run beside the nodes: macros on their own (`run-operation`) and queries typed at the prompt (`show
//! --inline`).

use std::sync::Arc;

use jinja::json;
use minijinja::value::Value;
use serde_json::{Map, Value as Json};

use crate::adapter::Adapter;
use crate::compile::{Compiled, Rendering};
use crate::context::{Said, lock};
use crate::error::{Error, Location};
use crate::load::Project;
use crate::manifest::{Node, ResourceType};
use crate::parse::nodes::bare;

/// What a macro on its own left.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Operated {
    /// What it returned.
    pub value: Json,
    /// What it said.
    pub messages: Vec<Said>,
}

impl Project {
    fn loose_node(&self, name: &str, sql: &str) -> Node {
        let mut node = bare(&self.name, ResourceType::Operation, name);
        node.raw_code = sql.to_owned();
        node.config.enabled = true;
        node
    }

    /// The macro `name` (`macro` or `package.macro`): the project's own, then those of its packages, then the built-in
    /// one.
    fn operation(&self, name: &str) -> Option<&Arc<jinja::macros::Macro>> {
        let macros = self.shared.engine.macros();
        if let Some((package, name)) = name.split_once('.') {
            return macros.in_package(package, name);
        }
        let packages = self.shared.packages.iter().map(String::as_str);
        std::iter::once(self.name.as_str())
            .chain(packages)
            .chain([jinja::macros::INTERNAL_PACKAGE])
            .find_map(|package| macros.in_package(package, name))
    }

    /// The unique id of the macro that [`Self::run_operation`] calls.
    #[must_use]
    pub fn operation_id(&self, name: &str) -> Option<String> {
        let found = self.operation(name)?;
        Some(format!("macro.{}.{}", found.package, found.name))
    }

    /// Calls the macro `name` (`macro` or `package.macro`) with `arguments`. Blocks.
    ///
    /// # Errors
    /// There is no such macro, something is wrong with it, or the database's refusal.
    pub fn run_operation(
        &self,
        name: &str,
        arguments: &Map<String, Json>,
        adapter: Arc<dyn Adapter>,
    ) -> Result<Operated, Error> {
        let macros = self.shared.engine.macros();
        let Some(found) = self.operation(name) else {
            let names = macros.iter().map(|found| found.name.as_str());
            return Err(Error::Config {
                location: None,
                message: format!(
                    "dbt could not find a macro with the name '{name}' in any package"
                ),
                hint: crate::hint::closest(name, names)
                    .map(|close| format!("did you mean '{close}'?")),
            });
        };
        // names mean in the macro what they mean in its package, whoever calls it
        let node = Node {
            package_name: found.package.clone(),
            ..self.loose_node(name, "")
        };
        let rendering = Rendering::with(self, &node, adapter, Vec::new());
        let request = rendering.request("", Arc::clone(&rendering.scope));
        let keywords = arguments
            .iter()
            .map(|(key, value)| (key.as_str(), json::to_value(value)));
        let keywords = minijinja::value::Kwargs::from_iter(keywords);
        let value = self
            .shared
            .engine
            .call(&request, found, &[Value::from(keywords)])
            .map_err(|error| match rendering.error(error) {
                Error::Template {
                    message,
                    stack,
                    hint,
                    ..
                } => Error::Template {
                    subject: format!("macro {}", found.name),
                    location: Box::new(Location::line(&*found.path, found.block.line)),
                    message,
                    stack,
                    hint,
                },
                other => other,
            })?;
        Ok(Operated {
            value: json::from_value(&value).unwrap_or_default(),
            messages: std::mem::take(&mut lock(&rendering.run.messages)),
        })
    }

    /// The SQL of a template that no file holds. Blocks.
    ///
    /// # Errors
    /// As [`Project::compile`].
    pub fn compile_inline(&self, sql: &str, adapter: Arc<dyn Adapter>) -> Result<Compiled, Error> {
        let node = self.loose_node("inline_query", sql);
        Rendering::with(self, &node, adapter, Vec::new()).compiled()
    }
}

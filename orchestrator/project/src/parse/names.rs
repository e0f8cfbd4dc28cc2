//! Where a node is built: database, schema and alias, by dbt's rules or the project's own macros.

use std::cell::OnceCell;
use std::sync::Arc;

use jinja::macros::INTERNAL_PACKAGE;
use jinja::{Request, Scope};
use minijinja::value::Value;
use serde_json::Value as Json;

use crate::context::{Capture, Mode, NodeScope, Shared, node_value};
use crate::error::Error;
use crate::manifest::{Node, ResourceType, version_text};
use crate::parse::hooks::add_references;
use crate::parse::template_error;
use crate::relation::RelationName;
use crate::roots::Roots;

/// What the project overrides of the three naming macros.
#[derive(Debug)]
pub(crate) struct Names {
    shared: Arc<Shared>,
}

/// A node as the naming macros see it: one value for all of them, made when the first asks.
struct Seen<'n> {
    node: &'n Node,
    roots: &'n Roots,
    value: OnceCell<Value>,
}

impl Seen<'_> {
    fn value(&self) -> Value {
        let made = self
            .value
            .get_or_init(|| node_value::value(self.node, self.roots));
        made.clone()
    }
}

impl Names {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
        }
    }

    /// The text that macro `name` gives, or `None` when it is the built-in one.
    fn overridden(
        &self,
        name: &str,
        custom: Option<&str>,
        seen: &Seen<'_>,
    ) -> Result<Option<String>, Error> {
        let node = seen.node;
        let macros = self.shared.engine.macros();
        let of_root = |name: &str| macros.in_package(&self.shared.project_name, name).cloned();
        // as dbt: a dependency's macro is for its own nodes, the root project's for all others
        let own = macros.in_package(&node.package_name, name).cloned();
        let found = own.or_else(|| of_root(name));
        let Some(found) = found.or_else(|| of_root(&format!("default__{name}"))) else {
            return Ok(None);
        };
        if found.package == INTERNAL_PACKAGE {
            return Ok(None);
        }
        let scope: Arc<dyn Scope> = Arc::new(NodeScope {
            shared: Arc::clone(&self.shared),
            node: Arc::new(node.clone()),
            mode: Mode::Parse(Arc::new(Capture::default())),
            extra: Vec::new(),
        });
        let request = Request {
            name: &node.unique_id,
            source: "",
            package: &self.shared.project_name,
            scope,
            forgiving: false,
        };
        let arguments = [Value::from(custom), seen.value()];
        let value = self
            .shared
            .engine
            .call(&request, &found, &arguments)
            .map_err(|error| template_error(&self.shared, node, error))?;
        Ok(Some(jinja::format::text(&value).trim().to_owned()))
    }

    /// Names `node`, and adds what its hooks refer to.
    pub(crate) fn settle(&self, node: &mut Node) -> Result<(), Error> {
        self.assign(node)?;
        add_references(&self.shared, node);
        Ok(())
    }

    /// Sets `alias` and `relation_name` of `node` from its configuration.
    fn assign(&self, node: &mut Node) -> Result<(), Error> {
        let seen = Seen {
            node,
            roots: &self.shared.roots,
            value: OnceCell::new(),
        };
        let custom = |key: &str| {
            node.config
                .raw
                .get(key)
                .and_then(Json::as_str)
                .filter(|text| !text.is_empty())
        };
        let default_schema =
            (node.resource_type == ResourceType::Test).then_some("dbt_test__audit");
        let custom_schema = custom("schema").or(default_schema);
        let target = &self.shared.target;
        let mut schema = match self.overridden("generate_schema_name", custom_schema, &seen)? {
            Some(schema) => schema,
            None => match custom_schema {
                Some(custom) => format!("{}_{}", target.schema, custom.trim()),
                None => target.schema.clone(),
            },
        };
        let alias = match self.overridden("generate_alias_name", custom("alias"), &seen)? {
            Some(alias) => alias,
            None => match (custom("alias"), &node.version) {
                (Some(alias), _) => alias.trim().to_owned(),
                (None, Some(version)) => {
                    format!("{}_v{}", node.name, version_text(version).replace('.', "_"))
                }
                (None, None) => node.name.clone(),
            },
        };
        let mut database =
            match self.overridden("generate_database_name", custom("database"), &seen)? {
                Some(database) => database,
                None => custom("database").map_or_else(
                    || target.dbname.clone(),
                    |database| database.trim().to_owned(),
                ),
            };
        // names of an older dbt: what the macros say of a snapshot is asked for, then set aside
        if node.resource_type == ResourceType::Snapshot {
            if let Some(fixed) = custom("target_database") {
                fixed.clone_into(&mut database);
            }
            if let Some(fixed) = custom("target_schema") {
                fixed.clone_into(&mut schema);
            }
        }
        node.alias = alias;
        node.database.clone_from(&database);
        node.schema.clone_from(&schema);
        let name = RelationName {
            database,
            schema,
            identifier: node.alias.clone(),
            quoting: self.shared.quoting,
        };
        node.relation_name = is_relational(node, &self.shared).then_some(name);
        Ok(())
    }
}

/// Whether building `node` leaves a relation.
fn is_relational(node: &Node, shared: &Shared) -> bool {
    match node.resource_type {
        ResourceType::Model => node.config.materialized != "ephemeral",
        ResourceType::Seed | ResourceType::Snapshot => true,
        // the flag names a relation even where the configuration keeps it from being made
        ResourceType::Test => {
            let flag = shared.flags.get_attr("STORE_FAILURES");
            node.config.store_failures == Some(true) || flag.is_ok_and(|flag| flag.is_true())
        }
        _ => false,
    }
}

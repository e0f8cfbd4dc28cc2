//! Nodes whose building is a template: materializations of the project or a package, built-in ones of which it
//! replaces a part, and those that the engine has only as templates.

use std::sync::Arc;

use jinja::Macro;
use jinja::list::{dict, list};
use jinja::macros::INTERNAL_PACKAGE;
use minijinja::value::Value;
use serde_json::Value as Json;

use crate::adapter::Adapter;
use crate::batches::Batch;
use crate::compile::{Compiled, Rendering};
use crate::context::{Said, lock, node_value, relation};
use crate::error::{Error, Location};
use crate::load::Project;
use crate::manifest::{Hook, Node, ResourceType};
use crate::parse::nodes::compiled_path;
use crate::roots::Roots;

mod hooks;
mod verdict;

pub use hooks::RenderedHook;
pub use verdict::Verdict;

/// A materialization that failed.
#[derive(Debug)]
pub struct Broken {
    /// How.
    pub error: Box<Error>,
    /// Its main statement, when it had come so far.
    pub run_sql: Option<String>,
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self {
            error: Box::new(error),
            run_sql: None,
        }
    }
}

/// What running a materialization left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Materialized {
    /// The server's words about the main statement.
    pub message: String,
    /// Rows it wrote; `None` where the server counts none.
    pub rows: Option<u64>,
    /// What was answered, by dbt's names.
    pub response: Option<Json>,
    /// The main statement.
    pub run_sql: String,
    /// What templates said.
    pub messages: Vec<Said>,
    /// Of a test: what its main statement found.
    pub verdict: Option<Verdict>,
}

/// The materialization of the verb `clone`.
const CLONE: &str = "clone";
/// Materializations the engine builds itself.
const NATIVE: [&str; 4] = ["view", "table", "incremental", "ephemeral"];
/// Strategies it knows.
const STRATEGIES: [&str; 4] = ["append", "delete+insert", "merge", "default"];

/// One window of a microbatch model that is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub batch: Batch,
    /// The table is there, so its rows are added to it.
    pub continues: bool,
    /// Nothing of the model was built before it: what the model does first is done here.
    pub first: bool,
    /// Nothing follows: what the model does last is done here.
    pub last: bool,
}

impl Step {
    fn names(&self, node: &Node, roots: &Roots, sql: Option<&str>) -> Vec<(&'static str, Value)> {
        let batch = dict(
            [
                ("id", Value::from(self.batch.id.as_str())),
                (
                    "event_time_start",
                    jinja::modules::timestamp(self.batch.start),
                ),
                ("event_time_end", jinja::modules::timestamp(self.batch.end)),
            ]
            .map(|(key, value)| (Value::from(key), value)),
        );
        vec![
            ("model", node_value::of_batch(node, roots, sql, batch)),
            ("__continues", self.continues.into()),
        ]
    }
}

impl Project {
    /// The SQL of one window of node `id`. Blocks.
    ///
    /// # Errors
    /// As [`Project::compile`].
    pub fn compile_step(
        &self,
        id: &str,
        step: &Step,
        adapter: Arc<dyn Adapter>,
    ) -> Result<Compiled, Error> {
        let node = self.node(id)?;
        let extra = step.names(node, &self.shared.roots, None);
        Rendering::of_batch(self, node, adapter, extra, Some(step.batch.clone())).compiled()
    }

    /// The template that builds `node`; `None` when the engine does it itself.
    ///
    /// # Errors
    /// Nothing is called so.
    pub fn materialization(&self, node: &Node) -> Result<Option<&Arc<Macro>>, Error> {
        let name = node.config.materialized.as_str();
        let found = self.find_materialization(node, name);
        let is_own = found.is_some_and(|found| found.package != INTERNAL_PACKAGE);
        match node.resource_type {
            ResourceType::Test | ResourceType::Seed => Ok(found.filter(|_| is_own)),
            ResourceType::Model | ResourceType::Snapshot => match found {
                Some(_) if !is_own && self.is_native(node) => Ok(None),
                Some(found) => Ok(Some(found)),
                None if name == "ephemeral" => Ok(None),
                None => Err(missing(node)),
            },
            _ => Ok(None),
        }
    }

    /// The template that `clone` builds `node` by.
    ///
    /// # Errors
    /// There is none.
    pub fn clone_template(&self, node: &Node) -> Result<&Arc<Macro>, Error> {
        let found = self.find_materialization(node, CLONE);
        found.ok_or_else(|| missing(node))
    }

    /// What `clone` builds `node` of: everything the other environment has of it.
    #[must_use]
    pub fn clone_sql(&self, node: &Node) -> Compiled {
        let deferral = self.deferral.as_ref();
        let there = deferral.and_then(|deferral| deferral.relation(&node.unique_id));
        Compiled {
            sql: there.map_or_else(String::new, |there| format!("select * from {there}")),
            path: compiled_path(node),
            ..Compiled::default()
        }
    }

    /// Whether the engine's own way of building `node` is what its templates would do.
    fn is_native(&self, node: &Node) -> bool {
        let config = &node.config;
        let strategy = config.incremental_strategy.as_deref();
        NATIVE.contains(&config.materialized.as_str())
            && strategy.is_none_or(|strategy| STRATEGIES.contains(&strategy))
            // no template knows of partitions
            && (self.is_partitioned(node) || !config.enforces_contract() && !self.replaces_pieces(node))
    }

    /// Whether `node` is kept in native partitions.
    #[must_use]
    pub fn is_partitioned(&self, node: &Node) -> bool {
        let config = &node.config;
        self.native_partitions()
            && config.materialized == "incremental"
            && config.partition_by.is_some()
    }

    /// What a natively partitioned table of node `id`, which was compiled to `sql`, is made with where its contract is
    /// enforced: `(name type constraint, …)`. `None` where there is nothing to keep. Blocks.
    ///
    /// # Errors
    /// The SQL does not keep the contract, or anything wrong with the templates that tell.
    pub fn contract_of_partitions(
        &self,
        id: &str,
        sql: &str,
        adapter: Arc<dyn Adapter>,
    ) -> Result<Option<String>, Error> {
        let node = self.node(id)?;
        if !(self.is_partitioned(node) && node.config.enforces_contract()) {
            return Ok(None);
        }
        let kept = "{{ get_assert_columns_equivalent(sql) }}";
        self.render_hook(id, kept, sql, Arc::clone(&adapter))?;
        let made = "{{ get_table_columns_and_constraints() }}";
        let made = self.render_hook(id, made, sql, adapter)?;
        Ok(Some(made.text.trim().to_owned()))
    }

    /// The most special materialization of this name: for Postgres before general, and of those the root project's
    /// before the built-in one. A package's may not stand in for a built-in one unless the project asks for it.
    fn find_materialization(&self, node: &Node, name: &str) -> Option<&Arc<Macro>> {
        let macros = self.shared.engine.macros();
        let root = self.shared.project_name.as_str();
        let built_in = |adapter: &str| {
            let full = format!("materialization_{name}_{adapter}");
            macros.in_package(INTERNAL_PACKAGE, &full)
        };
        let is_built_in = built_in("postgres").or(built_in("default")).is_some();
        let strict = self
            .flags
            .get("require_explicit_package_overrides_for_builtin_materializations")
            != Some(&false.into());
        ["postgres", "default"].into_iter().find_map(|adapter| {
            let full = format!("materialization_{name}_{adapter}");
            let others = || {
                let own = [node.package_name.as_str()];
                let packages = own
                    .into_iter()
                    .chain(self.shared.packages.iter().map(String::as_str));
                packages
                    .filter(|package| *package != root && !(is_built_in && strict))
                    .find_map(|package| macros.in_package(package, &full))
            };
            macros
                .in_package(root, &full)
                .or_else(others)
                .or_else(|| built_in(adapter))
        })
    }

    /// Builds node `id` by `template`. Blocks; statements run in `adapter`'s session, which the caller undoes when
    /// this fails.
    ///
    /// # Errors
    /// Anything wrong with the templates, or the database's refusal.
    pub fn materialize(
        &self,
        id: &str,
        template: &Arc<Macro>,
        compiled: &Compiled,
        adapter: Arc<dyn Adapter>,
        batch: Option<&Step>,
    ) -> Result<Materialized, Broken> {
        let node = self.node(id)?;
        let mut extra = names(node, &self.shared.roots, &compiled.sql, batch);
        if let Some(step) = batch {
            extra.retain(|(name, _)| *name != "model");
            extra.extend(step.names(node, &self.shared.roots, Some(&compiled.sql)));
        }
        let batch = batch.map(|step| step.batch.clone());
        let rendering = Rendering::of_batch(self, node, Arc::clone(&adapter), extra, batch);
        let request = rendering.request("", Arc::clone(&rendering.scope));
        let returned = self
            .shared
            .engine
            .call(&request, template, &[])
            .map_err(|error| Broken {
                run_sql: lock(&rendering.run.written).take(),
                error: Box::new(rendering.error(error)),
            })?;
        let made = returned.get_attr("relations").unwrap_or_default();
        for made in made.try_iter().into_iter().flatten() {
            if let Some(made) = relation::of(&made)
                && let Some(relation::Kind::Stored(kind)) = made.kind
            {
                adapter.note(&made.name, Some(kind));
            }
        }
        let main = lock(&rendering.run.results).get("main").cloned();
        let Some(main) = main else {
            if template.name.starts_with("materialization_clone_") {
                // there was nothing to clone, or it is here already
                return Ok(Materialized {
                    message: "No-op".to_owned(),
                    messages: std::mem::take(&mut lock(&rendering.run.messages)),
                    ..Materialized::default()
                });
            }
            return Err(Error::Template {
                subject: format!("model {}", node.name),
                location: Box::new(Location::file(&node.original_file_path)),
                message: "main is not being called during running model".into(),
                stack: Vec::new(),
                hint: Some(format!(
                    "the materialization '{}' must run its statement as {{% call statement('main') %}}",
                    node.config.materialized
                )),
            }
            .into());
        };
        let verdict = match node.resource_type {
            ResourceType::Test => Some(verdict::of(node, &main)?),
            _ => None,
        };
        Ok(Materialized {
            verdict,
            response: Some(main.response.artifact()),
            message: main.response.message,
            rows: u64::try_from(main.response.rows.as_i64().unwrap_or(-1)).ok(),
            run_sql: lock(&rendering.run.written).take().unwrap_or_default(),
            messages: std::mem::take(&mut lock(&rendering.run.messages)),
        })
    }
}

/// What a materialization and its hooks see beside what the node itself does.
fn names(node: &Node, roots: &Roots, sql: &str, step: Option<&Step>) -> Vec<(&'static str, Value)> {
    // the hooks are the model's, not each window's
    let (first, last) = step.map_or((true, true), |step| (step.first, step.last));
    let hooks = |hooks: &[Hook], due: bool| {
        let hooks = if due { hooks } else { &[] };
        list(hooks.iter().enumerate().map(|(index, hook)| {
            dict([
                (Value::from("sql"), Value::from(hook.sql.as_str())),
                (Value::from("transaction"), Value::from(hook.transaction)),
                (Value::from("index"), Value::from(index)),
            ])
        }))
    };
    vec![
        ("sql", sql.into()),
        ("compiled_code", sql.into()),
        ("model", node_value::compiled(node, roots, sql)),
        ("pre_hooks", hooks(&node.config.pre_hook, first)),
        ("post_hooks", hooks(&node.config.post_hook, last)),
    ]
}

fn missing(node: &Node) -> Error {
    Error::Template {
        subject: format!("model {}", node.name),
        location: Box::new(Location::file(&node.original_file_path)),
        message: format!(
            "No materialization '{}' was found for adapter postgres! (searched types 'default' and 'postgres')",
            node.config.materialized
        ),
        stack: Vec::new(),
        hint: Some(
            "built in are view, table, incremental, ephemeral, materialized_view; a package may bring more".into(),
        ),
    }
}

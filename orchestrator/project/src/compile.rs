//! A node's SQL.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use jinja::functions::hex;
use jinja::{Request, Scope};
use minijinja::value::Value;
use sha2::{Digest, Sha256};

use crate::adapter::{Adapter, AdapterError};
use crate::batches::Batch;
use crate::context::{Mode, NodeScope, Run, Said, lock};
use crate::error::{Error, Location};
use crate::inject::{Cte, inject};
use crate::load::Project;
use crate::manifest::{Node, UniqueId};

use crate::parse::nodes::{compiled_path, kind_name};
use crate::parse::template_error;
use crate::parse::test_arguments::{called_by_arguments, rendered_arguments, with_arguments};

/// What a node runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compiled {
    /// The node's SQL, ephemeral parents already injected as CTEs.
    pub sql: String,
    /// SHA-256 of `sql`, hex.
    pub sql_hash: String,
    /// Where the compiled text belongs below `target/compiled` and `target/run`.
    pub path: PathBuf,
    /// What templates said: `log(…, info=true)`, `print(…)`, `exceptions.warn(…)`.
    pub messages: Vec<Said>,
    /// The ephemeral parents.
    pub injected: Injected,
    /// Of a unit test: the queries that stand for what it reads, and where they belong below `target/compiled`.
    pub fixtures: Vec<(PathBuf, String)>,
    /// Macros that the node's text called: some are called only when there is something to run.
    pub macros: Vec<UniqueId>,
}

/// Ephemeral models in the SQL of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Injected {
    /// As they stand there, deepest first.
    pub ctes: Vec<Cte>,
    /// The models by themselves, each with those that it needs.
    pub models: Vec<(UniqueId, Compiled)>,
}

/// The name under which an ephemeral model is injected.
pub(crate) fn cte_name(alias: &str) -> String {
    format!("__dbt__cte__{alias}")
}

impl Project {
    /// The SQL of node `id`. Blocks while `adapter` answers what templates ask.
    ///
    /// # Errors
    /// Anything wrong with the template, or the database's refusal.
    pub fn compile<A>(&self, id: &str, adapter: &A) -> Result<Compiled, Error>
    where
        A: Adapter + Clone + 'static,
    {
        self.compile_with(id, Arc::new(adapter.clone()))
    }

    /// Like [`Self::compile`], for an adapter of any type.
    ///
    /// # Errors
    /// Anything wrong with the template, or the database's refusal.
    pub fn compile_with(&self, id: &str, adapter: Arc<dyn Adapter>) -> Result<Compiled, Error> {
        let node = self.node(id)?;
        Rendering::new(self, node, adapter).compiled()
    }

    pub(crate) fn node(&self, id: &str) -> Result<&Node, Error> {
        self.manifest
            .nodes
            .get(id)
            .ok_or_else(|| Error::NoSuchNode {
                unique_id: id.to_owned(),
            })
    }
}

/// One node being rendered.
pub(crate) struct Rendering<'a> {
    pub(crate) project: &'a Project,
    pub(crate) node: &'a Node,
    pub(crate) run: Arc<Run>,
    pub(crate) scope: Arc<dyn Scope>,
}

impl<'a> Rendering<'a> {
    fn new(project: &'a Project, node: &'a Node, adapter: Arc<dyn Adapter>) -> Self {
        Self::with(project, node, adapter, Vec::new())
    }

    /// With further names.
    pub(crate) fn with(
        project: &'a Project,
        node: &'a Node,
        adapter: Arc<dyn Adapter>,
        extra: Vec<(&'static str, Value)>,
    ) -> Self {
        Self::of_batch(project, node, adapter, extra, None)
    }

    /// Of one window.
    pub(crate) fn of_batch(
        project: &'a Project,
        node: &'a Node,
        adapter: Arc<dyn Adapter>,
        extra: Vec<(&'static str, Value)>,
        batch: Option<Batch>,
    ) -> Self {
        let run = Arc::new(Run {
            manifest: Arc::clone(&project.manifest),
            lookup: Arc::clone(&project.lookup),
            adapter,
            ephemeral: Mutex::default(),
            called: Mutex::default(),
            messages: Mutex::default(),
            results: Mutex::new(BTreeMap::new()),
            written: Mutex::default(),
            batch,
            deferral: project.deferral.clone(),
            selected: Arc::clone(&project.selected),
            graph: Arc::clone(&project.shown),
            created: project.shared.created,
        });
        let scope = Arc::new(NodeScope {
            shared: Arc::clone(&project.shared),
            node: Arc::new(node.clone()),
            mode: Mode::Compile(Arc::clone(&run)),
            extra,
        });
        Self {
            project,
            node,
            run,
            scope,
        }
    }

    /// The node's SQL and what its templates said.
    pub(crate) fn compiled(&self) -> Result<Compiled, Error> {
        let (sql, injected) = self.with_ctes()?;
        let mut compiled = self.whole(&sql, injected);
        compiled.messages = std::mem::take(&mut lock(&self.run.messages));
        Ok(compiled)
    }

    /// The node's own text with what it needs in front of it.
    fn whole(&self, own: &str, injected: Injected) -> Compiled {
        let sql = inject(own, &injected.ctes);
        Compiled {
            sql_hash: hex(&Sha256::digest(sql.as_bytes())),
            sql,
            path: compiled_path(self.node),
            messages: Vec::new(),
            fixtures: Vec::new(),
            injected,
            macros: std::mem::take(&mut *lock(&self.run.called))
                .into_iter()
                .collect(),
        }
    }

    pub(crate) fn request<'s>(&'s self, source: &'s str, scope: Arc<dyn Scope>) -> Request<'s> {
        Request {
            name: &self.node.unique_id,
            source,
            package: &self.node.package_name,
            scope,
            forgiving: false,
        }
    }

    pub(crate) fn render(&self, source: &str) -> Result<String, Error> {
        let shared = &self.project.shared;
        let mut scope = Arc::clone(&self.scope);
        let rendered = (|| {
            if self.node.test_metadata.is_some() {
                let arguments = rendered_arguments(shared, self.node, &scope, false)?;
                let called = called_by_arguments(shared, self.node);
                lock(&self.run.called).extend(called);
                let pairs = arguments.into_iter().map(|(k, v)| (Value::from(k), v));
                scope = with_arguments(&scope, jinja::list::dict(pairs));
            }
            shared
                .engine
                .render(&self.request(source, Arc::clone(&scope)))
        })();
        let rendered = rendered.map_err(|error| self.error(error))?;
        lock(&self.run.called).extend(rendered.macros);
        Ok(rendered.text)
    }

    /// A failure of the template; the database's own refusal keeps its SQLSTATE.
    pub(crate) fn error(&self, error: jinja::Error) -> Error {
        match error.find_cause::<AdapterError>().cloned() {
            Some(source) => Error::Adapter {
                subject: format!("{} {}", kind_name(self.node.resource_type), self.node.name),
                location: Location::file(&self.node.original_file_path),
                source,
            },
            None => template_error(&self.project.shared, self.node, error),
        }
    }

    /// The node's own text, and the ephemeral models it needs.
    fn with_ctes(&self) -> Result<(String, Injected), Error> {
        let sql = self.render(&self.node.raw_code)?;
        let mut all = Injected::default();
        let needed = std::mem::take(&mut *lock(&self.run.ephemeral));
        for id in needed {
            let parent = self.project.node(&id)?;
            let rendering = Self::new(self.project, parent, Arc::clone(&self.run.adapter));
            let (parent_sql, above) = rendering.with_ctes()?;
            let Injected { ctes, models } = above;
            let cte = Cte {
                id: id.clone(),
                sql: format!(" {} as (\n{parent_sql}\n)", cte_name(&parent.alias)),
            };
            for cte in ctes.iter().chain([&cte]) {
                if !all.ctes.iter().any(|known| known.id == cte.id) {
                    all.ctes.push(cte.clone());
                }
            }
            let own = Injected {
                ctes,
                models: Vec::new(),
            };
            let model = rendering.whole(&parent_sql, own);
            for (id, model) in models.into_iter().chain([(id, model)]) {
                if !all.models.iter().any(|(known, _)| *known == id) {
                    all.models.push((id, model));
                }
            }
        }
        Ok((sql, all))
    }
}

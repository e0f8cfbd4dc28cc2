//! The names templates see: dbt's context, one rendering at a time.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use indexmap::IndexSet;
use jinja::functions::function;
use jinja::{Engine, Root, Scope};
use minijinja::State;
use minijinja::value::Value;
use serde_json::{Map, Value as Json};

use crate::adapter::Adapter;
use crate::batches::Batch;
use crate::config::Raw;
use crate::context::query::Kept;
use crate::deferral::Deferral;
use crate::lookup::Lookup;
use crate::manifest::{Manifest, Node, RefArgs, UniqueId};
use crate::parse::cache::{Cache, VOLATILE};
use crate::profile::PostgresTarget;
use crate::relation::Quoting;
use crate::roots::Roots;
use crate::sample::Sample;
use crate::warnings::Rules;

pub(crate) mod adapter;
pub(crate) mod changes;
pub(crate) mod column;
pub(crate) mod config;
pub(crate) mod contract;
pub(crate) mod dispatch;
pub(crate) mod environment;
pub(crate) mod exceptions;
pub(crate) mod flags;
pub(crate) mod graph;
pub(crate) mod node_value;
pub(crate) mod query;
pub(crate) mod refs;
pub(crate) mod relation;
pub(crate) mod results;
pub(crate) mod strategy;
pub(crate) mod table;
pub(crate) mod vars;
pub(crate) mod yaml_scope;

/// The dbt whose behaviour is followed; `dbt_version` of templates.
pub(crate) const DBT_VERSION: &str = "1.11.16";

/// What every rendering of a project shares.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What templates said while they were parsed, each with its file.
    pub(crate) said: Mutex<Vec<(PathBuf, Said)>>,
    pub(crate) engine: Engine,
    pub(crate) env: Arc<BTreeMap<String, String>>,
    pub(crate) project_name: String,
    pub(crate) target_value: Value,
    pub(crate) target: PostgresTarget,
    /// How the root project has names written, everybody's.
    pub(crate) quoting: Quoting,
    pub(crate) cli_vars: Map<String, Json>,
    /// `vars:` by package, the root project's under its own name.
    pub(crate) package_vars: BTreeMap<String, Map<String, Json>>,
    /// Where packages lie.
    pub(crate) roots: Roots,
    pub(crate) flags: Value,
    /// `--empty`: models are built of no rows.
    pub(crate) empty: bool,
    /// What is made of warnings.
    pub(crate) rules: Rules,
    /// `--sample`: inputs with an event time are narrowed to it.
    pub(crate) sample: Option<Sample>,
    pub(crate) run_started_at: Value,
    /// The same in seconds since 1970.
    pub(crate) created: f64,
    pub(crate) invocation_id: String,
    pub(crate) dispatch: BTreeMap<String, Vec<String>>,
    pub(crate) packages: IndexSet<String>,
    /// The version of each package, the root project's too.
    pub(crate) versions: BTreeMap<String, String>,
    /// What earlier invocations read of the same files.
    pub(crate) cache: Cache,
}

impl Shared {
    /// Twelve characters that nothing of this invocation, or of another, has had before.
    pub(crate) fn unique(&self) -> String {
        use md5::{Digest, Md5};
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let text = format!("{} {count}", self.invocation_id);
        jinja::functions::hex(&Md5::digest(text.as_bytes()))[..12].to_owned()
    }
}

/// What a parse collects.
#[derive(Debug, Default)]
pub(crate) struct Capture {
    pub(crate) refs: Mutex<Vec<RefArgs>>,
    pub(crate) sources: Mutex<Vec<Vec<String>>>,
    pub(crate) config: Mutex<Raw>,
    /// Macros that the text calls and that the rendering does not tell of.
    pub(crate) called: Mutex<IndexSet<UniqueId>>,
    /// Keys of it that are lists and were written as one value, by the first call.
    pub(crate) bare: Mutex<Vec<String>>,
    /// What it says to the person.
    pub(crate) said: Mutex<Vec<Said>>,
    /// Something was looked at that the next invocation may see otherwise.
    pub(crate) is_volatile: AtomicBool,
}

/// How much a capture held.
struct Mark {
    refs: usize,
    sources: usize,
    config: Raw,
    bare: usize,
    said: usize,
}

/// What a compile may use, and what it leaves.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) lookup: Arc<Lookup>,
    pub(crate) adapter: Arc<dyn Adapter>,
    /// Ephemeral models that the text names, in order of first mention.
    pub(crate) ephemeral: Mutex<IndexSet<UniqueId>>,
    /// Macros that the text calls itself.
    pub(crate) called: Mutex<IndexSet<UniqueId>>,
    /// `log(…, info=true)`, `print` and warnings.
    pub(crate) messages: Mutex<Vec<Said>>,
    /// Results of `statement`, by name.
    pub(crate) results: Mutex<BTreeMap<String, Kept>>,
    /// The statement that does the node's work, once it was sent.
    pub(crate) written: Mutex<Option<String>>,
    /// The window that is built, of a microbatch model.
    pub(crate) batch: Option<Batch>,
    /// What another environment built.
    pub(crate) deferral: Option<Arc<Deferral>>,
    /// The nodes the verb is about.
    pub(crate) selected: Arc<OnceLock<IndexSet<UniqueId>>>,
    /// `graph`, which all nodes share.
    pub(crate) graph: Arc<graph::Shown>,
    /// Seconds since 1970: when the invocation began, which is when its nodes were made.
    pub(crate) created: f64,
}

/// What a template says to the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// `log(…, info=true)`: a line of the log.
    Log(String),
    /// `print(…)`: output, without anything around it.
    Print(String),
    /// `exceptions.warn(…)`.
    Warning(String),
}

impl Said {
    /// The words.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Log(text) | Self::Print(text) | Self::Warning(text) => text,
        }
    }
}

/// Parse or compile.
#[derive(Debug, Clone)]
pub(crate) enum Mode {
    /// Collect references and configuration; the database is not there.
    Parse(Arc<Capture>),
    /// Make SQL.
    Compile(Arc<Run>),
}

/// The names of one node's rendering.
#[derive(Debug, Clone)]
pub(crate) struct NodeScope {
    pub(crate) shared: Arc<Shared>,
    pub(crate) node: Arc<Node>,
    pub(crate) mode: Mode,
    pub(crate) extra: Vec<(&'static str, Value)>,
}

/// A poisoned lock only means that a template failed; what it protects is still whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl NodeScope {
    pub(crate) fn run(&self) -> Option<&Arc<Run>> {
        match &self.mode {
            Mode::Parse(_) => None,
            Mode::Compile(run) => Some(run),
        }
    }

    fn this(&self) -> Value {
        match (&self.node.relation_name, &self.mode) {
            (Some(name), _) => relation::value(name.clone(), None),
            (None, _) => relation::value(
                crate::relation::RelationName {
                    database: self.shared.target.dbname.clone(),
                    schema: self.shared.target.schema.clone(),
                    identifier: self.node.alias.clone(),
                    quoting: self.shared.quoting,
                },
                None,
            ),
        }
    }

    /// Notes macros that are called where a template stands: only what the node's own text calls is the node's.
    pub(crate) fn note_called(
        &self,
        state: &State<'_, '_>,
        called: impl IntoIterator<Item = UniqueId>,
    ) {
        let noted = match &self.mode {
            Mode::Parse(capture) => &capture.called,
            Mode::Compile(run) => &run.called,
        };
        if state.name() == self.node.unique_id {
            lock(noted).extend(called);
        }
    }

    /// Says something to the person.
    pub(crate) fn say(&self, said: Said) {
        match &self.mode {
            Mode::Parse(capture) => lock(&capture.said).push(said),
            Mode::Compile(run) => lock(&run.messages).push(said),
        }
    }

    /// `render(text)`: a template in a template, with the same names.
    fn render(&self, root: &Arc<Root>) -> Value {
        let (scope, root) = (self.clone(), Arc::clone(root));
        function("render", move |_, arguments| {
            let source = arguments.text(0, "string")?;
            let request = jinja::Request {
                name: &scope.node.unique_id,
                source: &source,
                package: &scope.node.package_name,
                scope: Arc::new(scope.clone()),
                forgiving: scope.run().is_none(),
            };
            let rendered = scope.shared.engine.render_below(&request, &root);
            rendered
                .map(|rendered| Value::from(rendered.text))
                .map_err(jinja::Error::into_template)
        })
    }

    /// Variables that need nothing of the rendering.
    fn plain(&self, name: &str) -> Option<Value> {
        let shared = &self.shared;
        let text = |text: &str| Some(Value::from(text));
        match name {
            "ref" => Some(refs::ref_function(self)),
            "source" => Some(refs::source_function(self)),
            "config" => Some(config::value(self)),
            "this" => Some(self.this()),
            "model" | "node" => Some(node_value::value(&self.node, &shared.roots)),
            "var" => Some(vars::function(self)),
            "env_var" => Some(environment::env_var(Arc::clone(&shared.env), false)),
            "target" => Some(shared.target_value.clone()),
            "execute" => Some(Value::from(self.run().is_some())),
            "flags" => Some(shared.flags.clone()),
            "invocation_args_dict" => Some(flags::arguments_of(&shared.flags)),
            "try_or_compiler_error" => Some(exceptions::attempt()),
            "schema" => text(
                self.node
                    .relation_name
                    .as_ref()
                    .map_or(&shared.target.schema, |r| &r.schema),
            ),
            "database" => text(&shared.target.dbname),
            "project_name" => text(&shared.project_name),
            "dbt_version" => text(DBT_VERSION),
            "invocation_id" => text(&shared.invocation_id),
            "run_started_at" => Some(shared.run_started_at.clone()),
            "thread_id" => text("Thread-1"),
            // what is made of the node is known to who executes it
            "sql" | "compiled_code" => Some(Value::from(())),
            "exceptions" => Some(exceptions::value(self)),
            "graph" => Some(graph::value(self.run().map(AsRef::as_ref), &shared.roots)),
            "api" => Some(relation::api(self.shared.quoting)),
            "selected_resources" => Some(refs::selected(self)),
            "defer_relation" => Some(refs::defer_relation(self)),
            "dbt_metadata_envs" => Some(jinja::list::dict([])),
            "pre_hooks" | "post_hooks" => Some(jinja::list::list([])),
            "run_query" => Some(query::run_query(self)),
            "statement" => Some(query::statement(self)),
            "load_result" => Some(query::load_result(self)),
            "log" | "print" => {
                let (scope, print) = (self.clone(), name == "print");
                Some(function("log", move |_, arguments| {
                    let text = arguments.text(0, "msg")?;
                    if print {
                        scope.say(Said::Print(text));
                    } else if arguments.flag(1, "info") {
                        scope.say(Said::Log(text));
                    }
                    Ok(Value::from(""))
                }))
            }
            "store_result" => Some(query::store(self, false)),
            "store_raw_result" => Some(query::store(self, true)),
            "write" => Some(query::write(self)),
            _ => None,
        }
    }
}

impl Scope for NodeScope {
    fn mark(&self) -> Option<Box<dyn Any>> {
        let Mode::Parse(capture) = &self.mode else {
            return None;
        };
        Some(Box::new(Mark {
            refs: lock(&capture.refs).len(),
            sources: lock(&capture.sources).len(),
            config: lock(&capture.config).clone(),
            bare: lock(&capture.bare).len(),
            said: lock(&capture.said).len(),
        }))
    }

    fn rewind(&self, mark: &dyn Any) {
        let (Mode::Parse(capture), Some(mark)) = (&self.mode, mark.downcast_ref::<Mark>()) else {
            return;
        };
        lock(&capture.refs).truncate(mark.refs);
        lock(&capture.sources).truncate(mark.sources);
        lock(&capture.config).clone_from(&mark.config);
        lock(&capture.bare).truncate(mark.bare);
        lock(&capture.said).truncate(mark.said);
    }

    fn variable(&self, root: &Arc<Root>, name: &str) -> Option<Value> {
        if let Some((_, value)) = self.extra.iter().find(|(known, _)| *known == name) {
            return Some(value.clone());
        }
        if let Mode::Parse(capture) = &self.mode
            && VOLATILE.contains(&name)
        {
            capture.is_volatile.store(true, Ordering::Relaxed);
        }
        match name {
            "adapter" => Some(adapter::value(self, root)),
            "render" => Some(self.render(root)),
            _ => self.plain(name),
        }
    }

    fn is_macro(&self, name: &str) -> bool {
        matches!(name, "run_query" | "statement")
    }
}

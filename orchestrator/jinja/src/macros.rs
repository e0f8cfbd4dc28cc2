//! Macros as values: they bind arguments as Python does, return what `return()` hands back, and find
//! each other across files and packages.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use indexmap::IndexMap;
use minijinja::value::{Object, ObjectRepr, Tuple, Value};
use minijinja::{Error, ErrorKind, State};

use crate::arguments::Arguments;
use crate::blocks::{Block, BlockKind, Parameter};
use crate::list;
use crate::return_value;
use crate::scope::Root;

/// The package whose macros everything else may override.
pub const INTERNAL_PACKAGE: &str = "dbt";

/// A macro of some package.
#[derive(Debug, Clone)]
pub struct Macro {
    /// `macro.package.name`; also the name of its template.
    pub unique_id: String,
    /// Name that calls use: `test_` and `materialization_` prefixes included.
    pub name: String,
    /// Package.
    pub package: String,
    /// File, for people.
    pub path: String,
    /// The definition.
    pub block: Block,
    /// The body looks at `varargs`: it takes any number of arguments.
    pub takes_varargs: bool,
    /// The body looks at `kwargs`: it takes any keyword.
    pub takes_kwargs: bool,
}

/// What sets the parameters that got no argument, all in one line.
fn defaults(parameters: &[Parameter]) -> String {
    let set = parameters.iter().filter_map(|parameter| {
        let default = parameter.default.as_ref()?.replace('\n', " ");
        let name = &parameter.name;
        Some(format!(
            "{{%if __missing_{name}%}}{{%set {name} = {default} %}}{{%endif%}}"
        ))
    });
    set.collect()
}

/// Whether `word` stands in `text` as a word of its own.
fn mentions(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.split(|c| !is_part(c)).any(|found| found == word)
}

impl Macro {
    /// The macro that `block` of `path` defines in `package`; `None` for snapshots and docs.
    #[must_use]
    pub fn new(block: Block, package: &str, path: &str) -> Option<Self> {
        let name = match block.kind {
            BlockKind::Macro => block.name.clone(),
            BlockKind::Test => format!("test_{}", block.name),
            BlockKind::Materialization => {
                let adapter = block.adapter.as_deref().unwrap_or("default");
                format!("materialization_{}_{adapter}", block.name)
            }
            BlockKind::Snapshot | BlockKind::Docs => return None,
        };
        Some(Self {
            takes_varargs: mentions(&block.body, "varargs"),
            takes_kwargs: mentions(&block.body, "kwargs"),
            unique_id: format!("macro.{package}.{name}"),
            name,
            package: package.to_owned(),
            path: path.to_owned(),
            block,
        })
    }

    /// The template of the body: first the defaults of parameters that got no argument.
    #[must_use]
    pub fn template(&self) -> String {
        defaults(&self.block.parameters) + &self.block.body
    }

    /// The line of the macro's file that `line` of its template is.
    #[must_use]
    pub fn file_line(&self, line: usize) -> usize {
        line + self.block.body_line - 1
    }
}

/// Every macro, and which one a name means.
#[derive(Debug, Clone, Default)]
pub struct Macros {
    /// The project being built.
    pub root_package: String,
    packages: IndexMap<String, IndexMap<String, Arc<Macro>>>,
}

impl Macros {
    /// No macros yet, for the project `root_package`.
    #[must_use]
    pub fn new(root_package: &str) -> Self {
        Self {
            root_package: root_package.to_owned(),
            packages: IndexMap::new(),
        }
    }

    /// Adds a macro; the one it replaces, if any, comes back.
    pub fn add(&mut self, added: Macro) -> Option<Arc<Macro>> {
        let package = self.packages.entry(added.package.clone()).or_default();
        package.insert(added.name.clone(), Arc::new(added))
    }

    /// Every macro.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Macro>> {
        self.packages.values().flat_map(IndexMap::values)
    }

    /// Macro `name` of `package` and no other.
    #[must_use]
    pub fn in_package(&self, package: &str, name: &str) -> Option<&Arc<Macro>> {
        self.packages.get(package)?.get(name)
    }

    /// Whether `name` is a package whose macros `name.macro()` may call.
    #[must_use]
    pub fn is_package(&self, name: &str) -> bool {
        self.packages.contains_key(name)
    }

    /// What `name` means in a node of `package`: its own, the root project's, the built-in one.
    #[must_use]
    pub fn resolve(&self, package: &str, name: &str) -> Option<&Arc<Macro>> {
        self.in_package(package, name)
            .or_else(|| self.in_package(&self.root_package, name))
            .or_else(|| self.in_package(INTERNAL_PACKAGE, name))
    }

    /// `adapter.dispatch`: the most special implementation in the first package that has one.
    #[must_use]
    pub fn dispatch(
        &self,
        package: &str,
        name: &str,
        search: &[Option<String>],
        adapter: &str,
    ) -> Option<&Arc<Macro>> {
        search.iter().find_map(|searched| {
            [adapter, "default"].iter().find_map(|prefix| {
                let full = format!("{prefix}__{name}");
                match searched.as_deref() {
                    Some(searched) => self.in_package(searched, &full),
                    None => self.resolve(package, &full),
                }
            })
        })
    }
}

/// A macro ready to be called in one rendering.
#[derive(Debug)]
pub struct MacroValue {
    pub(crate) called: Arc<Macro>,
    pub(crate) root: Arc<Root>,
}

/// Nested calls before it is taken for an endless recursion.
const MAX_DEPTH: usize = 100;

impl Object for MacroValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "name" => Some(Value::from(self.called.name.as_str())),
            _ => None,
        }
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let called = &self.called;
        let is_own = called.package == INTERNAL_PACKAGE;
        let takes = (
            called.takes_varargs || is_own,
            called.takes_kwargs || is_own,
        );
        let values = bind(&called.name, &called.block.parameters, takes, args)?;
        let depth = self.root.enter(&called.unique_id);
        if depth > MAX_DEPTH {
            self.root.leave();
            return Err(crate::error::raise(format!(
                "macro '{}' calls itself without end",
                called.name
            )));
        }
        let scope = Bound {
            values,
            root: Arc::clone(&self.root),
        };
        let result = state
            .env()
            .get_template(&called.unique_id)
            .and_then(|template| template.render(Value::from_object(scope)));
        self.root.leave();
        match result {
            Ok(text) => Ok(Value::from(text)),
            // without a line of its own, the new error takes that of the call
            Err(error) => return_value::take(&error)
                .ok_or_else(|| Error::new(error.kind(), "macro failed").with_source(error)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<macro {}>", self.called.name)
    }
}

/// Parameters to arguments, surplus to `varargs` and `kwargs` as far as `takes` allows, as Jinja does.
fn bind(
    name: &str,
    parameters: &[Parameter],
    (takes_varargs, takes_kwargs): (bool, bool),
    args: &[Value],
) -> Result<HashMap<String, Value>, Error> {
    let arguments = Arguments::of(args);
    let mut keywords: IndexMap<String, Value> = arguments.keywords().collect();
    let mut values = HashMap::with_capacity(parameters.len() + 3);
    for (i, parameter) in parameters.iter().enumerate() {
        let keyword = keywords.shift_remove(&parameter.name);
        let given = match (arguments.positional(i), keyword) {
            (Some(_), Some(_)) => {
                return Err(Error::new(
                    ErrorKind::TooManyArguments,
                    format!(
                        "macro '{name}' got two values for argument '{}'",
                        parameter.name
                    ),
                ));
            }
            (positional, keyword) => positional.or(keyword),
        };
        match given {
            Some(value) => {
                values.insert(parameter.name.clone(), value);
            }
            None if parameter.default.is_some() => {
                values.insert(format!("__missing_{}", parameter.name), Value::from(true));
            }
            None => {
                values.insert(parameter.name.clone(), Value::UNDEFINED);
            }
        }
    }
    if let Some(caller) = keywords.shift_remove("caller") {
        values.insert("caller".into(), caller);
    }
    let rest = arguments.all().get(parameters.len()..).unwrap_or_default();
    if !takes_varargs && !rest.is_empty() {
        return Err(crate::error::raise(format!(
            "macro '{name}' takes not more than {} argument(s)",
            parameters.len()
        )));
    }
    if let Some(keyword) = keywords.keys().next()
        && !takes_kwargs
    {
        return Err(crate::error::raise(format!(
            "macro '{name}' takes no keyword argument '{keyword}'"
        )));
    }
    values.insert("varargs".into(), Tuple::from(rest).into());
    let pairs = keywords
        .into_iter()
        .map(|(key, value)| (Value::from(key), value));
    values.insert("kwargs".into(), list::dict(pairs));
    Ok(values)
}

/// The names a macro's body sees: its arguments, then everything the rendering sees.
#[derive(Debug)]
struct Bound {
    values: HashMap<String, Value>,
    root: Arc<Root>,
}

impl Object for Bound {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if let Some(value) = self.values.get(key) {
            return Some(value.clone());
        }
        if key.starts_with("__missing_") {
            return Some(Value::from(false));
        }
        self.root.lookup(key)
    }
}

/// The body of a call block: its text, its parameters, and the names it saw where it stood.
#[derive(Debug)]
pub(crate) struct Caller {
    parameters: Vec<Parameter>,
    body: String,
    seen: HashMap<String, Value>,
    root: Arc<Root>,
}

/// `__caller(signature, body)`, made by the rewrite of a call block.
pub(crate) fn caller(state: &State<'_, '_>, signature: &str, body: &str) -> Result<Value, Error> {
    let root = Root::of(state).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidOperation,
            "call block outside a rendering",
        )
    })?;
    let definition = format!("{{% macro caller({signature}) %}}{{% endmacro %}}");
    let parameters = crate::blocks::blocks(&definition, state.name())
        .map_err(|error| Error::new(ErrorKind::SyntaxError, error.message))?
        .pop()
        .map(|block| block.parameters)
        .unwrap_or_default();
    let template = state.env().template_from_str(body)?;
    let mut seen = HashMap::new();
    for name in template.undeclared_variables(false) {
        if let Some(value) = state.lookup(&name) {
            seen.insert(name, value);
        }
    }
    Ok(Value::from_object(Caller {
        parameters,
        body: body.to_owned(),
        seen,
        root,
    }))
}

impl Object for Caller {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let mut values = self.seen.clone();
        values.extend(bind("caller", &self.parameters, (true, true), args)?);
        let prelude = defaults(&self.parameters);
        let scope = Value::from_object(Bound {
            values,
            root: Arc::clone(&self.root),
        });
        let text = if prelude.is_empty() {
            state.env().template_from_str(&self.body)?.render(scope)?
        } else {
            state
                .env()
                .render_str(&format!("{prelude}{}", self.body), scope)?
        };
        Ok(Value::from(text))
    }
}

/// How deep macros are nested, and which of them the template itself called.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    depth: AtomicUsize,
    called: Mutex<IndexMap<String, ()>>,
}

impl Trail {
    pub(crate) fn enter(&self, called: &str) -> usize {
        let depth = self.depth.fetch_add(1, Ordering::Relaxed);
        if depth == 0 {
            let mut seen = self.called.lock().unwrap_or_else(PoisonError::into_inner);
            seen.entry(called.to_owned()).or_insert(());
        }
        depth + 1
    }

    pub(crate) fn leave(&self) {
        self.depth.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn called(&self) -> Vec<String> {
        let seen = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        seen.keys().cloned().collect()
    }
}

//! The names a template sees: macros first, then the host's variables.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::value::{Enumerator, Object, ObjectExt, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, State};

use crate::arguments::Arguments;
use crate::list;
use crate::macros::{INTERNAL_PACKAGE, Macro, MacroValue, Macros, Trail};
use crate::marks::Marks;

/// The host's variables of one rendering: `ref`, `config`, `this`, ….
pub trait Scope: fmt::Debug + Send + Sync {
    /// The variable `name`; `root` is for values that call back into the rendering.
    fn variable(&self, root: &Arc<Root>, name: &str) -> Option<Value>;

    /// What stands in the place of the macro `name` (`package.name` where a package is named).
    fn replaces(&self, _name: &str) -> Option<Value> {
        None
    }

    /// What rendering has left so far, for [`Self::rewind`]; `None`: it leaves nothing.
    fn mark(&self) -> Option<Box<dyn Any>> {
        None
    }

    /// Takes back what was left since `mark`: the text is rendered once more.
    fn rewind(&self, _mark: &dyn Any) {}

    /// Whether the variable `name` is one of dbt's own macros, so that `dbt.name()` means it too.
    fn is_macro(&self, _name: &str) -> bool {
        false
    }
}

/// Names that a template gave to the rendering it stands in.
pub(crate) type Added = Arc<Mutex<BTreeMap<String, Value>>>;

/// The top of one rendering; `context` in templates.
#[derive(Debug)]
pub struct Root {
    macros: Arc<Macros>,
    package: String,
    scope: Arc<dyn Scope>,
    trail: Trail,
    forgiving: Vec<String>,
    /// What `context.update` added.
    added: Added,
    /// Text that stands for another value.
    marks: Marks,
}

impl Root {
    pub(crate) fn new(
        macros: Arc<Macros>,
        package: &str,
        scope: Arc<dyn Scope>,
        forgiving: Vec<String>,
        added: Added,
    ) -> Self {
        Self {
            macros,
            package: package.to_owned(),
            scope,
            trail: Trail::default(),
            forgiving,
            added,
            marks: Marks::default(),
        }
    }

    /// Every macro.
    #[must_use]
    pub fn macros(&self) -> &Macros {
        &self.macros
    }

    /// The package whose names come first.
    #[must_use]
    pub fn package(&self) -> &str {
        &self.package
    }

    /// `called` as a value of this rendering.
    #[must_use]
    pub fn macro_value(self: &Arc<Self>, called: &Arc<Macro>) -> Value {
        Value::from_object(MacroValue {
            called: Arc::clone(called),
            root: Arc::clone(self),
        })
    }

    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// The rendering that `state` is part of.
    pub(crate) fn of(state: &State<'_, '_>) -> Option<Arc<Self>> {
        state.lookup("__root")?.downcast_object::<Self>()
    }

    /// What `name` means.
    #[must_use]
    pub fn lookup(self: &Arc<Self>, name: &str) -> Option<Value> {
        if let Some(value) = self.added().get(name) {
            return Some(value.clone());
        }
        if let Some(found) = self.macros.resolve(&self.package, name) {
            let replaced = self.scope.replaces(name);
            let of_package = || self.scope.replaces(&format!("{}.{name}", found.package));
            if let Some(value) = replaced.or_else(of_package) {
                return Some(value);
            }
            return Some(self.macro_value(found));
        }
        if let Some(value) = self.scope.variable(self, name) {
            return Some(value);
        }
        match name {
            "__root" | "context" => return Some(Value::from_dyn_object(Arc::clone(self))),
            "builtins" => return Some(Value::from_object(Builtins(Arc::clone(self)))),
            _ => {}
        }
        if self.macros.is_package(name) || name == INTERNAL_PACKAGE {
            let (package, root) = (name.to_owned(), Arc::clone(self));
            return Some(Value::from_object(Package { package, root }));
        }
        self.forgiving
            .iter()
            .any(|f| f == name)
            .then(|| Value::from_object(Anything))
    }

    /// What the rendering below, a template in a template, shares with this one.
    pub(crate) fn shared(&self) -> Added {
        Arc::clone(&self.added)
    }

    fn added(&self) -> MutexGuard<'_, BTreeMap<String, Value>> {
        self.added.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `context.update(pairs, name=value)`: names for the rest of the rendering.
    fn update(&self, args: &[Value]) -> Result<Value, Error> {
        let arguments = Arguments::of(args);
        let mut pairs = match arguments.positional(0) {
            Some(from) => list::pairs_of(&from)?,
            None => Vec::new(),
        };
        pairs.extend(arguments.keywords().map(|(k, v)| (Value::from(k), v)));
        let pairs = pairs
            .into_iter()
            .filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value)));
        self.added().extend(pairs);
        Ok(Value::from(()))
    }

    pub(crate) fn enter(&self, called: &str) -> usize {
        self.trail.enter(called)
    }

    /// Does `work` as the macro `id`, which is a function here: what is called meanwhile, the macro calls and not the
    /// text.
    pub fn as_macro<T>(
        state: &mut State<'_, '_>,
        id: &str,
        work: impl FnOnce(&mut State<'_, '_>) -> T,
    ) -> T {
        let root = Self::of(state);
        if let Some(root) = &root {
            root.enter(id);
        }
        let done = work(state);
        if let Some(root) = &root {
            root.leave();
        }
        done
    }

    pub(crate) fn leave(&self) {
        self.trail.leave();
    }

    pub(crate) fn trail(&self) -> &Trail {
        &self.trail
    }
}

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.lookup(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.lookup(key)
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match (method, args.first().and_then(Value::as_str)) {
            ("get", Some(name)) => {
                let fallback = || args.get(1).cloned().unwrap_or(Value::from(()));
                Ok(self.lookup(name).unwrap_or_else(fallback))
            }
            ("update", _) => self.update(args),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// `builtins`: what a name means by itself, whatever macro a project has of that name.
#[derive(Debug)]
struct Builtins(Arc<Root>);

impl Object for Builtins {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let own = self.0.scope.variable(&self.0, name);
        own.or_else(|| crate::functions::global(name))
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let name = Value::from(method);
        match self.get_value(&name) {
            Some(found) => found.call(state, args),
            None if method == "get" => {
                let arguments = Arguments::of(args);
                let found = self.get_value(&arguments.required(0, "key")?);
                let fallback = || arguments.get(1, "default").unwrap_or(Value::from(()));
                Ok(found.unwrap_or_else(fallback))
            }
            None => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// `dbt_utils` in `dbt_utils.star(…)`.
#[derive(Debug)]
struct Package {
    package: String,
    root: Arc<Root>,
}

impl Package {
    fn find(&self, name: &str) -> Option<Value> {
        let found = self.root.macros.in_package(&self.package, name);
        let replaced = self
            .root
            .scope
            .replaces(&format!("{}.{name}", self.package));
        // a bare name replaces the built-in macro by whatever way it is called
        let is_own = self.package == INTERNAL_PACKAGE;
        let bare = || is_own.then(|| self.root.scope.replaces(name)).flatten();
        if let Some(value) = replaced.or_else(bare) {
            return Some(value);
        }
        let host = || {
            let scope = &self.root.scope;
            let is_macro = is_own && scope.is_macro(name);
            is_macro.then(|| scope.variable(&self.root, name)).flatten()
        };
        let forgiven = || {
            let name = format!("{}.{name}", self.package);
            self.root.forgiving.contains(&name).then(anything)
        };
        found
            .map(|found| self.root.macro_value(found))
            .or_else(host)
            .or_else(forgiven)
    }
}

impl Object for Package {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.find(key.as_str()?)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let own = self.root.macros.iter();
        let own = own.filter(|found| found.package == self.package);
        Enumerator::Values(own.map(|found| Value::from(found.name.as_str())).collect())
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        // a dict's methods come before what the dict holds
        match (method, args.first().and_then(Value::as_str)) {
            ("get", Some(name)) => {
                let fallback = || args.get(1).cloned().unwrap_or(Value::from(()));
                return Ok(self.find(name).unwrap_or_else(fallback));
            }
            ("keys" | "values" | "items", _) => {
                let pairs = self.try_iter_pairs().into_iter().flatten();
                let dict = list::dict(pairs);
                return dict.call_method(state, method, args);
            }
            _ => {}
        }
        match self.find(method) {
            Some(found) => found.call(state, args),
            None => Err(Error::new(
                ErrorKind::UnknownFunction,
                format!("{}.{method} is unknown", self.package),
            )),
        }
    }
}

/// Stands for an unknown name while a node is parsed: anything can be asked of it.
#[derive(Debug)]
pub(crate) struct Anything;

/// What a question gets for an answer while nothing can be asked: it is false and empty, and anything can be asked of
/// it.
#[must_use]
pub fn anything() -> Value {
    Value::from_object(Anything)
}

impl Object for Anything {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Empty
    }

    fn get_value(self: &Arc<Self>, _key: &Value) -> Option<Value> {
        Some(Value::from_dyn_object(Arc::clone(self)))
    }

    fn is_true(self: &Arc<Self>) -> bool {
        false
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, _: &[Value]) -> Result<Value, Error> {
        Ok(Value::from_dyn_object(Arc::clone(self)))
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        _: &str,
        _: &[Value],
    ) -> Result<Value, Error> {
        Ok(Value::from_dyn_object(Arc::clone(self)))
    }

    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

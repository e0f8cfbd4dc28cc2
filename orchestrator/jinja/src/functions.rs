//! Functions, filters, tests and methods that Python and dbt have and minijinja lacks.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use md5::{Digest, Md5};
use minijinja::value::{Object, Rest, Tuple, Value};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior};

use crate::arguments::Arguments;
use crate::error::raise;
use crate::filters;
use crate::format;
use crate::json;
use crate::lipsum;
use crate::list::{self, dict, list};
use crate::macros::caller;
use crate::methods;
use crate::modules;
use crate::operators;
use crate::range;
use crate::return_value;
use crate::set;
use crate::slice::slice;
use crate::yaml;

type Call =
    dyn Fn(&mut State<'_, '_>, &Arguments<'_>) -> Result<Value, Error> + Send + Sync + 'static;

/// A host function that sees its raw arguments.
struct Function(&'static str, Box<Call>);

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<function {}>", self.0)
    }
}

impl Object for Function {
    fn repr(self: &std::sync::Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Plain
    }

    fn call(
        self: &std::sync::Arc<Self>,
        state: &mut State<'_, '_>,
        args: &[Value],
    ) -> Result<Value, Error> {
        (self.1)(state, &Arguments::of(args))
    }
}

/// A callable value.
pub fn function(
    name: &'static str,
    call: impl Fn(&mut State<'_, '_>, &Arguments<'_>) -> Result<Value, Error> + Send + Sync + 'static,
) -> Value {
    Value::from_object(Function(name, Box::new(call)))
}

/// A method without its call: `datetime.strptime`.
#[derive(Debug)]
struct Method {
    of: Value,
    name: String,
}

impl Object for Method {
    fn repr(self: &std::sync::Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Plain
    }

    fn call(
        self: &std::sync::Arc<Self>,
        state: &mut State<'_, '_>,
        args: &[Value],
    ) -> Result<Value, Error> {
        self.of.call_method(state, &self.name, args)
    }

    fn render(self: &std::sync::Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = operators::type_name(&self.of);
        write!(f, "<built-in method {} of {of} object>", self.name)
    }
}

/// The method `name` of `of` as a value.
pub fn method(of: Value, name: &str) -> Value {
    Value::from_object(Method {
        of,
        name: name.to_owned(),
    })
}

/// The name of the function whose absence `error` reports.
pub(crate) fn unknown_function(error: &Error) -> Option<&str> {
    let mut cause = error;
    while let Some(inner) =
        std::error::Error::source(cause).and_then(|source| source.downcast_ref::<Error>())
    {
        cause = inner;
    }
    (cause.kind() == ErrorKind::UnknownFunction)
        .then(|| {
            cause
                .detail()
                .and_then(|detail| detail.strip_suffix(" is unknown"))
        })
        .flatten()
}

/// Adds everything to `env`.
pub(crate) fn install(env: &mut Environment<'static>) {
    install_rewritten(env);
    install_functions(env);
    filters::install(env);
    env.set_unknown_method_callback(methods::call);
}

fn install_rewritten(env: &mut Environment<'static>) {
    env.add_function("__list", |items: Value| {
        Ok::<_, Error>(list(items.try_iter()?))
    });
    env.add_function("__dict", |pairs: Value| list::pairs_of(&pairs).map(dict));
    env.add_function("__concat", |parts: Rest<Value>| {
        let parts: Vec<_> = parts.iter().map(format::text).collect();
        parts.concat()
    });
    type Operator = fn(&Value, &Value) -> Result<Value, Error>;
    let operators: [(&'static str, Operator); 7] = [
        ("__add", operators::add),
        ("__sub", operators::subtract),
        ("__mul", operators::multiply),
        ("__div", operators::divide),
        ("__floordiv", operators::divide_whole),
        ("__mod", operators::modulo),
        ("__pow", operators::power),
    ];
    for (name, operator) in operators {
        env.add_function(name, move |a: Value, b: Value| operator(&a, &b));
    }
    env.add_function("__neg", |a: Value| operators::negate(&a));
    env.add_function("__compare", |state: &State<'_, '_>, parts: Rest<Value>| {
        operators::chain(state, &parts)
    });
    env.add_function("__slice", |value: Value, bounds: Rest<Value>| {
        slice(&value, &bounds)
    });
    env.add_function(
        "__member",
        |state: &State<'_, '_>, value: &Value, name: &str| methods::member(state, value, name),
    );
    env.add_function("__iter", |state: &State<'_, '_>, of: Rest<Value>| {
        iterated(state, &of)
    });
    env.add_function(
        "__caller",
        |state: &State<'_, '_>, signature: &str, body: &str| caller(state, signature, body),
    );
}

fn install_functions(env: &mut Environment<'static>) {
    for (name, value) in globals() {
        env.add_global(name, value);
    }
}

/// The function or dict of this name that every template sees.
pub(crate) fn global(name: &str) -> Option<Value> {
    let mut all = globals().into_iter();
    all.find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

fn globals() -> Vec<(&'static str, Value)> {
    let given = |name, call: fn(&Arguments<'_>) -> Result<Value, Error>| {
        (name, function(name, move |_, arguments| call(arguments)))
    };
    vec![
        ("modules", modules::modules()),
        given("range", range::range),
        given("lipsum", lipsum::lipsum),
        ("namespace", function("namespace", namespace)),
        given("return", |a| {
            Err(return_value::signal(a.positional(0).unwrap_or_default()))
        }),
        given("dict", dict_of),
        given("zip", |a| zip(a, false)),
        given("zip_strict", |a| zip(a, true)),
        given("set", |a| set_of(a, false)),
        given("set_strict", |a| set_of(a, true)),
        given("tojson", |a| {
            let value = a.required(0, "value")?;
            Ok(match json::from_value(&value) {
                Some(found) => json::text(&found, a.flag(2, "sort_keys")).into(),
                None => default(a),
            })
        }),
        given("fromjson", |a| {
            let found = serde_json::from_str(&a.text(0, "string")?);
            Ok(found.map_or_else(|_| default(a), |found| json::to_value(&found)))
        }),
        given("fromyaml", |a| {
            let found = yaml::values(&a.text(0, "value")?);
            Ok(found.unwrap_or_else(|_| default(a)))
        }),
        given("toyaml", |a| {
            let found = json::from_value(&a.required(0, "value")?);
            let dump = |found| Value::from(yaml::dump(&found, a.flag(2, "sort_keys")));
            Ok(found.map_or_else(|| default(a), dump))
        }),
        given("cycler", Cycler::of),
        (
            "joiner",
            Value::from_function(minijinja_contrib::globals::joiner),
        ),
        given("local_md5", |a| {
            let value = a.required(0, "value")?;
            let text = value.as_str().ok_or_else(|| {
                let name = operators::type_name(&value);
                raise(format!("'{name}' object has no attribute 'encode'"))
            })?;
            Ok(hex(&Md5::digest(text.as_bytes())).into())
        }),
        given("diff_of_two_dicts", |a| {
            diff_of_two_dicts(&a.required(0, "dict_a")?, &a.required(1, "dict_b")?)
        }),
    ]
}

/// What a loop goes through: a text by its characters, several values as a tuple.
fn iterated(state: &State<'_, '_>, of: &[Value]) -> Result<Value, Error> {
    let [one] = of else {
        return Ok(Tuple::new(of.to_vec()).into());
    };
    if let Some(text) = one.as_str() {
        return Ok(list(text.chars().map(Value::from)));
    }
    let strict = state.undefined_behavior() != UndefinedBehavior::Chainable;
    match one.is_none() && strict {
        true => Err(raise("'NoneType' object is not iterable")),
        false => Ok(one.clone()),
    }
}

/// A `namespace`, of pairs and keywords.
fn namespace(state: &mut State<'_, '_>, arguments: &Arguments<'_>) -> Result<Value, Error> {
    let pairs = dict_of(arguments)?;
    Value::from_function(minijinja::functions::namespace).call(state, &[pairs])
}

/// `dict(pairs, name=value)`.
fn dict_of(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let mut pairs = match arguments.positional(0) {
        Some(from) => list::pairs_of(&from)?,
        None => Vec::new(),
    };
    let keywords = arguments.keywords();
    pairs.extend(keywords.map(|(key, value)| (Value::from(key), value)));
    Ok(dict(pairs))
}

/// What a conversion gives that cannot be had.
fn default(arguments: &Arguments<'_>) -> Value {
    arguments.get(1, "default").unwrap_or(Value::from(()))
}

/// Lower-case hexadecimal digits of `bytes`.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(out, "{byte:02x}"); // a String takes everything
    }
    out
}

/// Rows until the shortest column ends; what cannot be gone through gives the default, or an error when `strict`.
fn zip(arguments: &Arguments<'_>, strict: bool) -> Result<Value, Error> {
    let columns: Result<Vec<_>, _> = arguments.all().iter().map(Value::try_iter).collect();
    let mut columns = match columns {
        Ok(columns) => columns,
        Err(error) if strict => return Err(error),
        Err(_) => return Ok(arguments.keyword("default").unwrap_or(Value::from(()))),
    };
    let mut rows = Vec::new();
    while let Some(row) = columns
        .iter_mut()
        .map(Iterator::next)
        .collect::<Option<Vec<_>>>()
    {
        if row.is_empty() {
            break;
        }
        rows.push(Tuple::new(row).into());
    }
    Ok(list(rows))
}

fn set_of(arguments: &Arguments<'_>, strict: bool) -> Result<Value, Error> {
    let given = arguments.required(0, "value")?;
    if let Some(text) = given.as_str() {
        return Ok(set::of(text.chars().map(Value::from)));
    }
    match given.try_iter() {
        Ok(items) => Ok(set::of(items)),
        Err(error) if strict => Err(error),
        Err(_) => Ok(arguments.get(1, "default").unwrap_or(Value::from(()))),
    }
}

/// Jinja's `cycler('odd', 'even')`.
#[derive(Debug)]
struct Cycler {
    items: Vec<Value>,
    at: AtomicUsize,
}

impl Cycler {
    fn of(arguments: &Arguments<'_>) -> Result<Value, Error> {
        let items = arguments.all().to_vec();
        if items.is_empty() {
            return Err(crate::error::raise("at least one item has to be provided"));
        }
        let at = AtomicUsize::new(0);
        Ok(Value::from_object(Self { items, at }))
    }

    fn item(&self, at: usize) -> Value {
        self.items[at % self.items.len()].clone()
    }
}

impl Object for Cycler {
    fn repr(self: &std::sync::Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Plain
    }

    fn get_value(self: &std::sync::Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str() == Some("current")).then(|| self.item(self.at.load(Ordering::Relaxed)))
    }

    fn call_method(
        self: &std::sync::Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        _args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "next" => Ok(self.item(self.at.fetch_add(1, Ordering::Relaxed))),
            "reset" => {
                self.at.store(0, Ordering::Relaxed);
                Ok(Value::from(()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

fn diff_of_two_dicts(a: &Value, b: &Value) -> Result<Value, Error> {
    let others = list::pairs_of(b)?;
    let mut found = Vec::new();
    for (key, values) in list::pairs_of(a)? {
        let lower = |value: &Value| format::text(value).to_lowercase();
        let other = others
            .iter()
            .find(|(k, _)| lower(k) == lower(&key))
            .map(|(_, v)| v);
        let missing: Vec<Value> = values
            .try_iter()?
            .filter(|value| {
                !other.is_some_and(|other| {
                    other
                        .try_iter()
                        .is_ok_and(|mut o| o.any(|o| lower(&o) == lower(value)))
                })
            })
            .collect();
        if !missing.is_empty() {
            found.push((key, list(missing)));
        }
    }
    Ok(dict(found))
}

//! Functions, filters, tests and methods that Python and dbt have and minijinja lacks.

use std::fmt::Write as _;

use md5::{Digest, Md5};
use minijinja::value::{Object, Rest, Tuple, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State};

use crate::arguments::Arguments;
use crate::filters;
use crate::format;
use crate::json;
use crate::list::{self, dict, list};
use crate::macros::caller;
use crate::modules;
use crate::operators;
use crate::return_value;

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
    env.set_unknown_method_callback(methods);
    env.add_global("modules", modules::modules());
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
    env.add_function("__add", |a: Value, b: Value| operators::add(&a, &b));
    env.add_function("__sub", |a: Value, b: Value| operators::subtract(&a, &b));
    env.add_function("__mod", |a: Value, b: Value| operators::modulo(&a, &b));
    env.add_function(
        "__caller",
        |state: &State<'_, '_>, signature: &str, body: &str| caller(state, signature, body),
    );
}

fn install_functions(env: &mut Environment<'static>) {
    env.add_function("return", |value: Value| {
        Err::<Value, _>(return_value::signal(value))
    });
    env.add_global(
        "dict",
        function("dict", |_, arguments| {
            let mut pairs = match arguments.positional(0) {
                Some(from) => list::pairs_of(&from)?,
                None => Vec::new(),
            };
            pairs.extend(arguments.keywords().map(|(k, v)| (Value::from(k), v)));
            Ok(dict(pairs))
        }),
    );
    env.add_global("zip", function("zip", |_, arguments| zip(arguments)));
    env.add_global(
        "zip_strict",
        function("zip_strict", |_, arguments| zip(arguments)),
    );
    env.add_global("set", function("set", |_, arguments| set(arguments)));
    env.add_global(
        "set_strict",
        function("set_strict", |_, arguments| set(arguments)),
    );
    env.add_global(
        "tojson",
        function("tojson", |_, arguments| {
            let value = arguments.required(0, "value")?;
            match json::from_value(&value) {
                Some(found) => Ok(json::text(&found, arguments.flag(2, "sort_keys")).into()),
                None => Ok(arguments.get(1, "default").unwrap_or(Value::from(()))),
            }
        }),
    );
    env.add_global(
        "fromjson",
        function("fromjson", |_, arguments| {
            let text = arguments.text(0, "string")?;
            Ok(serde_json::from_str(&text).map_or_else(
                |_| arguments.get(1, "default").unwrap_or(Value::from(())),
                |found| json::to_value(&found),
            ))
        }),
    );
    env.add_global(
        "fromyaml",
        function("fromyaml", |_, arguments| {
            let text = arguments.text(0, "value")?;
            Ok(crate::yaml::parse(&text).map_or_else(
                |_| arguments.get(1, "default").unwrap_or(Value::from(())),
                |found| json::to_value(&found),
            ))
        }),
    );
    env.add_global(
        "toyaml",
        function("toyaml", |_, arguments| {
            let value = arguments.required(0, "value")?;
            let text = json::from_value(&value).and_then(|v| serde_saphyr::to_string(&v).ok());
            Ok(text.map_or_else(
                || arguments.get(1, "default").unwrap_or(Value::from(())),
                Value::from,
            ))
        }),
    );
    env.add_function("joiner", minijinja_contrib::globals::joiner);
    env.add_function("cycler", minijinja_contrib::globals::cycler);
    env.add_function("local_md5", |text: &str| hex(&Md5::digest(text.as_bytes())));
    env.add_global(
        "diff_of_two_dicts",
        function("diff_of_two_dicts", |_, arguments| {
            let (a, b) = (
                arguments.required(0, "dict_a")?,
                arguments.required(1, "dict_b")?,
            );
            diff_of_two_dicts(&a, &b)
        }),
    );
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

fn zip(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let mut columns = Vec::new();
    for column in arguments.all() {
        match column.try_iter() {
            Ok(items) => columns.push(items.collect::<Vec<_>>()),
            Err(error) => return arguments.keyword("default").ok_or(error),
        }
    }
    let rows = columns.iter().map(Vec::len).min().unwrap_or(0);
    Ok(list((0..rows).map(|row| {
        Tuple::new(columns.iter().map(|column| column[row].clone()).collect()).into()
    })))
}

fn set(arguments: &Arguments<'_>) -> Result<Value, Error> {
    let given = arguments.required(0, "value")?;
    match given.try_iter() {
        // in order: two sets of the same values are equal
        Ok(items) => Ok(list(items.collect::<std::collections::BTreeSet<_>>())),
        Err(error) => arguments.get(1, "default").ok_or(error),
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

/// The same while a node is only parsed: whatever is asked of a name that is not there has some answer.
pub(crate) fn forgiving_methods(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    if value.is_undefined() {
        return Ok(crate::scope::anything());
    }
    match methods(state, value, method, args) {
        Err(error)
            if error.kind() == ErrorKind::UnknownMethod
                && value
                    .get_attr(method)
                    .is_ok_and(|found| found.is_undefined()) =>
        {
            Ok(crate::scope::anything())
        }
        done => done,
    }
}

/// Methods of Python's built-in types, on values minijinja made.
fn methods(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    if let Some(text) = value.as_str()
        && let Some(found) = operators::text_method(text, method, args)
    {
        return found;
    }
    let found = minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args)?;
    // lists that Python would let a template change
    if found.kind() == ValueKind::Seq && !found.is_tuple() {
        return Ok(list(found.try_iter()?));
    }
    Ok(found)
}

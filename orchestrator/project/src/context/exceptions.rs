//! `exceptions`.

use jinja::functions::function;
use jinja::list::dict;
use minijinja::value::Value;

use crate::context::NodeScope;

/// `exceptions.raise_compiler_error(msg)`, `exceptions.warn(msg)` and their kin.
pub(crate) fn value(scope: &NodeScope) -> Value {
    let raising = |name: &'static str| {
        let raise = function(name, move |_, arguments| {
            Err::<Value, _>(jinja::raise(arguments.text(0, "msg")?))
        });
        (Value::from(name), raise)
    };
    let scope = scope.clone();
    let warn = function("warn", move |_, arguments| {
        scope.say(format!("WARNING: {}", arguments.text(0, "msg")?));
        Ok(Value::from(""))
    });
    let mut pairs: Vec<(Value, Value)> = [
        "raise_compiler_error",
        "raise_parsing_error",
        "raise_database_error",
        "raise_not_implemented",
        "raise_dependency_error",
        "raise_fail_fast_error",
    ]
    .map(raising)
    .into();
    pairs.push((Value::from("warn"), warn));
    dict(pairs)
}

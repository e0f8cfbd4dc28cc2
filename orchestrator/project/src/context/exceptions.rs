//! `exceptions`.

use jinja::functions::function;
use jinja::list::dict;
use minijinja::value::Value;

use crate::context::{NodeScope, Said, contract};
use crate::warnings::OF_TEMPLATE;

/// `exceptions.raise_compiler_error(msg)`, `exceptions.warn(msg)` and their kin.
pub(crate) fn value(scope: &NodeScope) -> Value {
    let raising = |name: &'static str| {
        let raise = function(name, move |_, arguments| {
            Err::<Value, _>(jinja::raise(arguments.text(0, "msg")?))
        });
        (Value::from(name), raise)
    };
    let warned = scope.clone();
    let warn = function("warn", move |_, arguments| {
        let text = arguments.text(0, "msg")?;
        let rules = &warned.shared.rules;
        if rules.errors(OF_TEMPLATE) {
            return Err(jinja::raise(text));
        }
        if !rules.silences(OF_TEMPLATE) {
            warned.say(Said::Warning(text));
        }
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
    pairs.push((Value::from("raise_contract_error"), contract::raise()));
    pairs.push((Value::from("relation_wrong_type"), wrong_type(scope)));
    pairs.push((
        Value::from("warn_snapshot_timestamp_data_types"),
        snapshot_times(scope),
    ));
    dict(pairs)
}

/// `try_or_compiler_error(message, function, …)`: the function's value, or the message where it fails.
pub(crate) fn attempt() -> Value {
    function("try_or_compiler_error", |state, arguments| {
        let message = arguments.text(0, "message_if_exception")?;
        let called = arguments.required(1, "func")?;
        let rest = arguments.all().get(2..).unwrap_or_default();
        called.call(state, rest).map_err(|_| jinja::raise(message))
    })
}

/// `relation_wrong_type(relation, expected_type)`.
fn wrong_type(scope: &NodeScope) -> Value {
    let model = scope.node.name.clone();
    function("relation_wrong_type", move |_, arguments| {
        let relation = arguments.required(0, "relation")?;
        let kind = relation.get_attr("type").unwrap_or_default();
        let expected = arguments.text(1, "expected_type")?;
        Err::<Value, _>(jinja::raise(format!(
            "Trying to create {expected} {}, but it currently exists as a {kind}. Either drop {} manually, or run dbt \
             with `--full-refresh` and dbt will drop it for you.\n  model: {model}",
            jinja::format::text(&relation),
            jinja::format::text(&relation),
        )))
    })
}

/// `warn_snapshot_timestamp_data_types(snapshot_time, updated_at)`.
fn snapshot_times(scope: &NodeScope) -> Value {
    let scope = scope.clone();
    function("warn_snapshot_timestamp_data_types", move |_, arguments| {
        scope.say(Said::Warning(format!(
            "Data type of snapshot table timestamp columns ({}) doesn't match derived column 'updated_at' \
             ({}). Please update snapshot config 'updated_at'.",
            arguments.text(0, "snapshot_time_data_type")?,
            arguments.text(1, "updated_at_data_type")?,
        )));
        Ok(Value::from(""))
    })
}

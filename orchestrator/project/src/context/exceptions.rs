//! `exceptions`.

use jinja::arguments::Arguments;
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
    pairs.extend(COMPOSED.map(|(name, parameters, pieces)| {
        let raise = function(name, move |_, arguments| {
            Err::<Value, _>(jinja::raise(composed(arguments, parameters, pieces)?))
        });
        (Value::from(name), raise)
    }));
    pairs.push((Value::from("warn"), warn));
    pairs.push((Value::from("raise_contract_error"), contract::raise()));
    pairs.push((Value::from("relation_wrong_type"), wrong_type(scope)));
    pairs.push((
        Value::from("warn_snapshot_timestamp_data_types"),
        snapshot_times(scope),
    ));
    dict(pairs)
}

/// Functions that put their message together: the name, the parameters, and the message with each `{path}` of a
/// parameter's value (`dbt/context/exceptions_jinja.py` and the exceptions that it raises).
const COMPOSED: [(&str, &[&str], &str); 10] = [
    ("missing_config", &["model", "name"], "{model.unique_id}"),
    (
        "missing_materialization",
        &["model", "adapter_type"],
        "{model.config}",
    ),
    (
        "missing_relation",
        &["relation"],
        "Relation {relation} not found!",
    ),
    (
        "raise_ambiguous_alias",
        &["node_1", "node_2"],
        "{node_1.database}",
    ),
    (
        "raise_ambiguous_catalog_match",
        &["unique_id", "match_1", "match_2"],
        "dbt found two relations in your warehouse with similar database identifiers. dbt\nis unable to determine \
         which of these relations was created by the model \"{unique_id}\".\nIn order for dbt to correctly \
         generate the catalog, one of the following relations must be deleted or renamed:\n\n - \
         {match_1.metadata.schema}.{match_1.metadata.name}\n - {match_2.metadata.schema}.{match_2.metadata.name}",
    ),
    (
        "raise_cache_inconsistent",
        &["message"],
        "Cache inconsistency detected: {message}",
    ),
    (
        "raise_dataclass_not_dict",
        &["obj"],
        "The object (\"{obj}\") was used as a dictionary. This capability has been removed from objects of this type.",
    ),
    (
        "raise_dep_not_found",
        &["node", "node_description", "required_pkg"],
        "Error while parsing {node_description}.\nThe required package \"{required_pkg}\" was not found. Is the \
         package installed?\nHint: You may need to run `dbt deps`.",
    ),
    (
        "raise_invalid_property_yml_version",
        &["path", "issue"],
        "The yml property file at {path} is invalid because {issue}. Please consult the documentation for more \
         information on yml property file syntax:\n\nhttps://docs.getdbt.com/reference/configs-and-properties",
    ),
    (
        "column_type_missing",
        &["column_names"],
        "Contracted models require data_type to be defined for each column. Please ensure that the column name and \
         data_type are defined within the YAML configuration for the {column_names} column(s).",
    ),
];

/// `message` with the values of its `{paths}`.
fn composed(
    arguments: &Arguments<'_>,
    parameters: &[&str],
    message: &str,
) -> Result<String, minijinja::Error> {
    let mut text = String::new();
    for (at, piece) in message.split(['{', '}']).enumerate() {
        if at % 2 == 0 {
            text.push_str(piece);
            continue;
        }
        let mut path = piece.split('.');
        let first = path.next().unwrap_or_default();
        let place = parameters.iter().position(|name| *name == first);
        let place = place.unwrap_or(usize::MAX);
        let mut value = arguments.required(place, first)?;
        for key in path {
            // nodes are dicts to a template, and dbt asks them for attributes: its message is never made
            if !first.starts_with("match_") {
                let kind = if value.as_str().is_some() {
                    "str"
                } else {
                    "dict"
                };
                return Err(jinja::raise(format!(
                    "'{kind}' object has no attribute '{key}'"
                )));
            }
            value = value.get_attr(key)?;
        }
        text.push_str(&jinja::format::text(&value));
    }
    Ok(text)
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

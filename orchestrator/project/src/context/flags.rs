//! `flags` and `invocation_args_dict` of templates.

use indexmap::IndexMap;
use jinja::json;
use minijinja::value::Value;
use serde_json::Value as Json;

use crate::load::LoadOptions;

/// `invocation_args_dict`: the same as `flags`, names in small letters.
pub(crate) fn arguments_of(flags: &Value) -> Value {
    let names = flags.try_iter().into_iter().flatten();
    jinja::list::dict(names.map(|name| {
        let value = flags.get_item(&name).unwrap_or_default();
        let name = name.as_str().unwrap_or_default().to_lowercase();
        (Value::from(name), value)
    }))
}

/// `flags` of templates: dbt's names in capitals.
pub(crate) fn flags(options: &LoadOptions, project: &IndexMap<String, Json>) -> Value {
    let mut flags: IndexMap<String, Value> = IndexMap::new();
    for (name, value) in [
        ("WHICH", Value::from(options.which.as_str())),
        ("FULL_REFRESH", Value::from(options.full_refresh)),
        ("STORE_FAILURES", Value::from(options.store_failures)),
        ("DEBUG", Value::from(false)),
        ("FAIL_FAST", Value::from(false)),
        ("WARN_ERROR", Value::from(false)),
        ("USE_COLORS", Value::from(true)),
        ("INTROSPECT", Value::from(true)),
        ("EMPTY", Value::from(false)),
    ] {
        flags.insert(name.to_owned(), value);
    }
    for (name, value) in project.iter().chain(&options.flags) {
        flags.insert(name.to_uppercase(), json::to_value(value));
    }
    jinja::list::dict(
        flags
            .into_iter()
            .map(|(name, value)| (Value::from(name), value)),
    )
}

//! `env_var`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jinja::functions::function;
use minijinja::value::Value;

/// Variables whose value is never printed.
const SECRET_PREFIX: &str = "DBT_ENV_SECRET";

/// The function `env_var(name, default)` over the captured environment.
pub(crate) fn env_var(env: Arc<BTreeMap<String, String>>, secrets: bool) -> Value {
    function("env_var", move |_, arguments| {
        let name = arguments.text(0, "var")?;
        if name.starts_with(SECRET_PREFIX) && !secrets {
            return Err(jinja::raise(format!(
                "Secret env vars are allowed only in profiles.yml or packages.yml. \
                 Found '{name}' referenced elsewhere."
            )));
        }
        match (env.get(&name), arguments.get(1, "default")) {
            (Some(value), _) => Ok(Value::from(value.as_str())),
            (None, Some(default)) if !default.is_none() => Ok(default),
            (None, _) => Err(jinja::raise(format!(
                "Env var required but not provided: '{name}'"
            ))),
        }
    })
}

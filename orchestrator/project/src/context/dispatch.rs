//! Where `adapter.dispatch` looks for a macro, while a template runs and while macro files are read. Pure.

use jinja::macros::INTERNAL_PACKAGE;

use crate::context::Shared;
use crate::context::adapter::ADAPTER;

/// The packages that are searched for `namespace`, in order; `None` is whatever the caller sees
/// (`BaseDatabaseWrapper._get_search_packages` of dbt-core's `context/providers.py`).
pub(crate) fn searched(shared: &Shared, namespace: Option<&str>) -> Vec<Option<String>> {
    let Some(namespace) = namespace else {
        return vec![None];
    };
    match shared.dispatch.get(namespace) {
        Some(order) if !order.is_empty() => order.iter().cloned().map(Some).collect(),
        _ if is_package(shared, namespace) => vec![
            Some(shared.project_name.clone()),
            Some(namespace.to_owned()),
        ],
        // as if none was given
        _ => vec![None],
    }
}

fn is_package(shared: &Shared, name: &str) -> bool {
    shared.packages.contains(name) || matches!(name, INTERNAL_PACKAGE | "dbt_postgres")
}

/// The names that are tried for macro `name`, in order.
pub(crate) fn candidates(name: &str) -> [String; 2] {
    [ADAPTER, "default"].map(|prefix| format!("{prefix}__{name}"))
}

/// What is said when none of the candidates is there.
pub(crate) fn lost(name: &str, namespace: &str, searched: &[Option<String>]) -> String {
    let tried: Vec<String> = searched
        .iter()
        .flat_map(|package| {
            candidates(name).map(|candidate| match package {
                Some(package) => format!("'{package}.{candidate}'"),
                None => format!("'{candidate}'"),
            })
        })
        .collect();
    format!(
        "In dispatch: No macro named '{name}' found within namespace: '{namespace}'\n    \
         Searched for: {}",
        tried.join(", ")
    )
}

/// What is said of a name that holds a package.
pub(crate) fn dotted(name: &str) -> Option<String> {
    let (package, rest) = name.split_once('.')?;
    Some(format!(
        "In adapter.dispatch, got a macro name of \"{name}\", but \".\" is not a valid macro name \
         component. Did you mean `adapter.dispatch(\"{rest}\", macro_namespace=\"{package}\")`?"
    ))
}

//! The built-in package `dbt`: macros that every project has and may override.

use std::path::Path;

use jinja::Macros;
use jinja::macros::INTERNAL_PACKAGE;

use crate::error::Error;
use crate::parse::macros::add;

macro_rules! files {
    ($($name:literal),*) => {
        [$((
            concat!("macros/", $name, ".sql"),
            include_str!(concat!("../../macros/", $name, ".sql")),
        )),*]
    };
}

const FILES: [(&str, &str); 23] = files![
    "naming",
    "generic_tests",
    "materialization",
    "hooks",
    "relations",
    "schemas",
    "columns",
    "ddl",
    "grants",
    "materializations",
    "incremental",
    "schema_change",
    "materialized_view",
    "snapshots",
    "snapshot_strategies",
    "types",
    "strings",
    "dates",
    "sets",
    "seeds",
    "unit_tests",
    "catalog",
    "postgres"
];

/// Adds the built-in macros.
pub(crate) fn read(macros: &mut Macros) -> Result<(), Error> {
    for (path, text) in FILES {
        add(macros, INTERNAL_PACKAGE, Path::new(path), text)?;
    }
    Ok(())
}

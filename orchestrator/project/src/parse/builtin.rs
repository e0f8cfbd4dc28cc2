//! The built-in package `dbt`: macros that every project has and may override.

use std::path::Path;

use jinja::Macros;
use jinja::macros::INTERNAL_PACKAGE;

use crate::error::Error;
use crate::parse::macros::add;

const FILES: [(&str, &str); 4] = [
    ("macros/naming.sql", include_str!("../../macros/naming.sql")),
    (
        "macros/generic_tests.sql",
        include_str!("../../macros/generic_tests.sql"),
    ),
    (
        "macros/materialization.sql",
        include_str!("../../macros/materialization.sql"),
    ),
    (
        "macros/relations.sql",
        include_str!("../../macros/relations.sql"),
    ),
];

/// Adds the built-in macros.
pub(crate) fn read(macros: &mut Macros) -> Result<(), Error> {
    for (path, text) in FILES {
        add(macros, INTERNAL_PACKAGE, Path::new(path), text)?;
    }
    Ok(())
}

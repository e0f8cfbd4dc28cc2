//! `overrides:` of a source: what one package says of another's source, in the place of what stands there.

use std::collections::BTreeSet;
use std::path::PathBuf;

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use crate::error::{Error, Location};
use crate::parse::properties::Patches;
use crate::warnings::{UNUSED_TABLES, Warning};
use crate::yaml::Entry;

/// Keys of an override that say what it is about.
const ABOUT: [&str; 4] = ["name", "overrides", "tables", "path"];

#[derive(Debug)]
struct Override {
    path: PathBuf,
    map: Map<String, Json>,
    tables: Vec<(String, Map<String, Json>)>,
    /// Names of the tables that were there; `None` as long as the source was not.
    used: Option<BTreeSet<String>>,
}

/// A source and one of its tables as an override leaves them.
#[derive(Debug)]
pub(crate) struct Overridden {
    pub(crate) source: Map<String, Json>,
    pub(crate) table: Map<String, Json>,
}

/// Every override, by the package and the name of the source that it is about
/// (`SourcePatcher` of dbt-core's `parser/sources.py`).
#[derive(Debug, Default)]
pub(crate) struct Overrides(IndexMap<(String, String), Override>);

impl Overrides {
    /// Those of `all` packages' property files.
    ///
    /// # Errors
    /// Two are about the same source.
    pub(crate) fn of<'p>(all: impl Iterator<Item = &'p Patches>) -> Result<Self, Error> {
        let mut found = IndexMap::new();
        for file in all.flat_map(|patches| &patches.files) {
            for entry in file.entries("sources")? {
                let Some(package) = entry.text("overrides")? else {
                    continue;
                };
                let name = entry.name()?;
                let mut tables = Vec::new();
                for table in entry.entries("tables")? {
                    tables.push((table.name()?, table.map.clone()));
                }
                let one = Override {
                    path: file.path.clone(),
                    map: entry.map.clone(),
                    tables,
                    used: None,
                };
                let first: Option<Override> = found.insert((package, name.clone()), one);
                if let Some(first) = first {
                    return Err(Error::Duplicate {
                        what: format!("the override of source '{name}'"),
                        first: Location::file(first.path),
                        second: Location::file(&file.path),
                    });
                }
            }
        }
        Ok(Self(found))
    }

    /// The table `table` of `source` in `package` as it is overridden.
    pub(crate) fn apply(
        &mut self,
        package: &str,
        source: &Entry<'_>,
        table: &Entry<'_>,
    ) -> Result<Option<Overridden>, Error> {
        let key = (package.to_owned(), source.name()?);
        let Some(found) = self.0.get_mut(&key) else {
            return Ok(None);
        };
        let name = table.name()?;
        let used = found.used.get_or_insert_with(BTreeSet::new);
        let of_table = found.tables.iter().find(|(other, _)| *other == name);
        let mut changed = Overridden {
            source: source.map.clone(),
            table: table.map.clone(),
        };
        // what an override leaves out of these is not what the source says, either
        replace(&mut changed.source, &found.map, &["config", "freshness"]);
        if let Some((_, map)) = of_table {
            used.insert(name);
            replace(&mut changed.table, map, &["freshness", "quoting"]);
        }
        Ok(Some(changed))
    }

    /// What is told of those that were about nothing.
    pub(crate) fn unused(&self) -> Option<Warning> {
        let mut lines = Vec::new();
        for ((package, source), found) in &self.0 {
            let path = found.path.display();
            let Some(used) = &found.used else {
                lines.push(format!("  - Source {package}.{source} (in {path})"));
                continue;
            };
            let names: BTreeSet<&String> = found.tables.iter().map(|(name, _)| name).collect();
            for name in names.into_iter().filter(|name| !used.contains(*name)) {
                lines.push(format!(
                    "  - Source table {package}.{source}.{name} (in {path})"
                ));
            }
        }
        let said = "During parsing, dbt encountered source overrides that had no target:";
        (!lines.is_empty()).then(|| Warning {
            event: UNUSED_TABLES,
            text: format!("{said}\n{}\n", lines.join("\n")),
        })
    }
}

fn replace(into: &mut Map<String, Json>, with: &Map<String, Json>, reset: &[&str]) {
    for key in reset {
        into.remove(*key);
    }
    for (key, value) in with {
        // nothing is as good as silence, but for thresholds, which it takes back
        if !ABOUT.contains(&key.as_str()) && (!value.is_null() || key == "freshness") {
            into.insert(key.clone(), value.clone());
        }
    }
}

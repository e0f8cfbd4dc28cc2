//! Sources: YAML entries to tables that something else fills.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::config::{self, Raw};
use crate::context::Shared;
use crate::error::Error;
use crate::manifest::Source;
use crate::parse::Package;
use crate::parse::properties::{Patch, Patches, PropertyFile, patch};
use crate::relation::RelationName;
use crate::yaml::{Entry, texts};

/// A source's table with what its tests need.
#[derive(Debug)]
pub(crate) struct SourceTable {
    pub(crate) source: Source,
    pub(crate) enabled: bool,
    pub(crate) patch: Patch,
    /// Tags that its tests inherit.
    pub(crate) test_tags: Vec<String>,
}

/// The sources of `package`.
pub(crate) fn parse(
    shared: &Shared,
    package: &Package,
    patches: &Patches,
) -> Result<Vec<SourceTable>, Error> {
    let mut found = Vec::new();
    for file in &patches.files {
        for entry in file.entries("sources")? {
            for table in entry.entries("tables")? {
                found.push(one(shared, package, file, &entry, &table)?);
            }
        }
    }
    Ok(found)
}

fn one(
    shared: &Shared,
    package: &Package,
    file: &Arc<PropertyFile>,
    entry: &Entry<'_>,
    table: &Entry<'_>,
) -> Result<SourceTable, Error> {
    let (source_name, name) = (entry.name()?, table.name()?);
    let patch = patch(table, file)?;
    let mut fqn = vec![package.name().to_owned()];
    fqn.extend(file.folders.iter().cloned());
    fqn.extend([source_name.clone(), name.clone()]);

    // the source's own settings lie below its table's
    let mut level = Raw::new();
    for key in ["tags", "meta", "freshness", "loaded_at_field"] {
        if let Some(value) = entry.map.get(key) {
            config::merge_one(&mut level, key, value.clone());
        }
    }
    config::merge(&mut level, entry.mapping("config")?);
    for key in ["freshness", "loaded_at_field"] {
        if let Some(value) = table.map.get(key) {
            config::merge_one(&mut level, key, value.clone());
        }
    }
    // null takes back the source's freshness, but not its column
    let own = patch.config.clone().into_iter();
    config::merge(
        &mut level,
        own.filter(|(key, value)| key != "loaded_at_field" || !value.is_null()),
    );
    let raw = package.configure("sources", &fqn, &level.into_iter().collect(), &Raw::new());

    let text = |key: &str| raw.get(key).and_then(Json::as_str).map(str::to_owned);
    let part = |key: &str| entry.text(key);
    let relation_name = RelationName {
        database: part("database")?.unwrap_or_else(|| shared.target.dbname.clone()),
        schema: part("schema")?.unwrap_or_else(|| source_name.clone()),
        identifier: table.text("identifier")?.unwrap_or_else(|| name.clone()),
    };
    let meta = match raw.get("meta") {
        Some(Json::Object(map)) => map.clone(),
        _ => Map::new(),
    };
    let source = Source {
        unique_id: format!("source.{}.{source_name}.{name}", package.name()),
        source_name,
        name,
        package_name: package.name().to_owned(),
        original_file_path: file.path.clone(),
        fqn,
        description: patch.description.clone(),
        relation_name,
        loaded_at_field: text("loaded_at_field"),
        event_time: text("event_time"),
        freshness: raw
            .get("freshness")
            .filter(|value| !value.is_null())
            .cloned(),
        tags: texts(raw.get("tags")),
        meta: meta.into_iter().collect(),
        columns: patch.columns.clone(),
    };
    let enabled = raw.get("enabled") != Some(&Json::Bool(false));
    let mut test_tags = texts(entry.map.get("tags"));
    test_tags.extend(texts(table.map.get("tags")));
    Ok(SourceTable {
        source,
        enabled,
        patch,
        test_tags,
    })
}

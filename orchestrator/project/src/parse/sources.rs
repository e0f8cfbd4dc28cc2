//! Sources: YAML entries to tables that something else fills.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::config::{self, Raw};
use crate::context::Shared;
use crate::error::Error;
use crate::manifest::Source;
use crate::parse::Package;
use crate::parse::overrides::Overrides;
use crate::parse::properties::{Patch, Patches, PropertyFile, patch_of_table};
use crate::relation::RelationName;
use crate::warnings::{FRESHNESS_CONFIG, Warning};
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

/// Configuration of a source that has a place of its own; other keys are kept as written.
const CONFIG: [&str; 8] = [
    "enabled",
    "event_time",
    "freshness",
    "loaded_at_field",
    "loaded_at_query",
    "meta",
    "static_analysis",
    "tags",
];

/// The sources of `package`.
pub(crate) fn parse(
    shared: &Shared,
    package: &Package,
    patches: &Patches,
    overrides: &mut Overrides,
) -> Result<Vec<SourceTable>, Error> {
    let mut found = Vec::new();
    for file in &patches.files {
        let entries = file.entries("sources")?;
        if entries.is_empty() {
            continue;
        }
        let raw = crate::yaml::parse(&file.text, &file.path)?;
        for (index, entry) in entries.iter().enumerate() {
            if entry.map.contains_key("overrides") {
                continue;
            }
            let place = ["database", "schema"].map(|key| {
                let text = raw.get("sources")?.get(index)?.get(key)?.as_str()?;
                Some(text.to_owned())
            });
            for table in entry.entries("tables")? {
                let changed = overrides.apply(package.name(), entry, &table)?;
                let mut one = match &changed {
                    None => one(shared, package, file, entry, &table)?,
                    Some(changed) => {
                        let [source, table] = [(entry, &changed.source), (&table, &changed.table)]
                            .map(|(entry, map)| Entry { map, ..*entry });
                        one(shared, package, file, &source, &table)?
                    }
                };
                one.source.unrendered_place.clone_from(&place);
                found.push(one);
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
    let mut quoting = entry.mapping("quoting")?;
    quoting.extend(table.mapping("quoting")?);
    let quotes_columns = quoting.get("column") == Some(&Json::Bool(true));
    let patch = patch_of_table(table, file, quotes_columns)?;
    let mut fqn = vec![package.name().to_owned()];
    fqn.extend(file.folders.iter().cloned());
    fqn.extend([source_name.clone(), name.clone()]);

    // the source's own settings lie below its table's
    let mut level = Raw::new();
    for key in ["tags", "meta", "loaded_at_field", "loaded_at_query"] {
        if let Some(value) = entry.map.get(key) {
            config::merge_one(&mut level, key, value.clone());
        }
    }
    config::merge(&mut level, entry.mapping("config")?);
    let of_source = freshness_of(entry)?.or_else(|| level.get("freshness").cloned());
    for key in ["loaded_at_field", "loaded_at_query"] {
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
    // a column of the table's own takes the place of the source's query
    let is_given = |value: Option<&Json>| value.is_some_and(|value| !value.is_null());
    if table.map.contains_key("loaded_at_field")
        && !is_given(table.map.get("loaded_at_query"))
        && !is_given(patch.config.get("loaded_at_query"))
    {
        level.shift_remove("loaded_at_query");
    }
    let of_table = freshness_of(table)?;
    if let Some(merged) = merged_freshness(of_source, of_table) {
        level.insert("freshness".to_owned(), merged);
    }
    let mut unrendered = package.topmost("sources", &fqn, &Map::new(), &Raw::new());
    unrendered.insert("loaded_at_field".to_owned(), Json::Null);
    unrendered.insert("loaded_at_query".to_owned(), Json::Null);
    unrendered.insert("meta".to_owned(), Json::Object(Map::new()));
    unrendered.insert("tags".to_owned(), Json::Array(Vec::new()));
    unrendered.extend(level.clone());
    // those of the source and its table are sorted, before the project's come in front
    let mut tags = texts(level.get("tags"));
    if !tags.is_empty() {
        tags.sort();
        tags.dedup();
        level.insert("tags".to_owned(), tags.into());
    }
    let raw = package.configure("sources", &fqn, &level.into_iter().collect(), &Raw::new());

    let text = |key: &str| raw.get(key).and_then(Json::as_str).map(str::to_owned);
    let part = |key: &str| entry.text(key);
    let relation_name = RelationName {
        database: part("database")?.unwrap_or_else(|| shared.target.dbname.clone()),
        schema: part("schema")?.unwrap_or_else(|| source_name.clone()),
        identifier: table.text("identifier")?.unwrap_or_else(|| name.clone()),
        quoting: shared.quoting.with(&quoting),
    };
    let meta = match raw.get("meta") {
        Some(Json::Object(map)) => map.clone(),
        _ => Map::new(),
    };
    let mut source_meta = entry.mapping("meta")?;
    if let Some(Json::Object(more)) = entry.mapping("config")?.get("meta") {
        source_meta.extend(more.clone());
    }
    let source = Source {
        unique_id: format!("source.{}.{source_name}.{name}", package.name()),
        source_name,
        name,
        package_name: package.name().to_owned(),
        original_file_path: file.path.clone(),
        fqn,
        description: patch.description.clone(),
        relation_name,
        source_description: entry.text("description")?.unwrap_or_default(),
        loader: table
            .text("loader")?
            .or(entry.text("loader")?)
            .unwrap_or_default(),
        external: external(table)?,
        loaded_at_field: text("loaded_at_field"),
        event_time: text("event_time"),
        loaded_at_query: text("loaded_at_query"),
        freshness: raw.get("freshness").cloned(),
        quoting,
        more_config: raw
            .iter()
            .filter(|(key, _)| !CONFIG.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        unrendered_config: unrendered,
        unrendered_place: [None, None],
        source_meta: source_meta.into_iter().collect(),
        doc_blocks: Vec::new(),
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

impl Source {
    /// Whether it asks to be checked at all.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        ["warn_after", "error_after"]
            .iter()
            .any(|key| self.threshold(key).is_some())
    }

    /// `warn_after` or `error_after` in seconds; `None` when it is not whole.
    #[must_use]
    pub fn threshold(&self, key: &str) -> Option<f64> {
        let threshold = self.freshness.as_ref()?.get(key)?;
        let count = threshold.get("count")?.as_f64()?;
        let unit = match threshold.get("period")?.as_str()? {
            "minute" => 60.0,
            "hour" => 3_600.0,
            "day" => 86_400.0,
            _ => return None,
        };
        Some(count * unit)
    }
}

/// A source that is to be checked and says not by what: Postgres keeps no time of its tables' last change.
pub(crate) fn doubt(source: &Source) -> Option<Warning> {
    let says = source.loaded_at_field.is_some() || source.loaded_at_query.is_some();
    (source.is_checked() && !says).then(|| Warning {
        event: FRESHNESS_CONFIG,
        text: format!(
            "The configured adapter does not support metadata-based freshness. A loaded_at_field must be specified \
             for source '{}.{}'.",
            source.source_name, source.name
        ),
    })
}

/// What `entry` says of freshness, in its configuration or beside it.
fn freshness_of(entry: &Entry<'_>) -> Result<Option<Json>, Error> {
    let config = entry.mapping("config")?;
    Ok(config
        .get("freshness")
        .or_else(|| entry.map.get("freshness"))
        .cloned())
}

/// The table's thresholds on top of the source's, threshold by threshold; null takes them back.
fn merged_freshness(of_source: Option<Json>, of_table: Option<Json>) -> Option<Json> {
    match (of_source, of_table) {
        (Some(Json::Object(mut below)), Some(Json::Object(above))) => {
            for (key, value) in above {
                match (below.get_mut(&key), value) {
                    (Some(Json::Object(below)), Json::Object(above)) => below.extend(above),
                    (_, value) => {
                        below.insert(key, value);
                    }
                }
            }
            Some(Json::Object(below))
        }
        (below, None) => below,
        (_, above) => above,
    }
}

/// `external` of a table: the keys that dbt knows first, whether they are there or not.
fn external(table: &Entry<'_>) -> Result<Option<Json>, Error> {
    const KNOWN: [&str; 5] = [
        "location",
        "file_format",
        "row_format",
        "tbl_properties",
        "partitions",
    ];
    if !table.map.contains_key("external") {
        return Ok(None);
    }
    let written = table.mapping("external")?;
    let known = KNOWN.iter().map(|key| {
        let value = written.get(*key).cloned().unwrap_or_default();
        ((*key).to_owned(), value)
    });
    let others = written
        .iter()
        .filter(|(key, _)| !KNOWN.contains(&key.as_str()));
    let others = others.map(|(key, value)| (key.clone(), value.clone()));
    Ok(Some(Json::Object(known.chain(others).collect())))
}

//! Columns and constraints. Pure.

use indexmap::IndexMap;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value as Json, json};

use crate::manifest::ColumnInfo;

/// Columns by name.
#[derive(Debug)]
pub struct Columns<'a>(&'a IndexMap<String, ColumnInfo>);

/// `columns` as the manifest holds them.
#[must_use]
pub fn columns(columns: &IndexMap<String, ColumnInfo>) -> Columns<'_> {
    Columns(columns)
}

impl Serialize for Columns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, column)| (name, Column(column))))
    }
}

struct Column<'a>(&'a ColumnInfo);

#[derive(serde::Serialize)]
struct ColumnConfig<'a> {
    meta: &'a IndexMap<String, Json>,
    tags: &'a [String],
}

impl Serialize for Column<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let column = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &column.name)?;
        map.serialize_entry("description", &column.description)?;
        map.serialize_entry("meta", &column.meta)?;
        map.serialize_entry("data_type", &column.data_type)?;
        map.serialize_entry("constraints", &constraints(&column.constraints, false))?;
        map.serialize_entry("quote", &column.quote)?;
        let config = ColumnConfig {
            meta: &column.meta,
            tags: &column.tags,
        };
        map.serialize_entry("config", &config)?;
        map.serialize_entry("tags", &column.tags)?;
        map.serialize_entry("granularity", &column.granularity)?;
        map.serialize_entry("doc_blocks", &column.doc_blocks)?;
        for (key, value) in &column.more {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// Constraints with every key; those of a model name their columns.
#[must_use]
pub fn constraints(written: &[Json], of_model: bool) -> Json {
    written
        .iter()
        .map(|constraint| {
            let mut full = json!({
                "type": null, "name": null, "expression": null, "warn_unenforced": true,
                "warn_unsupported": true, "to": null, "to_columns": [],
            });
            if of_model {
                full["columns"] = json!([]);
            }
            if let (Some(full), Json::Object(constraint)) = (full.as_object_mut(), constraint) {
                full.extend(constraint.clone());
            }
            full
        })
        .collect()
}

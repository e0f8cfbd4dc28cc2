//! What dbt fills in where a project says nothing.

use serde_json::{Map, Value as Json};

use super::Raw;
use crate::manifest::ResourceType;

/// dbt's default for `key`, where it has one that is not null.
pub(crate) fn default_of(key: &str, of: ResourceType) -> Option<Json> {
    let test = of == ResourceType::Test;
    Some(match key {
        "enabled" => Json::Bool(true),
        "materialized" => Json::from(default_materialized(of)),
        "tags" => Json::Array(Vec::new()),
        "meta" => Json::Object(Map::new()),
        "severity" if test => Json::from("ERROR"),
        "warn_if" | "error_if" if test => Json::from("!= 0"),
        "fail_calc" if test => Json::from("count(*)"),
        "pre-hook" | "post-hook" | "packages" if !test => Json::Array(Vec::new()),
        "persist_docs" | "quoting" | "column_types" | "grants" if !test => Json::Object(Map::new()),
        "on_schema_change" if !test => Json::from("ignore"),
        "on_configuration_change" if !test => Json::from("apply"),
        "contract" if !test => serde_json::json!({"enforced": false, "alias_types": true}),
        "docs" if !test => serde_json::json!({"show": true, "node_color": null}),
        "snapshot_meta_column_names" if of == ResourceType::Snapshot => serde_json::json!({
            "dbt_valid_to": null, "dbt_valid_from": null, "dbt_scd_id": null,
            "dbt_updated_at": null, "dbt_is_deleted": null,
        }),
        "delimiter" if of == ResourceType::Seed => Json::from(","),
        _ => return None,
    })
}

/// Keys with a default, in dbt's order.
const DEFAULTED: [&str; 19] = [
    "enabled",
    "materialized",
    "tags",
    "meta",
    "severity",
    "warn_if",
    "error_if",
    "fail_calc",
    "pre-hook",
    "post-hook",
    "packages",
    "persist_docs",
    "quoting",
    "column_types",
    "grants",
    "on_schema_change",
    "contract",
    "docs",
    "snapshot_meta_column_names",
];

/// Keys that dbt knows and whose default is null.
const NULLS: [&str; 8] = [
    "alias",
    "schema",
    "database",
    "group",
    "incremental_strategy",
    "full_refresh",
    "unique_key",
    "event_time",
];

/// The same, of snapshots alone.
const SNAPSHOT_NULLS: [&str; 6] = [
    "strategy",
    "target_schema",
    "target_database",
    "updated_at",
    "check_cols",
    "dbt_valid_to_current",
];

/// `raw` with every key that has a default.
pub(crate) fn with_defaults(raw: &Raw, of: ResourceType) -> Raw {
    let mut full = Raw::new();
    for key in DEFAULTED {
        if let Some(value) = default_of(key, of) {
            full.insert(key.to_owned(), value);
        }
    }
    for key in NULLS {
        full.insert(key.to_owned(), Json::Null);
    }
    if of == ResourceType::Snapshot {
        for key in SNAPSHOT_NULLS {
            full.insert(key.to_owned(), Json::Null);
        }
    }
    full.extend(raw.iter().map(|(key, value)| (key.clone(), value.clone())));
    full
}

pub(super) fn default_materialized(of: ResourceType) -> &'static str {
    match of {
        ResourceType::Model | ResourceType::Analysis | ResourceType::Operation => "view",
        ResourceType::Test => "test",
        ResourceType::Seed => "seed",
        ResourceType::Snapshot => "snapshot",
        ResourceType::UnitTest => "unit",
        ResourceType::Source
        | ResourceType::Exposure
        | ResourceType::Metric
        | ResourceType::SemanticModel
        | ResourceType::SavedQuery => "",
    }
}

//! Configuration: how levels merge, what the defaults are, what the keys mean.

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use crate::manifest::{Hook, IndexConfig, NodeConfig, PartitionBy, ResourceType};
use crate::yaml::{kind, texts};

/// Configuration as written, keys in dbt's spelling.
pub(crate) type Raw = IndexMap<String, Json>;

/// dbt's spelling of `key`.
pub(crate) fn canonical(key: &str) -> &str {
    match key {
        "pre_hook" => "pre-hook",
        "post_hook" => "post-hook",
        "data_base" => "database",
        other => other,
    }
}

fn items(value: Json) -> Vec<Json> {
    match value {
        Json::Array(items) => items,
        Json::Null => Vec::new(),
        other => vec![other],
    }
}

/// Sets `key` on top of what lower levels said: tags and hooks add up, `meta` and its like merge
/// key by key, everything else is replaced.
pub(crate) fn merge_one(into: &mut Raw, key: &str, value: Json) {
    let key = canonical(key.trim());
    match key {
        "tags" | "pre-hook" | "post-hook" | "packages" => {
            let mut all = into.get(key).cloned().map(items).unwrap_or_default();
            all.extend(items(value));
            into.insert(key.to_owned(), Json::Array(all));
        }
        "meta" | "docs" | "contract" | "quoting" | "column_types" => {
            match (into.get_mut(key), value) {
                (Some(Json::Object(below)), Json::Object(above)) => below.extend(above),
                (_, value) => {
                    into.insert(key.to_owned(), value);
                }
            }
        }
        "grants" => merge_grants(into, value),
        _ => {
            into.insert(key.to_owned(), value);
        }
    }
}

/// `+select` adds to what `select` had; `select` replaces it.
fn merge_grants(into: &mut Raw, value: Json) {
    let Json::Object(above) = value else {
        into.insert("grants".into(), value);
        return;
    };
    let mut grants = match into.get("grants") {
        Some(Json::Object(below)) => below.clone(),
        _ => Map::new(),
    };
    for (privilege, grantees) in above {
        match privilege.strip_prefix('+') {
            Some(privilege) => {
                let mut all = grants
                    .get(privilege)
                    .cloned()
                    .map(items)
                    .unwrap_or_default();
                all.extend(items(grantees));
                grants.insert(privilege.to_owned(), Json::Array(all));
            }
            None => {
                grants.insert(privilege, Json::Array(items(grantees)));
            }
        }
    }
    into.insert("grants".into(), Json::Object(grants));
}

/// Puts a whole level on top.
pub(crate) fn merge(into: &mut Raw, level: impl IntoIterator<Item = (String, Json)>) {
    for (key, value) in level {
        merge_one(into, &key, value);
    }
}

/// Puts the levels of a config tree of `dbt_project.yml` that apply to `fqn` on top, root first.
pub(crate) fn merge_tree(into: &mut Raw, tree: Option<&Map<String, Json>>, fqn: &[String]) {
    let mut level = tree;
    let mut parts = fqn.iter();
    while let Some(current) = level {
        for (key, value) in current {
            if let Some(key) = key.strip_prefix('+') {
                merge_one(into, key, value.clone());
            } else if !value.is_object() {
                merge_one(into, key, value.clone());
            }
        }
        level = parts
            .next()
            .and_then(|part| current.get(part))
            .and_then(Json::as_object);
    }
}

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

fn default_materialized(of: ResourceType) -> &'static str {
    match of {
        ResourceType::Model | ResourceType::Analysis | ResourceType::Operation => "view",
        ResourceType::Test => "test",
        ResourceType::Seed => "seed",
        ResourceType::Snapshot => "snapshot",
        ResourceType::Source => "",
    }
}

fn flag(raw: &Raw, key: &str) -> Result<Option<bool>, String> {
    match raw.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Bool(flag)) => Ok(Some(*flag)),
        Some(Json::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(Json::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(other) => Err(format!(
            "config '{key}': expected true or false, found {}",
            kind(other)
        )),
    }
}

fn text(raw: &Raw, key: &str) -> Result<Option<String>, String> {
    match raw.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(value @ (Json::Number(_) | Json::Bool(_))) => Ok(Some(value.to_string())),
        Some(other) => Err(format!(
            "config '{key}': expected text, found {}",
            kind(other)
        )),
    }
}

fn hooks(raw: &Raw, key: &str) -> Result<Vec<Hook>, String> {
    items(raw.get(key).cloned().unwrap_or(Json::Null))
        .into_iter()
        .map(|item| match item {
            Json::String(sql) => Ok(hook_of_text(sql)),
            Json::Object(map) => match map.get("sql").and_then(Json::as_str) {
                Some(sql) => Ok(Hook {
                    sql: sql.to_owned(),
                    transaction: map.get("transaction") != Some(&Json::Bool(false)),
                }),
                None => Err(format!("config '{key}': a hook needs the key 'sql'")),
            },
            other => Err(format!(
                "config '{key}': expected text, found {}",
                kind(&other)
            )),
        })
        .collect()
}

/// A hook written by `before_begin()` and `after_commit()` is JSON in text.
fn hook_of_text(sql: String) -> Hook {
    match serde_json::from_str::<Json>(&sql) {
        Ok(Json::Object(map)) if map.get("sql").is_some_and(Json::is_string) => Hook {
            sql: map["sql"].as_str().unwrap_or_default().to_owned(),
            transaction: map.get("transaction") != Some(&Json::Bool(false)),
        },
        _ => Hook {
            sql,
            transaction: true,
        },
    }
}

/// `{field, granularity}` and nothing else; any other shape belongs to other databases.
fn partition_by(raw: &Raw) -> Option<PartitionBy> {
    let map = raw.get("partition_by")?.as_object()?;
    Some(PartitionBy {
        field: map.get("field")?.as_str()?.to_owned(),
        granularity: map.get("granularity")?.as_str()?.to_owned(),
    })
}

fn indexes(raw: &Raw) -> Result<Vec<IndexConfig>, String> {
    match raw.get("indexes") {
        None | Some(Json::Null) => Ok(Vec::new()),
        Some(value) => serde_json::from_value(value.clone())
            .map_err(|error| format!("config 'indexes': {error}")),
    }
}

/// The typed view of `raw` for a node of kind `of`.
pub(crate) fn typed(mut raw: Raw, of: ResourceType) -> Result<NodeConfig, String> {
    let severity = text(&raw, "severity")?
        .unwrap_or_else(|| "error".into())
        .to_lowercase();
    if severity != "error" && severity != "warn" {
        return Err(format!(
            "severity must be either 'warn' or 'error', not '{severity}'"
        ));
    }
    let on_schema_change = text(&raw, "on_schema_change")?.unwrap_or_else(|| "ignore".into());
    let limit = match raw.get("limit") {
        None | Some(Json::Null) => None,
        Some(Json::Number(number)) => number.as_u64(),
        Some(Json::String(text)) => text.parse().ok(),
        Some(other) => {
            return Err(format!(
                "config 'limit': expected a number, found {}",
                kind(other)
            ));
        }
    };
    let store_as = text(&raw, "store_failures_as")?;
    let store_failures = match store_as.as_deref() {
        None => flag(&raw, "store_failures")?,
        Some("ephemeral") => Some(false),
        Some(_) => Some(true),
    };
    if let (ResourceType::Test, None, Some(keep)) = (of, &store_as, store_failures) {
        let kept_as = if keep { "table" } else { "ephemeral" };
        raw.insert("store_failures_as".into(), Json::from(kept_as));
    }
    let meta = match raw.get("meta") {
        Some(Json::Object(map)) => map.clone().into_iter().collect(),
        None | Some(Json::Null) => IndexMap::new(),
        Some(other) => {
            return Err(format!(
                "config 'meta': expected a mapping, found {}",
                kind(other)
            ));
        }
    };
    Ok(NodeConfig {
        enabled: flag(&raw, "enabled")?.unwrap_or(true),
        materialized: text(&raw, "materialized")?
            .unwrap_or_else(|| default_materialized(of).to_owned()),
        tags: texts(raw.get("tags")),
        meta,
        unique_key: texts(raw.get("unique_key")),
        incremental_strategy: text(&raw, "incremental_strategy")?,
        on_schema_change,
        partition_by: partition_by(&raw),
        indexes: indexes(&raw)?,
        full_refresh: flag(&raw, "full_refresh")?,
        pre_hook: hooks(&raw, "pre-hook")?,
        post_hook: hooks(&raw, "post-hook")?,
        severity,
        warn_if: text(&raw, "warn_if")?.unwrap_or_else(|| "!= 0".into()),
        error_if: text(&raw, "error_if")?.unwrap_or_else(|| "!= 0".into()),
        r#where: text(&raw, "where")?.filter(|condition| !condition.is_empty()),
        limit,
        fail_calc: text(&raw, "fail_calc")?.unwrap_or_else(|| "count(*)".into()),
        store_failures,
        raw,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Raw, merge, merge_tree, typed};
    use crate::manifest::ResourceType;

    fn raw(value: serde_json::Value) -> Raw {
        let mut raw = Raw::new();
        merge(&mut raw, value.as_object().unwrap().clone());
        raw
    }

    #[test]
    fn levels_merge_as_dbt_merges_them() {
        let tree = json!({
            "+tags": "root", "+meta": {"a": 1, "b": 1}, "+materialized": "view",
            "proj": {"+tags": ["proj"], "+meta": {"b": 2}, "pre-hook": "one",
                     "staging": {"+materialized": "table", "+pre_hook": ["two"], "enabled": true},
                     "marts": {"+materialized": "ephemeral"}},
        });
        let fqn = ["proj", "staging", "m"].map(str::to_owned);
        let mut merged = Raw::new();
        merge_tree(&mut merged, tree.as_object(), &fqn);
        merge(
            &mut merged,
            raw(json!({"tags": ["file"], "post_hook": "three"})),
        );
        let config = typed(merged, ResourceType::Model).unwrap();
        assert_eq!(config.tags, ["root", "proj", "file"]);
        assert_eq!(json!(config.meta), json!({"a": 1, "b": 2}));
        assert_eq!(config.materialized, "table");
        let sql: Vec<_> = config
            .pre_hook
            .iter()
            .map(|hook| hook.sql.as_str())
            .collect();
        assert_eq!(sql, ["one", "two"]);
        assert_eq!(config.post_hook.len(), 1);
    }

    #[test]
    fn partitions_need_both_fields() {
        let native = |value| {
            typed(raw(json!({"partition_by": value})), ResourceType::Model)
                .unwrap()
                .partition_by
        };
        assert!(native(json!({"field": "at", "granularity": "day"})).is_some());
        assert!(native(json!({"field": "at", "data_type": "date"})).is_none());
        assert!(native(json!("at")).is_none());
        assert!(native(json!(["at"])).is_none());
    }

    #[test]
    fn wrong_values_are_refused() {
        let error = typed(raw(json!({"enabled": [1]})), ResourceType::Model).unwrap_err();
        assert_eq!(
            error,
            "config 'enabled': expected true or false, found a list"
        );
        assert!(typed(raw(json!({"severity": "bad"})), ResourceType::Test).is_err());
    }
}

//! Configuration: how levels merge, what the defaults are, what the keys mean.

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

mod defaults;

pub(crate) use defaults::{default_of, with_defaults};

use defaults::default_materialized;

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

/// Whether the value of a key that holds a list is none.
pub(crate) fn is_bare(key: &str, value: &Json) -> bool {
    let listed = ["tags", "pre-hook", "post-hook", "packages"];
    listed.contains(&canonical(key.trim())) && !value.is_array()
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
    for level in levels(tree, fqn) {
        merge_level(into, level);
    }
}

/// The levels of a config tree that apply to `fqn`, root first.
pub(crate) fn levels<'t>(
    tree: Option<&'t Map<String, Json>>,
    fqn: &[String],
) -> impl Iterator<Item = &'t Map<String, Json>> {
    let mut parts = fqn.iter();
    std::iter::successors(tree, move |level| level.get(parts.next()?)?.as_object())
}

/// Puts what one level of a config tree configures on top: what is no folder.
pub(crate) fn merge_level(into: &mut Raw, level: &Map<String, Json>) {
    for (key, value) in level {
        let plain = key.strip_prefix('+');
        if plain.is_some() || !value.is_object() {
            merge_one(into, plain.unwrap_or(key), value.clone());
        }
    }
}

/// Like [`merge_tree`], but each level replaces what lower ones said, and keys are spelled as they are written.
pub(crate) fn replace_tree(into: &mut Raw, tree: Option<&Map<String, Json>>, fqn: &[String]) {
    for (key, value) in levels(tree, fqn).flatten() {
        let plain = key.strip_prefix('+');
        if plain.is_some() || !value.is_object() {
            into.insert(plain.unwrap_or(key).trim().to_owned(), value.clone());
        }
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

/// A mapping with `field` and `granularity`; any other shape belongs to other databases. What else it holds, as
/// `data_type`, is theirs too: the type is the column's own here.
fn partition_by(raw: &Raw) -> Option<PartitionBy> {
    let map = raw.get("partition_by")?.as_object()?;
    let ahead = map.get("ahead").and_then(Json::as_u64).unwrap_or(0);
    Some(PartitionBy {
        field: map.get("field")?.as_str()?.to_owned(),
        granularity: map.get("granularity")?.as_str()?.to_owned(),
        ahead: u32::try_from(ahead).unwrap_or(u32::MAX),
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
    if let (ResourceType::Test, Some(_), Some(keep)) = (of, &store_as, store_failures) {
        raw.insert("store_failures".into(), Json::from(keep));
    }
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

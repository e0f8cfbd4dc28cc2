//! A node's configuration with every key dbt writes, whether the project set it or not. Pure.

use project::manifest::{Hook, Node, ResourceType};
use serde_json::{Map, Value as Json, json};

/// Keys of every node's configuration.
fn base() -> Json {
    json!({
        "alias": null, "schema": null, "database": null, "group": null, "static_analysis": null,
    })
}

/// Keys of tests.
fn of_test() -> Json {
    json!({
        "schema": "dbt_test__audit", "materialized": "test", "severity": "ERROR", "store_failures": null,
        "store_failures_as": null, "where": null, "limit": null, "fail_calc": "count(*)",
        "warn_if": "!= 0", "error_if": "!= 0",
    })
}

/// Keys of what is built.
fn of_built() -> Json {
    json!({
        "incremental_strategy": null, "batch_size": null, "lookback": 1, "begin": null, "persist_docs": {},
        "quoting": {}, "column_types": {}, "full_refresh": null, "unique_key": null,
        "on_schema_change": "ignore", "on_configuration_change": "apply", "grants": {}, "packages": [],
        "event_time": null, "concurrent_batches": null,
    })
}

fn of_kind(kind: ResourceType) -> Json {
    match kind {
        ResourceType::Model => json!({ "access": "protected", "freshness": null }),
        ResourceType::Seed => json!({ "delimiter": ",", "quote_columns": null }),
        ResourceType::Snapshot => json!({
            "strategy": null, "target_schema": null, "target_database": null, "updated_at": null,
            "check_cols": null, "dbt_valid_to_current": null,
        }),
        _ => json!({}),
    }
}

/// `below` with the keys of `above` on top: those that `above` does not set keep their defaults.
fn over(below: Json, above: Option<&Json>) -> Json {
    let (Json::Object(mut merged), Some(Json::Object(above))) = (below.clone(), above) else {
        return below;
    };
    merged.extend(above.clone());
    Json::Object(merged)
}

/// The `docs` of a node: shown unless the project says otherwise.
pub(super) fn docs(node: &Node) -> Json {
    over(
        json!({ "show": true, "node_color": null }),
        node.config.raw.get("docs"),
    )
}

/// Whether the contract is enforced, and how types are compared.
pub(super) fn contract(node: &Node) -> Json {
    let written = node.config.raw.get("contract");
    over(json!({ "enforced": false, "alias_types": true }), written)
}

fn hooks(hooks: &[Hook]) -> Json {
    hooks
        .iter()
        .map(|hook| json!({ "sql": hook.sql, "transaction": hook.transaction, "index": null }))
        .collect()
}

/// The `config` of `node`.
pub(super) fn render(node: &Node) -> Json {
    let kind = node.resource_type;
    let test = kind == ResourceType::Test;
    let mut config = Map::new();
    let mut add = |keys: Json| {
        if let Json::Object(keys) = keys {
            config.extend(keys);
        }
    };
    add(base());
    add(if test { of_test() } else { of_built() });
    add(of_kind(kind));
    config.extend(node.config.raw.clone());
    config.insert("enabled".to_owned(), json!(node.config.enabled));
    config.insert("materialized".to_owned(), json!(node.config.materialized));
    config.insert("tags".to_owned(), json!(node.config.tags));
    config.insert("meta".to_owned(), json!(node.config.meta));
    if !test {
        config.insert("pre-hook".to_owned(), hooks(&node.config.pre_hook));
        config.insert("post-hook".to_owned(), hooks(&node.config.post_hook));
        config.insert("docs".to_owned(), docs(node));
        config.insert("contract".to_owned(), contract(node));
    }
    if kind == ResourceType::Snapshot {
        let names = json!({
            "dbt_valid_to": null, "dbt_valid_from": null, "dbt_scd_id": null, "dbt_updated_at": null,
            "dbt_is_deleted": null,
        });
        let written = node.config.raw.get("snapshot_meta_column_names");
        config.insert(
            "snapshot_meta_column_names".to_owned(),
            over(names, written),
        );
    }
    if test && node.config.store_failures.is_some() {
        config.insert(
            "store_failures".to_owned(),
            json!(node.config.store_failures),
        );
    }
    Json::Object(config)
}

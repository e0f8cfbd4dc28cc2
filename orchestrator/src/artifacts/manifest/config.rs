//! A node's configuration with every key dbt writes, whether the project set it or not. Pure.

use std::sync::LazyLock;

use project::batches::{instant, is_microbatch};
use project::manifest::{Hook, Node, ResourceType};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value as Json, json};

/// Keys and what stands under them where the project sets nothing.
type Defaults = Vec<(String, Json)>;

fn defaults(parts: &[Json]) -> Defaults {
    let keys = parts.iter().filter_map(Json::as_object).flatten();
    keys.map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Keys of every node's configuration.
fn base() -> Json {
    json!({
        "alias": null, "schema": null, "database": null, "group": null, "static_analysis": null,
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

static OF_TEST: LazyLock<Defaults> = LazyLock::new(|| {
    let of_test = json!({
        "schema": "dbt_test__audit", "severity": "ERROR", "store_failures": null,
        "store_failures_as": null, "where": null, "limit": null, "fail_calc": "count(*)",
        "warn_if": "!= 0", "error_if": "!= 0",
    });
    // the schema of a test is not that of `base`
    let base = base();
    let base = defaults(&[base]);
    let base = base.into_iter().filter(|(key, _)| key != "schema");
    base.chain(defaults(&[of_test])).collect()
});
static OF_MODEL: LazyLock<Defaults> = LazyLock::new(|| {
    let of_model = json!({ "access": "protected", "freshness": null });
    defaults(&[base(), of_built(), of_model])
});
static OF_SEED: LazyLock<Defaults> = LazyLock::new(|| {
    let of_seed = json!({ "delimiter": ",", "quote_columns": null });
    defaults(&[base(), of_built(), of_seed])
});
static OF_SNAPSHOT: LazyLock<Defaults> = LazyLock::new(|| {
    let of_snapshot = json!({
        "strategy": null, "target_schema": null, "target_database": null, "updated_at": null,
        "check_cols": null, "dbt_valid_to_current": null,
    });
    defaults(&[base(), of_built(), of_snapshot])
});
static OF_OTHERS: LazyLock<Defaults> = LazyLock::new(|| defaults(&[base(), of_built()]));
static DOCS: LazyLock<Defaults> =
    LazyLock::new(|| defaults(&[json!({ "show": true, "node_color": null })]));
static CONTRACT: LazyLock<Defaults> =
    LazyLock::new(|| defaults(&[json!({ "enforced": false, "alias_types": true })]));
static SNAPSHOT_COLUMNS: LazyLock<Defaults> = LazyLock::new(|| {
    defaults(&[json!({
        "dbt_valid_to": null, "dbt_valid_from": null, "dbt_scd_id": null, "dbt_updated_at": null,
        "dbt_is_deleted": null,
    })])
});

/// Defaults with the keys of an object on top: those that it does not set keep their defaults.
pub(super) struct Over<'a> {
    defaults: &'static Defaults,
    written: Option<&'a Json>,
}

impl Over<'_> {
    /// Writes the keys into `map`.
    fn keys<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let written = self.written.and_then(Json::as_object);
        for (key, default) in self.defaults {
            let written = written.and_then(|written| written.get(key));
            map.serialize_entry(key, written.unwrap_or(default))?;
        }
        for (key, value) in written.into_iter().flatten() {
            if !is_among(self.defaults, key) {
                map.serialize_entry(key, value)?;
            }
        }
        Ok(())
    }
}

impl Serialize for Over<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.keys(&mut map)?;
        map.end()
    }
}

fn is_among(defaults: &Defaults, key: &str) -> bool {
    defaults.iter().any(|(default, _)| default == key)
}

/// The `docs` of a node: shown unless the project says otherwise.
pub(super) fn docs(node: &Node) -> Over<'_> {
    Over {
        defaults: &DOCS,
        written: node.config.raw.get("docs"),
    }
}

/// Whether the contract is enforced, and how types are compared.
pub(super) fn contract(node: &Node) -> Over<'_> {
    Over {
        defaults: &CONTRACT,
        written: node.config.raw.get("contract"),
    }
}

/// Whether the contract is enforced.
pub(super) fn is_enforced(node: &Node) -> bool {
    let written = node.config.raw.get("contract");
    written.and_then(|contract| contract.get("enforced")) == Some(&Json::Bool(true))
}

/// A contract with the checksum of what it promises.
pub(super) struct Contract<'a> {
    /// As configured.
    pub(super) written: Over<'a>,
    /// Of columns and constraints; none unless enforced.
    pub(super) checksum: Option<String>,
}

impl Serialize for Contract<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.written.keys(&mut map)?;
        map.serialize_entry("checksum", &self.checksum)?;
        map.end()
    }
}

#[derive(serde::Serialize)]
struct Written<'a> {
    sql: &'a str,
    transaction: bool,
    index: Option<usize>,
}

fn hooks(hooks: &[Hook]) -> Vec<Written<'_>> {
    let written = hooks.iter().map(|hook| Written {
        sql: &hook.sql,
        transaction: hook.transaction,
        index: None,
    });
    written.collect()
}

/// The `config` of a node.
pub(super) struct Config<'a>(pub(super) &'a Node);

impl Config<'_> {
    /// Whether what stands under `key` is not simply what the project wrote.
    fn is_settled(&self, key: &str) -> bool {
        let test = self.0.resource_type == ResourceType::Test;
        match key {
            "enabled" | "materialized" | "tags" | "meta" => true,
            "pre-hook" | "post-hook" | "docs" | "contract" => !test,
            "begin" => is_microbatch(self.0),
            "snapshot_meta_column_names" => self.0.resource_type == ResourceType::Snapshot,
            "store_failures" => test && self.0.config.store_failures.is_some(),
            _ => false,
        }
    }
}

impl Serialize for Config<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let node = self.0;
        let config = &node.config;
        let defaults: &Defaults = match node.resource_type {
            ResourceType::Test => &OF_TEST,
            ResourceType::Model => &OF_MODEL,
            ResourceType::Seed => &OF_SEED,
            ResourceType::Snapshot => &OF_SNAPSHOT,
            _ => &OF_OTHERS,
        };
        let mut map = serializer.serialize_map(None)?;
        for (key, default) in defaults.iter().filter(|(key, _)| !self.is_settled(key)) {
            map.serialize_entry(key, config.raw.get(key).unwrap_or(default))?;
        }
        for (key, value) in &config.raw {
            if !self.is_settled(key) && !is_among(defaults, key) {
                map.serialize_entry(key, value)?;
            }
        }
        if is_microbatch(node) {
            let written = config.raw.get("begin");
            let begin = written.and_then(Json::as_str).and_then(instant);
            let begin = begin.map(|at| Json::from(at.format("%Y-%m-%dT%H:%M:%S").to_string()));
            map.serialize_entry("begin", &begin.as_ref().or(written))?;
        }
        map.serialize_entry("enabled", &config.enabled)?;
        map.serialize_entry("materialized", &config.materialized)?;
        map.serialize_entry("tags", &config.tags)?;
        map.serialize_entry("meta", &config.meta)?;
        if node.resource_type == ResourceType::Test {
            if let Some(store) = config.store_failures {
                map.serialize_entry("store_failures", &store)?;
            }
        } else {
            map.serialize_entry("pre-hook", &hooks(&config.pre_hook))?;
            map.serialize_entry("post-hook", &hooks(&config.post_hook))?;
            map.serialize_entry("docs", &docs(node))?;
            map.serialize_entry("contract", &contract(node))?;
        }
        if node.resource_type == ResourceType::Snapshot {
            let names = Over {
                defaults: &SNAPSHOT_COLUMNS,
                written: config.raw.get("snapshot_meta_column_names"),
            };
            map.serialize_entry("snapshot_meta_column_names", &names)?;
        }
        map.end()
    }
}

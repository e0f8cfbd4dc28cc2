//! A node as templates see it: `model`, `node`, `graph.nodes`.

use jinja::json::to_value;
use jinja::list::{dict, list};
use minijinja::value::Value;
use serde_json::Value as Json;

use crate::config;
use crate::manifest::Node;
use crate::parse::nodes::kind_name;
use crate::rendered;
use crate::roots::Roots;

/// `node` as a dict with dbt's keys.
pub(crate) fn value(node: &Node, roots: &Roots) -> Value {
    dict(pairs(node, roots))
}

/// The same once its SQL is known.
pub(crate) fn compiled(node: &Node, roots: &Roots, sql: &str) -> Value {
    let more = [
        ("compiled_code", Value::from(sql)),
        ("compiled", true.into()),
    ];
    let more = more.map(|(key, value)| (Value::from(key), value));
    dict(pairs(node, roots).chain(more))
}

/// The same, for one window of a microbatch model.
pub(crate) fn of_batch(node: &Node, roots: &Roots, sql: Option<&str>, batch: Value) -> Value {
    let code = sql.map(|sql| ("compiled_code", Value::from(sql)));
    let more = [("batch", batch)].into_iter().chain(code);
    dict(pairs(node, roots).chain(more.map(|(key, value)| (Value::from(key), value))))
}

fn pairs(node: &Node, roots: &Roots) -> impl Iterator<Item = (Value, Value)> {
    let texts = |items: &[String]| list(items.iter().map(|item| Value::from(item.as_str())));
    let path = |path: &std::path::Path| Value::from(path.to_string_lossy().into_owned());
    let relation = node.relation_name.as_ref();
    let columns = serde_json::to_value(rendered::columns(&node.columns)).unwrap_or_default();
    let raw = &node.config.raw;
    let docs = over(
        &[("show", true.into()), ("node_color", ().into())],
        raw.get("docs"),
    );
    let contract = over(
        &[
            ("enforced", false.into()),
            ("alias_types", true.into()),
            ("checksum", ().into()),
        ],
        raw.get("contract"),
    );
    let unrendered = node.unrendered_config.iter();
    let unrendered = unrendered.map(|(key, value)| (Value::from(key.as_str()), to_value(value)));
    let time_spine = (node.time_spine.as_ref()).and_then(|spine| serde_json::to_value(spine).ok());
    let test_metadata = node
        .test_metadata
        .as_ref()
        .and_then(|about| serde_json::to_value(about).ok());
    let refs = node.refs.iter().map(|found| {
        let version = found.version.as_ref().map(to_value);
        dict([
            (Value::from("name"), Value::from(found.name.as_str())),
            (
                Value::from("package"),
                Value::from(found.package.as_deref()),
            ),
            (Value::from("version"), version.unwrap_or(Value::from(()))),
        ])
    });
    let or_none = |value: &Option<Json>| value.as_ref().map_or(Value::from(()), to_value);
    let sources = node.source_refs.iter().map(|found| texts(found));
    let depends_on = dict([
        (Value::from("nodes"), texts(&node.depends_on.nodes)),
        (Value::from("macros"), texts(&node.depends_on.macros)),
    ]);
    let meta = Json::Object(node.config.meta.clone().into_iter().collect());
    let pairs: Vec<(&str, Value)> = vec![
        ("unique_id", node.unique_id.as_str().into()),
        ("resource_type", kind_name(node.resource_type).into()),
        ("name", node.name.as_str().into()),
        ("alias", node.alias.as_str().into()),
        ("package_name", node.package_name.as_str().into()),
        ("path", path(&node.path)),
        ("original_file_path", path(&node.original_file_path)),
        ("fqn", texts(&node.fqn)),
        ("database", node.database.as_str().into()),
        ("schema", node.schema.as_str().into()),
        (
            "relation_name",
            Value::from(relation.map(ToString::to_string)),
        ),
        ("raw_code", node.raw_code.as_str().into()),
        ("language", "sql".into()),
        ("description", node.description.as_str().into()),
        ("columns", to_value(&columns)),
        ("docs", docs),
        ("contract", contract),
        ("checksum", to_value(&roots.checksum(node))),
        ("patch_path", Value::from(node.patch_uri())),
        ("build_path", ().into()),
        ("compiled_path", ().into()),
        ("unrendered_config", dict(unrendered)),
        ("doc_blocks", texts(&node.doc_blocks)),
        ("deprecation_date", or_none(&node.deprecation_date)),
        ("time_spine", or_none(&time_spine)),
        ("test_metadata", or_none(&test_metadata)),
        ("metrics", list([])),
        ("functions", list([])),
        ("extra_ctes", list([])),
        ("extra_ctes_injected", false.into()),
        ("tags", texts(&node.tags)),
        ("meta", to_value(&meta)),
        ("config", config_value(node)),
        ("refs", list(refs)),
        ("sources", list(sources)),
        ("depends_on", depends_on),
        ("version", or_none(&node.version)),
        ("latest_version", or_none(&node.latest_version)),
        ("group", Value::from(node.group.as_deref())),
        ("access", Value::from(node.access.as_deref())),
        (
            "constraints",
            to_value(&Json::Array(node.constraints.clone())),
        ),
        ("column_name", Value::from(node.column_name.as_deref())),
        ("attached_node", Value::from(node.attached_node.as_deref())),
        ("file_key_name", Value::from(node.file_key_name.as_deref())),
    ];
    // only a generic test is of something
    let of_generic = [
        "test_metadata",
        "column_name",
        "attached_node",
        "file_key_name",
    ];
    let is_generic = node.test_metadata.is_some();
    pairs
        .into_iter()
        .filter(move |(key, _)| is_generic || !of_generic.contains(key))
        .map(|(key, value)| (Value::from(key), value))
}

/// `defaults` with the keys of `written` on top.
fn over(defaults: &[(&str, Value)], written: Option<&Json>) -> Value {
    let written = written.and_then(Json::as_object).into_iter().flatten();
    let written = written.map(|(key, value)| (Value::from(key.as_str()), to_value(value)));
    let defaults = defaults
        .iter()
        .map(|(key, value)| (Value::from(*key), value.clone()));
    dict(defaults.chain(written))
}

/// The node's configuration with dbt's defaults filled in.
pub(crate) fn config_value(node: &Node) -> Value {
    let full = config::with_defaults(&node.config.raw, node.resource_type);
    dict(
        full.iter()
            .map(|(key, value)| (Value::from(key.as_str()), to_value(value))),
    )
}

//! What is said of sources and columns.

use serde_json::{Value, json};

use crate::support::{Fake, Files};

#[test]
fn own_keys_of_a_sources_configuration_are_kept() {
    let files = Files::new(&[
        (
            "dbt_project.yml",
            "name: p\nversion: '1.0'\nprofile: p\nsources:\n  p:\n    +watched: true\n    +filter: null\n    raw: {+watched: deep}\n",
        ),
        (
            "models/s.yml",
            "sources:\n  - name: raw\n    config: {from_source: 1, meta: {m: 2}}\n    tables:\n      \
             - {name: t, config: {from_table: [x], event_time: at}}\n  - name: other\n    tables: [{name: t}]\n",
        ),
        (
            "models/a.sql",
            "{% for s in graph.sources.values() %}{{ s.name }} {{ s.config.watched }} {{ s.config.get('filter', 'none') }} \
             {% endfor %}",
        ),
    ]);
    let project = files.load().unwrap();
    let config = |id: &str| -> Value {
        project::rendered::source(&project.manifest.sources[id], 0.0)["config"].clone()
    };
    let raw = config("source.p.raw.t");
    for (key, value) in [
        ("watched", json!("deep")),
        ("filter", json!(null)),
        ("from_source", json!(1)),
        ("from_table", json!(["x"])),
        ("event_time", json!("at")),
        ("meta", json!({ "m": 2 })),
        ("enabled", json!(true)),
    ] {
        assert_eq!(raw.get(key), Some(&value), "{key}");
    }
    assert_eq!(config("source.p.other.t")["watched"], json!(true));
    let sql = project.compile("model.p.a", &Fake::default()).unwrap().sql;
    assert_eq!(sql.trim(), "t deep None t True None");
}

#[test]
fn own_keys_of_a_column_are_kept() {
    let files = Files::new(&[
        (
            "models/s.yml",
            "models:\n  - name: a\n    columns: [{name: id, quote: true, unit: [km], data_tests: [unique]}]\n",
        ),
        (
            "models/a.sql",
            "select {{ model.columns['id']['unit'][0] }} {{ 'data_tests' in model.columns['id'] }}",
        ),
    ]);
    let project = files.load().unwrap();
    let columns = &project.manifest.nodes["model.p.a"].columns;
    let shown = json!(project::rendered::columns(columns));
    assert_eq!(shown["id"]["unit"], json!(["km"]));
    assert_eq!(shown["id"].get("data_tests"), None);
    let sql = project.compile("model.p.a", &Fake::default()).unwrap().sql;
    assert_eq!(sql, "select km False");
}

#[test]
fn measures_may_make_metrics_and_macros_are_described() {
    let files = Files::new(&[
        ("models/orders.sql", "select 1 as id"),
        (
            "models/s.yml",
            "semantic_models:\n  - name: orders\n    model: ref('orders')\n    \
             primary_entity: order_key\n    defaults: {agg_time_dimension: ordered_at}\n    \
             dimensions: [{name: ordered_at, type: time, type_params: {time_granularity: day}}]\n    measures:\n      \
             - {name: revenue, agg: sum, expr: amount, create_metric: true, description: Money}\n      \
             - {name: counted, agg: count, expr: id, create_metric: true}\n      - {name: kept, agg: sum}\n\
             metrics:\n  - name: average\n    label: Average\n    type: ratio\n    \
             type_params: {numerator: revenue, denominator: counted}\n",
        ),
        (
            "models/metricflow_time_spine.sql",
            "select current_date as date_day",
        ),
        (
            "macros/m.sql",
            "{% macro m(a) %}{{ ref('orders') }}{% endmacro %}",
        ),
        (
            "macros/m.yml",
            "macros:\n  - name: m\n    description: What\n    config: {meta: {k: 1}}\n    \
             arguments: [{name: a, type: text, description: Which}]\n  - name: lost\n",
        ),
        // twice rendered, for the function that nobody knows
        ("models/twice.sql", "{{ ref('orders') }} {{ nobody(1) }}"),
    ]);
    let project = files.load().unwrap();
    let metrics: Vec<&String> = project.manifest.metrics.keys().collect();
    assert_eq!(
        metrics,
        ["metric.p.average", "metric.p.revenue", "metric.p.counted"]
    );
    let average = &project.manifest.metrics["metric.p.average"];
    let parents = ["metric.p.revenue", "metric.p.counted"];
    assert_eq!(average.depends_on.nodes, parents);
    assert_eq!(
        (project.manifest.metrics["metric.p.revenue"].description).as_deref(),
        Some("Money")
    );
    let told = &project.manifest.macros["macro.p.m"].properties;
    assert_eq!(
        (told.description.as_str(), &told.meta["k"]),
        ("What", &json!(1))
    );
    assert_eq!(told.arguments[0].data_type.as_deref(), Some("text"));
    assert!(
        (project.warnings.iter()).any(|w| w.text.contains("macro \"lost\"")),
        "{:?}",
        project.warnings
    );
    assert_eq!(project.manifest.nodes["model.p.twice"].refs.len(), 1);
}

#[test]
fn the_last_newline_of_a_block_goes_but_for_descriptions() {
    let files = Files::new(&[
        ("models/a.sql", "select 1 as id"),
        (
            "models/s.yml",
            "models:\n  - name: a\n    description: |\n      One\n    config:\n      meta:\n        notes: |\n          Two\n\
             \x20       description: >\n          Three\n        version: \"{{ dbt_version }}\"\n        expression: |\n          \
             {{ 'f' ~ 'our' }}\n",
        ),
    ]);
    let project = files.load().unwrap();
    let node = &project.manifest.nodes["model.p.a"];
    assert_eq!(node.description, "One\n");
    let meta = json!(node.config.meta);
    let expected =
        json!({"notes": "Two", "description": "Three", "version": "1.11.16", "expression": "four"});
    assert_eq!(meta, expected);
}

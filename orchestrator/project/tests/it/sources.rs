//! What is said of sources and columns.

use serde_json::{Value, json};

use crate::support::{Fake, Files};

#[test]
fn own_keys_of_a_sources_configuration_are_kept() {
    let files = Files::new(&[
        (
            "dbt_project.yml",
            "name: p\nversion: '1'\nprofile: p\nsources:\n  p:\n    +watched: true\n    +filter: null\n    raw: {+watched: deep}\n",
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

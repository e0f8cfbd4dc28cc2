//! Snapshots as nodes: blocks and YAML entries, names, configuration, what is refused.

use project::Project;
use serde_json::json;

use crate::support::Files;

const BLOCKS: &str = "-- two in one file
{% snapshot people %}
  {{ config(unique_key='id', strategy='timestamp', updated_at='at') }}
  select * from {{ ref('raw') }}
{% endsnapshot %}
{% snapshot kept -%}
{{ config(target_schema='fixed', unique_key=['a', 'b'], strategy='check', check_cols='all') }}
select 1 as a, 2 as b
{%- endsnapshot %}
";

fn project() -> Project {
    Files::new(&[
        (
            "dbt_project.yml",
            "name: p\nversion: '1.0'\nprofile: p\nsnapshots:\n  p:\n    +schema: old\n    \
             deep:\n      +meta: {owner: x}\n",
        ),
        ("seeds/raw.csv", "id,at\n1,2024-01-01\n"),
        ("snapshots/deep/two.sql", BLOCKS),
        (
            "models/s.yml",
            "snapshots:\n  - name: whole\n    relation: ref('people')\n    \
             description: all of it\n    config: {strategy: check, check_cols: [at], \
             unique_key: id, hard_deletes: new_record}\n    columns:\n      - name: id\n        \
             data_tests: [unique]\n  - name: people\n    config: {tags: [slow]}\n",
        ),
        ("models/m.sql", "select * from {{ ref('whole') }}"),
    ])
    .load()
    .unwrap()
}

#[test]
fn blocks_and_entries_are_nodes() {
    let project = project();
    assert!(project.warnings.is_empty(), "{:?}", project.warnings);
    let nodes = &project.manifest.nodes;
    let shown: Vec<_> = ["people", "kept", "whole"]
        .iter()
        .map(|name| {
            let node = &nodes[&format!("snapshot.p.{name}")];
            json!([
                node.fqn.join("."),
                node.relation_name.as_ref().unwrap().to_string(),
                node.path,
                node.raw_code,
                node.line,
                node.tags,
                node.config.raw,
                node.depends_on.nodes,
            ])
        })
        .collect();
    assert_eq!(
        json!(shown),
        json!([
            [
                "p.deep.two.people",
                "\"db\".\"s_old\".\"people\"",
                "deep/two.sql",
                "\n  {{ config(unique_key='id', strategy='timestamp', updated_at='at') }}\n  \
                 select * from {{ ref('raw') }}\n",
                2,
                ["slow"],
                {"schema": "old", "meta": {"owner": "x"}, "tags": ["slow"], "unique_key": "id",
                 "strategy": "timestamp", "updated_at": "at"},
                ["seed.p.raw"],
            ],
            [
                "p.deep.two.kept",
                "\"db\".\"fixed\".\"kept\"",
                "deep/two.sql",
                "{{ config(target_schema='fixed', unique_key=['a', 'b'], strategy='check', \
                 check_cols='all') }}\nselect 1 as a, 2 as b",
                7,
                [],
                {"schema": "old", "meta": {"owner": "x"}, "target_schema": "fixed",
                 "unique_key": ["a", "b"], "strategy": "check", "check_cols": "all"},
                [],
            ],
            [
                "p.whole",
                "\"db\".\"s_old\".\"whole\"",
                "s.yml/whole.sql",
                "select * from {{ ref('people') }}",
                2,
                [],
                {"schema": "old", "strategy": "check", "check_cols": ["at"], "unique_key": "id",
                 "hard_deletes": "new_record"},
                ["snapshot.p.people"],
            ],
        ])
    );
    assert_eq!(nodes["model.p.m"].depends_on.nodes, ["snapshot.p.whole"]);
    let test = nodes
        .values()
        .find(|node| node.name == "unique_whole_id")
        .unwrap();
    assert_eq!(test.attached_node.as_deref(), Some("snapshot.p.whole"));
}

#[track_caller]
fn refused(config: &str, expected: &str) {
    let text = format!("{{% snapshot x %}}{{{{ config({config}) }}}}select 1{{% endsnapshot %}}");
    let files = Files::new(&[("snapshots/x.sql", &text)]);
    let error = files.load().unwrap_err();
    assert_eq!(
        files.told(&error),
        format!("snapshot 'x': {expected}\n  in snapshots/x.sql:1")
    );
}

#[test]
fn incomplete_ones_are_refused() {
    let incomplete = "Snapshots must be configured with a 'strategy' and 'unique_key'.";
    refused("strategy='check'", incomplete);
    refused("unique_key='id'", incomplete);
    refused("unique_key=[], strategy='check'", incomplete);
    refused(
        "unique_key='id', strategy='check'",
        "A snapshot configured with the check strategy must specify a check_cols configuration.",
    );
    refused(
        "unique_key='id', strategy='check', check_cols='at'",
        "Invalid value for 'check_cols': at. Expected 'all' or a list of strings.",
    );
    refused(
        "unique_key='id', strategy='timestamp'",
        "A snapshot configured with the timestamp strategy must specify an updated_at \
         configuration.",
    );
    refused(
        "unique_key='id', strategy='timestamp', updated_at='at', check_cols=['a']",
        "A 'timestamp' snapshot should not have 'check_cols'",
    );
    refused(
        "unique_key='id', strategy='mine', materialized='table'",
        "A snapshot must have a materialized value of 'snapshot'",
    );
    refused(
        "unique_key={'a': 1}, strategy='check', check_cols='all'",
        "config 'unique_key': expected text or a list of texts, found a mapping",
    );
}

#[test]
fn a_relation_is_one_call() {
    let files = Files::new(&[(
        "models/s.yml",
        "snapshots:\n  - name: whole\n    relation: people\n",
    )]);
    let error = files.load().unwrap_err();
    assert_eq!(
        files.told(&error),
        "snapshot 'whole': Invalid ref or source expression: people\n  in models/s.yml:2"
    );
}

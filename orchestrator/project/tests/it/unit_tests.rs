//! Unit tests: what they are compiled to, and what of them is refused.

use std::sync::Arc;

use insta::assert_snapshot;
use project::adapter::Column;

use crate::support::{Fake, Files};

/// The compiled SQL of unit test `p.m.t`, and the query that compares.
fn compiled(files: &[(&str, &str)]) -> String {
    let files = Files::new(files);
    let id = "unit_test.p.m.t";
    let project = match files.load() {
        Ok(project) => project,
        Err(error) => return format!("ERROR {}\n", files.told(&error)),
    };
    let compiled = match project.compile_unit_test(id, Arc::new(Fake::default())) {
        Ok(compiled) => compiled,
        Err(error) => return format!("ERROR {}\n", files.told(&error)),
    };
    let column = |name: &str, data_type: &str| Column {
        name: name.to_owned(),
        data_type: data_type.to_owned(),
    };
    let columns = [column("id", "integer"), column("Name", "text")];
    match project.unit_test_sql(id, "MAIN", &columns) {
        Ok(sql) => format!("{}\n----{sql}\n", compiled.sql),
        Err(error) => format!("{}\n----\nERROR {}\n", compiled.sql, files.told(&error)),
    }
}

const SEED: (&str, &str) = ("seeds/raw.csv", "id,name\n7,seven\n,\n8,\n");

#[test]
fn rows_stand_in_for_relations() {
    let sql = compiled(&[
        SEED,
        (
            "models/m.sql",
            "{{ config(materialized='incremental') }}select * from {{ ref('raw') }} \
             join {{ source('s', 't') }} using (id) where {{ var('v') }} {{ env_var('E', 'away') }} \
             {{ shout() }} {% if is_incremental() %}and id > (select max(id) from {{ this }})\
             {% endif %}",
        ),
        ("macros/m.sql", "{% macro shout() %}wrong{% endmacro %}"),
        (
            "models/m.yml",
            "sources: [{name: s, tables: [{name: t}]}]\nunit_tests:\n  - name: t\n    model: m\n    \
             overrides:\n      macros: {is_incremental: true, p.shout: loud}\n      \
             vars: {v: 3}\n      env_vars: {E: home}\n    given:\n      - input: ref('raw')\n      \
             - input: this\n        rows: []\n      - input: source('s', 't')\n        \
             format: csv\n        rows: |\n          ID,name\n          1,it's\n          \
             2,\n    expect:\n      rows:\n        - {name: null, id: 1}\n        \
             - {name: x, ID: 2}\n",
        ),
    ]);
    assert_snapshot!(sql);
}

#[test]
fn queries_and_files_are_fixtures() {
    let sql = compiled(&[
        SEED,
        ("models/m.sql", "select * from {{ ref('raw') }}"),
        (
            "tests/fixtures/f.sql",
            "select 1 as id, '{{ target.name }}' as name\n",
        ),
        (
            "models/m.yml",
            "unit_tests:\n  - name: t\n    model: m\n    given:\n      - {input: ref('raw'), \
             format: sql, fixture: f}\n    expect: {rows: []}\n",
        ),
    ]);
    assert_snapshot!(sql);
}

#[test]
fn what_is_refused() {
    let cases = [
        "given: []\n    expect: {rows: []}",
        "given: [{input: ref('raw'), rows: [{nothing: 1}]}]\n    expect: {rows: []}",
        "given: [{input: ref('gone'), rows: []}]\n    expect: {rows: []}",
        "given: [{input: elsewhere, rows: []}]\n    expect: {rows: []}",
        "given: [{input: ref('raw')}]\n    expect: {rows: [{other: 1}]}",
        "given: [{input: ref('raw'), format: csv, fixture: f}]\n    expect: {rows: []}",
        "given: [{input: ref('raw'), format: csv, rows: [{id: 1}]}]\n    expect: {rows: []}",
        "given: [{input: ref('raw'), rows: id}]\n    expect: {rows: []}",
        "given: [{input: ref('raw'), format: xml, rows: id}]\n    expect: {rows: []}",
        "given: []",
        "given: []\n    versions: {include: [1]}\n    expect: {rows: []}",
    ];
    let told: String = cases
        .iter()
        .map(|case| {
            let text = format!("unit_tests:\n  - name: t\n    model: m\n    {case}\n");
            let sql = compiled(&[
                SEED,
                ("models/m.sql", "select * from {{ ref('raw') }}"),
                ("models/m.yml", &text),
            ]);
            let told = sql.split("ERROR ").nth(1).unwrap_or("it compiles\n");
            format!("# {case}\n{told}")
        })
        .collect();
    assert_snapshot!(told);
}

#[test]
fn incremental_models_are_told_their_side() {
    let cases = [
        "given: []",
        "overrides: {macros: {is_incremental: true}}\n    given: []",
        "overrides: {macros: {is_incremental: false}}\n    given: [{input: ref('raw')}]",
    ];
    let told: String = cases
        .iter()
        .map(|case| {
            let text = format!(
                "unit_tests:\n  - name: t\n    model: m\n    expect: {{rows: []}}\n    {case}\n"
            );
            let sql = compiled(&[
                SEED,
                (
                    "models/m.sql",
                    "{{ config(materialized='incremental') }}select * from {{ ref('raw') }} \
                     {% if is_incremental() %}where false{% endif %}",
                ),
                ("models/m.yml", &text),
            ]);
            let told = sql.split("----").next().unwrap_or_default();
            format!("# {case}\n{told}\n")
        })
        .collect();
    assert_snapshot!(told);
}

#[test]
fn unit_tests_are_rendered_as_all_of_the_file_is() {
    let files = Files::new(&[
        SEED,
        ("models/m.sql", "select id from {{ ref('raw') }}"),
        (
            "models/m.yml",
            "unit_tests:
  - name: t
    model: m
    config: {tags: [\"{{ 'skip' if target.type == 'redshift' else 'runs' }}\"]}
    given: [{input: ref('raw'), rows: [{id: \"{{ var('n', 5) }}\", tests: \"{{ 2 ~ '' }}\"}]}]
    expect: {rows: [{id: 5}]}
",
        ),
    ]);
    let manifest = files.load().unwrap().manifest;
    let test = &manifest.unit_tests["unit_test.p.m.t"];
    assert_eq!(test.tags, ["runs"]);
    let given = serde_json::to_value(&test.given).unwrap();
    assert_eq!(
        given[0]["rows"],
        serde_json::json!([{ "id": 5, "tests": "2" }])
    );
}

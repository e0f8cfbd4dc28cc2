//! Large projects: how long a cold load takes.

use std::fmt::Write as _;
use std::time::Instant;

use indexmap::IndexSet;

use crate::support::Files;

/// `models` models in layers, each with two tests.
fn generate(models: usize) -> Files {
    let files = Files::new(&[(
        "macros/m.sql",
        "{% macro cents(c) %}({{ c }} / 100.0){% endmacro %}",
    )]);
    let mut yml = String::from("models:\n");
    for i in 0..models {
        let parents: Vec<usize> = if i < 10 { vec![] } else { vec![i / 2, i - 7] };
        let mut sql = String::from(
            "{{ config(materialized='table', tags=['t']) }}\nwith a as (\n    select 1 as id",
        );
        for parent in parents {
            write!(
                sql,
                "\n    union all select id from {{{{ ref('m{parent}') }}}}"
            )
            .unwrap();
        }
        let body = "\n    , case when id > 10 then 'large' when id > 5 then 'middle' else 'small' end as size";
        write!(
            sql,
            "\n)\nselect id, {{{{ cents('id') }}}} as c{}\nfrom a where id < {{{{ var('n', 9) }}}}",
            body.repeat(8)
        )
        .unwrap();
        files.write(&format!("models/l{}/m{i}.sql", i / 100), &sql);
        writeln!(
            yml,
            "  - name: m{i}\n    columns:\n      - name: id\n        data_tests: [unique, not_null]"
        )
        .unwrap();
        if i % 100 == 99 {
            files.write(&format!("models/l{}/schema.yml", i / 100), &yml);
            yml = String::from("models:\n");
        }
    }
    files
}

#[test]
fn a_thousand_models() {
    let files = generate(1000);
    let project = files.load().unwrap();
    assert_eq!(project.manifest.nodes.len(), 3000);
    let all: IndexSet<String> = project.manifest.nodes.keys().cloned().collect();
    let edges = project::execution_edges(&project, &all, project::Gates::Tests);
    // a node waits for its parents and their tests, not for everything above them
    let most = edges.values().map(IndexSet::len).max().unwrap();
    assert!(most <= 8, "{most}");
}

/// `cargo test -p project --test it -- --ignored --nocapture load_time`
#[test]
#[ignore = "a measurement"]
fn load_time() {
    for models in [1000, 10_000] {
        let files = generate(models);
        files.load().unwrap();
        let started = Instant::now();
        let project = files.load().unwrap();
        let loaded = started.elapsed();
        let started = Instant::now();
        let spec = project::select::Spec {
            select: vec!["+m999+".into()],
            ..Default::default()
        };
        project::select::select(&project, &spec).unwrap();
        let selected = started.elapsed();
        let all: IndexSet<String> = project.manifest.nodes.keys().cloned().collect();
        let started = Instant::now();
        let _ = project::execution_edges(&project, &all, project::Gates::Tests);
        let edges = started.elapsed();
        let started = Instant::now();
        for id in project.manifest.nodes.keys() {
            project
                .compile(id, &crate::support::Fake::default())
                .unwrap();
        }
        let compiled = started.elapsed();
        println!(
            "{models} models: load {loaded:?}, select {selected:?}, edges {edges:?}, compile all {compiled:?}"
        );
    }
}

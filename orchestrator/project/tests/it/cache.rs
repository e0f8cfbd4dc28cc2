//! What is kept of an earlier load never changes what a load finds.

use std::path::Path;

use project::{LoadOptions, PARSE_CACHE, ParseCache, load};
use serde_json::{Value as Json, json};

use crate::support::Files;

const SHOP: [(&str, &str); 6] = [
    (
        "macros/m.sql",
        "{% macro parent() %}{{ return(ref('a')) }}{% endmacro %}",
    ),
    ("models/a.sql", "select 1 as id"),
    ("models/b.sql", "select 2 as id"),
    (
        "models/c.sql",
        "{{ config(materialized=var('kind', 'view'), schema=target.schema) }}select * from {{ parent() }}",
    ),
    (
        "models/d.sql",
        "{{ config(tags=[env_var('WHO', 'nobody'), run_started_at.strftime('%Y')]) }}select * from {{ parent() }}",
    ),
    (
        "models/m.yml",
        "models:\n  - name: a\n    columns: [{name: id, data_tests: [unique]}]\n",
    ),
];

/// The nodes that a load with the kept results finds, checked against a load without; and whether
/// something new is to be kept.
fn found(files: &Files, change: impl Fn(&mut LoadOptions)) -> (Json, bool) {
    let mut options = files.options();
    change(&mut options);
    let plain = load(&options).unwrap();
    assert_eq!(plain.parse_cache, None);
    options.parse_cache = ParseCache::Used;
    let project = load(&options).unwrap();
    assert_eq!(json!(*project.manifest), json!(*plain.manifest));
    if let Some(text) = &project.parse_cache {
        std::fs::create_dir_all(&project.target_path).unwrap();
        std::fs::write(project.target_path.join(PARSE_CACHE), text).unwrap();
    }
    (json!(project.manifest.nodes), project.parse_cache.is_some())
}

/// The same in a project that has been loaded before.
fn again(change: impl Fn(&Files), options: impl Fn(&mut LoadOptions)) -> (Json, bool) {
    let files = Files::new(&SHOP);
    assert!(found(&files, |_| {}).1);
    assert!(!found(&files, |_| {}).1, "nothing changed");
    change(&files);
    found(&files, options)
}

#[test]
fn files_and_macros_may_change() {
    let (nodes, _) = again(
        |files| files.write("models/c.sql", "select * from {{ ref('b') }}"),
        |_| {},
    );
    assert_eq!(
        nodes["model.p.c"]["depends_on"]["nodes"],
        json!(["model.p.b"])
    );
    let macros = "{% macro parent() %}{{ return(ref('b')) }}{% endmacro %}";
    let (nodes, is_new) = again(|files| files.write("macros/m.sql", macros), |_| {});
    assert_eq!(
        nodes["model.p.c"]["depends_on"]["nodes"],
        json!(["model.p.b"])
    );
    assert!(is_new);
    let (nodes, _) = again(
        |files| files.write("models/m.yml", "models:\n  - name: b\n    description: B\n"),
        |_| {},
    );
    assert_eq!(nodes["model.p.b"]["description"], "B");
}

#[test]
fn variables_target_environment_and_clock_may_change() {
    let (nodes, _) = again(
        |_| {},
        |options| {
            options.vars.insert("kind".into(), "table".into());
        },
    );
    assert_eq!(nodes["model.p.c"]["config"]["materialized"], "table");
    let profile = "p:\n  target: dev\n  outputs:\n    dev: {type: postgres, host: h, user: u, \
                   password: secret, dbname: db, schema: other, threads: 3}\n";
    let (nodes, _) = again(|files| files.write("profiles.yml", profile), |_| {});
    assert_eq!(nodes["model.p.c"]["config"]["raw"]["schema"], "other");
    let (nodes, is_new) = again(
        |_| {},
        |options| {
            options.env.insert("WHO".into(), "me".into());
            options.started_at = "2031-01-01T00:00:00Z".parse().unwrap();
        },
    );
    assert_eq!(nodes["model.p.d"]["config"]["tags"], json!(["me", "2031"]));
    assert!(!is_new, "what looks at the environment is not kept");
}

#[test]
fn another_binary_and_no_partial_parse_read_all_again() {
    let kept = |files: &Files| std::fs::read_to_string(target(files).join(PARSE_CACHE)).unwrap();
    let files = Files::new(&SHOP);
    found(&files, |_| {});
    // a result that no file could give, under the key of c.sql
    let wrong = kept(&files).replace("{\"name\":\"a\"", "{\"name\":\"b\"");
    let load_with = |change: &dyn Fn(&mut LoadOptions)| {
        std::fs::write(target(&files).join(PARSE_CACHE), &wrong).unwrap();
        let mut options = files.options();
        options.parse_cache = ParseCache::Used;
        change(&mut options);
        let project = load(&options).unwrap();
        project.manifest.nodes["model.p.c"].depends_on.nodes[0].clone()
    };
    assert_eq!(load_with(&|_| {}), "model.p.b", "the kept result is taken");
    assert_eq!(
        load_with(&|options| options.binary = "another".into()),
        "model.p.a"
    );
    assert_eq!(
        load_with(&|options| options.parse_cache = ParseCache::Renewed),
        "model.p.a"
    );
}

fn target(files: &Files) -> std::path::PathBuf {
    Path::new(&files.options().project_dir).join("target")
}

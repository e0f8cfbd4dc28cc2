//! What a project and its packages say of each other.

use std::sync::Arc;

use project::{Error, Project};
use serde_json::{Map, json};

use crate::support::{Fake, Files};

const ROOT: &str = "name: p\nversion: '1.0'\nprofile: p\n";

/// A project `p` with a package `lib`.
fn files(root: &str, lib: &str, files: &[(&str, &str)]) -> Files {
    let made = Files::new(files);
    made.write("dbt_project.yml", &format!("{ROOT}{root}"));
    made.write(
        "dbt_packages/lib/dbt_project.yml",
        &format!("name: lib\n{lib}"),
    );
    made
}

fn sql(project: &Project, id: &str) -> String {
    match project.compile(id, &Fake::default()) {
        Ok(compiled) => compiled.sql,
        Err(error) => format!("ERROR {error}"),
    }
}

#[test]
fn vars_for_a_package_are_a_variable_too() {
    let files = files(
        "vars:\n  lib: {columns: [a, b]}\n  every: 1\n",
        "vars: {own: 2}\n",
        &[(
            "dbt_packages/lib/models/a.sql",
            "select '{{ var('lib')['columns'] | join('-') }} {{ var('columns')[0] }} {{ var('every') }} {{ var('own') }}'",
        )],
    );
    let project = files.load().unwrap();
    assert_eq!(sql(&project, "model.lib.a"), "select 'a-b a 1 2'");
}

#[test]
fn yaml_of_a_package_sees_the_vars_meant_for_it() {
    let sources = "sources:\n  - name: raw\n    schema: \"{{ var('place', 'default') }}\"\n    tables:\n      \
                   - name: t\n        identifier: \"{{ var('table', 'default') }}\"\n";
    let files = files(
        "vars:\n  lib: {place: of_lib}\n  place: of_all\n",
        "vars: {table: own, place: weaker}\n",
        &[
            ("dbt_packages/lib/models/s.yml", sources),
            ("models/s.yml", &sources.replace("name: raw", "name: mine")),
        ],
    );
    let project = files.load().unwrap();
    let place = |id: &str| project.manifest.sources[id].relation_name.display();
    assert_eq!(place("source.lib.raw.t"), "of_lib.own");
    assert_eq!(place("source.p.mine.t"), "of_all.default");
}

#[test]
fn an_operation_finds_the_macros_of_its_own_package() {
    let files = files(
        "",
        "",
        &[
            (
                "dbt_packages/lib/macros/m.sql",
                "{% macro outer() %}{{ return(inner() ~ adapter.dispatch('which')() ~ var('size', 0)) }}{% endmacro %}\
                 {% macro inner() %}inner {% endmacro %}\
                 {% macro default__which() %}lib {% endmacro %}\
                 {% macro current_timestamp() %}clock{% endmacro %}",
            ),
            (
                "macros/m.sql",
                "{% macro default__which() %}p {% endmacro %}",
            ),
        ],
    );
    files.write(
        "dbt_project.yml",
        &format!("{ROOT}vars: {{lib: {{size: 7}}}}\n"),
    );
    let project = files.load().unwrap();
    let operated = |name: &str| {
        let done = project.run_operation(name, &Map::new(), Arc::new(Fake::default()));
        done.map(|done| done.value).map_err(|e| e.to_string())
    };
    for name in ["lib.outer", "outer"] {
        assert_eq!(operated(name), Ok(json!("inner lib 7")), "{name}");
    }
    // a package's macro comes before the built-in one of that name
    assert_eq!(operated("current_timestamp"), Ok(json!("clock")));
}

#[test]
fn a_namespace_that_is_no_package_is_as_none() {
    let files = files(
        "",
        "",
        &[(
            "dbt_packages/lib/macros/m.sql",
            "{% macro which() %}{{ return(adapter.dispatch('which', 'macros')()) }}{% endmacro %}\
             {% macro default__which() %}of lib{% endmacro %}",
        )],
    );
    files.write("dbt_packages/lib/models/a.sql", "select '{{ which() }}'");
    let project = files.load().unwrap();
    assert_eq!(sql(&project, "model.lib.a"), "select 'of lib'");
    // nothing of that name is there for a node of the root project
    files.write("models/b.sql", "select '{{ lib.which() }}'");
    let told = files.load().unwrap_err().to_string();
    assert!(told.contains("No macro named 'which'"), "{told}");
}

#[test]
fn pieces_that_dispatch_puts_before_dbt_are_called() {
    let model = "{{ config(materialized='incremental', unique_key='id') }}select 1 as id";
    let piece = "{% macro default__get_delete_insert_merge_sql() %}x{% endmacro %}";
    let given = [
        ("models/a.sql", model),
        ("dbt_packages/lib/macros/m.sql", piece),
    ];
    let is_templated = |root: &str| {
        let project = files(root, "", &given).load().unwrap();
        let node = &project.manifest.nodes["model.p.a"];
        project.materialization(node).unwrap().is_some()
    };
    let order =
        |packages: &str| format!("dispatch: [{{macro_namespace: dbt, search_order: {packages}}}]");
    assert!(!is_templated(""));
    assert!(is_templated(&order("[lib, dbt]")));
    assert!(!is_templated(&order("[dbt, lib]")));
}

#[test]
fn any_packages_macro_is_called_where_the_adapter_calls_one() {
    let macros = "{% macro drop_relation(relation) %}{% do log(word() ~ relation, info=true) %}{% endmacro %}\
                  {% macro word() %}of lib {% endmacro %}";
    let given = [
        ("dbt_packages/lib/macros/m.sql", macros),
        (
            "models/a.sql",
            "{{ config(materialized='table') }}\
             {% do adapter.drop_relation(api.Relation.create(identifier='x', type='table')) %}select 1 as id",
        ),
    ];
    let project = files("", "", &given).load().unwrap();
    let compiled = project.compile("model.p.a", &Fake::default()).unwrap();
    let said: Vec<&str> = compiled.messages.iter().map(|said| said.text()).collect();
    assert_eq!(said, [r#"of lib "x""#]);
    let node = &project.manifest.nodes["model.p.a"];
    assert!(project.materialization(node).unwrap().is_some());
    assert!(project.replaces_resets());
    // elsewhere a package's macros stay its own
    let plain = [
        (
            "dbt_packages/lib/macros/m.sql",
            "{% macro create_indexes(relation) %}{% endmacro %}",
        ),
        ("models/a.sql", "{{ config(materialized='table') }}select 1"),
    ];
    let project = files("", "", &plain).load().unwrap();
    let node = &project.manifest.nodes["model.p.a"];
    assert!(project.materialization(node).unwrap().is_none());
    assert!(!project.replaces_resets());
}

const DESCRIBED: &str = "models:\n  - name: a\n    description: told by p\n    config: {materialized: table, tags: x}\n    \
                         columns: [{name: id, description: key, data_tests: [unique]}]\n";

#[test]
fn an_entry_may_describe_the_model_of_another_package() {
    let models = [
        ("models/s.yml", DESCRIBED),
        ("dbt_packages/lib/models/a.sql", "select 1 as id"),
        (
            "dbt_packages/lib/models/b.sql",
            "select * from {{ ref('a') }}",
        ),
    ];
    let project = files("", "", &models).load().unwrap();
    let node = &project.manifest.nodes["model.lib.a"];
    assert_eq!(node.description, "told by p");
    assert_eq!(node.config.materialized, "table");
    assert_eq!(node.tags, ["x"]);
    assert_eq!(node.columns["id"].description, "key");
    assert_eq!(node.patch_uri().as_deref(), Some("p://models/s.yml"));
    assert!(project.warnings.is_empty(), "{:?}", project.warnings);
    assert!(project.manifest.nodes.contains_key("model.lib.b"));

    // a model of its own is nearer
    let mine = [&models[..], &[("models/a.sql", "select 2 as id")]].concat();
    let project = files("models: {p: {+alias: mine}}\n", "", &mine)
        .load()
        .unwrap();
    assert_eq!(project.manifest.nodes["model.lib.a"].description, "");
    assert_eq!(project.manifest.nodes["model.p.a"].description, "told by p");

    let twice = [&models[..], &[("dbt_packages/lib/models/s.yml", DESCRIBED)]].concat();
    let error = files("", "", &twice).load().unwrap_err();
    assert!(
        matches!(&error, Error::Duplicate { what, .. } if what == "the patch of model 'a'"),
        "{error}"
    );

    let switched = DESCRIBED.replace("tags: x", "enabled: false");
    let off = [("models/s.yml", switched.as_str()), models[1]];
    let project = files("", "", &off).load().unwrap();
    assert!(project.manifest.disabled.contains_key("model.lib.a"));
    assert!(!project.manifest.nodes.contains_key("model.lib.a"));
}

#[test]
fn what_stands_in_for_a_disabled_model_is_described_in_its_place() {
    let models = [
        ("models/a.sql", "select 2 as id"),
        ("models/b.sql", "select * from {{ ref('a') }}"),
        ("dbt_packages/lib/models/a.sql", "select 1 as id"),
        ("dbt_packages/lib/models/s.yml", DESCRIBED),
    ];
    let off = "models: {lib: {a: {+enabled: false}}}\n";
    let project = files(off, "", &models).load().unwrap();
    let node = &project.manifest.nodes["model.p.a"];
    assert_eq!(node.description, "told by p");
    assert_eq!(node.config.materialized, "table");
    assert_eq!(node.patch_uri().as_deref(), Some("lib://models/s.yml"));
    let tests = project.manifest.nodes.values();
    let test = tests.filter_map(|node| node.attached_node.clone());
    assert_eq!(test.collect::<Vec<_>>(), ["model.lib.a"]);
}

#[test]
fn disabled_models_of_one_name_are_all_kept() {
    let models = [
        ("models/x/a.sql", "select 'x' as id"),
        ("models/y/a.sql", "select 'y' as id"),
        ("models/z/a.sql", "select 'z' as id"),
    ];
    let off = "models: {p: {x: {+enabled: false}, y: {+enabled: false}}}\n";
    let project = files(off, "", &models).load().unwrap();
    assert!(project.warnings.is_empty(), "{:?}", project.warnings);
    let manifest = &project.manifest;
    assert_eq!(manifest.nodes["model.p.a"].raw_code, "select 'z' as id");
    assert_eq!(manifest.disabled["model.p.a"].raw_code, "select 'x' as id");
    let again = manifest.disabled_again.iter();
    let again: Vec<&str> = again.map(|node| &*node.raw_code).collect();
    assert_eq!(again, ["select 'y' as id"]);
}

#[test]
fn a_package_that_stands_on_the_project_is_told_of() {
    let models = [
        ("models/a.sql", "select 1 as id"),
        (
            "dbt_packages/lib/models/b.sql",
            "select * from {{ ref('a') }}",
        ),
        (
            "dbt_packages/lib/models/c.sql",
            "select * from {{ ref('p', 'a') }}",
        ),
    ];
    let project = files("", "", &models).load().unwrap();
    let told: Vec<&str> = project.warnings.iter().map(|one| one.event).collect();
    assert_eq!(told, ["PackageNodeDependsOnRootProjectNode"]);
    let text = &project.warnings[0].text;
    assert!(text.contains("'b'in package 'lib' depends on the root project node 'model.p.a'"));
}

#[test]
fn what_a_statement_sends_is_not_looked_at_while_parsing() {
    let models = [
        ("models/a.sql", "select 1 as id"),
        (
            "models/b.sql",
            "{% call statement('s') %}select * from {{ ref('a') }}{% endcall %}select 1 as id",
        ),
    ];
    let project = files("", "", &models).load().unwrap();
    assert!(project.manifest.nodes["model.p.b"].refs.is_empty());
}

#[test]
fn a_test_of_a_package_is_looked_up_by_its_name_alone() {
    let test = |own: &str| {
        let files = files(
            "",
            "",
            &[
                ("models/a.sql", "select 1 as id"),
                (
                    "models/a.yml",
                    "models: [{name: a, data_tests: [lib.odd]}]\n",
                ),
                ("macros/t.sql", own),
                (
                    "dbt_packages/lib/macros/t.sql",
                    "{% test odd(model) %}select * from {{ model }}{% endtest %}",
                ),
            ],
        );
        let manifest = files.load().unwrap().manifest;
        let test = manifest
            .nodes
            .values()
            .find(|node| node.name == "lib_odd_a_");
        test.unwrap().depends_on.macros.clone()
    };
    assert_eq!(
        test(""),
        ["macro.lib.test_odd", "macro.dbt.get_where_subquery"]
    );
    // as dbt does, which calls the package's when the test is run
    assert_eq!(
        test("{% test odd(model) %}select 1{% endtest %}"),
        ["macro.p.test_odd", "macro.dbt.get_where_subquery"]
    );
}

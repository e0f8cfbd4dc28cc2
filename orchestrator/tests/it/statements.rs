//! How statements reach the server: with the project's comment, and after hooks that end a transaction.

use crate::bed::Bed;

#[test]
fn statements_carry_the_projects_comment() {
    let bed = Bed::new();
    let project = bed.read("dbt_project.yml");
    bed.write(
        "models/sent.sql",
        "{{ config(materialized='table') }}\nselect query from pg_stat_activity where pid = pg_backend_pid()",
    );
    bed.write(
        "macros/who.sql",
        "{% macro who(node) %}by {{ node.unique_id }} in {{ target.name }}{% endmacro %}",
    );
    let schema = bed.schema().to_owned();
    let sent = |comment: &str| {
        bed.write("dbt_project.yml", &format!("{project}\n{comment}\n"));
        let told = bed.run(&["run", "-s", "sent"]);
        assert!(told.contains("PASS=1 WARN=0 ERROR=0"), "{told}");
        let query = bed.ask(&format!("select query from {schema}.sent"));
        query.unwrap_or_default()
    };
    let own = sent("");
    assert!(own.starts_with("/* {\"app\":\"ridehail\""), "{own}");
    let told = sent("query-comment: \"{{ who(node) }} by {{ dbt_version }}\"");
    assert!(told.starts_with("/* by model.shop.sent in "), "{told}");
    let behind = sent("query-comment: {comment: \"{{ connection_name }}\", append: true}");
    assert!(
        behind
            .trim_end()
            .trim_end_matches(';')
            .ends_with("/* model.shop.sent */"),
        "{behind}"
    );
    let none = sent("query-comment: null");
    assert!(!none.contains("/*"), "{none}");
    bed.write(
        "dbt_project.yml",
        &format!("{project}\nquery-comment: \"a */ b\"\n"),
    );
    let told = bed.run(&["run", "-s", "sent"]);
    assert!(
        told.contains("query comment contains illegal value"),
        "{told}"
    );
}

#[test]
fn a_hook_may_end_the_transaction() {
    let bed = Bed::new();
    for how in ["view", "table", "incremental"] {
        let hooks = "pre_hook='select 1; commit;', post_hook='commit'";
        let config = format!("{{{{ config(materialized='{how}', {hooks}) }}}}");
        bed.write(
            &format!("models/ends_{how}.sql"),
            &format!("{config}select 1 as id"),
        );
    }
    for _ in 0..3 {
        let told = bed.run(&["run", "-s", "ends_view", "ends_table", "ends_incremental"]);
        assert!(told.contains("PASS=3 WARN=0 ERROR=0"), "{told}");
    }
    let left = "select count(*)::text from pg_class where relname like 'ends%' and relname not like 'ends\\_%'";
    assert_eq!(bed.ask(left), Some("0".to_owned()));
}

#[test]
fn a_column_that_others_need_is_not_dropped() {
    let bed = Bed::new();
    let config = "materialized='incremental', unique_key='id', on_schema_change='sync_all_columns'";
    bed.write(
        "models/narrowed.sql",
        &format!("{{{{ config({config}) }}}}select 1 as id, {{{{ var('extra', '1 as one') }}}}"),
    );
    bed.write("models/over.sql", "select * from {{ ref('narrowed') }}");
    bed.run(&["run", "-s", "narrowed", "over"]);
    let told = bed.run(&["run", "-s", "narrowed", "--vars", "extra: 2 as two"]);
    assert!(told.contains("cannot drop column one"), "{told}");
    let schema = bed.schema();
    assert_eq!(
        bed.ask(&format!("select one::text from {schema}.over")),
        Some("1".to_owned())
    );
}

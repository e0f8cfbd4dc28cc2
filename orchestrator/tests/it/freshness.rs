//! `source freshness`: how old sources are, and the statements around the looking.

use insta::assert_snapshot;

use crate::bed::Bed;

#[test]
fn statements_around_a_run_are_run_around_freshness_too() {
    let bed = Bed::new();
    let project = bed.read("dbt_project.yml");
    let hooks = r#"
on-run-start: "create table if not exists shop.seen (status text, source text, has_moment boolean)"
on-run-end: "{% for r in results %}insert into shop.seen values ('{{ r.status }}', '{{ r.node.name }}', {{ r.max_loaded_at is defined }});{% endfor %}"
"#;
    bed.write("dbt_project.yml", &format!("{project}{hooks}"));
    bed.write(
        "models/sources.yml",
        "
sources:
  - name: given
    schema: public
    loaded_at_field: at
    freshness: {warn_after: {count: 1, period: hour}, error_after: {count: 10, period: hour}}
    tables: [{name: fresh_one}, {name: stale_one}, {name: old_one}, {name: missing_one}]
",
    );
    for (name, age) in [("fresh_one", 0), ("stale_one", 3), ("old_one", 30)] {
        bed.ask(&format!(
            "create table public.{name} as select now() - make_interval(hours => {age}) as at"
        ));
    }
    assert_snapshot!("freshness", bed.run(&["source", "freshness"]));
    let seen = "select string_agg(concat_ws(' ', status, source, has_moment), ', ' order by source) from shop.seen";
    assert_snapshot!("freshness_seen", bed.ask(seen).unwrap_or_default());
    bed.ask("drop table shop.seen");
    let off = format!("{project}{hooks}flags: {{source_freshness_run_project_hooks: false}}\n");
    bed.write("dbt_project.yml", &off);
    bed.run(&["source", "freshness"]);
    let there = bed.ask("select to_regclass('shop.seen') is null");
    assert_eq!(there.as_deref(), Some("t"));
}

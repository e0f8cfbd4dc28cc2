//! What templates ask of the database while they are compiled.

use project::adapter::AdapterError;
use project::relation::RelationKind;

use crate::support::{Fake, Files, compiled};

const INCREMENTAL: &str = "{{ config(materialized='incremental') }}select 1{% if is_incremental() %} \
                           where id > (select max(id) from {{ this }}){% endif %}";

fn with(relation: &str, kind: RelationKind) -> Fake {
    Fake {
        relations: [(relation.to_owned(), kind)].into(),
        ..Fake::default()
    }
}

#[test]
fn incremental_only_when_the_table_is_there() {
    let sql = |database: &Fake| compiled(&[("models/a.sql", INCREMENTAL)], "model.p.a", database);
    assert_eq!(sql(&Fake::default()), "select 1");
    assert_eq!(
        sql(&with("s.a", RelationKind::Table)),
        "select 1 where id > (select max(id) from \"db\".\"s\".\"a\")"
    );
    assert_eq!(sql(&with("s.a", RelationKind::View)), "select 1");
    let files = Files::new(&[("models/a.sql", INCREMENTAL)]);
    let mut options = files.options();
    options.full_refresh = true;
    let project = project::load(&options).unwrap();
    let there = with("s.a", RelationKind::Table);
    assert_eq!(
        project.compile("model.p.a", &there).unwrap().sql,
        "select 1"
    );
}

#[test]
fn queries_and_catalog() {
    let sql = compiled(
        &[(
            "models/a.sql",
            "{% set t = run_query('select 1') %}{% if execute %}{{ t.columns[1].values() }} {{ t.rows[0]['a'] }}\
             {% endif %}{% for c in adapter.get_columns_in_relation(this) %} {{ c.name }}:{{ c.data_type }}:{{ c.is_string() }}\
             {% endfor %}{% call statement('s', fetch_result=true) %}select {{ 2 }}{% endcall %}\
             {{ load_result('s')['data'] if execute }}",
        )],
        "model.p.a",
        &Fake::default(),
    );
    assert_eq!(
        sql,
        "('x',) 1 id:integer:False name:character varying(20):True[(1, 'x')]"
    );
}

#[test]
fn a_refusal_keeps_its_code() {
    let files = Files::new(&[("models/a.sql", "{{ run_query('select') }}")]);
    let refusal = AdapterError {
        message: "deadlock detected".into(),
        sqlstate: Some("40P01".into()),
    };
    let database = Fake {
        refuses: Some(refusal),
        ..Fake::default()
    };
    let error = files
        .load()
        .unwrap()
        .compile("model.p.a", &database)
        .unwrap_err();
    let project::Error::Adapter { source, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(source.sqlstate.as_deref(), Some("40P01"));
    assert_eq!(
        error.to_string(),
        "model a: deadlock detected\n  in models/a.sql"
    );
}

#[test]
fn secrets_stay_secret() {
    let files = Files::new(&[]);
    let project = files.load().unwrap();
    assert_eq!(project.profile.target.password.expose(), "secret");
    assert!(!format!("{project:?}").contains("secret"));
}

#[test]
fn hooks_are_rendered() {
    let files = Files::new(&[(
        "models/a.sql",
        "{{ config(pre_hook=['select {{ 1 + 1 }}', {'sql': 'vacuum', 'transaction': false}], \
         post_hook=before_begin('analyze {{ this }}')) }}select 1",
    )]);
    let project = files.load().unwrap();
    let hooks = &project.manifest.nodes["model.p.a"].config;
    let render = |sql: &str| {
        let adapter = std::sync::Arc::new(Fake::default());
        let rendered = project.render_hook("model.p.a", sql, "select 1", adapter);
        rendered.map(|rendered| rendered.text)
    };
    assert_eq!(render(&hooks.pre_hook[0].sql).unwrap(), "select 2");
    assert!(hooks.pre_hook[0].transaction && !hooks.pre_hook[1].transaction);
    assert!(!hooks.post_hook[0].transaction);
    assert_eq!(
        render(&hooks.post_hook[0].sql).unwrap(),
        "analyze \"db\".\"s\".\"a\""
    );
    assert_eq!(
        render("{{ sql }};{{ model.compiled_code }}").unwrap(),
        "select 1;select 1"
    );
}

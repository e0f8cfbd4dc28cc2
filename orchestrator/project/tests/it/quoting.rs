//! `quoting:` of projects and sources, and what relations answer.

use std::sync::{Arc, Mutex};

use project::adapter::{Adapter, AdapterError, Column, Table};
use project::relation::{RelationKind, RelationName};
use serde_json::json;

use crate::support::{Fake, Files};

const PROJECT: &str = "name: p\nversion: '1.0'\nprofile: p\n\
                       quoting: {schema: false, identifier: false, column: true}\n";

const SOURCES: &str = "sources:\n  - name: raw\n    quoting: {identifier: true}\n    tables: [{name: T}]\n  \
                       - name: odd\n    quoting: {schema: true}\n    tables:\n      \
                       - {name: T, quoting: {database: false, schema: false, column: true}, columns: [{name: id, \
                       data_tests: [not_null]}]}\n";

fn compiled(model: &str) -> String {
    let files = Files::new(&[
        ("dbt_project.yml", PROJECT),
        ("models/Mixed.sql", "select 1 as id"),
        ("models/s.yml", SOURCES),
        ("models/a.sql", model),
    ]);
    let project = files.load().unwrap();
    project.compile("model.p.a", &Fake::default()).unwrap().sql
}

#[test]
fn names_are_written_as_the_project_quotes_them() {
    for (model, expected) in [
        ("{{ ref('Mixed') }}", r#""db".s.Mixed"#),
        (
            "{{ this }} {{ this.quote(identifier=true) }}",
            r#""db".s.a "db".s."a""#,
        ),
        ("{{ source('raw', 'T') }}", r#""db".raw."T""#),
        ("{{ source('odd', 'T') }}", "db.odd.T"),
        (
            "{{ api.Relation.create(schema='x', identifier='Y') }}",
            "x.Y",
        ),
        (
            "{{ api.Relation.create(schema='x', identifier='Y', quote_policy={'identifier': true}) }}",
            r#"x."Y""#,
        ),
        (
            "{{ this.quote_policy['schema'] }} {{ adapter.quote('c') }} \
             {{ adapter.quote_as_configured('c', 'identifier') }} {{ adapter.quote_as_configured('c', 'database') }}",
            r#"False "c" c "c""#,
        ),
    ] {
        assert_eq!(compiled(model), expected, "{model}");
    }
}

#[test]
fn manifests_tell_of_it() {
    let files = Files::new(&[
        ("dbt_project.yml", PROJECT),
        ("models/Mixed.sql", "select 1 as id"),
        ("models/s.yml", SOURCES),
    ]);
    let project = files.load().unwrap();
    assert_eq!(
        project.quoting,
        json!({ "database": true, "schema": false, "identifier": false, "column": true })
    );
    let node = &project.manifest.nodes["model.p.Mixed"];
    let name = node.relation_name.as_ref().unwrap();
    assert_eq!(name.to_string(), r#""db".s.Mixed"#);
    let source = &project.manifest.sources["source.p.odd.T"];
    let shown = project::rendered::source(source, 0.0);
    assert_eq!(
        shown["quoting"],
        json!({ "database": false, "schema": false, "identifier": null, "column": true })
    );
    // what is said of columns holds for tests of them
    let test = project
        .manifest
        .nodes
        .values()
        .find(|node| node.test_metadata.is_some());
    assert_eq!(test.unwrap().column_name.as_deref(), Some("\"id\""));

    let plain = Files::new(&[("models/a.sql", "select 1 as id")]);
    assert_eq!(
        plain.load().unwrap().quoting,
        json!({ "database": true, "schema": true, "identifier": true, "column": null })
    );
}

/// Keeps what it is asked for.
#[derive(Debug, Default)]
struct Asked(Mutex<Vec<String>>);

impl Adapter for Asked {
    fn relation(&self, name: &RelationName) -> Result<Option<RelationKind>, AdapterError> {
        self.0.lock().unwrap().push(name.to_string());
        Ok(Some(RelationKind::Table))
    }

    fn columns(&self, _: &RelationName) -> Result<Vec<Column>, AdapterError> {
        Ok(Vec::new())
    }

    fn query(&self, _: &str) -> Result<Table, AdapterError> {
        Ok(Table::default())
    }
}

#[test]
fn what_is_not_quoted_is_looked_for_in_small_letters() {
    let files = Files::new(&[
        ("dbt_project.yml", PROJECT),
        (
            "models/a.sql",
            "{{ adapter.get_relation(target.dbname, 'Sch', 'Mixed') }}",
        ),
    ]);
    let asked = Arc::new(Asked::default());
    let project = files.load().unwrap();
    let adapter: Arc<dyn Adapter> = Arc::clone(&asked) as _;
    let sql = project.compile_with("model.p.a", adapter).unwrap().sql;
    assert_eq!(sql, r#""db"."sch"."mixed""#);
    assert_eq!(asked.0.lock().unwrap()[..], [r#""db"."sch"."mixed""#]);
}

#[test]
fn relations_answer_as_dbts_do() {
    for (question, answer) in [
        (
            "this.replace_path(identifier='other')",
            r#""db"."s"."other""#,
        ),
        ("this.replace_path(database=none)", r#""s"."a""#),
        ("this.matches(schema='s', identifier='a')", "True"),
        ("this.matches(identifier='A')", "False"),
        ("this.quoted('x')", r#""x""#),
        ("this.get('schema')", "s"),
        ("this.get('nothing', 'else')", "else"),
        ("this.can_be_renamed", "False"),
        (
            "api.Relation.create(identifier='x', type='view').can_be_renamed",
            "True",
        ),
        ("this.renameable_relations | join(' ')", "table view"),
    ] {
        let files = Files::new(&[("models/a.sql", &*format!("{{{{ {question} }}}}"))]);
        let project = files.load().unwrap();
        let sql = project.compile("model.p.a", &Fake::default()).unwrap().sql;
        assert_eq!(sql, answer, "{question}");
    }
}

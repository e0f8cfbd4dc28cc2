//! A project that has no names quoted.

use crate::bed::Bed;

#[test]
fn names_without_quotes_are_found_again() {
    let bed = Bed::new();
    let project = bed.read("dbt_project.yml");
    bed.write(
        "dbt_project.yml",
        &format!("{project}\nquoting: {{schema: false, identifier: false}}\n"),
    );
    let mixed = "{{ config(materialized=var('how', 'table'), schema='Extra') }}select 1 as id";
    bed.write("models/Mixed.sql", mixed);
    bed.write("models/reader.sql", "select * from {{ ref('Mixed') }}");
    // built twice, a table is found and replaced, and so is a view in its place
    for how in ["table", "table", "view", "incremental", "incremental"] {
        let vars = format!("{{how: {how}}}");
        let told = bed.run(&["run", "-s", "Mixed", "reader", "--vars", &vars]);
        assert!(told.contains("PASS=2 WARN=0 ERROR=0"), "{how}: {told}");
    }
    let place = "select table_schema || '.' || table_name from information_schema.tables where table_name = 'mixed'";
    let schema = format!("{}_extra", bed.schema());
    assert_eq!(bed.ask(place), Some(format!("{schema}.mixed")));
    let sql = bed.read("target/compiled/shop/models/reader.sql");
    let written = format!(".{}_Extra.Mixed", bed.schema());
    assert!(sql.trim().ends_with(&written), "{sql}");
    let told = bed.run(&["docs", "generate"]);
    assert!(told.contains("exit code Some(0)"), "{told}");
    let catalog: serde_json::Value =
        serde_json::from_str(&bed.read("target/catalog.json")).unwrap();
    assert_eq!(
        catalog["nodes"]["model.shop.Mixed"]["metadata"]["name"],
        "mixed"
    );
}

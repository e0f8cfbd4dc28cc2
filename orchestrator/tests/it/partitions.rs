//! Native partitions of models whose contract is enforced: the table is partitioned, and keeps the contract.

use crate::bed::Bed;

const MODEL: &str = "{{ config(materialized='incremental', on_schema_change='fail', unique_key=['id', 'at'],
    partition_by={'field': 'at', 'granularity': 'day', 'data_type': 'timestamp'}) }}
    select timestamp '2026-11-01' + id * interval '12 hours' as at, id, 'x' as name from generate_series(0, 4) as id
    {% if is_incremental() %} where id = 4 {% endif %}";

fn properties(constraints: &str, name_type: &str) -> String {
    format!(
        "models:
  - name: parted
    config: {{contract: {{enforced: true}}}}
    constraints: [{constraints}]
    columns:
      - {{name: id, data_type: integer, constraints: [{{type: not_null}}, {{type: check, expression: id >= 0}}]}}
      - {{name: at, data_type: timestamp}}
      - {{name: name, data_type: {name_type}}}
"
    )
}

fn bed() -> Bed {
    let bed = Bed::of("forms");
    let project = bed.read("dbt_project.yml");
    bed.write(
        "dbt_project.yml",
        &format!("{project}vars: {{ridehail_native_partitions: true}}\n"),
    );
    bed.write("models/parted.sql", MODEL);
    bed.write(
        "models/parted.yml",
        &properties("{type: primary_key, columns: [id, at]}", "text"),
    );
    bed
}

const BUILD: [&str; 3] = ["build", "-s", "parted"];

#[test]
fn a_partitioned_table_keeps_its_contract() {
    let bed = bed();
    for more in [None, None, Some("--full-refresh")] {
        let run = bed.run(&[BUILD.as_slice(), more.as_slice()].concat());
        assert!(run.contains("exit code Some(0)"), "{run}");
        let kind = "select relkind::text from pg_class where oid = 'shop.parted'::regclass";
        assert_eq!(bed.ask(kind).as_deref(), Some("p"));
        let rows = "select count(*) || ' ' || max(tableoid::regclass::text) from shop.parted";
        assert_eq!(bed.ask(rows).as_deref(), Some("5 shop.parted_20261103"));
        // columns as the contract has them, and its constraints on every partition
        let columns = "select string_agg(attname, ' ' order by attnum) from pg_attribute
            where attrelid = 'shop.parted'::regclass and attnum > 0";
        assert_eq!(bed.ask(columns).as_deref(), Some("id at name"));
        let constraints =
            "select string_agg(contype::text, ' ' order by contype) from pg_constraint
            where conrelid = 'shop.parted_20261103'::regclass";
        assert_eq!(bed.ask(constraints).as_deref(), Some("c p"));
    }
    bed.write("models/parted.yml", &properties("", "integer"));
    let run = bed.run(&BUILD);
    assert!(
        run.contains("This model has an enforced contract that failed."),
        "{run}"
    );
    assert!(run.contains("exit code Some(1)"), "{run}");
}

#[test]
fn what_is_unique_without_the_field_is_refused_before_anything_runs() {
    let bed = bed();
    bed.write(
        "models/parted.yml",
        &properties("{type: unique, columns: [id]}", "text"),
    );
    let told = bed.run(&["parse"]);
    assert!(
        told.contains("the unique constraint (id) of model.forms.parted lacks `at`"),
        "{told}"
    );
    assert!(told.contains("exit code Some(2)"), "{told}");
}

#[test]
fn partitions_ahead_are_counted() {
    let bed = bed();
    bed.write(
        "models/parted.sql",
        &MODEL.replace("'granularity'", "'ahead': 'two', 'granularity'"),
    );
    let told = bed.run(&["parse"]);
    assert!(
        told.contains("`ahead` in partition_by of model.forms.parted is no number from 0 to 1000"),
        "{told}"
    );
    bed.write(
        "models/parted.sql",
        &MODEL.replace("'granularity'", "'ahead': 1, 'granularity'"),
    );
    for _ in 0..2 {
        let run = bed.run(&BUILD);
        assert!(run.contains("exit code Some(0)"), "{run}");
        let newest = "select max(inhrelid::regclass::text) from pg_inherits where inhparent = 'shop.parted'::regclass";
        assert_eq!(bed.ask(newest).as_deref(), Some("shop.parted_20261104"));
    }
}

//! What a person is told on the way and in the end. The words were taken from dbt 1.11 on the same projects.

use insta::assert_snapshot;

use crate::bed::Bed;

#[test]
fn where_the_rows_of_a_failed_test_are() {
    let bed = Bed::new();
    bed.write("models/odd.sql", "select 1 as n union all select 1");
    bed.write(
        "models/odd.yml",
        "models:
  - name: odd
    columns: [{name: n, data_tests: [unique]}]
exposures:
  - {name: shown, type: dashboard, owner: {name: me}, depends_on: [ref('odd')]}
",
    );
    let run = bed.run(&["build", "--threads", "1", "-s", "odd+", "--store-failures"]);
    let query = "select * from \"[database]\".\"shop_dbt_test__audit\".\"unique_odd_n\"";
    let rule = "-".repeat(query.len() - "[database]".len() + "it_orchestrator_0000000_000".len());
    let told = format!("[time]    See test failures:\n  {rule}\n  {query}\n  {rule}\n");
    assert!(run.contains(&told), "{run}");
    // who only uses the project is told of, whatever tests say
    assert!(run.contains("NO-OP exposure shown"), "{run}");
    assert!(
        run.contains("Done. PASS=1 WARN=0 ERROR=1 SKIP=0 NO-OP=1 TOTAL=3"),
        "{run}"
    );
}

#[test]
fn configuration_that_applies_to_nothing() {
    let bed = Bed::new();
    let project = bed.read("dbt_project.yml");
    let project = format!("{project}snapshots:\n  shop:\n    typo:\n      +target_schema: x\n");
    bed.write("dbt_project.yml", &project);
    let run = bed.run(&["run", "-s", "stg_orders"]);
    let told = "[WARNING]: Configuration paths exist in your dbt_project.yml file which do not apply to any resources.
There are 1 unused configuration paths:
- snapshots.shop.typo
";
    assert!(run.contains(told), "{run}");
}

#[test]
fn a_database_that_is_away_is_the_profiles() {
    let bed = Bed::new();
    let mut run = bed.command(&["run"]);
    let began = std::time::Instant::now();
    let output = run.env("SHOP_PORT", "1").output().unwrap();
    let told = bed.transcript(&["run"], &output);
    assert!(told.contains("127.0.0.1:1"), "{told}");
    assert!(
        !told.contains("run store") && !told.contains("make up"),
        "{told}"
    );
    assert!(told.contains("exit code Some(2)"), "{told}");
    // at once: nobody listens there
    assert!(
        began.elapsed() < std::time::Duration::from_secs(4),
        "{told}"
    );
}

/// The lines were taken from dbt 1.11 on the same files.
#[test]
fn deprecations_are_told_once_and_summed_up() {
    let bed = Bed::of("forms");
    bed.write("models/a.sql", "select 1 as id");
    bed.write(
        "models/a.yml",
        "models:\n  - name: a\n    columns:\n      - name: id\n        data_tests:\n          \
         - accepted_values: {values: [1], tags: [x], where: 'true'}\n          \
         - accepted_values: {arguments: {values: [1, 2]}}\n          - not_null: {severity: warn}\n",
    );
    let told = bed.run(&["compile", "-s", "a"]);
    assert_snapshot!("deprecations", told);
    let all = bed.run(&["compile", "-s", "a", "--show-all-deprecations"]);
    let moved = "top-level property of `data_tests.";
    assert_eq!(told.matches(moved).count(), 1, "{told}");
    assert_eq!(all.matches(moved).count(), 3, "{all}");
    let silent = ["--warn-error-options", "{silence: [Deprecations]}"];
    let silent = bed.run(&[&["compile", "-s", "a"][..], &silent].concat());
    assert!(!silent.contains("[WARNING]"), "{silent}");
    let error = bed.run(&["parse", "--warn-error"]);
    assert!(error.contains("exit code Some(2)"), "{error}");
    bed.write(
        "dbt_project.yml",
        &(bed.read("dbt_project.yml")
            + "flags: {require_generic_test_arguments_property: false}\n"),
    );
    let off = bed.run(&["compile", "-s", "a"]);
    assert!(!off.contains("[WARNING]"), "{off}");
}

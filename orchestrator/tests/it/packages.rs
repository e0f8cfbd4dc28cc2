//! Packages, upkeep of the folder and unit tests, as a person sees them.

use std::fs;

use insta::assert_snapshot;

use crate::bed::Bed;

#[test]
fn packages_are_linked_and_locked() {
    let bed = Bed::new();
    for folder in ["lib/macros", "lib/inner/models"] {
        fs::create_dir_all(bed.path(folder)).unwrap();
    }
    bed.write("lib/dbt_project.yml", "name: lib\n");
    bed.write("lib/packages.yml", "packages:\n  - local: lib/inner\n");
    bed.write("lib/macros/m.sql", "{% macro one() %}1{% endmacro %}");
    bed.write("lib/inner/dbt_project.yml", "name: inner\n");
    bed.write("lib/inner/models/deep.sql", "select {{ lib.one() }} as x");
    bed.write("packages.yml", "packages:\n  - local: ./lib\n");
    let mut told = bed.run(&["ls", "--resource-type", "model"]);
    for arguments in [
        &["deps"][..],
        &["deps"],
        &["ls", "--resource-type", "model"],
        &["deps", "--add-package", "lib/inner", "--source", "local"],
        &["deps", "--lock", "--upgrade"],
    ] {
        told.push_str(&bed.run(arguments));
    }
    told.push_str(&bed.read("packages.yml"));
    told.push_str(&bed.read("package-lock.yml"));
    assert_snapshot!("packages", told);
    let link = fs::read_link(bed.path("dbt_packages/inner")).unwrap();
    let source = fs::canonicalize(bed.path("lib/inner")).unwrap();
    assert_eq!(link, source);
    // what nobody asks for any more goes away
    bed.write("packages.yml", "packages:\n  - local: lib/inner\n");
    bed.run(&["deps"]);
    assert!(fs::symlink_metadata(bed.path("dbt_packages/lib")).is_err());
}

#[test]
fn seeds_of_a_package_are_read_from_its_folder() {
    let bed = Bed::new();
    fs::create_dir_all(bed.path("lib/seeds")).unwrap();
    bed.write("lib/dbt_project.yml", "name: lib\n");
    bed.write("lib/seeds/codes.csv", "code,name\n1,one\n2,two\n");
    bed.write("packages.yml", "packages:\n  - local: ./lib\n");
    bed.run(&["deps"]);
    let told = bed.run(&["seed", "-s", "codes"]);
    assert!(told.contains("PASS=1 WARN=0 ERROR=0"), "{told}");
    let rows = format!(
        "select string_agg(name, ' ' order by code) from {}.codes",
        bed.schema()
    );
    assert_eq!(bed.ask(&rows).as_deref(), Some("one two"));
}

#[test]
fn a_packages_macro_is_called_where_the_adapter_calls_one() {
    let bed = Bed::new();
    for folder in ["lib/macros", "lib/seeds"] {
        fs::create_dir_all(bed.path(folder)).unwrap();
    }
    bed.write("lib/dbt_project.yml", "name: lib\n");
    bed.write("packages.yml", "packages:\n  - local: ./lib\n");
    bed.write(
        "lib/macros/m.sql",
        "{% macro truncate_relation(relation) %}{% do log('emptied by ' ~ word(), info=true) %}\
         {% call statement('t') %}truncate table {{ relation }} cascade{% endcall %}{% endmacro %}\
         {% macro drop_relation(relation) %}{% do log('dropped by ' ~ word(), info=true) %}\
         {% call statement('d') %}drop {{ relation.type }} if exists {{ relation }} cascade{% endcall %}{% endmacro %}\
         {% macro word() %}lib{% endmacro %}",
    );
    bed.write("seeds/codes.csv", "code\n1\n2\n");
    bed.write(
        "models/built.sql",
        "{{ config(materialized='table') }}select 1 as id",
    );
    bed.run(&["deps"]);
    let mut told = String::new();
    for arguments in [
        &["seed", "-s", "codes"][..],
        &["seed", "-s", "codes"],
        &["seed", "-s", "codes", "--full-refresh"],
        &["run", "-s", "built"],
        &["run", "-s", "built"],
    ] {
        told.push_str(&bed.run(arguments));
    }
    assert_eq!(told.matches("PASS=1 WARN=0 ERROR=0").count(), 5, "{told}");
    assert_eq!(told.matches("emptied by lib").count(), 1, "{told}");
    // the seed once, and of the model what it replaces
    assert!(told.matches("dropped by lib").count() >= 2, "{told}");
    let rows = format!("select count(*)::text from {}.codes", bed.schema());
    assert_eq!(bed.ask(&rows).as_deref(), Some("2"));
}

#[test]
fn packages_that_would_be_downloaded() {
    let bed = Bed::new();
    bed.write(
        "packages.yml",
        "packages:\n  - package: dbt-labs/dbt_utils\n    version: 1.3.0\n",
    );
    let mut told = bed.run(&["deps"]);
    bed.write(
        "packages.yml",
        "packages:\n  - git: https://example.com/dbt-tools.git\n    revision: v1\n",
    );
    told.push_str(&bed.run(&["deps"]));
    // in place by whatever way
    fs::create_dir_all(bed.path("dbt_packages/tools")).unwrap();
    bed.write("dbt_packages/tools/dbt_project.yml", "name: tools\n");
    told.push_str(&bed.run(&["deps"]));
    told.push_str(&bed.read("package-lock.yml"));
    bed.write("packages.yml", "packages:\n  - local: a\n  - local: b\n");
    for folder in ["a", "b"] {
        fs::create_dir_all(bed.path(folder)).unwrap();
        bed.write(&format!("{folder}/dbt_project.yml"), "name: twin\n");
    }
    told.push_str(&bed.run(&["deps"]));
    assert_snapshot!("packages_refused", told);
}

#[test]
fn cleaning_stays_in_the_project() {
    let bed = Bed::new();
    fs::create_dir_all(bed.path("target/deep")).unwrap();
    bed.write("target/deep/x.sql", "select 1");
    let mut told = bed.run(&["clean"]);
    assert!(!std::path::Path::new(&bed.path("target")).exists());
    let project = bed.read("dbt_project.yml");
    for targets in ["[../elsewhere]", "[.]", "[models]", "[nowhere]"] {
        bed.write(
            "dbt_project.yml",
            &format!("{project}\nclean-targets: {targets}\n"),
        );
        told.push_str(&bed.run(&["clean"]));
    }
    assert!(std::path::Path::new(&bed.path("models")).exists());
    let told: String = told
        .lines()
        .map(|line| match line.split_once("/elsewhere") {
            Some((_, rest)) => format!("[outside]/elsewhere{rest}\n"),
            None => format!("{line}\n"),
        })
        .collect();
    assert_snapshot!("clean", told);
}

#[test]
fn a_new_project_builds() {
    let bed = Bed::new();
    let mut told = bed.run(&["init", "fresh"]);
    told.push_str(&bed.run(&["init", "fresh"]));
    told.push_str(&bed.run(&["init", "no-name"]));
    assert_snapshot!("init", told);
    let [user, password, host, port] = ["SHOP_USER", "SHOP_PASSWORD", "SHOP_HOST", "SHOP_PORT"];
    let ask = |arguments: &[&str]| {
        let mut command = bed.command(arguments);
        let given: Vec<(String, String)> = command
            .get_envs()
            .filter_map(|(name, value)| {
                let value = value?.to_string_lossy().into_owned();
                let name = match name.to_string_lossy().as_ref() {
                    name if name == user => "PGUSER",
                    name if name == password => "PGPASSWORD",
                    name if name == host => "PGHOST",
                    name if name == port => "PGPORT",
                    "SHOP_DATABASE" => "PGDATABASE",
                    _ => return None,
                };
                Some((name.to_owned(), value))
            })
            .collect();
        let output = command
            .current_dir(bed.path("fresh"))
            .envs(given)
            .output()
            .unwrap();
        bed.transcript(arguments, &output)
    };
    let told = ask(&["debug"]);
    assert!(told.contains("All checks passed!"), "{told}");
    let told = ask(&["build", "--no-record"]);
    assert!(told.contains("PASS=8 WARN=0 ERROR=0 SKIP=0"), "{told}");
    bed.ask("drop schema fresh cascade");
}

#[test]
fn debug_tells_what_is_wrong() {
    let bed = Bed::new();
    let output = bed.command(&["debug"]).env("SHOP_PORT", "1").output();
    let told = bed.transcript(&["debug"], &output.unwrap());
    assert!(told.contains("1 check failed:"), "{told}");
    assert!(told.contains("--- exit code Some(1)"), "{told}");
    bed.write("dbt_project.yml", "name: [\n");
    let told = bed.run(&["debug"]);
    assert!(
        told.contains("dbt_project.yml file [ERROR invalid]"),
        "{told}"
    );
    assert!(told.contains("--- exit code Some(1)"), "{told}");
}

#[test]
fn unit_tests_run_before_their_model() {
    let bed = Bed::new();
    bed.write(
        "models/units.yml",
        "unit_tests:
  - name: cents_add_up
    model: customers
    given:
      - input: ref('stg_orders')
        rows:
          - {customer: a, cents: 1}
          - {customer: a, cents: 2}
          - {customer: b, cents: 5}
    expect:
      rows:
        - {customer: b, orders: 1, cents: 5}
        - {customer: a, orders: 2, cents: 3}
  - name: wrong
    model: top_customers
    given:
      - input: ref('customers')
        format: csv
        rows: |
          customer,cents
          a,1001
          b,2000
          c,3000
    expect:
      rows:
        - {customer: a, cents: 1000}
        - {customer: b, cents: 2000}
  - name: no_such_column
    model: daily
    given:
      - input: ref('customers')
        rows: [{customer: a, hats: 1}]
    expect: {rows: []}
",
    );
    assert_snapshot!("unit_tests", bed.run(&["build", "--threads", "1"]));
    assert_snapshot!(
        "unit_tests_alone",
        bed.run(&[
            "test",
            "--threads",
            "1",
            "-s",
            "test_type:unit",
            "--no-record"
        ])
    );
    let results: serde_json::Value =
        serde_json::from_str(&bed.read("target/run_results.json")).unwrap();
    let statuses: Vec<_> = results["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| {
            let id = result["unique_id"].as_str().unwrap();
            format!("{id} {} {}", result["status"], result["failures"])
        })
        .collect();
    assert_eq!(
        statuses,
        [
            "unit_test.shop.customers.cents_add_up \"pass\" 0",
            "unit_test.shop.daily.no_such_column \"error\" null",
            "unit_test.shop.top_customers.wrong \"fail\" 1",
        ]
    );
}

//! Flags that one verb has. The answers were taken from dbt 1.11.

use crate::bed::Bed;

#[test]
fn a_query_is_compiled_or_shown_without_a_node() {
    let bed = Bed::new();
    let query = ["compile", "--inline", "select {{ 1 + 1 }} as x"];
    let told = bed.run(&query);
    assert!(
        told.contains("Compiled inline node is:\nselect 2 as x\n"),
        "{told}"
    );
    let told = bed.run(&[query.as_slice(), &["--output", "json"]].concat());
    assert!(
        told.contains("{\n  \"compiled\": \"select 2 as x\"\n}\n"),
        "{told}"
    );
    let told = bed.run(&["compile", "-s", "top_customers daily", "--output", "json"]);
    assert!(
        told.contains("\"node\": \"daily\",\n  \"compiled\": \""),
        "{told}"
    );
    assert!(told.contains("\"node\": \"top_customers\""), "{told}");

    // nothing of the project is read
    bed.write("models/broken.sql", "{{ no_such() }} {% if %}");
    let direct = [
        "show",
        "--inline-direct",
        "values ('{{ 1 }}'), ('b'), ('c')",
        "--limit",
        "2",
    ];
    let told = bed.run(&[direct.as_slice(), &["--output", "json", "--quiet"]].concat());
    assert!(told.contains("\"column1\": \"{{ 1 }}\""), "{told}");
    assert!(
        told.contains("\"column1\": \"b\"") && !told.contains("\"c\""),
        "{told}"
    );
    let told = bed.run(&direct);
    assert!(
        told.contains("Previewing inline node:\n| column1 |"),
        "{told}"
    );
}

#[test]
fn seeds_show_some_of_their_rows() {
    let bed = Bed::new();
    let told = bed.run(&["seed", "--show"]);
    let header = "[time]  Random sample of table: shop.raw_orders\n[time]  ---------------------------------------\n| ";
    assert!(told.contains(header), "{told}");
    let rows = told.lines().filter(|line| line.starts_with("| ")).count();
    assert!((3..=12).contains(&rows), "{told}");
    let told = bed.run(&["seed"]);
    assert!(!told.contains("Random sample"), "{told}");
}

#[test]
fn a_retry_may_start_from_nothing() {
    let bed = Bed::new();
    bed.run(&["build"]);
    bed.write(
        "models/daily.sql",
        "{{ config(materialized='incremental', unique_key='customer') }}
         select customer, orders / (case when {{ is_incremental() }} then 0 else 1 end) as orders from {{ ref('customers') }}",
    );
    let run = bed.run(&["run", "-s", "daily"]);
    assert!(run.contains("division by zero"), "{run}");
    let run = bed.run(&["retry", "--full-refresh"]);
    assert!(run.contains("Done. PASS=1 WARN=0 ERROR=0"), "{run}");
}

#[test]
fn the_folder_of_profiles_and_the_version() {
    let bed = Bed::new();
    let told = bed.run(&["debug", "--config-dir", "--profiles-dir", "."]);
    assert!(
        told.contains("To view your profiles.yml file, run:\n\nxdg-open ."),
        "{told}"
    );
    let version = bed.run(&["--version"]);
    let version = version.lines().nth(1);
    assert_eq!(bed.run(&["-v"]).lines().nth(1), version);
    assert_eq!(
        version,
        Some(concat!("ridehail ", env!("CARGO_PKG_VERSION")))
    );
}

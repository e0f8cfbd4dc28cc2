//! Windows of microbatch models: which are built again by `retry`, which by `--sample`, and what runs around them.
//! The expectations were taken from dbt 1.11 on the same models.

use serde_json::{Value as Json, json};

use crate::bed::Bed;

/// A model of five days whose second fails while `broken` holds a row, and a note of each hook that ran.
fn bed() -> Bed {
    let bed = Bed::of("forms");
    bed.ask("create schema shop");
    bed.ask("create table shop.hooked (what text)");
    bed.ask("create table shop.broken (x int)");
    bed.ask("insert into shop.broken values (1)");
    bed.write(
        "models/happened.sql",
        "{{ config(event_time='at') }}
         select d as id, date '2024-01-01' + d as at from generate_series(0, 4) as d",
    );
    bed.write(
        "models/mb.sql",
        "{{ config(materialized='incremental', incremental_strategy='microbatch', unique_key='id', event_time='at',
                   batch_size='day', begin='2024-01-01',
                   pre_hook=\"insert into shop.hooked values ('pre')\",
                   post_hook=\"insert into shop.hooked values ('post')\") }}
         select id, at, 1 / (case when id = 1 and exists (select from shop.broken) then 0 else 1 end) as one
         from {{ ref('happened') }}",
    );
    bed.write(
        "models/after.sql",
        "select count(*) as n from {{ ref('mb') }}",
    );
    bed
}

fn built(bed: &Bed) -> Option<String> {
    bed.ask("select string_agg(id::text, ' ' order by id) from shop.mb")
}

fn hooked(bed: &Bed) -> Option<String> {
    bed.ask("select string_agg(what, ' ') from shop.hooked")
}

fn result_of_mb(bed: &Bed) -> Json {
    let results: Json = serde_json::from_str(&bed.read("target/run_results.json")).unwrap();
    let results = results["results"].as_array().unwrap();
    let found = results
        .iter()
        .find(|result| result["unique_id"] == "model.forms.mb");
    found.unwrap().clone()
}

fn day(n: u32) -> Json {
    let at = |n: u32| format!("2024-01-{n:02}T00:00:00+00:00");
    json!([at(n), at(n + 1)])
}

const DAYS: [&str; 7] = [
    "run",
    "-s",
    "happened+",
    "--event-time-start",
    "2024-01-01",
    "--event-time-end",
    "2024-01-04",
];

#[test]
fn a_retry_builds_the_windows_that_failed() {
    let bed = bed();
    let run = bed.run(&DAYS);
    assert!(
        run.contains("PARTIALLY created sql microbatch model shop.mb"),
        "{run}"
    );
    assert!(
        run.contains("Completed with 1 partial success and 0 warnings\n"),
        "{run}"
    );
    assert!(
        run.contains("Done. PASS=1 WARN=0 ERROR=1 SKIP=1 NO-OP=0 TOTAL=3"),
        "{run}"
    );
    assert!(run.contains("division by zero"), "{run}");
    assert!(run.contains("exit code Some(1)"), "{run}");
    assert_eq!(built(&bed).as_deref(), Some("0 2"));
    // once before the first window and once after the last
    assert_eq!(hooked(&bed).as_deref(), Some("pre post"));
    let result = result_of_mb(&bed);
    assert_eq!(result["status"], "partial success");
    assert_eq!(result["message"], "PARTIAL SUCCESS (2/3)");
    assert_eq!(
        result["batch_results"],
        json!({ "successful": [day(1), day(3)], "failed": [day(2)] })
    );
    // what was compiled and sent was so for each window
    assert_eq!(result["compiled"], false);
    assert_eq!(result["compiled_code"], Json::Null);
    assert_eq!(result["failures"], 0);
    let manifest: Json = serde_json::from_str(&bed.read("target/manifest.json")).unwrap();
    let node = &manifest["nodes"]["model.forms.mb"];
    assert_eq!(node["config"]["begin"], "2024-01-01T00:00:00");
    assert_eq!(node["compiled_path"], Json::Null);
    assert_eq!(node.get("compiled_code"), None);
    let is_there = |path: &str| std::path::Path::new(&bed.path(path)).exists();
    assert!(!is_there("target/run/forms/models/mb.sql"));
    assert!(is_there("target/run/forms/models/mb/mb_2024-01-01.sql"));

    bed.ask("delete from shop.broken");
    let retry = bed.run(&["retry"]);
    assert!(
        retry.contains("Batch 1 of 1 OK created batch 2024-01-02 of shop.mb"),
        "{retry}"
    );
    assert!(
        retry.contains("Done. PASS=2 WARN=0 ERROR=0 SKIP=0 NO-OP=0 TOTAL=2"),
        "{retry}"
    );
    assert_eq!(built(&bed).as_deref(), Some("0 1 2"));
    assert_eq!(hooked(&bed).as_deref(), Some("pre post pre post"));
    let successful = json!([day(2), day(1), day(3)]);
    assert_eq!(
        result_of_mb(&bed)["batch_results"],
        json!({ "successful": successful, "failed": [] })
    );
}

#[test]
fn a_retry_of_a_full_refresh_keeps_what_it_built() {
    let bed = bed();
    bed.run(&[DAYS.as_slice(), &["--full-refresh"]].concat());
    bed.ask("delete from shop.broken");
    bed.run(&["retry"]);
    assert_eq!(built(&bed).as_deref(), Some("0 1 2"));
}

#[test]
fn when_the_first_window_fails_the_others_are_not_tried() {
    let bed = bed();
    let mut from_the_second = DAYS;
    from_the_second[4] = "2024-01-02";
    let run = bed.run(&from_the_second);
    assert!(
        run.contains("Batch 2 of 2 SKIP batch 2024-01-03 of shop.mb"),
        "{run}"
    );
    assert!(
        run.contains("Completed with 1 error, 0 partial successes, and 0 warnings:"),
        "{run}"
    );
    let result = result_of_mb(&bed);
    assert_eq!(result["status"], "error");
    assert_eq!(
        result["batch_results"],
        json!({ "successful": [], "failed": [day(2), day(3)] })
    );
    // nothing was built, so everything is asked for again: the same two days
    bed.ask("delete from shop.broken");
    let retry = bed.run(&["retry"]);
    assert!(
        retry.contains("Batch 2 of 2 OK created batch 2024-01-03 of shop.mb"),
        "{retry}"
    );
    assert_eq!(built(&bed).as_deref(), Some("1 2"));
}

#[test]
fn a_sample_is_the_windows_that_are_built() {
    let bed = bed();
    let sample = [
        "run",
        "-s",
        "happened mb",
        "--full-refresh",
        "--sample",
        "{start: 2024-01-03, end: 2024-01-04}",
    ];
    let run = bed.run(&sample);
    assert!(
        run.contains("Batch 1 of 1 OK created batch 2024-01-03 of shop.mb"),
        "{run}"
    );
    assert_eq!(built(&bed).as_deref(), Some("2"));
}

#[test]
fn windows_go_into_native_partitions() {
    let bed = bed();
    let project = bed.read("dbt_project.yml");
    bed.write(
        "dbt_project.yml",
        &format!("{project}vars: {{ridehail_native_partitions: true}}\n"),
    );
    let model = bed.read("models/mb.sql");
    let parted = model
        .replace("unique_key='id'", "unique_key=['id', 'at']")
        .replace(
            "batch_size",
            "partition_by={'field': 'at', 'granularity': 'day'}, batch_size",
        );
    bed.write("models/mb.sql", &parted);
    let run = bed.run(&DAYS);
    assert!(
        run.contains("PARTIALLY created sql microbatch model shop.mb"),
        "{run}"
    );
    assert_eq!(built(&bed).as_deref(), Some("0 2"));
    bed.ask("delete from shop.broken");
    let retry = bed.run(&["retry"]);
    assert!(retry.contains("Batch 1 of 1 OK created"), "{retry}");
    let again = bed.run(&DAYS);
    assert!(again.contains("Batch 3 of 3 OK created"), "{again}");
    assert_eq!(built(&bed).as_deref(), Some("0 1 2"));
    let places = "select string_agg(distinct tableoid::regclass::text, ' ') from shop.mb";
    assert_eq!(
        bed.ask(places).as_deref(),
        Some("shop.mb_20240101 shop.mb_20240102 shop.mb_20240103")
    );
    // one of each for a run, whatever its windows
    let hooks = "select count(*) || ' ' || count(*) filter (where what = 'pre') from shop.hooked";
    assert_eq!(bed.ask(hooks).as_deref(), Some("6 3"));

    bed.write(
        "models/mb.sql",
        &parted.replace("unique_key=['id', 'at'], ", ""),
    );
    let refused = bed.run(&DAYS);
    assert!(
        refused.contains("model.forms.mb is a microbatch model and has no unique_key"),
        "{refused}"
    );
}

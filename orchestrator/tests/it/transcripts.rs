//! What a person sees: the real binary's exit code, output and errors. `INSTA_UPDATE=always` renews
//! the transcripts; read them before committing.

use insta::assert_snapshot;

use crate::bed::Bed;

/// One thread, so that lines come in one order.
const BUILD: [&str; 3] = ["build", "--threads", "1"];

#[test]
fn green_build_and_its_record() {
    let bed = Bed::new();
    assert_snapshot!("green_build", bed.run(&BUILD));
    assert_snapshot!(
        "second_build",
        bed.run(&["run", "--threads", "1", "-s", "+daily"])
    );
    assert_snapshot!("runs_ls", bed.run(&["runs", "ls"]));
    assert_snapshot!("runs_show", bed.run(&["runs", "show", "1"]));
    assert_snapshot!("runs_show_unknown", bed.run(&["runs", "show", "99"]));
}

#[test]
fn listing() {
    let bed = Bed::new();
    assert_snapshot!("ls", bed.run(&["ls"]));
    assert_snapshot!(
        "ls_selected",
        bed.run(&["ls", "-s", "tag:mart", "--resource-type", "model"])
    );
    assert_snapshot!("ls_nothing", bed.run(&["ls", "-s", "nowhere"]));
}

#[test]
fn a_failing_model_skips_what_needs_it() {
    let bed = Bed::new();
    bed.write(
        "models/broken.sql",
        "select 1 / (order_id - order_id) as x from {{ ref('stg_orders') }}",
    );
    bed.write(
        "models/on_broken.sql",
        "{{ config(materialized='table') }}\nselect * from {{ ref('broken') }}",
    );
    bed.write(
        "models/typo.sql",
        "select no_such_column\nfrom {{ ref('stg_orders') }}",
    );
    bed.write("models/on_typo.sql", "select * from {{ ref('typo') }}");
    assert_snapshot!("failing_model", bed.run(&BUILD));
    assert_eq!(
        bed.ask("select count(*) from pg_class where relname like '%broken__dbt%'")
            .as_deref(),
        Some("0")
    );
}

#[test]
fn a_broken_ephemeral_model_is_blamed_for_what_needs_it() {
    let bed = Bed::new();
    bed.write(
        "models/broken.sql",
        "{{ config(materialized='table') }} select 1 / 0 as x",
    );
    bed.write(
        "models/behind.sql",
        "{{ config(materialized='ephemeral') }} select * from {{ ref('broken') }}",
    );
    bed.write("models/on_behind.sql", "select * from {{ ref('behind') }}");
    bed.write(
        "models/luckless.sql",
        "{{ config(materialized='ephemeral') }}
{% if execute %}{{ exceptions.raise_compiler_error('no luck') }}{% endif %}",
    );
    bed.write(
        "models/on_luckless.sql",
        "select * from {{ ref('luckless') }}",
    );
    bed.write("models/last.sql", "select * from {{ ref('on_luckless') }}");
    let chosen = ["--threads", "1", "-s", "broken+", "luckless+"];
    assert_snapshot!(
        "broken_ephemeral_build",
        bed.run(&[&["build"], &chosen[..]].concat())
    );
    assert_snapshot!(
        "broken_ephemeral_run",
        bed.run(&[&["run"], &chosen[..]].concat())
    );
    let results: serde_json::Value =
        serde_json::from_str(&bed.read("target/run_results.json")).expect("an artifact");
    let messages: Vec<_> = results["results"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|result| result["status"] == "skipped")
        .map(|result| (&result["unique_id"], &result["message"]))
        .collect();
    assert_snapshot!("broken_ephemeral_results", format!("{messages:#?}"));
}

#[test]
fn a_template_around_the_run_that_fails_is_an_error_of_the_project() {
    let bed = Bed::new();
    let broken = "{% if execute %}{% do run_query('select * from no_such_table') %}{% endif %}";
    let project = bed.read("dbt_project.yml");
    for place in ["on-run-start", "on-run-end"] {
        bed.write(
            "dbt_project.yml",
            &format!("{project}\n{place}: \"{broken}\"\n"),
        );
        let run = bed.run(&["seed"]);
        assert_snapshot!(format!("broken_{place}"), run);
    }
}

#[test]
fn a_failing_test_skips_what_needs_its_model() {
    let bed = Bed::new();
    bed.write(
        "tests/no_negative_orders.sql",
        "select * from {{ ref('stg_orders') }} where cents > 0",
    );
    assert_snapshot!("failing_test", bed.run(&BUILD));
}

#[test]
fn mistakes_in_a_project() {
    let bed = Bed::new();
    bed.write("models/lost.sql", "select *\nfrom {{ ref('stg_order') }}");
    assert_snapshot!("unknown_ref", bed.run(&BUILD));
    bed.write("models/lost.sql", "select {{ 1 + }}");
    assert_snapshot!("jinja_syntax", bed.run(&BUILD));
    bed.write(
        "models/lost.sql",
        "select 1 as x from {{ ref('lost_too') }}",
    );
    bed.write(
        "models/lost_too.sql",
        "select 1 as x from {{ ref('lost') }}",
    );
    assert_snapshot!("cycle", bed.run(&BUILD));
}

#[test]
fn mistakes_on_the_command_line() {
    let bed = Bed::new();
    assert_snapshot!("bad_flag", bed.run(&["build", "--colour"]));
    assert_snapshot!("bad_selector", bed.run(&["build", "-s", "colour:red"]));
    assert_snapshot!("nothing_selected", bed.run(&["build", "-s", "nowhere"]));
    assert_snapshot!(
        "nothing_selected_error",
        bed.run(&["build", "-s", "nowhere", "--empty-selection", "error"])
    );
}

#[test]
fn an_unreachable_database_is_named_and_no_password_told() {
    let bed = Bed::new();
    let output = bed
        .command(&BUILD)
        .env("SHOP_PORT", "1")
        .env("SHOP_PASSWORD", "s3cr3t")
        .env(
            "RIDEHAIL_DATABASE_URL",
            "postgres://someone:s3cr3t@127.0.0.1:1/nowhere",
        )
        .output()
        .unwrap();
    let transcript = bed.transcript(&BUILD, &output);
    assert!(!transcript.contains("s3cr3t"), "{transcript}");
    assert_snapshot!("unreachable", transcript);
}

#[test]
fn what_passes_by_itself_is_tried_again() {
    let bed = Bed::new();
    // sequences don't roll back: the first call fails as a serialization failure would, the second works
    bed.ask("create sequence calls");
    bed.ask(
        "create function flaky() returns int language plpgsql as $$ begin
             if nextval('calls') < 2 then raise exception 'try again' using errcode = '40001'; end if;
             return 1; end $$",
    );
    bed.write(
        "models/flaky.sql",
        "{{ config(materialized='table') }}\nselect public.flaky() as x",
    );
    assert_snapshot!(
        "retried",
        bed.run(&["run", "--threads", "1", "-s", "flaky"])
    );
    let attempts = "select max(attempt)::text || ' ' || max(state) from ridehail.node_runs";
    assert_eq!(bed.ask(attempts).as_deref(), Some("2 success"));
}

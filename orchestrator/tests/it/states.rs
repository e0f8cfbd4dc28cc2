//! Two environments of one project: `--defer`, `clone`; a part of the data; which warnings are errors; what is only told
//! of. The expectations were taken from dbt 1.11 on the same project.

use insta::assert_snapshot;
use serde_json::{Value as Json, json};

use crate::bed::Bed;

const THERE: [&str; 2] = ["--state", "there"];

/// The project, built once as `prod`, whose artifacts are in the folder `there`.
fn built() -> Bed {
    let bed = Bed::of("states");
    let run = bed.run(&["build", "--target", "prod", "--target-path", "there"]);
    assert!(run.contains("exit code Some(0)"), "{run}");
    bed
}

fn with<'a>(command: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    command.iter().chain(more).copied().collect()
}

/// What a view of `dev` reads.
fn definition(bed: &Bed, view: &str) -> String {
    let sql = format!("select pg_get_viewdef('dev.{view}'::regclass)");
    let text = bed.ask(&sql).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn compiled(bed: &Bed, name: &str) -> String {
    let text = bed.read(&format!("target/compiled/states/models/{name}.sql"));
    bed.anonymous(&text)
}

#[test]
fn what_is_not_here_is_read_there() {
    let bed = built();
    assert_snapshot!("defer_no_state", bed.run(&["run", "-s", "top", "--defer"]));
    assert_snapshot!(
        "defer_no_manifest",
        bed.run(&["run", "-s", "top", "--defer", "--state", "nowhere"])
    );
    assert_snapshot!(
        "defer_run",
        bed.run(&with(&["run", "-s", "top", "--defer"], &THERE))
    );
    assert_eq!(
        definition(&bed, "top"),
        "SELECT count(*) AS n FROM prod.mid;"
    );
    let test = bed.run(&with(&["test", "-s", "mid", "--defer"], &THERE));
    assert!(test.contains("PASS=1 WARN=0 ERROR=0"), "{test}");
    let shown = bed.run(&with(&["show", "-s", "inc", "--defer"], &THERE));
    assert!(shown.contains("|  4 | "), "{shown}");

    // what is here is read here, but for --favor-state, which spares what is selected
    let mid = bed.run(&with(&["run", "-s", "mid", "--defer"], &THERE));
    assert!(mid.contains("exit code Some(0)"), "{mid}");
    assert_eq!(
        definition(&bed, "mid"),
        "SELECT id, at FROM prod.base;".replace("id, at", "base.id, base.at")
    );
    let compile = |more: &[&str]| {
        let run = bed.run(&with(
            &["compile", "--defer", "--defer-state", "there"],
            more,
        ));
        assert!(run.contains("exit code Some(0)"), "{run}");
        compiled(&bed, "top")
    };
    let here =
        "select count(*) as n from \"[database]\".\"dev\".\"mid\" -- \"[database]\".\"prod\".\"s\"";
    assert_eq!(compile(&["-s", "top"]), here);
    assert_eq!(compile(&["-s", "mid+", "--favor-state"]), here);
    assert_eq!(
        compile(&["-s", "top", "--favor-state"]),
        here.replace("dev", "prod")
    );
    // no beats yes, and a flag beats its variable
    assert_eq!(
        compile(&["-s", "top", "--favor-state", "--no-favor-state"]),
        here
    );
    let output = bed
        .command(&["compile", "-s", "top", "--no-defer"])
        .env("DBT_DEFER", "1")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(compiled(&bed, "top"), here.replace("prod", "dev"));
}

#[test]
fn templates_know_where_else_and_what() {
    let bed = built();
    let compile = with(&["compile", "-s", "through days", "--defer"], &THERE);
    let run = bed.run(&compile);
    assert!(run.contains("exit code Some(0)"), "{run}");
    assert_snapshot!("defer_relation", compiled(&bed, "through"));
    bed.run(&["compile", "-s", "through"]);
    let alone = compiled(&bed, "through");
    assert!(
        alone.ends_with("-- None ['model.states.through']"),
        "{alone}"
    );
}

#[test]
fn a_unit_test_takes_types_from_there() {
    let bed = built();
    bed.write(
        "models/unit.yml",
        "unit_tests:\n  - name: counts\n    model: top\n    given:\n      - input: ref('mid')\n        rows: [{id: 1}, {id: 2}]\n      \
         - input: ref('s')\n        rows: []\n    expect:\n      rows: [{n: 2}]\n",
    );
    let test = ["test", "-s", "counts"];
    let alone = bed.run(&test);
    assert!(
        alone.contains("because the relation doesn't exist"),
        "{alone}"
    );
    let deferred = bed.run(&with(&test, &with(&["--defer"], &THERE)));
    assert!(deferred.contains("PASS=1"), "{deferred}");
}

#[test]
fn clones_are_views_over_what_is_there() {
    let bed = built();
    assert_snapshot!("clone_no_state", bed.run(&["clone"]));
    let seeded = bed.run(&["seed"]);
    assert!(seeded.contains("exit code Some(0)"), "{seeded}");
    assert_snapshot!("clone", bed.run(&with(&["clone"], &THERE)));
    assert_eq!(definition(&bed, "sn").matches("FROM prod.sn").count(), 1);
    let results: Json = serde_json::from_str(&bed.read("target/run_results.json")).unwrap();
    let told = |name: &str| {
        let results = results["results"].as_array().unwrap();
        let found = results.iter().find(|result| result["unique_id"] == name);
        let found = found.unwrap_or_else(|| panic!("{name} is in no result"));
        ["status", "message", "adapter_response", "compiled"].map(|key| found[key].clone())
    };
    let made = json!({ "_message": "CREATE VIEW", "code": "CREATE VIEW", "rows_affected": -1 });
    assert_eq!(
        told("model.states.base"),
        [json!("success"), json!("CREATE VIEW"), made, json!(false)]
    );
    assert_eq!(
        told("seed.states.s"),
        [json!("success"), json!("No-op"), json!({}), Json::Null]
    );
    assert_snapshot!(
        "clone_again",
        bed.run(&with(&["clone", "-s", "base sn"], &THERE))
    );
    let again = ["clone", "--full-refresh", "-s", "base s"];
    assert_snapshot!("clone_full_refresh", bed.run(&with(&again, &THERE)));
    assert_eq!(definition(&bed, "s"), "SELECT s.a, s.b FROM prod.s;");
    // what the other environment does not know is no failure
    bed.write("models/new.sql", "select 1 as x");
    assert_snapshot!(
        "clone_unknown",
        bed.run(&with(&["clone", "-s", "new"], &THERE))
    );
    bed.ask("drop table prod.base cascade");
    bed.ask("drop view if exists dev.base");
    assert_snapshot!(
        "clone_fails",
        bed.run(&with(&["clone", "-s", "base"], &THERE))
    );
}

#[test]
fn a_sample_is_what_happened_in_a_span() {
    let bed = built();
    let span = "{start: '2026-01-01', end: '2026-01-02T00:00:00'}";
    let run = bed.run(&["run", "--sample", span, "-s", "+inc +through"]);
    assert!(run.contains("exit code Some(0)"), "{run}");
    // the model itself is whole: it reads nothing that has a time
    for (table, rows) in [("base", "9"), ("inc", "3"), ("through", "3")] {
        let count = bed.ask(&format!("select count(*) from dev.{table}"));
        assert_eq!(count.as_deref(), Some(rows), "{table}");
    }
    assert_snapshot!("sample_compiled", compiled(&bed, "through"));
    let far = bed.run(&["run", "--sample", "3 hours", "-s", "inc", "--full-refresh"]);
    assert!(far.contains("[SELECT 0 in"), "{far}");
    assert_snapshot!("sample_wrong", bed.run(&["run", "--sample", "3 weeks"]));
    assert_snapshot!("sample_no_flag", bed.run(&["test", "--sample", "3 days"]));
}

#[test]
fn warnings_are_what_the_options_make_of_them() {
    let bed = built();
    assert_snapshot!("unmatched", bed.run(&["run", "-s", "nowhere days"]));
    assert_snapshot!(
        "unmatched_excluded",
        bed.run(&["run", "-s", "days", "--exclude", "other nothing"])
    );
    assert_snapshot!("unmatched_all", bed.run(&["run", "-s", "nowhere"]));
    assert_snapshot!(
        "unmatched_error",
        bed.run(&["run", "--warn-error", "-s", "nowhere days"])
    );
    let options =
        |options: &str| bed.run(&["run", "--warn-error-options", options, "-s", "nowhere days"]);
    let one = options("{error: [NoNodesForSelectionCriteria]}");
    assert!(one.contains("exit code Some(2)"), "{one}");
    let spared = options("{error: all, warn: [NoNodesForSelectionCriteria]}");
    assert!(spared.contains("'nowhere' does not match"), "{spared}");
    assert!(spared.contains("exit code Some(0)"), "{spared}");
    let silent = options("{silence: [NoNodesForSelectionCriteria]}");
    assert!(!silent.contains("'nowhere' does not match"), "{silent}");
    assert!(silent.contains("exit code Some(0)"), "{silent}");
    assert_snapshot!("warn_options_older", options("{include: all}"));
    assert_snapshot!(
        "warn_options_unknown",
        options("{error: [NoNodeForYamlKeys]}")
    );
    assert_snapshot!("warn_options_shape", options("{error: some}"));
    assert_snapshot!(
        "warn_options_both",
        bed.run(&["run", "--warn-error", "--warn-error-options", "{}"])
    );
    // the project's own flags, which the command line overrules
    let project = bed.read("dbt_project.yml");
    bed.write(
        "dbt_project.yml",
        &format!(
            "{project}flags: {{warn_error_options: {{error: [NoNodesForSelectionCriteria]}}}}\n"
        ),
    );
    let of_project = bed.run(&["run", "-s", "nowhere days"]);
    assert!(of_project.contains("exit code Some(2)"), "{of_project}");
    let overruled = options("{silence: [NoNodesForSelectionCriteria]}");
    assert!(overruled.contains("exit code Some(0)"), "{overruled}");
}

#[test]
fn tests_and_templates_warn_by_name() {
    let bed = built();
    bed.write(
        "models/warns.sql",
        "{% do exceptions.warn('mind the gap') %}select 1 as x",
    );
    std::fs::create_dir_all(bed.path("tests")).unwrap();
    bed.write(
        "tests/warned.sql",
        "{{ config(severity='warn') }}select 1 as x",
    );
    let run = |options: &str| {
        bed.run(&[
            "build",
            "--warn-error-options",
            options,
            "-s",
            "warns warned",
        ])
    };
    let heard = run("{}");
    assert!(heard.contains("  mind the gap"), "{heard}");
    assert!(heard.contains("PASS=1 WARN=1 ERROR=0"), "{heard}");
    let test = run("{error: [LogTestResult]}");
    assert!(test.contains("PASS=1 WARN=0 ERROR=1"), "{test}");
    // templates are rendered when they are read, so nothing is built
    let template = run("{error: [JinjaLogWarning]}");
    assert!(template.contains("error: mind the gap"), "{template}");
    assert!(template.contains("exit code Some(2)"), "{template}");
    let silent = run("{silence: [JinjaLogWarning]}");
    assert!(!silent.contains("mind the gap"), "{silent}");
}

#[test]
fn exposures_and_saved_queries_are_told_of() {
    let bed = built();
    let chosen = "days sq board";
    assert_snapshot!("no_op", bed.run(&["build", "-s", chosen]));
    let results: Json = serde_json::from_str(&bed.read("target/run_results.json")).unwrap();
    let told = results["results"].as_array().unwrap().iter();
    let told: Vec<_> = told
        .filter(|result| result["status"] == "no-op")
        .map(|result| (result["unique_id"].clone(), result["failures"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (json!("exposure.states.board"), json!(0)),
            (json!("saved_query.states.sq"), json!(0))
        ]
    );
    // nothing of the kind in the other verbs
    let run = bed.run(&["run", "-s", chosen]);
    assert!(run.contains("NO-OP=0 TOTAL=1"), "{run}");
    // and what fails above holds it back
    bed.write(
        "models/top.sql",
        "select 1/0 as n -- {{ ref('mid') }}{{ ref('s') }}",
    );
    bed.write(
        "models/top.sql",
        "{{ config(materialized='table') }}select 1/0 as n -- {{ ref('mid') }}{{ ref('s') }}",
    );
    let held = bed.run(&["build", "-s", "top board"]);
    assert!(held.contains("SKIP exposure board"), "{held}");
    assert!(held.contains("ERROR=1 SKIP=1 NO-OP=0 TOTAL=2"), "{held}");
}

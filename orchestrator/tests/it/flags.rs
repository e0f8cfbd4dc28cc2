//! Flags and their variables, and what `ls` tells.

use insta::assert_snapshot;
use serde_json::Value as Json;

use crate::bed::Bed;

#[test]
fn listed_configuration_is_whole() {
    let bed = Bed::of("states");
    let ids = "base s sn sq nn bases board unique_base_id";
    let lines = bed.command(&["ls", "--output", "json", "-s", ids]);
    let output = { lines }.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut shown = String::new();
    for line in text.lines() {
        let mut one: Json = serde_json::from_str(line).unwrap();
        one.sort_all_objects();
        shown += &format!("{one}\n");
    }
    assert_snapshot!("ls_json", shown);
    let keys = ["name", "config.materialized", "nothing", "depends_on.nodes"];
    let few = ["ls", "--output", "json", "-s", "mid", "--output-keys"];
    let few = [few.as_slice(), &keys].concat();
    assert_snapshot!("ls_keys", bed.run(&few));
}

/// Every variable that dbt's flags have is read: a value that cannot be is refused, whatever the flag does.
#[test]
fn variables_of_flags() {
    let bed = Bed::of("states");
    let code = |name: &str, value: &str| {
        let output = bed
            .command(&["build", "-s", "days"])
            .env(name, value)
            .output();
        output.unwrap().status.code()
    };
    for name in [
        "CACHE_SELECTED_ONLY",
        "DEBUG",
        "DEFER",
        "EMPTY",
        "EXPORT_SAVED_QUERIES",
        "FAIL_FAST",
        "FAVOR_STATE",
        "FULL_REFRESH",
        "INCLUDE_SAVED_QUERY",
        "INTROSPECT",
        "LOG_CACHE_EVENTS",
        "MACRO_DEBUGGING",
        "NO_PRINT",
        "PARTIAL_PARSE",
        "PARTIAL_PARSE_FILE_DIFF",
        "POPULATE_CACHE",
        "PRINT",
        "QUIET",
        "SEND_ANONYMOUS_USAGE_STATS",
        "SHOW_RESOURCE_REPORT",
        "SINGLE_THREADED",
        "STATIC_PARSER",
        "STORE_FAILURES",
        "UPLOAD_TO_ARTIFACTS_INGEST_API",
        "USE_COLORS",
        "USE_COLORS_FILE",
        "USE_EXPERIMENTAL_PARSER",
        "USE_FAST_TEST_EDGES",
        "VERSION_CHECK",
        "WARN_ERROR",
        "WRITE_JSON",
    ] {
        for prefix in ["DBT_", "DBT_ENGINE_"] {
            // the older name has no second one
            if (prefix, name) != ("DBT_ENGINE_", "NO_PRINT") {
                let name = format!("{prefix}{name}");
                assert_eq!(code(&name, "maybe"), Some(2), "{name}");
            }
        }
    }
    for name in [
        "EVENT_TIME_START",
        "EVENT_TIME_END",
        "EXCLUDE_RESOURCE_TYPES",
        "INDIRECT_SELECTION",
        "LOG_FILE_MAX_BYTES",
        "LOG_FORMAT",
        "LOG_FORMAT_FILE",
        "LOG_LEVEL",
        "LOG_LEVEL_FILE",
        "PRINTER_WIDTH",
        "RESOURCE_TYPES",
        "SAMPLE",
        "WARN_ERROR_OPTIONS",
        "PROFILE",
        "PROFILES_DIR",
        "PROJECT_DIR",
        "TARGET",
    ] {
        assert_eq!(
            code(&format!("DBT_{name}"), "no such thing"),
            Some(2),
            "{name}"
        );
    }
    // one that is empty is none
    for name in ["DBT_DEFER", "DBT_SAMPLE", "DBT_ENGINE_QUIET", "DBT_STATE"] {
        assert_eq!(code(name, ""), Some(0), "{name}");
    }
    assert_eq!(code("DBT_WRITE_JSON", "false"), Some(0));
    assert_eq!(code("DBT_ENGINE_DEFER", "1"), Some(2));
    assert_eq!(code("DBT_DEFER_TO_STATE", "yes"), Some(2));
    let output = bed
        .command(&["build", "-s", "days"])
        .env("DBT_DEFER", "0")
        .env("DBT_ENGINE_DEFER", "1")
        .env("DBT_ARTIFACT_STATE_PATH", "target")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_snapshot!("unknown_flag", bed.run(&["run", "--use-fast-test-edge"]));
}

#[test]
fn what_is_not_written_or_printed() {
    let bed = Bed::of("states");
    std::fs::create_dir_all(bed.path("macros")).unwrap();
    bed.write(
        "macros/say.sql",
        "{% macro say() %}{% do print('heard') %}{% endmacro %}",
    );
    let say = |more: &[&str]| {
        let words = ["run-operation", "say", "--no-write-json"];
        bed.run(&[words.as_slice(), more].concat())
    };
    assert!(say(&[]).contains("\nheard\n"));
    assert!(!say(&["--no-print"]).contains("\nheard\n"));
    let run = bed.run(&[
        "run",
        "-s",
        "days",
        "--no-write-json",
        "--log-format",
        "debug",
    ]);
    assert!(
        run.contains("[info ] [MainThread]: 1 of 1 OK created"),
        "{run}"
    );
    let results = bed.path("target/run_results.json");
    assert!(!std::path::Path::new(&results).exists());
    bed.run(&["run-operation", "say"]);
    assert!(std::path::Path::new(&results).exists());
}

//! The projects of `tests/compat` against what dbt 1.11 made of them: exit codes, results, compiled SQL, the
//! manifest, listings and tables. dbt's answers lie in `tests/compat/recorded`; `make compat` renews them.
//! What still differs is in the snapshots, line by line: a difference that comes or goes fails the test.

mod broken;
mod clean;
mod differ;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use insta::assert_snapshot;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::bed::Bed;
use clean::clean;
use differ::{Differences, listed};

/// `steps.yml` of a project.
#[derive(Debug, Deserialize)]
struct Plan {
    steps: Vec<Step>,
    ls: Vec<String>,
    /// Columns whose values are times of the run.
    #[serde(default)]
    volatile: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Step {
    Sql { sql: String },
    Words(Vec<String>),
    Line(String),
}

impl Step {
    fn arguments(&self) -> Vec<String> {
        match self {
            Self::Sql { .. } => Vec::new(),
            Self::Words(words) => words.clone(),
            Self::Line(line) => words(line),
        }
    }
}

/// `line` in words as a shell splits them.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut any) = (Vec::new(), String::new(), None, false);
    for letter in line.chars() {
        match (letter, quote) {
            (_, Some(open)) if letter == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(letter);
                any = true;
            }
            (' ', None) => {
                if any {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            _ => {
                word.push(letter);
                any = true;
            }
        }
    }
    if any {
        words.push(word);
    }
    words
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/compat")
}

fn recorded(name: &str) -> Json {
    let path = folder().join(format!("recorded/{name}.json"));
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Builds project `name` with the binary, and says where dbt did otherwise.
fn differences(name: &str) -> String {
    let bed = Bed::of_compat(name);
    let plan: Plan = serde_saphyr::from_str(&bed.read("steps.yml")).unwrap();
    let theirs = recorded(name);
    let mut found = Differences::default();
    let steps = theirs["steps"].as_array().unwrap();
    assert_eq!(
        steps.len(),
        plan.steps.len(),
        "the record of {name} is of other steps"
    );
    for (number, (step, expected)) in plan.steps.iter().zip(steps).enumerate() {
        if let Step::Sql { sql } = step {
            bed.ask(sql);
            continue;
        }
        let arguments = step.arguments();
        let place = format!("step {} `{}`", number + 1, arguments.join(" "));
        let (output, ours) = run(&bed, &arguments);
        let explained = found.count();
        found.compare(
            &format!("{place}: exit code"),
            &ours["exit"],
            &expected["exit"],
        );
        if found.count() > explained {
            found.note(&output);
        }
        found.compare(&place, &ours["results"], &expected["results"]);
        for artifact in ["sources", "catalog"] {
            let (ours, theirs) = (&ours[artifact], &expected[artifact]);
            found.compare(&format!("{place} {artifact}"), ours, theirs);
        }
    }
    let mut manifest = json_file(&bed, "target/manifest.json");
    let keys = manifest["metadata"].as_object().into_iter().flatten();
    let mut keys: Vec<String> = keys.map(|(key, _)| key.clone()).collect();
    keys.sort();
    manifest["metadata"] = json!(keys);
    let manifest = clean(&bed, &manifest);
    found.compare("manifest", &manifest, &theirs["manifest"]);
    if let Some(theirs) = theirs.get("semantic_manifest") {
        let ours = semantic_manifest(&json_file(&bed, "target/semantic_manifest.json"));
        found.compare("semantic_manifest", &clean(&bed, &ours), theirs);
    }

    let listings: BTreeMap<String, Json> = serde_json::from_value(theirs["ls"].clone()).unwrap();
    assert_eq!(
        listings.len(),
        plan.ls.len(),
        "the record of {name} is of other listings"
    );
    for (line, expected) in listings {
        let place = format!("ls {line}");
        let arguments: Vec<String> = ["ls".to_owned()].into_iter().chain(words(&line)).collect();
        let (output, ours) = run(&bed, &arguments);
        found.compare(
            &format!("{place}: exit code"),
            &ours["exit"],
            &expected["exit"],
        );
        let ours = output
            .split("--- stderr")
            .next()
            .unwrap_or_default()
            .lines()
            .skip(1);
        found.compare(
            &place,
            &listed(ours),
            &listed(
                expected["lines"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter_map(Json::as_str),
            ),
        );
    }
    found.compare(
        "relation",
        &relations(&bed, &plan.volatile),
        &theirs["relations"],
    );
    found.text()
}

/// Runs the binary; its transcript, and its exit code and results as the record writes them.
fn run(bed: &Bed, arguments: &[String]) -> (String, Json) {
    for old in ["target/sources.json", "target/catalog.json"] {
        // there may be none
        let _ = fs::remove_file(bed.path(old));
    }
    let id = |results: &Json| results["metadata"]["invocation_id"].clone();
    let before = id(&json_file(bed, "target/run_results.json"));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = bed
        .command(&arguments)
        .env("DBT_PROFILES_DIR", ".")
        .output()
        .unwrap();
    let transcript = bed.transcript(&arguments, &output);
    let results = json_file(bed, "target/run_results.json");
    let new = results["results"]
        .as_array()
        .filter(|_| id(&results) != before);
    let results = new.map(|results| {
        let by_id = results.iter().map(|result| {
            (
                result["unique_id"].as_str().unwrap_or("?").to_owned(),
                clean::result(bed, result),
            )
        });
        by_id.collect::<serde_json::Map<String, Json>>()
    });
    let mut ours = json!({"exit": output.status.code(), "results": results});
    let sources = json_file(bed, "target/sources.json");
    if !sources.is_null() {
        ours["sources"] = clean(bed, &clean::sources(&sources));
    }
    let catalog = json_file(bed, "target/catalog.json");
    if !catalog.is_null() {
        let of = |key: &str| (key.to_owned(), clean(bed, &catalog[key]));
        let kept: serde_json::Map<_, _> =
            ["nodes", "sources", "errors"].map(of).into_iter().collect();
        ours["catalog"] = Json::Object(kept);
    }
    (transcript, ours)
}

/// `semantic_manifest.json` as the record has it: its lists by name, for dbt reads files in no order.
fn semantic_manifest(written: &Json) -> Json {
    let mut written = written.clone();
    for key in ["semantic_models", "metrics", "saved_queries"] {
        let entries = written[key].as_array().cloned().unwrap_or_default();
        let named = entries.into_iter().map(|entry| {
            let name = entry["name"].as_str().unwrap_or("?").to_owned();
            (name, entry)
        });
        written[key] = Json::Object(named.collect());
    }
    let spines = &mut written["project_configuration"]["time_spines"];
    if let Some(spines) = spines.as_array_mut() {
        spines.sort_by_key(|spine| spine["node_relation"]["alias"].to_string());
    }
    written
}

/// A JSON file of the project; null when there is none.
fn json_file(bed: &Bed, path: &str) -> Json {
    let text = fs::read_to_string(bed.path(path)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Every relation with its rows.
fn relations(bed: &Bed, volatile: &[String]) -> Json {
    let sql = fs::read_to_string(folder().join("relations.sql")).unwrap();
    let found: Vec<Json> = serde_json::from_str(&bed.ask(&sql).unwrap()).unwrap();
    let mut all = serde_json::Map::new();
    for mut relation in found {
        let name = relation.as_object_mut().unwrap().remove("name").unwrap();
        let name = name.as_str().unwrap();
        let (schema, table) = name.split_once('.').unwrap();
        let row = format!("to_jsonb(t) - '{{{}}}'::text[]", volatile.join(","));
        let rows = bed.ask(&format!(
            "select coalesce(jsonb_agg({row} order by ({row})::text), '[]')::text from \"{schema}\".\"{table}\" t"
        ));
        relation["rows"] = serde_json::from_str(&rows.unwrap()).unwrap();
        all.insert(name.to_owned(), relation);
    }
    clean(bed, &Json::Object(all))
}

#[test]
fn tests_of_every_kind() {
    assert_snapshot!("compat_checks", differences("checks"));
}

#[test]
fn materializations_and_hooks() {
    assert_snapshot!("compat_builds", differences("builds"));
}

#[test]
fn config_trees_packages_and_selectors() {
    assert_snapshot!("compat_trees", differences("trees"));
}

#[test]
fn metrics_and_what_they_are_made_of() {
    assert_snapshot!("compat_semantics", differences("semantics"));
}

#[test]
fn freshness_and_the_catalog() {
    assert_snapshot!("compat_fresh", differences("fresh"));
}

#[test]
fn snapshots() {
    assert_snapshot!("compat_history", differences("history"));
}

#[test]
fn calls_of_built_in_macros() {
    assert_snapshot!("compat_calls", differences("calls"));
}

#[test]
fn what_needs_what() {
    assert_snapshot!("compat_needs", differences("needs"));
}

#[test]
fn unit_tests() {
    assert_snapshot!("compat_units", differences("units"));
}

#[test]
fn what_fails_while_it_runs() {
    assert_snapshot!("compat_failing", differences("failing"));
}

//! House rules that a reader would otherwise have to check.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::MetadataCommand;

/// Longer means that an idea is missing.
const LINES: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Files that git tracks.
fn tracked() -> Vec<String> {
    let output = Command::new("git")
        .arg("ls-files")
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "git ls-files");
    let files: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    assert!(
        files.len() > 100,
        "the repository has more files than {}",
        files.len()
    );
    files
}

/// Text of a tracked file; `None` when it was just deleted, or is not text.
fn text(file: &str) -> Option<String> {
    fs::read_to_string(root().join(file)).ok()
}

#[test]
fn arrows_point_down() {
    let allowed = BTreeMap::from([
        ("jinja", vec![]),
        ("project", vec!["jinja"]),
        ("warehouse", vec!["project", "jinja"]),
        ("lake", vec![]),
        ("streaming", vec![]),
        ("generator", vec![]),
        (
            "orchestrator",
            vec![
                "warehouse",
                "project",
                "jinja",
                "lake",
                "streaming",
                "generator",
            ],
        ),
    ]);
    let metadata = MetadataCommand::new()
        .no_deps()
        .current_dir(root())
        .exec()
        .unwrap();
    let ours: BTreeSet<&str> = metadata.packages.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(
        ours,
        allowed.keys().copied().collect(),
        "a new room needs its arrows here"
    );
    for package in &metadata.packages {
        for dependency in package.dependencies.iter().map(|d| d.name.as_str()) {
            let fine =
                !ours.contains(dependency) || allowed[package.name.as_str()].contains(&dependency);
            assert!(fine, "{} must not know {dependency}", package.name);
        }
    }
}

#[test]
fn files_can_be_read_in_one_sitting() {
    let code = [".rs", ".sql", ".sh", ".js", ".css", ".java", ".py", ".html"];
    let long: Vec<String> = tracked()
        .into_iter()
        .filter(|file| code.iter().any(|ending| file.ends_with(ending)))
        .filter_map(|file| {
            let lines = text(&file)?.lines().count();
            (lines > LINES).then(|| format!("{file}: {lines} lines"))
        })
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn pure_files_are_pure() {
    let pure = [
        "state.rs",
        "plan.rs",
        "due.rs",
        "decode.rs",
        "batch.rs",
        "progress.rs",
        "lane.rs",
        "verdict.rs",
        "checks.rs",
        "canon.rs",
        "consequence.rs",
        "retry.rs",
        "jobs.rs",
        "world.rs",
        "ride.rs",
    ];
    let effects = [
        "tokio::",
        "sqlx::",
        "reqwest::",
        "rdkafka::consumer",
        "Utc::now",
        "SystemTime::now",
        "Instant::now",
    ];
    let mut seen = 0;
    for file in tracked().iter().filter(|file| file.contains("/src/")) {
        let name = file.rsplit('/').next().unwrap_or_default();
        let Some(text) = text(file).filter(|_| pure.contains(&name)) else {
            continue;
        };
        seen += 1;
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for effect in effects {
            let found = text
                .lines()
                .find(|line| line.contains(effect) && !line.trim_start().starts_with("//"));
            assert!(
                found.is_none(),
                "{file} decides and must not act: {}",
                found.unwrap_or_default()
            );
        }
    }
    assert!(
        seen >= 10,
        "only {seen} pure files found: were they renamed?"
    );
}

#[test]
fn the_orchestrator_knows_no_rides() {
    // the files that hand over to the other rooms, and the product's name
    let may = [
        "cli/generate.rs",
        "cli/stream.rs",
        "cli/mod.rs",
        "cli/reconcile.rs",
    ];
    let nouns = [
        "driver_id",
        "rider",
        "fare_",
        "trip",
        "fct_rides",
        "ride_events",
    ];
    for file in tracked() {
        let room =
            file.starts_with("orchestrator/") && file.contains("/src/") && file.ends_with(".rs");
        if !room || may.iter().any(|end| file.ends_with(end)) || file.contains("reconcile/") {
            continue;
        }
        let Some(text) = text(&file) else { continue };
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let comment = |line: &&str| line.trim_start().starts_with("//");
        for noun in nouns {
            let word = |line: &&str| {
                line.split(|c: char| !c.is_alphanumeric() && c != '_')
                    .any(|word| word == noun)
            };
            let found = code.lines().filter(|line| !comment(line)).find(word);
            assert!(
                found.is_none(),
                "{file} runs any project: {}",
                found.unwrap_or_default()
            );
        }
    }
}

#[test]
fn nothing_names_one_machine() {
    // spelled apart, so that this file does not find itself
    let homes = [
        ["/ro", "ot/"].concat(),
        ["/ho", "me/"].concat(),
        ["/wo", "rk/"].concat(),
    ];
    for file in tracked() {
        let Some(text) = text(&file) else { continue };
        for home in &homes {
            let found = text.lines().find(|line| line.contains(home.as_str()));
            assert!(found.is_none(), "{file}: {}", found.unwrap_or_default());
        }
    }
}

#[test]
fn the_readme_lists_the_verbs() {
    let readme = text("README.md").unwrap();
    let block = readme
        .split("ridehail --help\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let listed: Vec<Vec<String>> = block
        .expect("README.md lists the verbs under `ridehail --help`")
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.split_whitespace().map(str::to_lowercase).collect())
        .collect();
    let groups: Vec<Vec<String>> = orchestrator::cli::GROUPS
        .iter()
        .map(|(purpose, verbs)| {
            std::iter::once(purpose.to_lowercase())
                .chain(verbs.iter().map(|v| (*v).to_owned()))
                .collect()
        })
        .collect();
    assert_eq!(listed, groups);
}

//! Mistakes of every kind, in copies of the project `sound`: what is told of them, and dbt's exit code.

use std::collections::BTreeMap;
use std::fs;

use insta::assert_snapshot;
use serde::Deserialize;

use super::{Step, folder, recorded};
use crate::bed::Bed;

/// One entry of `broken.yml`.
#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    without: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    sql: Option<String>,
    args: Option<Step>,
}

/// Mistakes that are judged otherwise so far.
const OTHERWISE: &[&str] = &[];

#[test]
fn mistakes_of_every_kind() {
    let cases = fs::read_to_string(folder().join("broken.yml")).unwrap();
    let cases: Vec<Case> = serde_saphyr::from_str(&cases).unwrap();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let theirs = recorded("broken");
    let (mut whole, mut wrong) = (String::new(), Vec::new());
    let mut bed = Bed::of_compat("sound");
    for case in &cases {
        bed.start_over("sound");
        for (path, text) in &case.files {
            fs::create_dir_all(std::path::Path::new(&bed.path(path)).parent().unwrap()).unwrap();
            bed.write(path, text);
        }
        for path in &case.without {
            fs::remove_file(bed.path(path)).unwrap();
        }
        if let Some(sql) = &case.sql {
            bed.ask(sql);
        }
        let arguments = case
            .args
            .as_ref()
            .map_or_else(|| vec!["build".to_owned()], Step::arguments);
        let arguments: Vec<&str> = ["--quiet"]
            .into_iter()
            .chain(arguments.iter().map(String::as_str))
            .collect();
        let output = bed
            .command(&arguments)
            .env("DBT_PROFILES_DIR", ".")
            .envs(&case.env)
            .output()
            .unwrap();
        let transcript = bed.transcript(&arguments, &output);
        let expected = theirs[&case.name]["exit"]
            .as_i64()
            .unwrap_or_else(|| panic!("no record of '{}'", case.name));
        let same = output.status.code().map(i64::from) == Some(expected);
        let verdict = if same { "" } else { ", dbt's is another" };
        if same == OTHERWISE.contains(&case.name.as_str()) {
            wrong.push(format!(
                "{}: {:?}, dbt {expected}",
                case.name,
                output.status.code()
            ));
        }
        whole.push_str(&format!(
            "## {}\n{}{verdict}\n\n",
            case.name,
            transcript.trim_end()
        ));
    }
    assert_snapshot!("compat_broken", whole);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

//! `dbt_project.yml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use jinja::Engine;
use serde_json::{Map, Value as Json};

use crate::context::DBT_VERSION;
use crate::context::yaml_scope::{YamlScope, render};
use crate::error::{Error, Location};
use crate::files;
use crate::manifest::version_text;
use crate::yaml::{self, Entry, kind, texts};

/// What `dbt_project.yml` says, rendered, defaults filled in.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProjectFile {
    pub(crate) root: PathBuf,
    pub(crate) name: String,
    /// `query-comment`.
    pub(crate) query_comment: QueryComment,
    /// `version` as written; empty where there is none.
    pub(crate) version: String,
    pub(crate) model_paths: Vec<String>,
    pub(crate) seed_paths: Vec<String>,
    pub(crate) test_paths: Vec<String>,
    pub(crate) analysis_paths: Vec<String>,
    pub(crate) macro_paths: Vec<String>,
    pub(crate) snapshot_paths: Vec<String>,
    pub(crate) docs_paths: Vec<String>,
    pub(crate) target_path: Option<String>,
    pub(crate) packages_path: String,
    /// `clean-targets`, the target folder when none are named.
    pub(crate) clean_targets: Vec<String>,
    /// `models`, `seeds`, `data_tests`, …: config trees.
    pub(crate) trees: Trees,
    /// The same before they were rendered: what a state is compared by, wherever it was made.
    pub(crate) unrendered: Trees,
    pub(crate) vars: Map<String, Json>,
    pub(crate) on_run_start: Vec<String>,
    pub(crate) on_run_end: Vec<String>,
    pub(crate) flags: IndexMap<String, Json>,
    /// Search order of `adapter.dispatch` by namespace.
    pub(crate) dispatch: BTreeMap<String, Vec<String>>,
    /// `restrict-access`: other packages may use its public models only.
    pub(crate) restrict_access: bool,
    /// `require-dbt-version`, each condition as written.
    pub(crate) required_version: Vec<String>,
    /// `quoting` as written.
    pub(crate) quoting: Map<String, Json>,
}

/// Config trees by kind.
type Trees = BTreeMap<&'static str, Map<String, Json>>;

/// Config trees and the keys of `dbt_project.yml` that hold them.
const TREES: [(&str, &[&str]); 10] = [
    ("models", &["models"]),
    ("seeds", &["seeds"]),
    ("snapshots", &["snapshots"]),
    ("tests", &["data_tests", "tests"]),
    ("sources", &["sources"]),
    ("exposures", &["exposures"]),
    ("unit_tests", &["unit_tests"]),
    ("metrics", &["metrics"]),
    ("semantic-models", &["semantic-models"]),
    ("saved-queries", &["saved-queries"]),
];

/// Not rendered when the file is read: they belong to the run.
fn late(path: &[&str]) -> bool {
    match path.first() {
        Some(&("on-run-start" | "on-run-end" | "query-comment" | "vars")) => true,
        Some(&("models" | "seeds" | "snapshots" | "tests" | "data_tests")) => {
            path.iter().any(|key| {
                matches!(
                    key.trim_start_matches(['+', ' ']),
                    "pre-hook" | "post-hook" | "pre_hook" | "post_hook"
                )
            })
        }
        _ => false,
    }
}

impl ProjectFile {
    /// `require-dbt-version` that the followed dbt does not meet.
    pub(crate) fn unmet_version(&self) -> Option<Error> {
        let numbers = |text: &str| -> Vec<u64> {
            text.trim()
                .split(['.', '-', 'b', 'r'])
                .map_while(|part| part.trim().parse().ok())
                .collect()
        };
        let ours = numbers(DBT_VERSION);
        let unmet = self
            .required_version
            .iter()
            .flat_map(|text| text.split(','))
            .find(|condition| {
                let condition = condition.trim();
                let at = condition
                    .find(|c: char| c.is_ascii_digit())
                    .unwrap_or(condition.len());
                let (operator, wanted) = (condition[..at].trim(), numbers(&condition[at..]));
                match operator {
                    ">=" => ours < wanted,
                    ">" => ours <= wanted,
                    "<" => ours >= wanted,
                    "<=" => ours > wanted,
                    "=" | "==" | "" if !wanted.is_empty() => ours != wanted,
                    _ => false,
                }
            })?;
        Some(Error::Config {
            location: Some(Location::file(self.root.join("dbt_project.yml"))),
            message: format!(
                "package '{}' requires dbt {}, this engine follows dbt {}",
                self.name,
                unmet.trim(),
                DBT_VERSION
            ),
            hint: Some("--no-version-check takes it all the same".to_owned()),
        })
    }

    /// Reads and renders the file in `root`.
    pub(crate) fn load(root: &Path, engine: &Engine, scope: &YamlScope) -> Result<Self, Error> {
        let path = root.join("dbt_project.yml");
        if !path.is_file() {
            return Err(Error::Config {
                location: None,
                message: format!("no dbt_project.yml found in {}", root.display()),
                hint: Some("run this in a project's folder, or name it with --project-dir".into()),
            });
        }
        let text = files::read(&path)?;
        let shown = Path::new("dbt_project.yml");
        let raw = yaml::parse(&text, shown)?;
        let rendered = render(&raw, engine, scope, shown, &late)?;
        let of = |file| Entry::of(file, shown, &text, "dbt_project.yml");
        Ok(Self {
            // a tree that is a template as a whole has no text of its own
            unrendered: trees(&of(&raw)?).unwrap_or_default(),
            ..Self::read(root, &of(&rendered)?)?
        })
    }

    /// Reads the keys that need no profile: the name, and where things lie.
    pub(crate) fn head(root: &Path, engine: &Engine, scope: &YamlScope) -> Result<Self, Error> {
        let path = root.join("dbt_project.yml");
        if !path.is_file() {
            return Self::load(root, engine, scope);
        }
        let text = files::read(&path)?;
        let shown = Path::new("dbt_project.yml");
        let mut raw = yaml::parse(&text, shown)?;
        if let Json::Object(map) = &mut raw {
            map.retain(|key, _| {
                key == "name"
                    || key.ends_with("-path")
                    || key.ends_with("-paths")
                    || key == "clean-targets"
            });
        }
        let rendered = render(&raw, engine, scope, shown, &late)?;
        Self::read(
            root,
            &Entry::of(&rendered, shown, &text, "dbt_project.yml")?,
        )
    }

    fn read(root: &Path, entry: &Entry<'_>) -> Result<Self, Error> {
        let wrong = |key: &str, message: String| Error::Config {
            location: Some(Location::line(entry.path, key_line(entry.text, key))),
            message,
            hint: None,
        };
        let name = entry
            .text("name")?
            .ok_or_else(|| wrong("name", "'name' is required in dbt_project.yml".into()))?;
        let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.chars().all(letter) || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(wrong(
                "name",
                format!("'{name}' is not a project name: use letters, digits and underscores"),
            ));
        }
        let paths = |key: &str, old: &str, default: &[&str]| -> Result<Vec<String>, Error> {
            match entry.map.get(key).or_else(|| entry.map.get(old)) {
                None | Some(Json::Null) => Ok(default.iter().map(|&p| p.to_owned()).collect()),
                Some(value @ (Json::Array(_) | Json::String(_))) => Ok(texts(Some(value))
                    .into_iter()
                    .map(|path| path.trim_end_matches('/').to_owned())
                    .collect()),
                Some(other) => Err(wrong(
                    key,
                    format!("'{key}': expected a list, found {}", kind(other)),
                )),
            }
        };
        let model_paths = paths("model-paths", "source-paths", &["models"])?;
        let seed_paths = paths("seed-paths", "data-paths", &["seeds"])?;
        let test_paths = paths("test-paths", "test-paths", &["tests"])?;
        let analysis_paths = paths("analysis-paths", "analysis-paths", &["analyses"])?;
        let macro_paths = paths("macro-paths", "macro-paths", &["macros"])?;
        let snapshot_paths = paths("snapshot-paths", "snapshot-paths", &["snapshots"])?;
        let mut docs_paths = paths("docs-paths", "docs-paths", &[])?;
        if docs_paths.is_empty() {
            for list in [
                &model_paths,
                &seed_paths,
                &snapshot_paths,
                &analysis_paths,
                &macro_paths,
            ] {
                docs_paths.extend(list.iter().cloned());
            }
            docs_paths.sort();
            docs_paths.dedup();
        }
        let mut dispatch = BTreeMap::new();
        for item in entry.entries("dispatch")? {
            if let Some(namespace) = item.text("macro_namespace")? {
                dispatch.insert(namespace, texts(item.map.get("search_order")));
            }
        }
        let target_path = entry.text("target-path")?;
        let mut clean_targets = texts(entry.map.get("clean-targets"));
        if !entry.map.contains_key("clean-targets") {
            clean_targets.push(target_path.clone().unwrap_or_else(|| "target".into()));
        }
        Ok(Self {
            clean_targets,
            root: root.to_owned(),
            name,
            model_paths,
            seed_paths,
            test_paths,
            analysis_paths,
            macro_paths,
            snapshot_paths,
            docs_paths,
            target_path,
            packages_path: entry
                .text("packages-install-path")?
                .unwrap_or_else(|| "dbt_packages".into()),
            trees: trees(entry)?,
            unrendered: Trees::new(),
            vars: entry.mapping("vars")?,
            query_comment: query_comment(entry),
            on_run_start: texts(entry.map.get("on-run-start")),
            on_run_end: texts(entry.map.get("on-run-end")),
            flags: entry.mapping("flags")?.into_iter().collect(),
            dispatch,
            restrict_access: entry.map.get("restrict-access") == Some(&Json::Bool(true)),
            quoting: entry.mapping("quoting")?,
            version: version(entry)?,
            required_version: texts(entry.map.get("require-dbt-version")),
        })
    }

    /// A config tree, empty when the file has none.
    pub(crate) fn tree(&self, kind: &str) -> Option<&Map<String, Json>> {
        self.trees.get(kind)
    }

    /// As [`Self::tree`], before it was rendered.
    pub(crate) fn unrendered_tree(&self, kind: &str) -> Option<&Map<String, Json>> {
        self.unrendered.get(kind)
    }
}

/// What the project says with every statement it sends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryComment {
    /// A template; `None`: the program's own comment.
    pub template: Option<String>,
    /// It stands behind the statement.
    pub append: bool,
    /// There is none.
    pub off: bool,
}

fn query_comment(entry: &Entry<'_>) -> QueryComment {
    let Some(given) = entry.map.get("query-comment") else {
        return QueryComment::default();
    };
    let (comment, append) = match given {
        Json::Object(map) => (
            map.get("comment"),
            map.get("append") == Some(&Json::Bool(true)),
        ),
        text => (Some(text), false),
    };
    let template = comment
        .and_then(Json::as_str)
        .filter(|text| !text.is_empty());
    QueryComment {
        off: comment.is_some() && template.is_none(),
        template: template.map(str::to_owned),
        append,
    }
}

fn trees(entry: &Entry<'_>) -> Result<Trees, Error> {
    let mut trees = Trees::new();
    for (tree, keys) in TREES {
        for key in keys {
            let mapping = entry.mapping(key)?;
            if !mapping.is_empty() {
                trees.insert(tree, mapping);
            }
        }
    }
    Ok(trees)
}

/// `version`: two or three numbers, the third perhaps with more as semantic versions have it, or a number with a point.
fn version(entry: &Entry<'_>) -> Result<String, Error> {
    let Some(given) = entry.map.get("version").filter(|given| !given.is_null()) else {
        return Ok(String::new());
    };
    let is_fine = match given {
        Json::String(text) => is_version(text),
        given => given.is_f64(),
    };
    if is_fine {
        return Ok(version_text(given));
    }
    Err(Error::Config {
        location: Some(Location::line(entry.path, key_line(entry.text, "version"))),
        message: format!("'version' is {given}, which is no version"),
        hint: Some("write it as '1.0.0' or '1.0'".to_owned()),
    })
}

fn is_version(text: &str) -> bool {
    let (text, build) = match text.split_once('+') {
        Some((text, build)) => (text, Some(build)),
        None => (text, None),
    };
    let (numbers, pre) = match text.split_once('-') {
        Some((numbers, pre)) => (numbers, Some(pre)),
        None => (text, None),
    };
    let is_number = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let is_word = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let is_pre = |part: &str| {
        is_word(part) && (is_number(part) || !part.bytes().all(|b| b.is_ascii_digit()))
    };
    let count = numbers.split('.').count();
    numbers.split('.').all(is_number)
        && (count == 3 || (count == 2 && pre.is_none() && build.is_none()))
        && pre.is_none_or(|pre| pre.split('.').all(is_pre))
        && build.is_none_or(|build| build.split('.').all(is_word))
}

fn key_line(text: &str, key: &str) -> usize {
    text.lines()
        .position(|line| {
            line.strip_prefix(key)
                .is_some_and(|rest| rest.starts_with(':'))
        })
        .map_or(0, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::is_version;

    /// As dbt 1.11 judges the same texts.
    #[test]
    fn versions_have_two_or_three_numbers() {
        for good in ["1.0", "1.0.0", "0.10.2", "1.0.0-rc1", "1.0.0-rc.1+b.07"] {
            assert!(is_version(good), "{good}");
        }
        for bad in [
            "1", "x", "1.0.0b1", "01.0", "1.0-rc1", "1.0.0.0", "1.0.0-01", "1.0.0+", "",
        ] {
            assert!(!is_version(bad), "{bad}");
        }
    }
}

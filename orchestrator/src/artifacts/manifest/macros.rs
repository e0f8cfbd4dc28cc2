//! Macros, and which of them call which. Pure.

use std::collections::HashMap;

use project::Manifest;
use project::calls::{Call, calls};
use project::manifest::Macro;
use serde_json::{Map, Value as Json, json};

/// Every macro by id.
pub(super) fn render(manifest: &Manifest, created: f64) -> Map<String, Json> {
    let names = Names::of(manifest);
    let each = |(id, found): (&String, &Macro)| {
        let calls = names.called_by(found);
        (id.clone(), of(found, &calls, created))
    };
    manifest.macros.iter().map(each).collect()
}

fn of(found: &Macro, calls: &[&str], created: f64) -> Json {
    let path = &found.original_file_path;
    let told = &found.properties;
    let patch_path = (told.patch_path.as_ref())
        .map(|path| format!("{}://{}", found.package_name, path.display()));
    let show = told.docs.get("show").cloned().unwrap_or(Json::Bool(true));
    let docs = json!({ "show": show, "node_color": told.docs.get("node_color") });
    json!({
        "name": found.name,
        "resource_type": "macro",
        "package_name": found.package_name,
        "path": path,
        "original_file_path": path,
        "unique_id": found.unique_id,
        "macro_sql": found.macro_sql,
        "depends_on": { "macros": calls },
        "description": told.description,
        "meta": told.meta,
        "docs": docs,
        "config": { "meta": told.meta, "docs": docs },
        "patch_path": patch_path,
        "arguments": told.arguments,
        "created_at": created,
        "supported_languages": languages(found),
    })
}

/// Of a materialization: what its models may be written in. Other macros have none.
fn languages(found: &Macro) -> Option<Vec<&str>> {
    if !found.name.starts_with("materialization_") {
        return None;
    }
    let listed = found
        .macro_sql
        .split_once("supported_languages")
        .and_then(|(_, rest)| {
            let (_, list) = rest.split_once('[')?;
            Some(list.split_once(']')?.0)
        });
    let quote = |c: char| c.is_whitespace() || c == '\'' || c == '"';
    let words = listed.unwrap_or("sql").split(',');
    Some(words.map(|word| word.trim_matches(quote)).collect())
}

/// Where names in a macro's text lead.
struct Names<'a> {
    project: &'a str,
    by_package: HashMap<(&'a str, &'a str), &'a str>,
    /// Whatever package it is of: the engine's own, before those the packages', before those the project's.
    by_name: HashMap<&'a str, &'a str>,
}

/// Packages of the engine's own; the adapter's pieces go before the others.
const OWN: [&str; 2] = ["dbt_postgres", "dbt"];

/// Names that are no macro's when they are called: dbt's context has them.
const CONTEXT: [&str; 22] = [
    "ref",
    "source",
    "config",
    "return",
    "var",
    "env_var",
    "log",
    "print",
    "fromjson",
    "tojson",
    "fromyaml",
    "toyaml",
    "set",
    "set_strict",
    "zip",
    "zip_strict",
    "diff_of_two_dicts",
    "local_md5",
    "dbt_version",
    "modules",
    "flags",
    "target",
];

impl<'a> Names<'a> {
    fn of(manifest: &'a Manifest) -> Self {
        let by_package = manifest.macros.values().map(|found| {
            (
                (found.package_name.as_str(), found.name.as_str()),
                found.unique_id.as_str(),
            )
        });
        // what is a macro of dbt's own and none here
        let built_in = [
            ("run_query", "macro.dbt.run_query"),
            ("statement", "macro.dbt.statement"),
        ];
        let by_package = built_in
            .map(|(name, id)| (("dbt", name), id))
            .into_iter()
            .chain(by_package);
        let project = manifest.project_name.as_str();
        let rank = |found: &Macro| match found.package_name.as_str() {
            "dbt" => 0,
            "dbt_postgres" => 1,
            package if package == project => 3,
            _ => 2,
        };
        let mut all: Vec<&Macro> = manifest.macros.values().collect();
        all.sort_by_key(|found| rank(found));
        let others = all
            .into_iter()
            .map(|found| (found.name.as_str(), found.unique_id.as_str()));
        let by_name = built_in.into_iter().chain(others);
        Self {
            project,
            by_package: by_package.collect(),
            by_name: by_name.collect(),
        }
    }

    fn in_package(&self, package: &str, name: &str) -> Option<&'a str> {
        let one = [package];
        // a package of the engine's own goes by `dbt`, whatever the adapter's is called
        let packages: &[&str] = if package == "dbt" { &OWN } else { &one };
        packages
            .iter()
            .find_map(|package| self.by_package.get(&(*package, name)).copied())
    }

    /// `name` as a macro of `package` means it: its own, or whoever has one.
    fn resolve(&self, package: &str, name: &str) -> Option<&'a str> {
        // what of the engine's own is no macro here is one in dbt
        let anyone = || Some(name).filter(|_| package != "dbt");
        let anyone = || self.by_name.get(anyone()?).copied();
        self.in_package(package, name).or_else(anyone)
    }

    /// What `adapter.dispatch(name, namespace)` leads to on Postgres.
    fn dispatched(&self, namespace: Option<&str>, name: &str) -> Option<&'a str> {
        let candidates = ["postgres__", "default__"].map(|prefix| format!("{prefix}{name}"));
        let Some(namespace) = namespace else {
            let anyone = |name: &String| self.by_name.get(name.as_str()).copied();
            return candidates.iter().find_map(anyone);
        };
        [self.project, namespace].into_iter().find_map(|package| {
            candidates
                .iter()
                .find_map(|name| self.in_package(package, name))
        })
    }

    /// Macros that the text of `caller` calls, in order of their first mention.
    fn called_by(&self, caller: &Macro) -> Vec<&'a str> {
        let package = caller.package_name.as_str();
        let mut found: Vec<&str> = Vec::new();
        let mut add = |id: Option<&'a str>| found.extend(id.filter(|id| !found.contains(id)));
        // dbt takes a plain name that is the caller's own for the caller
        let plain = |name: &str| {
            let other = name != caller.name && !CONTEXT.contains(&name);
            other.then(|| self.resolve(package, name)).flatten()
        };
        for call in calls(&caller.macro_sql) {
            match call {
                Call::Plain(name) => add(plain(&name)),
                Call::Of(of, name) => add(self.resolve(&of, &name)),
                Call::Dispatch(name, namespace) => {
                    add(plain(&name));
                    add(self.dispatched(namespace.as_deref(), &name));
                }
            }
        }
        found
    }
}

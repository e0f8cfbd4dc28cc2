//! Macros, and which of them call which. Pure.

use std::collections::HashMap;

use project::Manifest;
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
}

impl<'a> Names<'a> {
    fn of(manifest: &'a Manifest) -> Self {
        let by_package = manifest.macros.values().map(|found| {
            (
                (found.package_name.as_str(), found.name.as_str()),
                found.unique_id.as_str(),
            )
        });
        Self {
            project: &manifest.project_name,
            by_package: by_package.collect(),
        }
    }

    fn find(&self, package: &str, name: &str) -> Option<&'a str> {
        // a package of the engine's own goes by `dbt`, whatever the adapter's is called
        let packages: &[&str] = if package == "dbt" {
            &["dbt", "dbt_postgres"]
        } else {
            &[package]
        };
        packages
            .iter()
            .find_map(|package| self.by_package.get(&(*package, name)).copied())
    }

    /// `name` as a macro of `package` means it: its own, the project's, the engine's.
    fn resolve(&self, package: &str, name: &str) -> Option<&'a str> {
        [package, self.project, "dbt"]
            .into_iter()
            .find_map(|package| self.find(package, name))
    }

    /// What `adapter.dispatch(name, namespace)` leads to on Postgres.
    fn dispatched(&self, package: &str, name: &str) -> Option<&'a str> {
        let candidates = ["postgres__", "default__"].map(|prefix| format!("{prefix}{name}"));
        candidates.iter().find_map(|name| {
            [self.project, package, "dbt"]
                .into_iter()
                .find_map(|package| self.find(package, name))
        })
    }

    /// Macros that the text of `caller` calls, in order of their first mention.
    fn called_by(&self, caller: &Macro) -> Vec<&'a str> {
        let mut found: Vec<&str> = Vec::new();
        for call in calls(&caller.macro_sql) {
            let package = caller.package_name.as_str();
            let target = match call {
                Call::Plain(name) => self.resolve(package, name),
                Call::Of(of, name) => self.find(of, name),
                Call::Dispatch(name, namespace) => {
                    self.dispatched(namespace.unwrap_or(package), name)
                }
            };
            if let Some(id) = target.filter(|id| *id != caller.unique_id && !found.contains(id)) {
                found.push(id);
            }
        }
        found
    }
}

/// A call in a text.
#[derive(Debug, PartialEq, Eq)]
enum Call<'a> {
    /// `name(…)`.
    Plain(&'a str),
    /// `package.name(…)`.
    Of(&'a str, &'a str),
    /// `adapter.dispatch('name', 'namespace')`.
    Dispatch(&'a str, Option<&'a str>),
}

/// The calls within the tags and expressions of `text`.
fn calls(text: &str) -> Vec<Call<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("{{").into_iter().chain(rest.find("{%")).min() {
        let close = if rest[start..].starts_with("{{") {
            "}}"
        } else {
            "%}"
        };
        let inside = &rest[start + 2..];
        let end = inside.find(close).unwrap_or(inside.len());
        in_code(&inside[..end], &mut found);
        rest = &inside[end..];
    }
    found
}

fn in_code<'a>(code: &'a str, found: &mut Vec<Call<'a>>) {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    for (at, _) in code.match_indices('(') {
        let before = &code[..at];
        let start = before.rfind(|c: char| !word(c)).map_or(0, |end| {
            end + before[end..].chars().next().map_or(1, char::len_utf8)
        });
        let path = &before[start..];
        // the head of a definition is no call
        let heading = before[..start].trim_end();
        if heading.ends_with("macro") || heading.ends_with("test") {
            continue;
        }
        match path.split('.').collect::<Vec<_>>()[..] {
            ["adapter", "dispatch"] => {
                let mut quoted = code[at..].split(['\'', '"']).skip(1).step_by(2);
                let call = code[at..].split(')').next().unwrap_or_default();
                let count = call.matches(['\'', '"']).count() / 2;
                if let Some(name) = quoted.next() {
                    let namespace = quoted.next().filter(|_| count > 1);
                    found.push(Call::Dispatch(name, namespace));
                }
            }
            [name] if !name.is_empty() => found.push(Call::Plain(name)),
            [package, name] => found.push(Call::Of(package, name)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, calls};

    #[test]
    fn calls_are_found_where_code_is() {
        let text = "{% macro a(b) %} not_this() {{ one(two(b)) }} {% do pkg.three() %}\
                    {{ return(adapter.dispatch('four', 'pkg')(b)) }} {{ adapter.dispatch(\"five\")() }}{% endmacro %}";
        let expected = [
            Call::Plain("one"),
            Call::Plain("two"),
            Call::Of("pkg", "three"),
            Call::Plain("return"),
            Call::Dispatch("four", Some("pkg")),
            Call::Dispatch("five", None),
        ];
        assert_eq!(calls(text), expected);
    }
}

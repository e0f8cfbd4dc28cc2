//! Unit tests: YAML entries to definitions, one for each version of the model they are of.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::config::{self, Raw};
use crate::error::{Error, Location};
use crate::files;
use crate::lookup::{Found, Lookup};
use crate::manifest::{
    Fixture, Format, Manifest, Node, Overrides, RefArgs, ResourceType, UnitTest, version_text,
};
use crate::parse::Package;
use crate::parse::fixtures::{self, FixtureFile};
use crate::parse::nodes::tree_of;
use crate::parse::properties::{Patches, PropertyFile};
use crate::yaml::{Entry, kind, texts};

/// The unit tests of `package`, not yet tied to their models.
pub(crate) fn parse(package: &Package, patches: &Patches) -> Result<Vec<UnitTest>, Error> {
    let mut found = Vec::new();
    let mut fixtures: Option<Vec<FixtureFile>> = None;
    for file in &patches.files {
        for entry in file.entries("unit_tests")? {
            if fixtures.is_none() {
                fixtures = Some(fixtures::read(package)?);
            }
            let reader = Reader {
                file,
                entry: &entry,
                name: entry.name()?,
                fixtures: fixtures.as_deref().unwrap_or_default(),
            };
            found.push(reader.unit_test(package)?);
        }
    }
    Ok(found)
}

struct Reader<'a> {
    file: &'a Arc<PropertyFile>,
    entry: &'a Entry<'a>,
    name: String,
    fixtures: &'a [FixtureFile],
}

impl Reader<'_> {
    fn unit_test(&self, package: &Package) -> Result<UnitTest, Error> {
        let entry = self.entry;
        let name = self.name.clone();
        let model = entry
            .text("model")?
            .ok_or_else(|| entry.wrong(format!("unit test '{name}' has no 'model'")))?;
        let mut fqn = vec![package.name().to_owned()];
        fqn.extend(self.file.folders.iter().cloned());
        fqn.extend([model.clone(), name.clone()]);
        let raw = self.config(package, &fqn)?;
        let meta = match raw.get("meta") {
            Some(Json::Object(meta)) => meta.clone(),
            _ => Map::new(),
        };
        let given = entry
            .entries("given")?
            .iter()
            .map(|given| {
                let input = given.text("input")?;
                let input = input.ok_or_else(|| {
                    entry.wrong(format!("an input of unit test '{name}' has no 'input'"))
                })?;
                self.fixture(given.map, Some(input))
            })
            .collect::<Result<_, Error>>()?;
        let expect = entry.mapping("expect")?;
        if expect.is_empty() {
            return Err(entry.wrong(format!("unit test '{name}' has no 'expect'")));
        }
        let overrides = entry.mapping("overrides")?;
        let overrides = (!overrides.is_empty())
            .then(|| serde_json::from_value::<Overrides>(overrides.into()))
            .transpose()
            .map_err(|error| entry.wrong(format!("'overrides' of unit test '{name}': {error}")))?;
        Ok(UnitTest {
            unique_id: format!("unit_test.{}.{model}.{name}", package.name()),
            model,
            package_name: package.name().to_owned(),
            path: self.file.below(),
            original_file_path: self.file.path.clone(),
            fqn,
            description: entry.text("description")?.unwrap_or_default(),
            given,
            expect: self.fixture(&expect, None)?,
            overrides,
            versions: entry.map.get("versions").cloned(),
            version: None,
            enabled: raw.get("enabled") != Some(&Json::Bool(false)),
            tags: texts(raw.get("tags")),
            meta: meta.into_iter().collect(),
            line: crate::yaml::line_of_name(&self.file.text, &name),
            name,
            ..UnitTest::default()
        })
    }

    fn config(&self, package: &Package, fqn: &[String]) -> Result<Raw, Error> {
        let mut level = Raw::new();
        config::merge(&mut level, self.entry.mapping("config")?);
        let level: Map<String, Json> = level.into_iter().collect();
        let tree = tree_of(ResourceType::UnitTest);
        Ok(package.configure(tree, fqn, &level, &Raw::new()))
    }

    fn fixture(&self, map: &Map<String, Json>, input: Option<String>) -> Result<Fixture, Error> {
        let name = &self.name;
        let of = if input.is_some() { "input" } else { "expected" };
        let wrong = |message: String| self.entry.wrong(message);
        let format = match map.get("format").and_then(Json::as_str) {
            None | Some("dict") => Format::Dict,
            Some("csv") => Format::Csv,
            Some("sql") => Format::Sql,
            Some(other) => {
                return Err(wrong(format!(
                    "unit test '{name}': format '{other}' is none of dict, csv, sql"
                )));
            }
        };
        let written = map.get("rows").filter(|rows| !rows.is_null());
        let file = match map.get("fixture").and_then(Json::as_str) {
            None => None,
            Some(wanted) => {
                let found = self.fixtures.iter().find(|file| file.name == wanted);
                Some(found.ok_or_else(|| {
                    wrong(format!(
                        "File not found for fixture '{wanted}' in unit tests in {}",
                        self.file.path.display()
                    ))
                })?)
            }
        };
        let text = || match (file, written) {
            (Some(file), _) => Ok(file.text.clone()),
            (None, Some(Json::String(text))) => Ok(text.clone()),
            (None, other) => Err(wrong(format!(
                "Unit test {name} has {of} rows or fixtures which do not match format {}: expected \
                 text, found {}",
                word(format),
                other.map_or("nothing", kind)
            ))),
        };
        let mut rows = match format {
            Format::Sql => Json::String(text()?.trim().to_owned()),
            Format::Csv => Json::Array(fixtures::rows(&text()?)),
            Format::Dict => match written {
                Some(Json::Array(rows)) if rows.iter().all(Json::is_object) => {
                    Json::Array(rows.clone())
                }
                // those of a seed are read when the seed is known
                None if input.is_some() && file.is_none() => Json::Null,
                other => {
                    return Err(wrong(format!(
                        "Unit test {name} has {of} rows which do not match format dict: expected a \
                         list of mappings, found {}",
                        other.map_or("nothing", kind)
                    )));
                }
            },
        };
        promote(&mut rows);
        Ok(Fixture {
            input,
            rows,
            format,
            fixture: file.map(|file| file.name.clone()),
        })
    }
}

fn word(format: Format) -> &'static str {
    match format {
        Format::Dict => "dict",
        Format::Csv => "csv",
        Format::Sql => "sql",
    }
}

/// The first row without a null comes first: it tells the types.
fn promote(rows: &mut Json) {
    let Json::Array(rows) = rows else { return };
    let whole = |row: &Json| {
        row.as_object()
            .is_some_and(|row| row.values().all(|value| !value.is_null()))
    };
    if let Some(at) = rows.iter().position(whole) {
        rows.swap(0, at);
    }
}

/// A dict in Python's eyes: what a given `ref('seed')` without rows means is the seed's file.
fn seed_rows(
    manifest: &Manifest,
    lookup: &Lookup,
    roots: &dyn Fn(&str) -> Option<std::path::PathBuf>,
    test: &UnitTest,
    input: &str,
) -> Result<Json, Error> {
    let parts: Vec<&str> = input.split(['\'', '"']).skip(1).step_by(2).collect();
    let (package, name) = match parts[..] {
        [name] => (test.package_name.as_str(), name),
        [package, name, ..] => (package, name),
        [] => (test.package_name.as_str(), ""),
    };
    let wanted = RefArgs {
        name: name.to_owned(),
        package: Some(package.to_owned()),
        version: None,
    };
    let node = match lookup.find_ref(&manifest.project_name, package, &wanted) {
        Found::Node(id) => manifest.nodes.get(&id),
        Found::Disabled | Found::Nothing => None,
    };
    let seed = node.filter(|node| node.resource_type == ResourceType::Seed);
    let path = seed.and_then(|node| Some(roots(package)?.join(&node.original_file_path)));
    let path = path.ok_or_else(|| {
        wrong(
            test,
            format!(
                "Unable to find seed '{package}.{name}' for unit tests: '{input}' of unit test '{}' \
                 has no rows",
                test.name
            ),
        )
    })?;
    let mut rows = Json::Array(fixtures::rows(&files::read(&path)?));
    promote(&mut rows);
    Ok(rows)
}

fn wrong(test: &UnitTest, message: String) -> Error {
    Error::Config {
        location: Some(Location::line(&test.original_file_path, test.line)),
        message,
        hint: None,
    }
}

/// Ties unit tests to their models: one for each version asked for. Those of disabled models, and
/// disabled ones, go.
pub(crate) fn resolve(
    manifest: &mut Manifest,
    lookup: &Lookup,
    tests: Vec<UnitTest>,
    roots: &dyn Fn(&str) -> Option<std::path::PathBuf>,
) -> Result<(), Error> {
    for mut test in tests.into_iter().filter(|test| test.enabled) {
        for at in 0..test.given.len() {
            let input = test.given[at].input.clone().unwrap_or_default();
            if test.given[at].rows.is_null() {
                test.given[at].rows = seed_rows(manifest, lookup, roots, &test, &input)?;
            }
        }
        let mut words = test.model.split_whitespace();
        let wanted = RefArgs {
            name: words.next().unwrap_or_default().to_owned(),
            package: Some(test.package_name.clone()),
            version: words.next().map(Json::from),
        };
        let model = match lookup.find_ref(&manifest.project_name, &test.package_name, &wanted) {
            Found::Node(id) => manifest.nodes.get(&id),
            Found::Disabled => continue,
            Found::Nothing => None,
        };
        let model = model.filter(|node| node.resource_type == ResourceType::Model);
        let Some(model) = model else {
            return Err(wrong(
                &test,
                format!(
                    "Unable to find model '{}.{}' for unit test '{}' in {}",
                    test.package_name,
                    test.model,
                    test.name,
                    test.original_file_path.display()
                ),
            ));
        };
        check(&test, model)?;
        let mut made = Vec::new();
        for node in versions(manifest, &test, model)? {
            let mut test = test.clone();
            if let Some(version) = &node.version {
                test.unique_id = format!("{}_v{}", test.unique_id, version_text(version));
                test.version = Some(version.clone());
            }
            test.depends_on.nodes = vec![node.unique_id.clone()];
            made.push(test);
        }
        for test in made {
            let place = |test: &UnitTest| Location::line(&test.original_file_path, test.line);
            let second = place(&test);
            let id = test.unique_id.clone();
            if let Some(first) = manifest.unit_tests.insert(id, test) {
                return Err(Error::Duplicate {
                    what: format!("unit test '{}'", first.name),
                    first: place(&first),
                    second,
                });
            }
        }
    }
    Ok(())
}

/// An incremental model must be told which of its two sides is tested.
fn check(test: &UnitTest, model: &Node) -> Result<(), Error> {
    let asks = |id: &String| id == "macro.dbt.is_incremental";
    let written = model.raw_code.contains("is_incremental(");
    if !written && !model.depends_on.macros.iter().any(asks) {
        return Ok(());
    }
    let overrides = test.overrides.as_ref();
    let side = overrides.and_then(|o| o.macros.get("is_incremental")?.as_bool());
    let has_this = test
        .given
        .iter()
        .any(|given| given.input.as_deref().map(str::trim) == Some("this"));
    match side {
        None => Err(wrong(
            test,
            format!(
                "Boolean override for 'is_incremental' must be provided for unit test '{}' in model \
                 '{}'",
                test.name, model.name
            ),
        )),
        Some(true) if !has_this => Err(wrong(
            test,
            format!(
                "Unit test '{}' for incremental model '{}' must have a 'this' input",
                test.name, model.name
            ),
        )),
        Some(_) => Ok(()),
    }
}

/// The versions of `model` that `test` is for.
fn versions<'a>(
    manifest: &'a Manifest,
    test: &UnitTest,
    model: &'a Node,
) -> Result<Vec<&'a Node>, Error> {
    let list = |key: &str| -> Option<Vec<String>> {
        let items = test.versions.as_ref()?.get(key)?.as_array()?;
        Some(items.iter().map(version_text).collect())
    };
    let (include, exclude) = (list("include"), list("exclude"));
    if model.version.is_none() {
        if include.is_some() || exclude.is_some() {
            return Err(wrong(
                test,
                format!(
                    "Unit test '{}' should not have a versions include or exclude when referencing \
                     non-versioned model '{}'",
                    test.name, model.name
                ),
            ));
        }
        return Ok(vec![model]);
    }
    let all = manifest.nodes.values().filter(|node| {
        node.resource_type == ResourceType::Model
            && node.package_name == model.package_name
            && node.name == model.name
    });
    let wanted: Vec<&Node> = all
        .filter(|node| {
            let version = node.version.as_ref().map(version_text).unwrap_or_default();
            match (&exclude, &include) {
                (Some(exclude), _) => !exclude.contains(&version),
                (None, Some(include)) => include.contains(&version),
                (None, None) => true,
            }
        })
        .collect();
    if wanted.is_empty() {
        return Err(wrong(
            test,
            format!(
                "Unit test '{}' referenced a version of '{}' which was not found.",
                test.name, model.name
            ),
        ));
    }
    Ok(wanted)
}

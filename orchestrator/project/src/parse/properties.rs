//! Property files: what YAML says about models, seeds, sources, exposures and macros.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;
use jinja::Engine;
use serde_json::{Map, Value as Json};

use crate::context::yaml_scope::{YamlScope, render};
use crate::error::{Error, Location};
use crate::files::{self, SourceFile};
use crate::manifest::ColumnInfo;
use crate::parallel;
use crate::parse::Package;
use crate::parse::cache::Cache;
use crate::parse::late::late;
use crate::parse::versions::{self, Version};
use crate::semantic::{TimeSpine, spine};
use crate::yaml::{self, Entry, texts};

/// One property file, rendered.
#[derive(Debug)]
pub(crate) struct PropertyFile {
    /// Path below the project's root.
    pub(crate) path: PathBuf,
    /// Folders below the folder it was searched in.
    pub(crate) folders: Vec<String>,
    pub(crate) text: String,
    pub(crate) content: Json,
    /// Line of every name in the file.
    lines: HashMap<String, usize>,
}

/// Tests of one column, and what they inherit.
#[derive(Debug, Clone, Default)]
pub(crate) struct ColumnTests {
    /// Column name, quoted when the file says so.
    pub(crate) column: String,
    pub(crate) tags: Vec<String>,
    pub(crate) tests: Vec<Json>,
}

/// What a property file says about one node (or source table).
#[derive(Debug, Clone)]
pub(crate) struct Patch {
    pub(crate) name: String,
    pub(crate) file: Arc<PropertyFile>,
    pub(crate) description: String,
    pub(crate) config: Map<String, Json>,
    /// The same as it is written: a value stays one where a list is meant.
    pub(crate) written: Map<String, Json>,
    pub(crate) columns: IndexMap<String, ColumnInfo>,
    pub(crate) column_tests: Vec<ColumnTests>,
    pub(crate) tests: Vec<Json>,
    /// Of one version of a model.
    pub(crate) version: Option<Version>,
    pub(crate) constraints: Vec<Json>,
    pub(crate) deprecation_date: Option<Json>,
    pub(crate) time_spine: Option<TimeSpine>,
}

impl Patch {
    /// Where it stands.
    pub(crate) fn location(&self) -> Location {
        let line = self.file.lines.get(&self.name).copied().unwrap_or(0);
        Location::line(&self.file.path, line)
    }
}

/// Every patch of a package, by kind and name.
#[derive(Debug, Default)]
pub(crate) struct Patches {
    pub(crate) models: IndexMap<String, Patch>,
    /// Versions of models, by the file that holds them.
    pub(crate) versions: IndexMap<String, Patch>,
    pub(crate) seeds: IndexMap<String, Patch>,
    pub(crate) snapshots: IndexMap<String, Patch>,
    pub(crate) analyses: IndexMap<String, Patch>,
    /// Singular tests.
    pub(crate) tests: IndexMap<String, Patch>,
    pub(crate) files: Vec<Arc<PropertyFile>>,
}

/// Reads the property files of `package`.
pub(crate) fn read(
    package: &Package,
    engine: &Engine,
    cache: &Cache,
    scope: &YamlScope,
) -> Result<Patches, Error> {
    let file = &package.file;
    let mut searched = Vec::new();
    for paths in [
        &file.model_paths,
        &file.seed_paths,
        &file.snapshot_paths,
        &file.test_paths,
        &file.analysis_paths,
        &file.macro_paths,
    ] {
        searched.extend(
            paths
                .iter()
                .filter(|path| !searched.contains(*path))
                .cloned()
                .collect::<Vec<_>>(),
        );
    }
    let mut patches = Patches::default();
    let found = files::find(&file.root, &searched, &["yml", "yaml"])?;
    let read = parallel::map(&found, &|found| {
        let file = Arc::new(read_file(found, engine, cache, scope)?);
        let described = described(&file)?;
        Ok((file, described))
    })?;
    for (file, described) in read {
        patches.add(described)?;
        patches.files.push(file);
    }
    Ok(patches)
}

/// One entry of a property file.
struct Described {
    /// The list it stands in.
    key: &'static str,
    patch: Patch,
    /// Of a model with versions: what is said of each, by file.
    versions: Option<IndexMap<String, Patch>>,
}

const BUILT: [&str; 5] = ["models", "seeds", "snapshots", "analyses", "data_tests"];

/// What `file` says of nodes, in its order.
fn described(file: &Arc<PropertyFile>) -> Result<Vec<Described>, Error> {
    let mut all = Vec::new();
    for key in BUILT {
        for entry in file.entries(key)? {
            let patch = patch(&entry, file)?;
            let is_versioned = key == "models" && !entry.list("versions")?.is_empty();
            let versions = is_versioned.then(|| versions::of(&entry, &patch));
            all.push(Described {
                key,
                versions: versions.transpose()?,
                patch,
            });
        }
    }
    Ok(all)
}

fn read_file(
    found: &SourceFile,
    engine: &Engine,
    cache: &Cache,
    scope: &YamlScope,
) -> Result<PropertyFile, Error> {
    let text = found.read_stripped()?;
    let raw: Json = cache.yaml(&text, || yaml::parse(&text, &found.original))?;
    // a block's last newline goes too
    let content = if text.contains(['|', '>']) || text.contains("{{") {
        render(&raw, engine, scope, &found.original, &late)?
    } else {
        raw
    };
    if !matches!(content, Json::Object(_) | Json::Null) {
        return Err(Error::Yaml {
            location: Location::file(&found.original),
            message: format!(
                "expected a mapping at the top, found {}",
                yaml::kind(&content)
            ),
        });
    }
    Ok(PropertyFile {
        path: found.original.clone(),
        folders: found.folders(),
        lines: yaml::lines_of_names(&text),
        text,
        content,
    })
}

impl PropertyFile {
    /// Path below the folder it was searched in.
    pub(crate) fn below(&self) -> PathBuf {
        let folders: PathBuf = self.folders.iter().collect();
        folders.join(self.path.file_name().unwrap_or_default())
    }

    /// The line at which entry `name` of top-level list `key`, one of several that are called so, says its name.
    pub(crate) fn line(&self, key: &str, name: &str, which: usize) -> usize {
        yaml::line_of_name_below(&self.text, key, name, which)
    }

    /// The entries of top-level list `key`.
    pub(crate) fn entries<'a>(&'a self, key: &'a str) -> Result<Vec<Entry<'a>>, Error> {
        if self.content.is_null() {
            return Ok(Vec::new());
        }
        Entry::of(&self.content, &self.path, &self.text, "the file")?.entries(key)
    }
}

impl Patches {
    fn add(&mut self, described: Vec<Described>) -> Result<(), Error> {
        for Described {
            key,
            patch,
            versions,
        } in described
        {
            let into = match key {
                "models" => &mut self.models,
                "seeds" => &mut self.seeds,
                "snapshots" => &mut self.snapshots,
                "analyses" => &mut self.analyses,
                _ => &mut self.tests,
            };
            let versioned = self.versions.values().find(|v| v.name == patch.name);
            let first = into.get(&patch.name);
            if let Some(first) = first.or(versioned.filter(|_| key == "models")) {
                let singular = key.trim_end_matches('s');
                return Err(Error::Duplicate {
                    what: format!("the patch of {singular} '{}'", patch.name),
                    first: first.location(),
                    second: last_location(&patch),
                });
            }
            match versions {
                Some(versions) => self.versions.extend(versions),
                None => {
                    into.insert(patch.name.clone(), patch);
                }
            }
        }
        Ok(())
    }
}

/// The last place of the file that has this name: the second of two in one file.
fn last_location(patch: &Patch) -> Location {
    let text = &patch.file.text;
    let first = yaml::line_of_name(text, &patch.name);
    let rest: String = text
        .lines()
        .skip(first)
        .map(|line| format!("{line}\n"))
        .collect();
    let second = yaml::line_of_name(&rest, &patch.name);
    Location::line(
        &patch.file.path,
        if second > 0 { first + second } else { first },
    )
}

/// What `entry` says, whatever kind of thing it describes.
pub(crate) fn patch(entry: &Entry<'_>, file: &Arc<PropertyFile>) -> Result<Patch, Error> {
    let quote_all = entry.map.get("quote_columns") == Some(&Json::Bool(true));
    patch_of_table(entry, file, quote_all)
}

/// The same; columns that do not say otherwise are quoted when `quote_all` says so.
pub(crate) fn patch_of_table(
    entry: &Entry<'_>,
    file: &Arc<PropertyFile>,
    quote_all: bool,
) -> Result<Patch, Error> {
    let mut config = Map::new();
    // what is built has its tags below `config` only; dbt does not look at others
    let from = usize::from(BUILT.contains(&entry.what));
    for key in &["tags", "meta", "docs", "access", "group"][from..] {
        if let Some(value) = entry.map.get(*key) {
            config.insert((*key).to_owned(), value.clone());
        }
    }
    let mut written = config.clone();
    for (key, value) in entry.mapping("config")? {
        written.insert(key, value);
    }
    let mut merged = crate::config::Raw::new();
    crate::config::merge(&mut merged, config);
    crate::config::merge(&mut merged, entry.mapping("config")?);
    let mut columns = IndexMap::new();
    let mut column_tests = Vec::new();
    for column in entry.entries("columns")? {
        let (info, tests) = column_of(&column, quote_all)?;
        column_tests.extend(tests);
        columns.insert(info.name.clone(), info);
    }
    let time_spine = spine::of(entry, &columns)?;
    Ok(Patch {
        name: entry.name()?,
        file: Arc::clone(file),
        description: entry.text("description")?.unwrap_or_default(),
        config: merged.into_iter().collect(),
        written,
        columns,
        column_tests,
        tests: tests_of(entry)?,
        version: None,
        constraints: entry.list("constraints")?.to_vec(),
        deprecation_date: entry.map.get("deprecation_date").cloned(),
        time_spine,
    })
}

pub(crate) fn tests_of(entry: &Entry<'_>) -> Result<Vec<Json>, Error> {
    let (new, old) = (entry.list("data_tests")?, entry.list("tests")?);
    if !new.is_empty() && !old.is_empty() {
        return Err(entry.wrong("'tests' and 'data_tests' stand side by side: use 'data_tests'"));
    }
    Ok(if new.is_empty() {
        old.to_vec()
    } else {
        new.to_vec()
    })
}

/// Keys of a column; what else is written there is kept.
const OF_COLUMN: [&str; 12] = [
    "name",
    "description",
    "meta",
    "data_type",
    "constraints",
    "docs",
    "config",
    "data_tests",
    "tests",
    "quote",
    "tags",
    "granularity",
];

pub(crate) fn column_of(
    column: &Entry<'_>,
    quote_all: bool,
) -> Result<(ColumnInfo, Option<ColumnTests>), Error> {
    let config = column.mapping("config")?;
    let mut tags = texts(column.map.get("tags"));
    tags.extend(texts(config.get("tags")));
    let mut meta: IndexMap<String, Json> = column.mapping("meta")?.into_iter().collect();
    if let Some(Json::Object(more)) = config.get("meta") {
        meta.extend(more.clone());
    }
    let name = column.name()?;
    let quoted = column
        .map
        .get("quote")
        .map_or(quote_all, |q| *q == Json::Bool(true));
    let tests = tests_of(column)?;
    let tests = (!tests.is_empty()).then(|| ColumnTests {
        column: if quoted {
            format!("\"{name}\"")
        } else {
            name.clone()
        },
        tags: tags.clone(),
        tests,
    });
    let info = ColumnInfo {
        name,
        description: column.text("description")?.unwrap_or_default(),
        data_type: column.text("data_type")?,
        meta,
        tags,
        constraints: column.list("constraints")?.to_vec(),
        quote: column.map.get("quote").and_then(Json::as_bool),
        granularity: spine::granularity(column)?,
        more: column
            .map
            .iter()
            .filter(|(key, _)| !OF_COLUMN.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        doc_blocks: Vec::new(),
    };
    Ok((info, tests))
}

//! What a project was when another manifest was written: `state:`, `result:` and `source_status:` selectors
//! compare with it, and [`Previous::why`] tells in words what changed.
//!
//! Configuration is compared as it was written, before anything was rendered or inherited, so that another
//! target or variable changes nothing.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use crate::error::Error;
use crate::load::Project;
use crate::manifest::{Node, ResourceType, Source, UniqueId};

/// The artifacts of an earlier run.
#[derive(Debug, Default)]
pub struct Previous {
    /// Nodes, sources, exposures and the rest by id, as that manifest has them.
    things: HashMap<UniqueId, Json>,
    /// Text of every macro by id.
    macros: HashMap<UniqueId, String>,
    /// Status by id.
    results: HashMap<UniqueId, String>,
    /// When rows last came in, by source, then and now.
    loaded: [HashMap<UniqueId, String>; 2],
}

/// What of a node differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aspect {
    /// It is new.
    New,
    /// Its text.
    Body,
    /// Its configuration.
    Configs,
    /// Where it is built.
    Relation,
    /// Descriptions that are kept in the database.
    PersistedDescriptions,
    /// Macros it calls, or that those call.
    Macros,
    /// Its contract.
    Contract,
    /// Its place in the project.
    Fqn,
    /// Who may refer to it, or which version that means.
    Access,
}

impl Aspect {
    /// As the sub-selector of `state:modified` is called, when there is one.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Body => "body",
            Self::Configs => "configs",
            Self::Relation => "relation",
            Self::PersistedDescriptions => "persisted_descriptions",
            Self::Macros => "macros",
            Self::Contract => "contract",
            Self::Fqn => "fqn",
            Self::Access => "access",
        }
    }
}

/// One difference, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What.
    pub aspect: Aspect,
    /// How: `materialized: "view" -> "table"`.
    pub how: String,
}

/// Keys of a configuration that say where and under what label, not what is built.
const LABELS: [&str; 5] = ["alias", "schema", "database", "tags", "group"];

impl Previous {
    /// Reads `manifest.json`, and `run_results.json` and `sources.json` where they are, of `folder`; `current` is
    /// the target folder, whose `sources.json` tells what came in since.
    ///
    /// # Errors
    /// There is no manifest, or a file is no JSON.
    pub fn read(folder: &Path, current: &Path) -> Result<Self, Error> {
        let file = |folder: &Path, name: &str| -> Result<Option<Json>, Error> {
            let path = folder.join(name);
            let Ok(text) = std::fs::read_to_string(&path) else {
                return Ok(None);
            };
            let parsed = serde_json::from_str(&text);
            parsed.map(Some).map_err(|error| Error::Config {
                location: Some(crate::error::Location::file(&path)),
                message: format!("this is no artifact: {error}"),
                hint: None,
            })
        };
        let manifest = file(folder, "manifest.json")?.ok_or_else(|| Error::Config {
            location: Some(crate::error::Location::file(folder.join("manifest.json"))),
            message: "there is nothing to compare with".to_owned(),
            hint: Some(
                "--state names a folder that holds the manifest.json of an earlier run".to_owned(),
            ),
        })?;
        let results = file(folder, "run_results.json")?.unwrap_or_default();
        let then = file(folder, "sources.json")?.unwrap_or_default();
        let now = file(current, "sources.json")?.unwrap_or_default();
        Ok(Self::of(&manifest, &results, [&then, &now]))
    }

    /// The same of documents that were read already.
    #[must_use]
    pub fn of(manifest: &Json, results: &Json, sources: [&Json; 2]) -> Self {
        let section = |key: &str| manifest[key].as_object().cloned().unwrap_or_default();
        let things = [
            "nodes",
            "sources",
            "exposures",
            "metrics",
            "semantic_models",
            "saved_queries",
            "unit_tests",
        ]
        .into_iter()
        .flat_map(section)
        .collect();
        let text =
            |(id, found): (String, Json)| Some((id, found["macro_sql"].as_str()?.to_owned()));
        let by_id = |document: &Json, key: &str| -> HashMap<UniqueId, String> {
            let entries = document["results"]
                .as_array()
                .map_or(&[][..], Vec::as_slice);
            let pair = |entry: &Json| {
                Some((
                    entry["unique_id"].as_str()?.to_owned(),
                    entry[key].as_str()?.to_owned(),
                ))
            };
            entries.iter().filter_map(pair).collect()
        };
        Self {
            things,
            macros: section("macros").into_iter().filter_map(text).collect(),
            results: by_id(results, "status"),
            loaded: sources.map(|document| by_id(document, "max_loaded_at")),
        }
    }

    /// Whether that run ended `status` for `id`.
    #[must_use]
    pub fn ended(&self, id: &str, status: &str) -> bool {
        self.results.get(id).is_some_and(|found| found == status)
    }

    /// Whether rows came into source `id` since.
    #[must_use]
    pub fn is_fresher(&self, id: &str) -> bool {
        let [then, now] = [0, 1].map(|at| self.loaded[at].get(id));
        // RFC 3339 in UTC sorts as text
        now.is_some_and(|now| then.is_none_or(|then| now > then))
    }

    /// Whether `id` was there.
    #[must_use]
    pub fn had(&self, id: &str) -> bool {
        self.things.contains_key(id)
    }

    /// Where `id` was built, for `--defer`.
    #[must_use]
    pub fn relation_name(&self, id: &str) -> Option<&str> {
        self.things.get(id)?["relation_name"].as_str()
    }

    /// What of `id` differs; empty when it is as it was.
    #[must_use]
    pub fn why(&self, project: &Project, id: &str) -> Vec<Change> {
        let Some(then) = self.things.get(id) else {
            return vec![change(Aspect::New, "was not there".to_owned())];
        };
        if let Some(node) = project.manifest.nodes.get(id) {
            return self.of_node(project, node, then);
        }
        if let Some(source) = project.manifest.sources.get(id) {
            return of_source(source, then);
        }
        if let Some(exposure) = project.manifest.exposures.get(id) {
            let mut found = Vec::new();
            let now = serde_json::to_value(exposure).unwrap_or_default();
            for key in [
                "name",
                "fqn",
                "label",
                "maturity",
                "type",
                "url",
                "description",
            ] {
                differ(&mut found, Aspect::Body, key, &now[key], &then[key]);
            }
            return found;
        }
        if let Some(test) = project.manifest.unit_tests.get(id) {
            let mut found = Vec::new();
            let now = serde_json::to_value(test).unwrap_or_default();
            for key in ["model", "given", "expect", "overrides"] {
                differ(&mut found, Aspect::Body, key, &now[key], &then[key]);
            }
            return found;
        }
        Vec::new()
    }

    fn of_node(&self, project: &Project, node: &Node, then: &Json) -> Vec<Change> {
        let mut found = Vec::new();
        match node.resource_type {
            ResourceType::Seed => {
                let now = project.checksum(node);
                if now != then["checksum"] {
                    found.push(change(Aspect::Body, "the rows of the file".to_owned()));
                }
            }
            _ if then["raw_code"].as_str().map(str::trim) != Some(node.raw_code.trim()) => {
                found.push(change(Aspect::Body, "the text of the file".to_owned()));
            }
            _ => {}
        }
        let unrendered: Map<String, Json> = node.unrendered_config.clone().into_iter().collect();
        let empty = Map::new();
        let before = then["unrendered_config"].as_object().unwrap_or(&empty);
        let keys: HashSet<&String> = unrendered.keys().chain(before.keys()).collect();
        let mut keys: Vec<&String> = keys.into_iter().collect();
        keys.sort();
        for key in keys {
            let pair = [unrendered.get(key), before.get(key)]
                .map(|value| value.cloned().unwrap_or_default());
            match key.as_str() {
                "alias" | "schema" | "database" => {
                    differ(&mut found, Aspect::Relation, key, &pair[0], &pair[1])
                }
                key if LABELS.contains(&key) => {}
                key => differ(&mut found, Aspect::Configs, key, &pair[0], &pair[1]),
            }
        }
        differ(
            &mut found,
            Aspect::Fqn,
            "fqn",
            &node.fqn.clone().into(),
            &then["fqn"],
        );
        found.extend(descriptions(node, then));
        found.extend(contract(node, then));
        if node.resource_type == ResourceType::Model {
            let access = node.access.as_deref().unwrap_or("protected");
            differ(
                &mut found,
                Aspect::Access,
                "access",
                &access.into(),
                &then["access"],
            );
            let latest = node.latest_version.clone().unwrap_or_default();
            differ(
                &mut found,
                Aspect::Access,
                "latest_version",
                &latest,
                &then["latest_version"],
            );
        }
        found.extend(self.macros_of(project, node));
        found
    }

    /// Macros that `node` calls, directly or not, whose text is another. What comes with an engine is left out:
    /// another engine's texts differ and mean the same.
    fn macros_of(&self, project: &Project, node: &Node) -> Vec<Change> {
        let own = |id: &&UniqueId| {
            !["macro.dbt.", "macro.dbt_postgres."]
                .iter()
                .any(|prefix| id.starts_with(prefix))
        };
        let mut seen: HashSet<&str> = HashSet::new();
        let mut open: Vec<&UniqueId> = node.depends_on.macros.iter().filter(own).collect();
        let mut found = Vec::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let Some(now) = project.manifest.macros.get(id) else {
                continue;
            };
            match self.macros.get(id) {
                Some(then) if then.trim() == now.macro_sql.trim() => {}
                Some(_) => found.push(change(
                    Aspect::Macros,
                    format!("the text of macro {}", now.name),
                )),
                None => found.push(change(
                    Aspect::Macros,
                    format!("macro {} was not there", now.name),
                )),
            }
            let called = project.manifest.macros.iter();
            let called =
                called.filter(|(_, other)| now.macro_sql.contains(&format!("{}(", other.name)));
            open.extend(called.map(|(id, _)| id).filter(own));
        }
        found
    }
}

impl Project {
    /// The `checksum` of `node` as manifests write it: SHA-256 of its file; of a large seed its path.
    #[must_use]
    pub fn checksum(&self, node: &Node) -> Json {
        // reading larger seeds would cost more than it tells
        const READ_UP_TO: u64 = 1 << 20;
        let sha256 = |text: &str| {
            use sha2::Digest;
            let digest = sha2::Sha256::digest(text.trim().as_bytes());
            serde_json::json!({ "name": "sha256", "checksum": jinja::functions::hex(&digest) })
        };
        let file: PathBuf = self.file_of(node);
        match node.resource_type {
            ResourceType::Seed => {
                let size = std::fs::metadata(&file).map_or(0, |facts| facts.len());
                if size > READ_UP_TO {
                    return serde_json::json!({ "name": "path", "checksum": node.original_file_path });
                }
                sha256(&std::fs::read_to_string(&file).unwrap_or_default())
            }
            // a file may hold several
            ResourceType::Snapshot => match std::fs::read_to_string(&file) {
                Ok(text) => sha256(&text),
                Err(_) => sha256(&node.raw_code),
            },
            ResourceType::Operation => {
                let file = self.root_of(node).join("dbt_project.yml");
                sha256(&std::fs::read_to_string(file).unwrap_or_default())
            }
            ResourceType::Test if node.test_metadata.is_some() => {
                serde_json::json!({ "name": "none", "checksum": "" })
            }
            _ => sha256(&node.raw_code),
        }
    }
}

fn change(aspect: Aspect, how: String) -> Change {
    Change { aspect, how }
}

fn differ(found: &mut Vec<Change>, aspect: Aspect, key: &str, now: &Json, then: &Json) {
    if now != then {
        found.push(change(aspect, format!("{key}: {then} -> {now}")));
    }
}

fn of_source(source: &Source, then: &Json) -> Vec<Change> {
    let mut found = Vec::new();
    let relation = &source.relation_name;
    for (key, now) in [
        ("schema", &relation.schema),
        ("identifier", &relation.identifier),
    ] {
        differ(
            &mut found,
            Aspect::Relation,
            key,
            &now.as_str().into(),
            &then[key],
        );
    }
    differ(
        &mut found,
        Aspect::Fqn,
        "fqn",
        &source.fqn.clone().into(),
        &then["fqn"],
    );
    differ(
        &mut found,
        Aspect::Configs,
        "loader",
        &source.loader.as_str().into(),
        &then["loader"],
    );
    found
}

/// Descriptions count only where the database keeps them.
fn descriptions(node: &Node, then: &Json) -> Vec<Change> {
    let mut found = Vec::new();
    let kept = |what: &str| {
        let docs = node.config.raw.get("persist_docs");
        docs.and_then(|docs| docs.get(what)) == Some(&Json::Bool(true))
    };
    if kept("relation") {
        let now = node.description.as_str().into();
        differ(
            &mut found,
            Aspect::PersistedDescriptions,
            "description",
            &now,
            &then["description"],
        );
    }
    if kept("columns") {
        for (name, column) in &node.columns {
            let before = &then["columns"][name]["description"];
            let now = column.description.as_str().into();
            differ(
                &mut found,
                Aspect::PersistedDescriptions,
                name,
                &now,
                before,
            );
        }
    }
    found
}

/// Columns count only under a contract.
fn contract(node: &Node, then: &Json) -> Vec<Change> {
    let mut found = Vec::new();
    let written = node.config.raw.get("contract");
    let enforced = written.and_then(|contract| contract.get("enforced")) == Some(&Json::Bool(true));
    differ(
        &mut found,
        Aspect::Contract,
        "enforced",
        &enforced.into(),
        &then["contract"]["enforced"],
    );
    if enforced {
        let empty = Map::new();
        let before = then["columns"].as_object().unwrap_or(&empty);
        for (name, column) in &node.columns {
            let now = column.data_type.clone().map_or(Json::Null, Json::from);
            let was = before
                .get(name)
                .map_or(&Json::Null, |column| &column["data_type"]);
            differ(&mut found, Aspect::Contract, name, &now, was);
        }
        for name in before
            .keys()
            .filter(|name| !node.columns.contains_key(*name))
        {
            found.push(change(Aspect::Contract, format!("{name} is gone")));
        }
    }
    found
}

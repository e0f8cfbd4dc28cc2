//! What a project was when another manifest was written: `state:`, `result:` and `source_status:` selectors
//! compare with it, and [`Previous::why`] tells in words what changed.
//!
//! Configuration is compared as it was written, before anything was rendered or inherited, so that another
//! target or variable changes nothing.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value as Json;

use crate::error::Error;
use crate::load::Project;
use crate::manifest::UniqueId;

mod compare;

use compare::{change, differ, of_semantic, of_source};

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
        let manifest = &project.manifest;
        let semantics = [
            &manifest.metrics,
            &manifest.semantic_models,
            &manifest.saved_queries,
        ];
        let thing = semantics.iter().find_map(|things| things.get(id));
        thing.map_or_else(Vec::new, |thing| of_semantic(thing, then))
    }
}

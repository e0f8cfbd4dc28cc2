//! `--defer` and `clone`: what of the project another environment has built, by the manifest it left.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::error::{Error, Location};
use crate::manifest::UniqueId;
use crate::relation::RelationName;

/// What another environment built, and when it stands in for what is not here.
#[derive(Debug, Default)]
pub struct Deferral {
    relations: HashMap<UniqueId, RelationName>,
    /// The folder it was read from, as it was given.
    pub folder: PathBuf,
    /// Whether a `ref` may lead there; `clone` alone only looks.
    pub refs: bool,
    /// `--favor-state`: what is not selected is read there even when it exists here.
    pub favor: bool,
}

impl Deferral {
    /// Reads the `manifest.json` of `folder`, which is given as `shown`.
    ///
    /// # Errors
    /// There is none, or it is no manifest.
    pub fn read(folder: &Path, shown: &Path) -> Result<Self, Error> {
        let path = folder.join("manifest.json");
        let Ok(text) = std::fs::read_to_string(&path) else {
            return Err(Error::Config {
                location: None,
                message: format!(
                    "Could not find manifest in --state path: \"{}\"",
                    shown.display()
                ),
                hint: Some(
                    "--state and --defer-state name a folder that holds the manifest.json of another environment"
                        .to_owned(),
                ),
            });
        };
        let manifest: Json = serde_json::from_str(&text).map_err(|error| Error::Config {
            location: Some(Location::file(&path)),
            message: format!("this is no artifact: {error}"),
            hint: None,
        })?;
        Ok(Self {
            folder: shown.to_owned(),
            ..Self::of(&manifest)
        })
    }

    /// The same of a manifest that was read already.
    #[must_use]
    pub fn of(manifest: &Json) -> Self {
        let nodes = manifest["nodes"].as_object();
        let relation = |(id, node): (&String, &Json)| {
            let text = |key: &str| node[key].as_str().map(str::to_owned);
            let refable = matches!(
                node["resource_type"].as_str(),
                Some("model" | "seed" | "snapshot")
            );
            let ephemeral = node["config"]["materialized"].as_str() == Some("ephemeral");
            let name = RelationName::new(text("database")?, text("schema")?, text("alias")?);
            (refable && !ephemeral).then(|| (id.clone(), name))
        };
        Self {
            relations: nodes.into_iter().flatten().filter_map(relation).collect(),
            ..Self::default()
        }
    }

    /// Where node `id` was built there.
    #[must_use]
    pub fn relation(&self, id: &str) -> Option<&RelationName> {
        self.relations.get(id)
    }
}

/// The refusal of `--defer` and `clone` that do not say to what.
#[must_use]
pub fn no_state() -> Error {
    Error::Config {
        location: None,
        message: "--state or --defer-state are required for deferral, but neither was provided"
            .to_owned(),
        hint: Some(
            "--state names a folder that holds the manifest.json of another environment".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Deferral;

    #[test]
    fn what_has_a_relation_is_found_there() {
        let node = |kind: &str, how: &str| {
            json!({ "resource_type": kind, "database": "d", "schema": "prod", "alias": "a",
                    "config": { "materialized": how } })
        };
        let there = Deferral::of(&json!({ "nodes": {
            "model.p.a": node("model", "view"), "model.p.e": node("model", "ephemeral"),
            "seed.p.s": node("seed", "seed"), "test.p.t": node("test", "test"),
        } }));
        let found = |id| there.relation(id).map(ToString::to_string);
        assert_eq!(found("model.p.a").as_deref(), Some("\"d\".\"prod\".\"a\""));
        assert!(found("seed.p.s").is_some());
        assert_eq!(found("model.p.e"), None);
        assert_eq!(found("test.p.t"), None);
    }
}

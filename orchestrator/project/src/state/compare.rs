//! A node now and then, aspect by aspect.

use std::collections::HashSet;

use serde_json::{Map, Value as Json};

use super::{Aspect, Change, Previous};
use crate::load::Project;
use crate::manifest::{Node, ResourceType, Semantic, Source, UniqueId};

/// Keys of a configuration that say where and under what label, not what is built.
const LABELS: [&str; 5] = ["alias", "schema", "database", "tags", "group"];

impl Previous {
    pub(super) fn of_node(&self, project: &Project, node: &Node, then: &Json) -> Vec<Change> {
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
                // one of them or a list of one is the same
                key @ ("pre-hook" | "pre_hook" | "post-hook" | "post_hook" | "packages") => {
                    let [now, then] = pair.map(listed);
                    differ(&mut found, Aspect::Configs, key, &now, &then);
                }
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

    /// Whether the node of that id calls a macro whose text is another, or was not there. The node may be new itself.
    #[must_use]
    pub(crate) fn calls_changed_macro(&self, project: &Project, id: &str) -> bool {
        let node = project.manifest.nodes.get(id);
        node.is_some_and(|node| !self.macros_of(project, node).is_empty())
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

/// A list of what is there, text without blanks around it.
fn listed(value: Json) -> Json {
    let items = match value {
        Json::Array(items) => items,
        Json::Null => Vec::new(),
        other => vec![other],
    };
    let trimmed = |item| match item {
        Json::String(text) => Json::from(text.trim()),
        other => other,
    };
    items.into_iter().map(trimmed).collect()
}

pub(super) fn change(aspect: Aspect, how: String) -> Change {
    Change { aspect, how }
}

pub(super) fn differ(found: &mut Vec<Change>, aspect: Aspect, key: &str, now: &Json, then: &Json) {
    if now != then {
        found.push(change(aspect, format!("{key}: {then} -> {now}")));
    }
}

pub(super) fn of_source(source: &Source, then: &Json) -> Vec<Change> {
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
        Aspect::Relation,
        "quoting",
        &crate::rendered::quoting(source),
        &then["quoting"],
    );
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

/// What is compared of a metric, semantic model or saved query: its text and what it is made of.
pub(super) fn of_semantic(thing: &Semantic, then: &Json) -> Vec<Change> {
    let mut found = Vec::new();
    let now = crate::rendered::semantic(thing, 0.0);
    let keys: &[&str] = match thing.resource_type {
        ResourceType::Metric => &["description", "label", "type"],
        ResourceType::SemanticModel => &[
            "model",
            "description",
            "defaults",
            "entities",
            "dimensions",
            "measures",
            "primary_entity",
            "group",
        ],
        _ => &["description", "label", "group", "tags"],
    };
    for key in keys {
        differ(&mut found, Aspect::Body, key, &now[key], &then[key]);
    }
    if thing.resource_type == ResourceType::SavedQuery {
        for key in ["metrics", "group_by", "where"] {
            let (now, then) = (&now["query_params"][key], &then["query_params"][key]);
            differ(&mut found, Aspect::Body, key, now, then);
        }
        let [now, then] = [&now, then].map(|whole| exports(&whole["exports"]));
        differ(&mut found, Aspect::Body, "exports", &now, &then);
    }
    if thing.resource_type == ResourceType::Metric {
        let [mut now, mut then] = [&now, then].map(|whole| whole["unrendered_config"].clone());
        for config in [&mut now, &mut then].map(Json::as_object_mut) {
            config.map(|config| config.shift_remove("group"));
        }
        differ(&mut found, Aspect::Configs, "config", &now, &then);
    } else {
        differ(
            &mut found,
            Aspect::Configs,
            "config",
            &now["config"],
            &then["config"],
        );
    }
    found
}

/// Names of exports, and where they go as it is written.
fn exports(list: &Json) -> Json {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    let one = |export: &Json| {
        let written = &export["unrendered_config"];
        let place = ["export_as", "schema", "alias"].map(|key| written[key].clone());
        serde_json::json!([export["name"], place])
    };
    list.iter().map(one).collect()
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
    // what has no contract says nothing of one
    let before = then["contract"]["enforced"] == Json::Bool(true);
    differ(
        &mut found,
        Aspect::Contract,
        "enforced",
        &enforced.into(),
        &before.into(),
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

//! One node, with every key dbt writes.

use std::borrow::Cow;

use project::Project;
use project::manifest::{ColumnInfo, DependsOn, Node, ResourceType};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::{Made, config};
use project::rendered::{columns, constraints};

use crate::artifacts::hex;
use crate::run::prepare::kind_word;

/// A node as the manifest holds it. Written key by key: a large project has tens of thousands of them, and a value
/// of each would cost more than reading it did.
pub(super) struct Rendered<'a> {
    /// The project it belongs to.
    pub(super) project: &'a Project,
    /// The node.
    pub(super) node: &'a Node,
    /// What the invocation made of it.
    pub(super) made: Option<&'a Made>,
    /// Its primary key, as its tests tell it.
    pub(super) primary_key: &'a [String],
    /// Seconds since 1970.
    pub(super) created: f64,
    /// Index of a first hook: dbt counts from 1 when it runs them.
    pub(super) first_hook: usize,
}

impl Serialize for Rendered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.common(&mut map)?;
        self.of_kind(&mut map)?;
        if self.node.resource_type == ResourceType::Seed {
            map.serialize_entry("depends_on", &Macros::of(self.node))?;
        } else {
            map.serialize_entry("depends_on", &*self.depends_on())?;
            self.compiled(&mut map)?;
        }
        map.end()
    }
}

#[derive(serde::Serialize)]
struct Macros<'a> {
    macros: &'a [String],
}

impl<'a> Macros<'a> {
    fn of(node: &'a Node) -> Self {
        Self {
            macros: &node.depends_on.macros,
        }
    }
}

impl Rendered<'_> {
    /// What parsing saw, and the macros that were called when the node was compiled.
    fn depends_on(&self) -> Cow<'_, DependsOn> {
        let seen = &self.node.depends_on;
        let called = self.made.map_or(&[][..], |made| &made.macros);
        let further: Vec<_> = called
            .iter()
            .filter(|id| !seen.macros.contains(id))
            .cloned()
            .collect();
        if further.is_empty() {
            return Cow::Borrowed(seen);
        }
        let mut all = seen.clone();
        all.macros.extend(further);
        Cow::Owned(all)
    }

    /// Keys of every kind.
    fn common<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let (node, project) = (self.node, self.project);
        let relation = node.relation_name.as_ref();
        map.serialize_entry("database", &node.database)?;
        map.serialize_entry("schema", &node.schema)?;
        map.serialize_entry("name", &node.name)?;
        map.serialize_entry("resource_type", kind_word(node.resource_type))?;
        map.serialize_entry("package_name", &node.package_name)?;
        map.serialize_entry("path", &node.path)?;
        map.serialize_entry("original_file_path", &node.original_file_path)?;
        map.serialize_entry("unique_id", &node.unique_id)?;
        map.serialize_entry("fqn", &node.fqn)?;
        map.serialize_entry("alias", &node.alias)?;
        map.serialize_entry("checksum", &project.checksum(node))?;
        map.serialize_entry("config", &config::Config(node))?;
        map.serialize_entry("tags", &node.tags)?;
        map.serialize_entry("description", &node.description)?;
        map.serialize_entry("columns", &columns(&node.columns))?;
        map.serialize_entry("meta", &node.config.meta)?;
        map.serialize_entry("group", &node.group)?;
        map.serialize_entry("docs", &config::docs(node))?;
        map.serialize_entry("patch_path", &node.patch_uri())?;
        let build_path = self.made.and_then(|made| made.build_path.as_ref());
        map.serialize_entry("build_path", &build_path)?;
        map.serialize_entry("unrendered_config", &node.unrendered_config)?;
        map.serialize_entry("created_at", &self.created)?;
        map.serialize_entry("relation_name", &relation.map(ToString::to_string))?;
        map.serialize_entry("raw_code", &node.raw_code)?;
        map.serialize_entry("doc_blocks", &node.doc_blocks)
    }

    /// Keys of the node's kind alone.
    fn of_kind<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let (node, project) = (self.node, self.project);
        match node.resource_type {
            ResourceType::Seed => {
                let root = std::path::absolute(project.root_of(node)).unwrap_or_default();
                map.serialize_entry("root_path", &root)?;
            }
            ResourceType::Model => {
                map.serialize_entry("access", node.access.as_deref().unwrap_or("protected"))?;
                map.serialize_entry("constraints", &constraints(&node.constraints, true))?;
                map.serialize_entry("version", &node.version)?;
                map.serialize_entry("latest_version", &node.latest_version)?;
                let deprecation = node.deprecation_date.as_ref().map(midnight);
                map.serialize_entry("deprecation_date", &deprecation)?;
                map.serialize_entry("primary_key", self.primary_key)?;
                map.serialize_entry("time_spine", &node.time_spine)?;
            }
            ResourceType::Test => {
                if let Some(about) = &node.test_metadata {
                    map.serialize_entry("column_name", &node.column_name)?;
                    map.serialize_entry("file_key_name", &node.file_key_name)?;
                    map.serialize_entry("attached_node", &node.attached_node)?;
                    map.serialize_entry("test_metadata", about)?;
                }
            }
            ResourceType::Operation => {
                let index = hook_index(project, node).map(|index| index + self.first_hook);
                map.serialize_entry("index", &index)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Keys of what has SQL.
    fn compiled<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        const NONE: [(); 0] = [];
        let node = self.node;
        let contract = config::Contract {
            written: config::contract(node),
            checksum: contract_checksum(node),
        };
        let is_snapshot = node.resource_type == ResourceType::Snapshot;
        let compiled_path = self.made.and_then(|made| made.compiled_path.as_ref());
        map.serialize_entry("language", "sql")?;
        map.serialize_entry("refs", &node.refs)?;
        map.serialize_entry("sources", &node.source_refs)?;
        map.serialize_entry("metrics", &NONE)?;
        map.serialize_entry("functions", &NONE)?;
        map.serialize_entry("compiled_path", &compiled_path.filter(|_| !is_snapshot))?;
        map.serialize_entry("contract", &contract)?;
        if let Some(made) = self.made
            && let Some(compiled_code) = &made.compiled_code
        {
            map.serialize_entry("compiled", &true)?;
            map.serialize_entry("compiled_code", compiled_code)?;
            map.serialize_entry("extra_ctes_injected", &true)?;
            map.serialize_entry("extra_ctes", &made.extra_ctes)?;
        }
        Ok(())
    }
}

/// A day as the instant dbt makes of it.
fn midnight(written: &Json) -> Json {
    match written.as_str() {
        Some(day) if day.len() == "2030-01-01".len() => json!(format!("{day}T00:00:00+00:00")),
        _ => written.clone(),
    }
}

/// SHA-256 of a contract in dbt's own notation, which readers compare: that of Python's objects.
fn contract_checksum(node: &Node) -> Option<String> {
    if !config::is_enforced(node) {
        return None;
    }
    let mut columns: Vec<&ColumnInfo> = node.columns.values().collect();
    columns.sort_by_key(|column| &column.name);
    let mut state = String::new();
    for column in columns {
        let data_type = column.data_type.as_deref().unwrap_or("None");
        let constraints = notation(
            &constraints(&column.constraints, false),
            "ColumnLevelConstraint",
        );
        state.push_str(&format!("|{}{data_type}{constraints}", column.name));
    }
    if matches!(node.config.materialized.as_str(), "table" | "incremental") {
        state.push_str(&node.config.materialized);
        state.push_str(&notation(
            &constraints(&node.constraints, true),
            "ModelLevelConstraint",
        ));
    }
    Some(hex(&Sha256::digest(state.as_bytes())))
}

/// A list of constraints as Python prints it.
fn notation(constraints: &Json, class: &str) -> String {
    fn value(json: &Json) -> String {
        match json {
            Json::Null => "None".to_owned(),
            Json::Bool(true) => "True".to_owned(),
            Json::Bool(false) => "False".to_owned(),
            Json::String(text) if text.contains('\'') && !text.contains('"') => {
                format!("\"{text}\"")
            }
            Json::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
            Json::Array(items) => format!(
                "[{}]",
                items.iter().map(value).collect::<Vec<_>>().join(", ")
            ),
            other => other.to_string(),
        }
    }
    const FIELDS: [&str; 8] = [
        "type",
        "name",
        "expression",
        "warn_unenforced",
        "warn_unsupported",
        "to",
        "to_columns",
        "columns",
    ];
    let one = |constraint: &Json| {
        let kind = constraint["type"].as_str().unwrap_or_default();
        let fields = FIELDS
            .iter()
            .filter_map(|field| Some((*field, constraint.get(field)?)));
        let fields = fields.map(|(field, found)| match field {
            "type" => format!("type=<ConstraintType.{kind}: '{kind}'>"),
            _ => format!("{field}={}", value(found)),
        });
        format!("{class}({})", fields.collect::<Vec<_>>().join(", "))
    };
    let all: Vec<String> = constraints
        .as_array()
        .into_iter()
        .flatten()
        .map(one)
        .collect();
    format!("[{}]", all.join(", "))
}

/// Position among the hooks of its kind, from 0.
fn hook_index(project: &Project, node: &Node) -> Option<usize> {
    [&project.on_run_start, &project.on_run_end]
        .into_iter()
        .find_map(|hooks| hooks.iter().position(|id| *id == node.unique_id))
}

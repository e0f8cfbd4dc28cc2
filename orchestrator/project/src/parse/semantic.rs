//! Metrics, semantic models and saved queries: kept, counted and selectable, never executed.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::config::{self, Raw};
use crate::context::Shared;
use crate::error::{Error, Location};
use crate::manifest::{Manifest, ResourceType, Semantic, UniqueId};
use crate::parse::Package;
use crate::parse::nodes::{draft, kind_name, references, tree_of};
use crate::parse::properties::{Patches, PropertyFile};
use crate::yaml::{Entry, texts};

/// Everything of this kind that `package` declares.
pub(crate) fn parse(
    shared: &Arc<Shared>,
    package: &Package,
    patches: &Patches,
) -> Result<Vec<Semantic>, Error> {
    let mut found = Vec::new();
    for file in &patches.files {
        for (key, kind) in [
            ("semantic_models", ResourceType::SemanticModel),
            ("metrics", ResourceType::Metric),
            ("saved_queries", ResourceType::SavedQuery),
        ] {
            for entry in file.entries(key)? {
                let Some(thing) = one(shared, package, file, kind, &entry)? else {
                    continue;
                };
                if kind == ResourceType::SemanticModel {
                    found.extend(created(package, &thing));
                }
                found.push(thing);
            }
        }
    }
    Ok(found)
}

/// The metrics that a semantic model's measures ask for with `create_metric: true`.
fn created(package: &Package, model: &Semantic) -> Vec<Semantic> {
    let measures = model.properties.get("measures").and_then(Json::as_array);
    let asked = |measure: &&Json| measure.get("create_metric") == Some(&Json::Bool(true));
    let metric = |measure: &Json| {
        let text = |key: &str| measure.get(key).and_then(Json::as_str);
        let name = text("name")?;
        let properties = json!({
            "name": name,
            "label": text("label").unwrap_or(name),
            "type": "simple",
            "type_params": { "measure": name, "expr": text("expr").unwrap_or(name) },
        });
        let mut fqn = model.fqn.clone();
        fqn.pop();
        fqn.push(name.to_owned());
        let mut level = Map::new();
        if let Some(meta) = measure.get("config").and_then(|config| config.get("meta")) {
            level.insert("meta".to_owned(), meta.clone());
        }
        let config = package.configure(tree_of(ResourceType::Metric), &fqn, &level, &Raw::new());
        let described = text("description").map(str::to_owned);
        Some(Semantic {
            unique_id: format!("metric.{}.{name}", package.name()),
            resource_type: ResourceType::Metric,
            name: name.to_owned(),
            fqn,
            description: described.unwrap_or_else(|| format!("Metric created from measure {name}")),
            tags: Vec::new(),
            group: None,
            config,
            refs: Vec::new(),
            properties: properties.as_object().cloned().unwrap_or_default(),
            ..model.clone()
        })
    };
    let measures = measures.into_iter().flatten();
    measures.filter(asked).filter_map(metric).collect()
}

fn one(
    shared: &Arc<Shared>,
    package: &Package,
    file: &Arc<PropertyFile>,
    kind: ResourceType,
    entry: &Entry<'_>,
) -> Result<Option<Semantic>, Error> {
    let name = entry.name()?;
    let mut fqn = vec![package.name().to_owned()];
    fqn.extend(file.folders.iter().cloned());
    fqn.push(name.clone());
    let mut level = Raw::new();
    for key in ["tags", "meta", "group"] {
        if let Some(value) = entry.map.get(key) {
            config::merge_one(&mut level, key, value.clone());
        }
    }
    config::merge(&mut level, entry.mapping("config")?);
    let level: Map<String, Json> = level.into_iter().collect();
    let raw = package.configure(tree_of(kind), &fqn, &level, &Raw::new());
    if raw.get("enabled") == Some(&Json::Bool(false)) {
        return Ok(None);
    }
    let mut node = draft(package, ResourceType::Analysis, &name);
    node.original_file_path.clone_from(&file.path);
    if kind == ResourceType::SemanticModel {
        let model = entry.text("model")?.unwrap_or_default();
        node.raw_code = format!("{{{{ {model} }}}}");
    }
    let named = references(shared, &node)?;
    Ok(Some(Semantic {
        unique_id: format!("{}.{}.{name}", kind_name(kind), package.name()),
        resource_type: kind,
        name,
        package_name: package.name().to_owned(),
        path: file.below(),
        original_file_path: file.path.clone(),
        fqn,
        description: entry.text("description")?.unwrap_or_default(),
        // what a metric's configuration says does not become its tags
        tags: match kind {
            ResourceType::Metric => texts(entry.map.get("tags")),
            _ => texts(raw.get("tags")),
        },
        group: raw.get("group").and_then(Json::as_str).map(str::to_owned),
        config: raw,
        refs: named.refs,
        depends_on: crate::manifest::DependsOn::default(),
        properties: entry.map.clone(),
    }))
}

/// A name, or the `name` of a mapping.
fn name_of(value: Option<&Json>) -> Option<&str> {
    match value? {
        Json::String(name) => Some(name),
        Json::Object(map) => map.get("name")?.as_str(),
        _ => None,
    }
}

/// The measures and metrics that a metric is made of.
fn inputs(metric: &Semantic) -> (Vec<&str>, Vec<&str>) {
    let Some(parameters) = metric.properties.get("type_params") else {
        return (Vec::new(), Vec::new());
    };
    let get = |key: &str| parameters.get(key);
    let conversion = get("conversion_type_params");
    let list = |value: Option<&Json>| {
        let items = value.and_then(Json::as_array).cloned().unwrap_or_default();
        items.len()
    };
    let mut measures: Vec<&str> = name_of(get("measure")).into_iter().collect();
    for key in ["base_measure", "conversion_measure"] {
        measures.extend(name_of(conversion.and_then(|c| c.get(key))));
    }
    let mut metrics: Vec<&str> = ["numerator", "denominator"]
        .iter()
        .filter_map(|key| name_of(get(key)))
        .collect();
    for index in 0..list(get("metrics")) {
        metrics.extend(name_of(get("metrics").and_then(|all| all.get(index))));
    }
    (measures, metrics)
}

/// Sets `depends_on` of metrics and saved queries; those of semantic models are references.
pub(crate) fn resolve(manifest: &mut Manifest) -> Result<(), Error> {
    let mut measures: HashMap<String, UniqueId> = HashMap::new();
    for model in manifest.semantic_models.values() {
        let own = model.properties.get("measures").and_then(Json::as_array);
        for measure in own.into_iter().flatten() {
            if let Some(name) = name_of(Some(measure)) {
                measures.insert(name.to_owned(), model.unique_id.clone());
            }
        }
    }
    let metrics: HashMap<String, UniqueId> = manifest
        .metrics
        .values()
        .map(|metric| (metric.name.clone(), metric.unique_id.clone()))
        .collect();
    let missing = |thing: &Semantic, what: &str, name: &str| Error::UnknownDependency {
        subject: format!("{} '{}'", kind_name(thing.resource_type), thing.unique_id),
        wanted: format!("a {what} named '{name}'"),
        reason: "was not found".into(),
        location: Box::new(Location::file(&thing.original_file_path)),
        hint: None,
    };
    let mut found: Vec<(UniqueId, Vec<UniqueId>)> = Vec::new();
    let all = manifest.metrics.values();
    for thing in all.chain(manifest.saved_queries.values()) {
        let mut ids: Vec<UniqueId> = Vec::new();
        let (of_measures, of_metrics) = match thing.resource_type {
            ResourceType::SavedQuery => {
                let query = thing.properties.get("query_params");
                let list = query.and_then(|query| query.get("metrics"));
                let names = list.and_then(Json::as_array);
                let names = names.into_iter().flatten();
                (Vec::new(), names.filter_map(Json::as_str).collect())
            }
            _ => inputs(thing),
        };
        for name in of_measures {
            let id = measures.get(name);
            ids.push(id.ok_or_else(|| missing(thing, "measure", name))?.clone());
        }
        for name in of_metrics {
            let id = metrics.get(name);
            ids.push(id.ok_or_else(|| missing(thing, "metric", name))?.clone());
        }
        let mut seen = std::collections::HashSet::new();
        ids.retain(|id| seen.insert(id.clone()));
        found.push((thing.unique_id.clone(), ids));
    }
    for (id, parents) in found {
        let metric = manifest.metrics.get_mut(&id);
        if let Some(thing) = metric.or(manifest.saved_queries.get_mut(&id)) {
            thing.depends_on.nodes = parents;
        }
    }
    Ok(())
}

//! Entries of metrics, semantic models and saved queries: read, configured, and told what they need.

use std::collections::HashMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::config::{self, Raw};
use crate::context::Shared;
use crate::error::Error;
use crate::manifest::{DependsOn, ResourceType, Semantic};
use crate::parse::Package;
use crate::parse::names::Names;
use crate::parse::nodes::{draft, kind_name, references, tree_of};
use crate::parse::properties::{Patches, PropertyFile};
use crate::semantic::{Body, InputMeasure, Metric, MetricType, Named, TypeParams};
use crate::yaml::{Entry, texts};

mod resolve;

pub(crate) use resolve::resolve;

/// Keys that every kind has: an entry's others are its body's.
const SHARED: [&str; 4] = ["name", "description", "config", "tags"];

/// Everything of this kind that `package` declares, disabled ones too.
pub(crate) fn parse(
    shared: &Arc<Shared>,
    names: &Names,
    package: &Package,
    patches: &Patches,
) -> Result<Vec<Semantic>, Error> {
    let mut found = Vec::new();
    for file in &patches.files {
        for (key, kind) in [
            ("metrics", ResourceType::Metric),
            ("semantic_models", ResourceType::SemanticModel),
            ("saved_queries", ResourceType::SavedQuery),
        ] {
            let mut seen: HashMap<String, usize> = HashMap::new();
            for entry in file.entries(key)? {
                let name = entry.name()?;
                let which = seen.entry(name.clone()).or_default();
                let line = file.line(key, &name, *which);
                *which += 1;
                let reading = Reading {
                    shared,
                    names,
                    package,
                    file,
                    entry,
                    line,
                };
                let thing = reading.thing(kind)?;
                let made = created(package, &thing);
                found.push(thing);
                found.extend(made);
            }
        }
    }
    Ok(found)
}

/// The metrics that a semantic model's measures ask for with `create_metric: true`.
fn created(package: &Package, model: &Semantic) -> Vec<Semantic> {
    let measures = model.model().map_or(&[][..], |body| &body.measures);
    let asked = measures.iter().filter(|measure| measure.create_metric);
    let metric = |measure: &crate::semantic::Measure| {
        let name = &measure.name;
        let mut fqn = model.fqn.clone();
        fqn.pop();
        fqn.push(name.clone());
        // the model's own, and not the measure's
        let level = ["enabled", "meta"].map(|key| {
            let default = config::default_of(key, ResourceType::SemanticModel);
            let value = model.config.get(key).cloned().or(default);
            (key.to_owned(), value.unwrap_or_default())
        });
        let expr = measure.expr.clone().filter(|expr| !expr.is_empty());
        let mut body = Metric {
            label: measure.label.clone().unwrap_or_else(|| name.clone()),
            r#type: MetricType::Simple,
            type_params: TypeParams {
                measure: Some(Named(InputMeasure::of(name))),
                expr: Some(expr.unwrap_or_else(|| name.clone())),
                ..TypeParams::default()
            },
            filter: None,
            metadata: Default::default(),
            time_granularity: None,
            meta: Map::new(),
            sources: Vec::new(),
            metrics: Vec::new(),
        };
        let settings = Settings::of(package, ResourceType::Metric, &fqn, &Map::from_iter(level));
        settings.give_meta(&mut body);
        let described = measure.description.clone();
        let described = described.unwrap_or_else(|| format!("Metric created from measure {name}"));
        Semantic {
            unique_id: format!("metric.{}.{name}", package.name()),
            resource_type: ResourceType::Metric,
            name: name.clone(),
            fqn,
            description: Some(described),
            tags: Vec::new(),
            group: settings.group(),
            config: settings.config,
            unrendered_config: settings.unrendered,
            refs: Vec::new(),
            depends_on: DependsOn::default(),
            body: Body::Metric(Box::new(body)),
            ..model.clone()
        }
    };
    asked.map(metric).collect()
}

/// What is configured for one of them.
struct Settings {
    config: Raw,
    unrendered: Raw,
}

impl Settings {
    fn of(
        package: &Package,
        kind: ResourceType,
        fqn: &[String],
        written: &Map<String, Json>,
    ) -> Self {
        let tree = tree_of(kind);
        let nothing = Raw::new();
        let mut config = package.configure(tree, fqn, written, &nothing);
        // tags are no key of their own here: the last level that has some says which
        if let Some(tags) = package.last(tree, fqn, written).shift_remove("tags") {
            config.insert("tags".to_owned(), tags);
        }
        let unrendered = if kind == ResourceType::Metric {
            package.topmost(tree, fqn, written, &nothing)
        } else {
            // dbt looks for these trees under names that no project file has
            written.clone().into_iter().collect()
        };
        Self { config, unrendered }
    }

    /// What of it is no value that its key may have.
    fn refusal(&self) -> Option<String> {
        let sound = |key: &str, value: &Json| match key {
            "enabled" => value.is_boolean(),
            "group" => value.is_string() || value.is_null(),
            "meta" => value.is_object(),
            _ => true,
        };
        let wrong = self.config.iter().find(|(key, value)| !sound(key, value));
        wrong.map(|(key, value)| format!("config '{key}': unexpected {}", crate::yaml::kind(value)))
    }

    fn group(&self) -> Option<String> {
        let group = self.config.get("group").and_then(Json::as_str);
        group.map(str::to_owned)
    }

    fn meta(&self) -> Option<&Map<String, Json>> {
        self.config.get("meta").and_then(Json::as_object)
    }

    /// What is configured stands above what the entry says.
    fn give_meta(&self, metric: &mut Metric) {
        if let Some(meta) = self.meta().filter(|meta| !meta.is_empty()) {
            metric.meta.clone_from(meta);
        }
    }
}

/// One entry.
struct Reading<'a> {
    shared: &'a Arc<Shared>,
    names: &'a Names,
    package: &'a Package,
    file: &'a Arc<PropertyFile>,
    entry: Entry<'a>,
    line: usize,
}

impl Reading<'_> {
    fn wrong(&self, kind: ResourceType, message: &str) -> Error {
        let name = self.entry.name().unwrap_or_default();
        Error::Yaml {
            location: crate::error::Location::line(&self.file.path, self.line),
            message: format!("{} '{name}': {message}", kind_name(kind)),
        }
    }

    fn body<T: DeserializeOwned>(&self, kind: ResourceType) -> Result<T, Error> {
        let own = self.entry.map.iter();
        let shared = |key: &str| {
            // a semantic model has no tags at all
            SHARED.contains(&key) && !(key == "tags" && kind == ResourceType::SemanticModel)
        };
        let own = own.filter(|(key, _)| !shared(key));
        let own: Map<String, Json> = own
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        serde_json::from_value(Json::Object(own))
            .map_err(|error| self.wrong(kind, &error.to_string()))
    }

    fn thing(&self, kind: ResourceType) -> Result<Semantic, Error> {
        let Self { package, file, .. } = self;
        let entry = &self.entry;
        let name = entry.name()?;
        let mut fqn = vec![package.name().to_owned()];
        fqn.extend(file.folders.iter().cloned());
        fqn.push(name.clone());
        let settings = Settings::of(package, kind, &fqn, &entry.mapping("config")?);
        if let Some(message) = settings.refusal() {
            return Err(self.wrong(kind, &message));
        }
        let mut refs = Vec::new();
        let mut tags = texts(entry.map.get("tags"));
        let mut description = entry.text("description")?;
        let body = match kind {
            ResourceType::Metric => {
                let mut metric: Metric = self.body(kind)?;
                metric.settle();
                settings.give_meta(&mut metric);
                description.get_or_insert_default();
                Body::Metric(Box::new(metric))
            }
            ResourceType::SemanticModel => {
                let mut model: crate::semantic::SemanticModel = self.body(kind)?;
                for meta in model.metas() {
                    let own = std::mem::take(meta);
                    meta.extend(settings.meta().cloned().unwrap_or_default());
                    meta.extend(own);
                }
                refs = self.refs(&name, &model.model)?;
                Body::Model(Box::new(model))
            }
            _ => {
                let mut query: crate::semantic::SavedQuery = self.body(kind)?;
                for export in &mut query.exports {
                    export
                        .configure(&settings.config)
                        .map_err(|message| self.wrong(kind, &message))?;
                    self.place(export)?;
                }
                tags.extend(texts(settings.config.get("tags")));
                tags.sort();
                tags.dedup();
                Body::Query(Box::new(query))
            }
        };
        Ok(Semantic {
            unique_id: format!("{}.{}.{name}", kind_name(kind), package.name()),
            resource_type: kind,
            name,
            package_name: package.name().to_owned(),
            path: file.below(),
            original_file_path: file.path.clone(),
            line: self.line,
            fqn,
            description,
            tags,
            group: settings.group(),
            config: settings.config,
            unrendered_config: settings.unrendered,
            refs,
            depends_on: DependsOn::default(),
            body,
        })
    }

    /// What `model: ref('…')` refers to.
    fn refs(&self, name: &str, model: &str) -> Result<Vec<crate::manifest::RefArgs>, Error> {
        let mut node = draft(self.package, ResourceType::Analysis, name);
        node.original_file_path.clone_from(&self.file.path);
        node.line = self.line;
        node.raw_code = format!("{{{{ {model} }}}}");
        Ok(references(self.shared, &node)?.refs)
    }

    /// Fills in where an export goes, as the project names places.
    fn place(&self, export: &mut crate::semantic::Export) -> Result<(), Error> {
        let mut node = draft(self.package, ResourceType::Analysis, &export.name);
        node.original_file_path.clone_from(&self.file.path);
        let config = &mut export.config;
        for (key, value) in [("database", &config.database), ("alias", &config.alias)] {
            if let Some(value) = value {
                node.config
                    .raw
                    .insert(key.to_owned(), Json::from(value.as_str()));
            }
        }
        self.names.settle(&mut node)?;
        config.schema_name.get_or_insert(node.schema);
        config.alias.get_or_insert(node.alias);
        config.database = Some(node.database);
        Ok(())
    }
}

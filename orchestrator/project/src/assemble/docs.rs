//! `doc()` in descriptions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use jinja::{Request, Scope};
use minijinja::value::Value;

use super::Assembly;
use crate::context::yaml_scope::YamlScope;
use crate::context::{lock, vars};
use crate::error::{Error, Location};
use crate::manifest::{DocBlock, UniqueId};
use crate::semantic::Body;

impl Assembly<'_> {
    /// Renders `doc()` in descriptions.
    pub(super) fn describe(&mut self) -> Result<(), Error> {
        let manifest = &mut self.done.manifest;
        let docs: HashMap<(String, String), DocBlock> = manifest
            .docs
            .values()
            .map(|doc| ((doc.package_name.clone(), doc.name.clone()), doc.clone()))
            .collect();
        let docs = Arc::new(docs);
        let mut seen: HashMap<String, Arc<YamlScope>> = HashMap::new();
        let mut render =
            |text: &mut String, package: &str, path: &std::path::Path, used: &mut Vec<UniqueId>| {
                if !text.contains("{{") && !text.contains("{%") {
                    return Ok(());
                }
                // the same for every text of a package
                let yaml = seen.entry(package.to_owned()).or_insert_with(|| {
                    Arc::new(YamlScope {
                        vars: vars::all(self.shared, package),
                        ..self.yaml.clone()
                    })
                });
                let scope = Arc::new(DocScope {
                    yaml: Arc::clone(yaml),
                    docs: Arc::clone(&docs),
                    package: package.to_owned(),
                    root: self.shared.project_name.clone(),
                    used: Arc::default(),
                });
                let found = Arc::clone(&scope.used);
                let scope: Arc<dyn Scope> = scope;
                let request = Request {
                    name: "description",
                    source: text,
                    package,
                    scope,
                    forgiving: true,
                };
                let rendered =
                    self.shared
                        .engine
                        .render(&request)
                        .map_err(|error| Error::Config {
                            location: Some(Location::file(path)),
                            message: error.message,
                            hint: None,
                        })?;
                *text = rendered.text;
                *used = std::mem::take(&mut lock(&found));
                Ok::<_, Error>(())
            };
        for node in manifest.nodes.values_mut() {
            let path = node.patch_path.clone().unwrap_or_default();
            render(
                &mut node.description,
                &node.package_name,
                &path,
                &mut node.doc_blocks,
            )?;
            for column in node.columns.values_mut() {
                render(
                    &mut column.description,
                    &node.package_name,
                    &path,
                    &mut column.doc_blocks,
                )?;
            }
        }
        for source in manifest.sources.values_mut() {
            let path = source.original_file_path.clone();
            render(
                &mut source.description,
                &source.package_name,
                &path,
                &mut source.doc_blocks,
            )?;
            let mut unused = Vec::new();
            render(
                &mut source.source_description,
                &source.package_name,
                &path,
                &mut unused,
            )?;
            for column in source.columns.values_mut() {
                render(
                    &mut column.description,
                    &source.package_name,
                    &path,
                    &mut column.doc_blocks,
                )?;
            }
        }
        for found in manifest.macros.values_mut() {
            let Some(path) = found.properties.patch_path.clone() else {
                continue;
            };
            let properties = &mut found.properties;
            let arguments = properties.arguments.iter_mut();
            let texts = arguments.map(|argument| &mut argument.description);
            for text in texts.chain([&mut properties.description]) {
                render(text, &found.package_name, &path, &mut Vec::new())?;
            }
        }
        let semantics = [
            &mut manifest.metrics,
            &mut manifest.semantic_models,
            &mut manifest.saved_queries,
        ];
        for thing in semantics.into_iter().flat_map(|all| all.values_mut()) {
            let path = thing.original_file_path.clone();
            let parts = match &mut thing.body {
                Body::Model(model) => model.descriptions().collect(),
                Body::Metric(_) | Body::Query(_) => Vec::new(),
            };
            for text in parts.into_iter().chain(&mut thing.description) {
                render(text, &thing.package_name, &path, &mut Vec::new())?;
            }
        }
        for exposure in manifest.exposures.values_mut() {
            let path = exposure.original_file_path.clone();
            let mut unused = Vec::new();
            render(
                &mut exposure.description,
                &exposure.package_name,
                &path,
                &mut unused,
            )?;
        }
        Ok(())
    }
}

/// `doc('name')` and `doc('package', 'name')`.
#[derive(Debug)]
struct DocScope {
    /// What other values of property files see.
    yaml: Arc<YamlScope>,
    docs: Arc<HashMap<(String, String), DocBlock>>,
    package: String,
    root: String,
    /// Blocks that were asked for.
    used: Arc<Mutex<Vec<UniqueId>>>,
}

impl Scope for DocScope {
    fn variable(&self, root: &Arc<jinja::Root>, name: &str) -> Option<Value> {
        if name != "doc" {
            return self.yaml.variable(root, name);
        }
        let (docs, own, root) = (
            Arc::clone(&self.docs),
            self.package.clone(),
            self.root.clone(),
        );
        let used = Arc::clone(&self.used);
        Some(jinja::functions::function("doc", move |_, arguments| {
            let first = arguments.text(0, "name")?;
            let (packages, name) = match arguments.positional(1) {
                Some(_) => (vec![first], arguments.text(1, "name")?),
                None => (vec![own.clone(), root.clone()], first),
            };
            packages
                .into_iter()
                .find_map(|package| docs.get(&(package, name.clone())))
                .map(|doc| {
                    lock(&used).push(doc.unique_id.clone());
                    Value::from(doc.block_contents.as_str())
                })
                .ok_or_else(|| jinja::raise(format!("Documentation for '{name}' was not found")))
        }))
    }
}

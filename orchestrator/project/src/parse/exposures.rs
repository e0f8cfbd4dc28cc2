//! Exposures: who uses the project's models.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::config::Raw;
use crate::context::Shared;
use crate::error::Error;
use crate::manifest::{DependsOn, Exposure, ResourceType};
use crate::parse::Package;
use crate::parse::nodes::{draft, references};
use crate::parse::properties::Patches;
use crate::yaml::texts;

/// The exposures of `package`.
pub(crate) fn parse(
    shared: &Arc<Shared>,
    package: &Package,
    patches: &Patches,
) -> Result<Vec<Exposure>, Error> {
    let mut found = Vec::new();
    for file in &patches.files {
        for entry in file.entries("exposures")? {
            let name = entry.name()?;
            for key in ["type", "owner"] {
                if entry.map.get(key).is_none_or(Json::is_null) {
                    return Err(entry.wrong(format!("exposure '{name}': '{key}' is required")));
                }
            }
            let mut fqn = vec![package.name().to_owned()];
            fqn.extend(file.folders.iter().cloned());
            fqn.push(name.clone());
            let (metrics, calls): (Vec<_>, Vec<_>) = texts(entry.map.get("depends_on"))
                .into_iter()
                .partition(|call| call.trim_start().starts_with("metric("));
            let mut node = draft(package, ResourceType::Analysis, &name);
            node.original_file_path.clone_from(&file.path);
            node.raw_code = calls
                .iter()
                .map(|call| format!("{{{{ {call} }}}}\n"))
                .collect();
            let named = references(shared, &node)?;
            let config = entry.mapping("config")?;
            let tree = package.configure("exposures", &fqn, &config, &Raw::new());
            if tree.get("enabled") == Some(&Json::Bool(false)) {
                continue;
            }
            // below `config` its own replace those of the project's file; what stands beside `config` adds to them
            let chosen = |key: &str| config.get(key).or_else(|| tree.get(key));
            let mut tags = texts(entry.map.get("tags"));
            tags.extend(texts(chosen("tags")));
            tags.sort();
            tags.dedup();
            let mut meta = entry.mapping("meta")?;
            if let Some(Json::Object(more)) = chosen("meta") {
                meta.extend(more.clone());
            }
            found.push(Exposure {
                unique_id: format!("exposure.{}.{name}", package.name()),
                name,
                package_name: package.name().to_owned(),
                original_file_path: file.path.clone(),
                fqn: fqn.clone(),
                r#type: entry.text("type")?.unwrap_or_default(),
                owner: entry.map.get("owner").cloned().unwrap_or(Json::Null),
                description: entry.text("description")?.unwrap_or_default(),
                url: entry.text("url")?,
                label: entry.text("label")?,
                maturity: entry.text("maturity")?,
                meta: meta.into_iter().collect(),
                unrendered_config: package
                    .topmost("exposures", &fqn, &config, &Raw::new())
                    .into_iter()
                    .collect(),
                tags,
                refs: named.refs,
                source_refs: named.sources,
                metrics: metrics
                    .iter()
                    .filter_map(|call| call.split(['\'', '"']).nth(1).map(str::to_owned))
                    .collect(),
                depends_on: DependsOn::default(),
            });
        }
    }
    Ok(found)
}

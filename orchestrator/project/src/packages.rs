//! The root project and its dependencies: what lies in `dbt_packages`, and local packages where
//! they are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jinja::Engine;
use serde_json::Value as Json;

use crate::context::yaml_scope::{YamlScope, render};
use crate::error::{Error, Location};
use crate::files;
use crate::parse::Package;
use crate::project_file::ProjectFile;
use crate::yaml;

/// The root project first, then every dependency by folder.
pub(crate) fn packages(
    root: &Arc<ProjectFile>,
    engine: &Engine,
    scope: &YamlScope,
) -> Result<Vec<Package>, Error> {
    let mut found = vec![Package {
        file: Arc::clone(root),
        root: Arc::clone(root),
    }];
    let mut add = |folder: &Path, again: bool| -> Result<(), Error> {
        let file = Arc::new(ProjectFile::load(folder, engine, scope)?);
        if found.iter().any(|package| package.name() == file.name) {
            return if again {
                Ok(())
            } else {
                Err(Error::Duplicate {
                    what: format!("package '{}'", file.name),
                    first: Location::file("dbt_project.yml"),
                    second: Location::file(folder.join("dbt_project.yml")),
                })
            };
        }
        found.push(Package {
            file,
            root: Arc::clone(root),
        });
        Ok(())
    };
    let installed: Vec<PathBuf> = files::folders(&root.root.join(&root.packages_path))?
        .into_iter()
        .filter(|folder| folder.join("dbt_project.yml").is_file())
        .collect();
    for folder in &installed {
        add(folder, false)?;
    }
    let wanted = wanted(root, engine, scope)?;
    let mut remote = Vec::new();
    for entry in &wanted {
        match entry.get("local").and_then(Json::as_str) {
            Some(local) => add(&root.root.join(local), true)?,
            None => remote.push(named(entry)),
        }
    }
    // a dependency may bring its own, so there can be more folders than entries, never fewer
    if installed.len() < remote.len() {
        return Err(Error::Config {
            location: Some(Location::file("packages.yml")),
            message: format!(
                "{} packages are wanted ({}), but {} are installed in {}",
                remote.len(),
                remote.join(", "),
                installed.len(),
                root.packages_path
            ),
            hint: Some(format!(
                "put them there: 'dbt deps' on a machine with network does, or copy them to {}/",
                root.packages_path
            )),
        });
    }
    Ok(found)
}

/// The entries of `packages.yml` or `dependencies.yml`.
fn wanted(root: &ProjectFile, engine: &Engine, scope: &YamlScope) -> Result<Vec<Json>, Error> {
    for name in ["packages.yml", "dependencies.yml"] {
        let path = root.root.join(name);
        if path.is_file() {
            let shown = Path::new(name);
            let raw = yaml::parse(&files::read(&path)?, shown)?;
            let rendered = render(&raw, engine, scope, shown, &|_| false)?;
            if let Some(Json::Array(entries)) = rendered.get("packages") {
                return Ok(entries.clone());
            }
        }
    }
    Ok(Vec::new())
}

fn named(entry: &Json) -> String {
    ["package", "git", "tarball", "private"]
        .iter()
        .find_map(|key| entry.get(*key).and_then(Json::as_str))
        .unwrap_or("a package")
        .to_owned()
}

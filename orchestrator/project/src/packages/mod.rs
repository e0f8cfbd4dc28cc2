//! The root project and its dependencies: what lies in `dbt_packages`.

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

mod entry;
mod lock;
mod resolve;

pub use entry::{Entry, Origin};
pub use lock::list;
pub use resolve::{Deps, Found, clean_targets, resolve};

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
    let installed = installed(&root.root.join(&root.packages_path))?;
    let wanted = wanted(&root.root, engine, scope)?;
    // a dependency may bring its own, so there can be more folders than entries, never fewer
    if installed.len() < wanted.entries.len() {
        return Err(Error::Config {
            location: Some(Location::file(wanted.file)),
            message: format!(
                "{} package(s) specified in {}, but only {} package(s) installed in {}",
                wanted.entries.len(),
                wanted.file,
                installed.len(),
                root.packages_path
            ),
            hint: Some("run 'ridehail deps' to install package dependencies".into()),
        });
    }
    for folder in installed {
        let file = Arc::new(ProjectFile::load(&folder, engine, scope)?);
        if let Some(first) = found.iter().find(|package| package.name() == file.name) {
            return Err(Error::Duplicate {
                what: format!("package '{}'", file.name),
                first: Location::file(first.file.root.join("dbt_project.yml")),
                second: Location::file(folder.join("dbt_project.yml")),
            });
        }
        found.push(Package {
            file,
            root: Arc::clone(root),
        });
    }
    Ok(found)
}

/// The folders of packages in `path`.
fn installed(path: &Path) -> Result<Vec<PathBuf>, Error> {
    Ok(files::folders(path)?
        .into_iter()
        .filter(|folder| folder.join("dbt_project.yml").is_file())
        .collect())
}

/// What a project asks for.
struct Wanted {
    file: &'static str,
    entries: Vec<Entry>,
}

/// The entries of `packages.yml` or `dependencies.yml` in `root`.
fn wanted(root: &Path, engine: &Engine, scope: &YamlScope) -> Result<Wanted, Error> {
    for file in ["packages.yml", "dependencies.yml"] {
        let path = root.join(file);
        if !path.is_file() {
            continue;
        }
        let shown = Path::new(file);
        let raw = yaml::parse(&files::read(&path)?, shown)?;
        let rendered = render(&raw, engine, scope, shown, &|_| false)?;
        let wrong = |message: String| Error::Yaml {
            location: Location::file(shown),
            message,
        };
        let items = match rendered.get("packages") {
            // a dependencies.yml may speak of other things only
            None | Some(Json::Null) => continue,
            Some(Json::Array(items)) => items,
            Some(other) => {
                return Err(wrong(format!(
                    "'packages': expected a list, found {}",
                    yaml::kind(other)
                )));
            }
        };
        let unrendered = |index: usize| raw["packages"].get(index).unwrap_or(&Json::Null);
        let entries = items
            .iter()
            .enumerate()
            .map(|(index, item)| Entry::read(item, unrendered(index)).map_err(wrong))
            .collect::<Result<_, _>>()?;
        return Ok(Wanted { file, entries });
    }
    Ok(Wanted {
        file: "packages.yml",
        entries: Vec::new(),
    })
}

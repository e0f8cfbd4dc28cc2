//! Which packages a project needs, its packages' own included, and where they lie.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use jinja::{Engine, Macros};
use serde_json::{Map, Value as Json};

use crate::context::yaml_scope::YamlScope;
use crate::error::{Error, Location};
use crate::files;
use crate::load::LoadOptions;
use crate::packages::entry::{Entry, Origin};
use crate::packages::{installed, lock, wanted};
use crate::project_file::ProjectFile;
use crate::yaml;

/// A package and the folder it lies in.
#[derive(Debug, Clone)]
pub struct Found {
    /// Name of its project, and of its folder in `dbt_packages`.
    pub name: String,
    /// As asked for.
    pub entry: Entry,
    /// Where its files are: the folder that a local entry names, or one in `dbt_packages`.
    pub folder: PathBuf,
}

/// What `deps` has to do.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Folder of dbt_project.yml.
    pub root: PathBuf,
    /// Folder that packages are installed in.
    pub install_path: PathBuf,
    /// Name of the file that asks for packages.
    pub file: &'static str,
    /// Every package, those of packages included, in order of first mention.
    pub packages: Vec<Found>,
    /// Whether `package-lock.yml` is of another `packages.yml`, or is not there.
    pub outdated: bool,
    /// The text of an up-to-date lock file.
    pub lock: String,
}

/// Reads what the project of `options` asks for, without a profile.
///
/// # Errors
/// A file that is wrong, a local folder that is no project, a package that would have to be
/// downloaded, two packages of one name.
pub fn resolve(options: &LoadOptions) -> Result<Deps, Error> {
    let engine = Engine::new(Macros::default());
    let scope = YamlScope::of(options);
    let root = ProjectFile::head(&options.project_dir, &engine, &scope)?;
    let install_path = root.root.join(&root.packages_path);
    let asked = wanted(&root.root, &engine, &scope)?;
    let hash = lock::hash(&asked.entries);
    let mut packages: Vec<Found> = Vec::new();
    let mut queue: VecDeque<Entry> = asked.entries.into();
    while let Some(entry) = queue.pop_front() {
        let known = |found: &Found| {
            found.entry.origin == entry.origin && found.entry.address == entry.address
        };
        if packages.iter().any(known) {
            continue;
        }
        let found = locate(&root, &install_path, entry, asked.file, &engine, &scope)?;
        let twice = packages.iter().find(|other| other.name == found.name);
        if let Some(other) = twice
            .map(|other| other.entry.shown())
            .or_else(|| (found.name == root.name).then(|| "the root project".to_owned()))
        {
            return Err(Error::Config {
                location: Some(Location::file(asked.file)),
                message: format!(
                    "Found duplicate project \"{}\": {} and {other}. This occurs when a dependency \
                     has the same project name as some other dependency.",
                    found.name,
                    found.entry.shown()
                ),
                hint: Some("rename one of them, or ask for one only".into()),
            });
        }
        queue.extend(wanted(&found.folder, &engine, &scope)?.entries);
        packages.push(found);
    }
    let locked: Vec<Map<String, Json>> = packages.iter().map(locked).collect();
    let lock = format!("{}sha1_hash: {hash}\n", lock::list(&locked));
    Ok(Deps {
        outdated: locked_hash(&root.root)? != Some(hash),
        root: root.root,
        install_path,
        file: asked.file,
        packages,
        lock,
    })
}

/// What `clean` deletes: folders below `options`' project, those that hold its sources refused.
///
/// # Errors
/// A file that is wrong, or a folder with sources among the targets.
pub fn clean_targets(options: &LoadOptions) -> Result<Vec<String>, Error> {
    let engine = Engine::new(Macros::default());
    let scope = YamlScope::of(options);
    let file = ProjectFile::head(&options.project_dir, &engine, &scope)?;
    let sources = [
        &file.model_paths,
        &file.seed_paths,
        &file.snapshot_paths,
        &file.analysis_paths,
        &file.macro_paths,
        &file.test_paths,
    ];
    let normal = |path: &str| {
        let parts = Path::new(path).components();
        let kept = parts.filter(|part| !matches!(part, std::path::Component::CurDir));
        kept.collect::<PathBuf>()
    };
    let holds_sources = |target: &&String| {
        let mut paths = sources.iter().flat_map(|paths| paths.iter());
        paths.any(|path| normal(path).starts_with(normal(target)))
    };
    let refused: Vec<String> = file
        .clean_targets
        .iter()
        .filter(holds_sources)
        .map(|target| format!("'{target}'"))
        .collect();
    if !refused.is_empty() {
        return Err(Error::Config {
            location: Some(Location::file("dbt_project.yml")),
            message: format!(
                "the following source paths are not cleaned: [{}]",
                refused.join(", ")
            ),
            hint: Some("take them out of clean-targets".into()),
        });
    }
    Ok(file.clean_targets)
}

/// The hash in `package-lock.yml`.
fn locked_hash(root: &Path) -> Result<Option<String>, Error> {
    let path = root.join("package-lock.yml");
    if !path.is_file() {
        return Ok(None);
    }
    let read = yaml::parse(&files::read(&path)?, Path::new("package-lock.yml"))?;
    Ok(read
        .get("sha1_hash")
        .and_then(Json::as_str)
        .map(str::to_owned))
}

/// A package's lines in the lock file.
fn locked(found: &Found) -> Map<String, Json> {
    let mut map = match found.entry.origin {
        Origin::Local => {
            let address = Json::from(found.entry.address.as_str());
            Map::from_iter([("local".to_owned(), address)])
        }
        Origin::Git | Origin::Hub | Origin::Tarball => found.entry.map.clone(),
    };
    map.insert("name".into(), Json::from(found.name.as_str()));
    map
}

/// Where `entry` lies. Paths of local packages count from the root project, whoever asks.
fn locate(
    root: &ProjectFile,
    install_path: &Path,
    entry: Entry,
    file: &str,
    engine: &Engine,
    scope: &YamlScope,
) -> Result<Found, Error> {
    let wrong = |message: String, hint: String| Error::Config {
        location: Some(Location::file(file)),
        message,
        hint: Some(hint),
    };
    if entry.origin == Origin::Local {
        let folder = root.root.join(&entry.address);
        if !folder.join("dbt_project.yml").is_file() {
            return Err(wrong(
                format!(
                    "no dbt_project.yml found at expected path {}",
                    folder.join("dbt_project.yml").display()
                ),
                "'local' is a path from the root project's folder".into(),
            ));
        }
        let name = ProjectFile::head(&folder, engine, scope)?.name;
        return Ok(Found {
            name,
            entry,
            folder,
        });
    }
    let likely = entry.likely_names();
    for folder in installed(install_path)? {
        let name = ProjectFile::head(&folder, engine, scope)?.name;
        if likely.contains(&name) {
            return Ok(Found {
                name,
                entry,
                folder,
            });
        }
    }
    let into = Path::new(&root.packages_path)
        .join(likely.last().map_or("NAME", String::as_str))
        .display()
        .to_string();
    let how = match entry.origin {
        Origin::Git => format!("'git clone {} {into}'", entry.address),
        _ => "'dbt deps' on a machine with network, then a copy of its folder".to_owned(),
    };
    Err(wrong(
        format!(
            "package {} is not in {}, and packages are not downloaded",
            entry.shown(),
            root.packages_path
        ),
        format!("put it into {into}: {how}; or ask for a folder with 'local:'"),
    ))
}

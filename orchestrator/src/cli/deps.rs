//! `ridehail deps`.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use project::packages::{Deps, Origin, list, resolve};
use project::{Error, LoadOptions};
use serde_json::{Map, Value as Json};

use super::Advice;
use super::printer::Printer;
use crate::config::{LogArgs, NoEffectArgs, ProjectArgs};

const LOCK: &str = "package-lock.yml";

/// Puts the packages that packages.yml asks for into dbt_packages. Folders (`local:`) are linked; others must be
/// there already, as nothing is downloaded.
#[derive(Debug, Args)]
pub struct DepsArgs {
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    no_effect: NoEffectArgs,
    /// Write package-lock.yml anew, whatever it says
    #[arg(long)]
    upgrade: bool,
    /// Write package-lock.yml and install nothing
    #[arg(long)]
    lock: bool,
    /// Add a package to packages.yml first: NAME@VERSION, URL@REVISION, or a folder
    #[arg(long, value_name = "PACKAGE")]
    add_package: Option<String>,
    /// Where the added package comes from
    #[arg(long, value_name = "WHERE", default_value = "hub")]
    source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Source {
    /// dbt's package index.
    Hub,
    /// A git repository.
    Git,
    /// A folder.
    Local,
}

pub(super) async fn execute(
    args: DepsArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let say = |text: &str| {
        if !log.quiet {
            printer.line(text);
        }
    };
    let options = args.project.options();
    if let Some(package) = &args.add_package {
        add(&options.project_dir, package, args.source)?;
        say(&format!("Added new package {package} to packages.yml"));
    }
    let deps = resolve(&options)?;
    if deps.packages.is_empty() {
        say(&format!("No packages were found in {}", deps.file));
        return Ok(ExitCode::SUCCESS);
    }
    if deps.outdated || args.upgrade {
        let root = fs::canonicalize(&deps.root).unwrap_or_else(|_| deps.root.clone());
        let file = root.join(LOCK);
        fs::write(&file, &deps.lock).with_context(|| format!("cannot write {}", file.display()))?;
        say(&format!(
            "Updating lock file in file path: {}",
            file.display()
        ));
    }
    if !args.lock {
        install(&deps, &say)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Links folders; of the rest of `dbt_packages` only links that nobody asks for any more go away.
fn install(deps: &Deps, say: &dyn Fn(&str)) -> anyhow::Result<()> {
    let into = &deps.install_path;
    let told = || format!("cannot write to {}", into.display());
    fs::create_dir_all(into).with_context(told)?;
    for entry in fs::read_dir(into).with_context(told)? {
        let path = entry.with_context(told)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let wanted = deps.packages.iter().any(|package| *package.name == *name);
        if !wanted && path.is_symlink() {
            fs::remove_file(&path).with_context(told)?;
        } else if !wanted && path.join("dbt_project.yml").is_file() {
            tracing::warn!(folder = %path.display(), "no entry of packages.yml asks for this package");
        }
    }
    for package in &deps.packages {
        let local = package.entry.origin == Origin::Local;
        say(&format!(
            "Installing {}",
            if local {
                &package.entry.address
            } else {
                &package.name
            }
        ));
        if package.entry.origin != Origin::Local {
            say(&format!("Installed from what is in {}", into.display()));
            continue;
        }
        let link = into.join(&package.name);
        let source = fs::canonicalize(&package.folder)
            .with_context(|| format!("cannot read {}", package.folder.display()))?;
        // a package may live in dbt_packages itself
        if fs::canonicalize(&link).is_ok_and(|there| there == source) {
            say(&format!(
                "Installed from <local @ {}>",
                package.entry.address
            ));
            continue;
        }
        replace(&source, &link).with_context(|| format!("cannot install {}", link.display()))?;
        say(&format!(
            "Installed from <local @ {}>",
            package.entry.address
        ));
    }
    Ok(())
}

/// Makes `link` lead to `source`, in the place of what is there: an older link, or a copy.
fn replace(source: &Path, link: &Path) -> io::Result<()> {
    if link.is_symlink() || link.is_file() {
        fs::remove_file(link)?;
    } else if link.is_dir() {
        fs::remove_dir_all(link)?;
    }
    std::os::unix::fs::symlink(source, link)
}

/// Puts `package` into packages.yml, in the place of entries that mean the same one.
fn add(root: &Path, package: &str, source: Source) -> anyhow::Result<()> {
    let (name, version) = match package.rsplit_once('@') {
        Some((name, version)) if source != Source::Local && !name.is_empty() => {
            (name, Some(version))
        }
        _ => (package, None),
    };
    if source == Source::Hub && version.is_none() {
        return Err(Advice {
            what: format!("'{package}' names no version"),
            hint: "write --add-package NAME@VERSION, or --source local for a folder".to_owned(),
        }
        .into());
    }
    let (key, version_key) = match source {
        Source::Hub => ("package", "version"),
        Source::Git => ("git", "revision"),
        Source::Local => ("local", ""),
    };
    let mut entry = Map::from_iter([(key.to_owned(), Json::from(name))]);
    if let Some(version) = version {
        let parts: Vec<&str> = version.split(',').collect();
        let version = match parts.as_slice() {
            [one] => Json::from(*one),
            many => Json::from(many),
        };
        entry.insert(version_key.to_owned(), version);
    }
    let file = root.join("packages.yml");
    let mut entries = match fs::read_to_string(&file) {
        Ok(text) => entries_of(&text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    let short = |name: &str| {
        let last = name
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or(name);
        last.trim_end_matches(".git").replace('-', "_")
    };
    entries.retain(|known| {
        let address = ["package", "git", "local", "tarball"]
            .iter()
            .find_map(|key| known.get(*key)?.as_str());
        address.is_none_or(|address| short(address) != short(name))
    });
    entries.push(entry);
    fs::write(&file, list(&entries)).with_context(|| format!("cannot write {}", file.display()))
}

fn entries_of(text: &str) -> Result<Vec<Map<String, Json>>, Error> {
    let read = project::yaml::parse(text, Path::new("packages.yml"))?;
    let items = read.get("packages").and_then(Json::as_array).cloned();
    Ok(items
        .unwrap_or_default()
        .into_iter()
        .filter_map(|item| item.as_object().cloned())
        .collect())
}

impl ProjectArgs {
    /// What reading packages.yml and the paths of the project takes: no profile.
    pub(super) fn options(&self) -> LoadOptions {
        let place = self.place();
        LoadOptions {
            project_dir: place.project_dir,
            profiles_dir: place.profiles_dir,
            profile: self.profile.clone(),
            target: self.target.clone(),
            target_path: place.target_path,
            vars: self.vars.clone().unwrap_or_default(),
            env: place.env,
            ..LoadOptions::default()
        }
    }
}

//! Files to [`Project`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use chrono::{DateTime, Utc};
use indexmap::{IndexMap, IndexSet};
use jinja::{Engine, Macros};
use serde_json::{Value as Json, json};

use crate::assemble::assemble;
use crate::context::graph::Shown;
use crate::context::yaml_scope::YamlScope;
use crate::context::{self, Said, Shared};
use crate::deferral::Deferral;
use crate::error::{Error, Location};
use crate::files;
use crate::graph::Graph;
use crate::lookup::Lookup;
use crate::manifest::{Manifest, UniqueId};
use crate::packages::packages;
use crate::parallel;
use crate::parse::cache::{self, Cache};
use crate::parse::{Package, builtin, macros};
use crate::profile::{Profile, Wanted};
use crate::project_file::{ProjectFile, QueryComment};
use crate::relation::Quoting;
use crate::roots::Roots;
use crate::sample::Sample;
use crate::state::Previous;
use crate::warnings::{Rules, Warning};

/// What the caller decides about a load. Nothing is read from the process' environment or clock.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Folder of `dbt_project.yml`.
    pub project_dir: PathBuf,
    /// `--profiles-dir`.
    pub profiles_dir: Option<PathBuf>,
    /// `--profile`.
    pub profile: Option<String>,
    /// `--target`.
    pub target: Option<String>,
    /// `--vars`, parsed.
    pub vars: serde_json::Map<String, Json>,
    /// `--threads`.
    pub threads: Option<usize>,
    /// `--target-path`.
    pub target_path: Option<PathBuf>,
    /// `--full-refresh`.
    pub full_refresh: bool,
    /// The process' environment, captured by the caller: for `env_var`.
    pub env: BTreeMap<String, String>,
    /// `run_started_at` of templates.
    pub started_at: DateTime<Utc>,
    /// `invocation_id` of templates.
    pub invocation_id: String,
    /// The verb: `flags.WHICH` of templates (`build`, `run`, …).
    pub which: String,
    /// `--no-version-check`.
    pub skip_version_check: bool,
    /// `--store-failures`.
    pub store_failures: bool,
    /// Whether [`PARSE_CACHE`] of the target folder is read and made anew.
    pub parse_cache: ParseCache,
    /// Tells builds of this program apart: none trusts what another kept.
    pub binary: String,
    /// `--sample`.
    pub sample: Option<Sample>,
    /// `--warn-error`.
    pub warn_error: Option<bool>,
    /// `--warn-error-options`.
    pub warn_error_options: Option<serde_json::Map<String, Json>>,
    /// Further `flags.*` that templates may read, by upper-case name.
    pub flags: IndexMap<String, Json>,
}

/// File of the target folder that [`Project::parse_cache`] belongs in.
pub const PARSE_CACHE: &str = "partial_parse.ridehail";

/// What becomes of results of earlier invocations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ParseCache {
    /// None are read or made.
    #[default]
    Off,
    /// `--no-partial-parse`: none are read.
    Renewed,
    /// Those that still hold are taken.
    Used,
}

/// A loaded project: everything read, resolved and checked.
#[derive(Debug)]
pub struct Project {
    /// Folder of `dbt_project.yml`.
    pub root: PathBuf,
    /// Name of the project.
    pub name: String,
    /// The chosen database.
    pub profile: Profile,
    /// Everything the project declares.
    pub manifest: Arc<Manifest>,
    /// Who needs whom.
    pub graph: Graph,
    /// Folder of artifacts and compiled files.
    pub target_path: PathBuf,
    /// Things a person should know that stop nothing.
    pub warnings: Vec<Warning>,
    /// What templates said while they were parsed, file by file. What the cache knows is not parsed again.
    pub said: Vec<Said>,
    /// What it says with every statement.
    pub query_comment: QueryComment,
    /// Which of them are errors.
    pub rules: Rules,
    /// `on-run-start` operations in order.
    pub on_run_start: Vec<UniqueId>,
    /// `on-run-end` operations in order.
    pub on_run_end: Vec<UniqueId>,
    /// `flags:` of dbt_project.yml, keys as written.
    pub flags: IndexMap<String, Json>,
    /// `quoting:` as manifests write it: of database, schema, identifier and column.
    pub quoting: Json,
    /// Root `vars:` merged with `--vars`.
    pub vars: IndexMap<String, Json>,
    /// What [`PARSE_CACHE`] is to hold for the next invocation, when it does not.
    pub parse_cache: Option<String>,
    /// An earlier run, for selectors that compare; the caller sets it.
    pub previous: Option<Arc<Previous>>,
    /// What another environment built, for `--defer` and `clone`; the caller sets it.
    pub deferral: Option<Arc<Deferral>>,
    /// The nodes a verb is about: `selected_resources` of templates.
    pub(crate) selected: Arc<OnceLock<IndexSet<UniqueId>>>,
    /// `graph` of templates.
    pub(crate) shown: Arc<Shown>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) lookup: Arc<Lookup>,
}

impl Project {
    /// Tells templates which nodes are `selected`; the first word counts.
    pub fn note_selected(&self, selected: &IndexSet<UniqueId>) {
        // a second selection of one invocation is a part of the first
        let _ = self.selected.set(selected.clone());
    }

    /// Whether `vars.ridehail_native_partitions` asks for native partitions.
    #[must_use]
    pub fn native_partitions(&self) -> bool {
        matches!(
            self.vars.get("ridehail_native_partitions"),
            Some(Json::Bool(true))
        )
    }
}

/// Reads, resolves and checks the project of `options`.
///
/// # Errors
/// Anything wrong with a file, a name or the graph.
pub fn load(options: &LoadOptions) -> Result<Project, Error> {
    let bare = Engine::new(Macros::default());
    let mut yaml = YamlScope::of(options);
    let env = Arc::clone(&yaml.env);
    let profile_name = profile_name(options, &bare, &yaml)?;
    let profile = chosen_profile(options, &profile_name, &bare, yaml.clone())?;
    yaml.secrets = false;
    yaml.target = Some(profile.template_value());

    let root = Arc::new(ProjectFile::load(&options.project_dir, &bare, &yaml)?);
    let packages = packages(&root, &bare, &yaml)?;
    for package in &packages {
        if let Some(unmet) = package
            .file
            .unmet_version()
            .filter(|_| !options.skip_version_check)
        {
            return Err(unmet);
        }
    }
    let mut macros = Macros::new(&root.name);
    builtin::read(&mut macros)?;
    for package in &packages {
        macros::read(&mut macros, &package.file)?;
    }
    let vars = root_vars(&root, options, &packages);
    yaml.vars = vars.clone().into_iter().collect();
    yaml.invocation
        .insert("flags", context::flags::flags(options, &root.flags));
    let package_vars: BTreeMap<String, _> = packages
        .iter()
        .map(|package| (package.name().to_owned(), package.file.vars.clone()))
        .collect();
    let target_path = options
        .target_path
        .clone()
        .or_else(|| root.target_path.clone().map(PathBuf::from))
        .unwrap_or_else(|| "target".into());
    let target_path = options.project_dir.join(target_path);
    let cache = (options.parse_cache != ParseCache::Off).then(|| {
        let target = jinja::json::from_value(&profile.template_value());
        let names: Vec<&str> = packages.iter().map(Package::name).collect();
        let seen = json!([
            root.name,
            target,
            options.vars,
            package_vars,
            names,
            root.dispatch,
            root.quoting
        ]);
        let text = match options.parse_cache {
            ParseCache::Used => files::read(&target_path.join(PARSE_CACHE)).ok(),
            _ => None,
        };
        let text = text.unwrap_or_default();
        Cache::new(
            text,
            &options.binary,
            &cache::seen(&seen.to_string(), &macros),
        )
    });
    let shared = Arc::new(Shared {
        said: Mutex::default(),
        engine: Engine::new(macros),
        cache: cache.unwrap_or_default(),
        env,
        project_name: root.name.clone(),
        target_value: profile.template_value(),
        target: profile.target.clone(),
        quoting: Quoting::ALL.with(&root.quoting),
        cli_vars: options.vars.clone(),
        package_vars,
        roots: Roots::new(
            &root.root,
            packages
                .iter()
                .map(|package| (package.name().to_owned(), package.file.root.clone())),
        ),
        empty: options.flags.get("EMPTY") == Some(&Json::Bool(true)),
        sample: options.sample,
        rules: Rules::of(
            options.warn_error,
            options.warn_error_options.as_ref(),
            &root.flags,
        )?,
        flags: context::flags::flags(options, &root.flags),
        run_started_at: jinja::modules::timestamp(options.started_at),
        created: options.started_at.timestamp_micros() as f64 / 1e6,
        invocation_id: options.invocation_id.clone(),
        dispatch: root.dispatch.clone(),
        packages: packages
            .iter()
            .map(|package| package.name().to_owned())
            .collect(),
        versions: packages
            .iter()
            .map(|package| (package.name().to_owned(), package.file.version.clone()))
            .collect(),
    });
    macros::check(&shared)?;
    let mut done = assemble(&shared, &packages, &yaml)?;
    done.manifest.selectors = crate::select::definition::read(&root.root, &shared.engine, &yaml)?;
    let (unused, graph) = parallel::both(
        || crate::unused::warning(&root.trees, &done.manifest),
        || Graph::of(&done.manifest),
    );
    let graph = graph?;
    let mut said = std::mem::take(&mut *context::lock(&shared.said));
    // hooks are read last
    said.sort_by_key(|(file, _)| (file.ends_with("dbt_project.yml"), file.clone()));
    Ok(Project {
        said: said.into_iter().map(|(_, said)| said).collect(),
        query_comment: root.query_comment.clone(),
        root: options.project_dir.clone(),
        name: root.name.clone(),
        profile,
        manifest: Arc::new(done.manifest),
        graph,
        target_path,
        warnings: shared
            .rules
            .own_warning()
            .into_iter()
            .chain(unused)
            .chain(done.warnings)
            .collect(),
        rules: shared.rules.clone(),
        on_run_start: done.on_run_start,
        on_run_end: done.on_run_end,
        flags: root.flags.clone(),
        quoting: shared.quoting.written(root.quoting.get("column")),
        vars,
        parse_cache: shared.cache.text(),
        previous: None,
        deferral: None,
        selected: Arc::default(),
        shown: Arc::default(),
        shared,
        lookup: Arc::new(done.lookup),
    })
}

/// The profile of `options`, and nothing else.
///
/// # Errors
/// No profile, or one that is wrong.
pub fn profile(options: &LoadOptions) -> Result<Profile, Error> {
    let (bare, yaml) = (Engine::new(Macros::default()), YamlScope::of(options));
    let name = profile_name(options, &bare, &yaml)?;
    chosen_profile(options, &name, &bare, yaml)
}

/// Whether the `dbt_project.yml` of `options` can be read, its profile aside.
///
/// # Errors
/// What is wrong with it.
pub fn check_file(options: &LoadOptions) -> Result<(), Error> {
    let (bare, mut yaml) = (Engine::new(Macros::default()), YamlScope::of(options));
    let target = profile(options).map(|profile| profile.template_value());
    yaml.target = target.ok();
    ProjectFile::load(&options.project_dir, &bare, &yaml).map(|_| ())
}

fn chosen_profile(
    options: &LoadOptions,
    name: &str,
    engine: &Engine,
    scope: YamlScope,
) -> Result<Profile, Error> {
    Profile::load(
        engine,
        &Wanted {
            project_dir: &options.project_dir,
            profiles_dir: options.profiles_dir.as_deref(),
            profile: name,
            target: options.target.as_deref(),
            threads: options.threads,
            scope,
        },
    )
}

/// The profile to use: the option's, or the project file's own.
fn profile_name(options: &LoadOptions, engine: &Engine, yaml: &YamlScope) -> Result<String, Error> {
    if let Some(name) = &options.profile {
        return Ok(name.clone());
    }
    let path = options.project_dir.join("dbt_project.yml");
    if !path.is_file() {
        // the loader words this error
        return ProjectFile::load(&options.project_dir, engine, yaml).map(|file| file.name);
    }
    let shown = Path::new("dbt_project.yml");
    let raw = crate::yaml::parse(&files::read(&path)?, shown)?;
    let named = raw.get("profile").cloned().unwrap_or(Json::Null);
    let named = crate::context::yaml_scope::render(&named, engine, yaml, shown, &|_| false)?;
    named
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| Error::Config {
            location: Some(Location::file(shown)),
            message: "dbt_project.yml names no profile".into(),
            hint: Some("add 'profile: NAME' or use --profile".into()),
        })
}

/// Vars of the root project: those of the command line on top of the file's.
fn root_vars(
    root: &ProjectFile,
    options: &LoadOptions,
    packages: &[Package],
) -> IndexMap<String, Json> {
    let is_package = |name: &str| packages.iter().any(|package| package.name() == name);
    let mut vars: IndexMap<String, Json> = root
        .vars
        .iter()
        .filter(|(name, value)| !(value.is_object() && is_package(name)))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if let Some(Json::Object(own)) = root.vars.get(&root.name) {
        vars.extend(own.clone());
    }
    vars.extend(options.vars.clone());
    vars
}

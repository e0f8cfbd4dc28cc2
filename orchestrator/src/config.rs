//! Every option of the engine's verbs: a flag, its variable, its default. One struct a concern; verbs combine
//! them. Options that dbt has too are named as dbt names them and read dbt's variables.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};
use project::Secret;
use project::manifest::ResourceType;
use serde_json::{Map, Value as Json};

mod empty_selection;
mod no_effect;
mod output;
mod sample;
mod state;
mod variables;
mod warn;

pub use empty_selection::EmptySelection;
pub use no_effect::NoEffectArgs;
pub use output::{LogArgs, LogFormat, LogLevel};
pub use sample::SampleArgs;
pub use state::StateArgs;
pub use variables::with_variables;
pub use warn::WarnArgs;

use crate::retry::RetryLimits;
use crate::run::prepare::Place;
use crate::run::request::{Command, IndirectSelection, Request};
use crate::store::Address;

/// Where the project is and how it is read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Project")]
pub struct ProjectArgs {
    /// Folder of dbt_project.yml [default: here, or ./models when that holds one]
    #[arg(long, value_name = "DIR", env = "RIDEHAIL_PROJECT_DIR")]
    pub project_dir: Option<PathBuf>,
    /// Folder of profiles.yml [default: the project's folder, then ~/.dbt]
    #[arg(long, value_name = "DIR", env = "DBT_PROFILES_DIR")]
    pub profiles_dir: Option<PathBuf>,
    /// Profile to use [default: the project's]
    #[arg(long, value_name = "NAME", env = "DBT_PROFILE")]
    pub profile: Option<String>,
    /// Output of the profile [default: the profile's]
    #[arg(short, long, value_name = "NAME", env = "DBT_TARGET")]
    pub target: Option<String>,
    /// Folder for compiled SQL and artifacts [default: target]
    #[arg(long, value_name = "DIR", env = "DBT_TARGET_PATH")]
    pub target_path: Option<PathBuf>,
    /// Another environment, or an earlier run.
    #[command(flatten)]
    pub state: StateArgs,
    /// What is made of warnings.
    #[command(flatten)]
    pub warn: WarnArgs,
    /// Take a project that asks for another version of dbt
    #[arg(long = "no-version-check", env = "DBT_VERSION_CHECK", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetFalse)]
    pub version_check: bool,
    /// Variables, as a YAML mapping: '{lookback_days: 3}'
    #[arg(long, value_name = "YAML", value_parser = mapping)]
    pub vars: Option<Map<String, Json>>,
}

impl ProjectArgs {
    /// The folders and the environment.
    #[must_use]
    pub fn place(&self) -> Place {
        let env: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let given = self
            .project_dir
            .clone()
            .or_else(|| env.get("DBT_PROJECT_DIR").map(PathBuf::from));
        Place {
            project_dir: given.unwrap_or_else(default_project),
            profiles_dir: self.profiles_dir.clone(),
            target_path: self.target_path.clone(),
            state: self.state.state.clone(),
            defer_state: self.state.defer_state.clone(),
            skip_version_check: !self.version_check,
            parse_cache: output::parse_cache(),
            env,
        }
    }

    /// `request` with this project's profile, target and vars.
    #[must_use]
    pub fn apply(&self, request: Request) -> Request {
        Request {
            profile: self.profile.clone(),
            target: self.target.clone(),
            defer: self.state.defers(),
            favor_state: self.state.favors(),
            warn_error: self.warn.warn_error(),
            warn_error_options: self.warn.options().cloned(),
            vars: self.vars.clone().unwrap_or_default(),
            ..request
        }
    }
}

fn default_project() -> PathBuf {
    let here = Path::new(".");
    let models = Path::new("models");
    let holds = |folder: &Path| folder.join("dbt_project.yml").is_file();
    if !holds(here) && holds(models) {
        models.to_owned()
    } else {
        here.to_owned()
    }
}

fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    project::batches::instant(text)
        .ok_or_else(|| "expected a date or a time: 2026-01-31, 2026-01-31T12:00".to_owned())
}

/// A YAML mapping given as a flag.
///
/// # Errors
/// What else it is.
pub fn mapping(text: &str) -> Result<Map<String, Json>, String> {
    match project::yaml::parse_text(text) {
        Ok(Json::Object(map)) => Ok(map),
        Ok(Json::Null) => Ok(Map::new()),
        Ok(other) => Err(format!("a mapping is expected, not {other}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Which nodes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Selection")]
pub struct SelectionArgs {
    /// Nodes to take: name, +name+, tag:x, path:dir, …; blanks unite, commas intersect [default: all]
    #[arg(short, long, visible_short_alias = 'm', visible_alias = "models", alias = "model", value_name = "SELECTOR",
          num_args = 1.., action = ArgAction::Append)]
    pub select: Vec<String>,
    /// Nodes to leave out, in the same words
    #[arg(long, value_name = "SELECTOR", num_args = 1.., action = ArgAction::Append)]
    pub exclude: Vec<String>,
    /// Kinds of nodes to take [default: all that the verb handles]
    #[arg(long, visible_alias = "resource-types", value_name = "KIND", num_args = 1..,
          env = "DBT_RESOURCE_TYPES", hide_env = true,
          value_delimiter = ' ')]
    pub resource_type: Vec<Kind>,
    /// Kinds of nodes to leave out
    #[arg(long, visible_alias = "exclude-resource-types", value_name = "KIND", num_args = 1..,
          env = "DBT_EXCLUDE_RESOURCE_TYPES",
          hide_env = true, value_delimiter = ' ')]
    pub exclude_resource_type: Vec<Kind>,
    /// Named selection of selectors.yml, in the place of --select and --exclude
    #[arg(long, value_name = "NAME")]
    pub selector: Option<String>,
    /// Which tests come with selected nodes
    #[arg(
        long,
        value_name = "MODE",
        env = "DBT_INDIRECT_SELECTION",
        hide_env = true,
        default_value = "eager"
    )]
    pub indirect_selection: IndirectSelection,
}

/// Kinds of nodes, as flags name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// SQL models.
    Model,
    /// Data tests.
    Test,
    /// CSV seeds.
    Seed,
    /// Snapshots.
    Snapshot,
    /// Sources (`ls` only).
    Source,
    /// Analyses (`ls` only).
    Analysis,
    /// Unit tests.
    #[value(name = "unit_test")]
    UnitTest,
    /// Exposures (`ls` only).
    Exposure,
    /// Metrics (`ls` only).
    Metric,
    /// Semantic models (`ls` only).
    #[value(name = "semantic_model")]
    SemanticModel,
    /// Saved queries (`ls` only).
    #[value(name = "saved_query")]
    SavedQuery,
    /// What the verb handles when nothing is said.
    Default,
    /// Every kind.
    All,
}

impl Kind {
    fn resource_types(self) -> Vec<ResourceType> {
        match self {
            Self::Model => vec![ResourceType::Model],
            Self::Test => vec![ResourceType::Test],
            Self::Seed => vec![ResourceType::Seed],
            Self::Snapshot => vec![ResourceType::Snapshot],
            Self::Source => vec![ResourceType::Source],
            Self::Analysis => vec![ResourceType::Analysis],
            Self::UnitTest => vec![ResourceType::UnitTest],
            Self::Exposure => vec![ResourceType::Exposure],
            Self::Metric => vec![ResourceType::Metric],
            Self::SemanticModel => vec![ResourceType::SemanticModel],
            Self::SavedQuery => vec![ResourceType::SavedQuery],
            Self::Default => Vec::new(),
            Self::All => EVERY_KIND.to_vec(),
        }
    }
}

/// What `--resource-type all` means; `analysis` is not among what is handled by default.
const EVERY_KIND: [ResourceType; 11] = [
    ResourceType::Model,
    ResourceType::Test,
    ResourceType::Seed,
    ResourceType::Snapshot,
    ResourceType::Source,
    ResourceType::Analysis,
    ResourceType::UnitTest,
    ResourceType::Exposure,
    ResourceType::Metric,
    ResourceType::SemanticModel,
    ResourceType::SavedQuery,
];

impl SelectionArgs {
    /// The kinds asked for; empty = what the verb handles when nothing is said.
    #[must_use]
    pub fn kinds(&self) -> Vec<ResourceType> {
        if self.resource_type.contains(&Kind::Default) {
            return Vec::new();
        }
        self.resource_type
            .iter()
            .flat_map(|kind| kind.resource_types())
            .collect()
    }

    /// `request` with this selection.
    #[must_use]
    pub fn apply(&self, request: Request) -> Request {
        Request {
            select: self.select.clone(),
            exclude: self.exclude.clone(),
            resource_types: self.kinds(),
            exclude_resource_types: self
                .exclude_resource_type
                .iter()
                .flat_map(|kind| kind.resource_types())
                .collect(),
            selector: self.selector.clone(),
            indirect: self.indirect_selection,
            ..request
        }
    }
}

/// How nodes are executed.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Execution")]
pub struct ExecutionArgs {
    /// Nodes at once [default: the profile's]
    #[arg(long, value_name = "N", env = "DBT_THREADS", hide_env = true)]
    pub threads: Option<usize>,
    #[arg(long, hide = true, env = "DBT_SINGLE_THREADED", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    single_threaded: bool,
    #[arg(long, hide = true, overrides_with = "single_threaded")]
    no_single_threaded: bool,
    /// Rebuild incremental models from nothing
    #[arg(short, long, env = "DBT_FULL_REFRESH", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    pub full_refresh: bool,
    /// Build models of no rows: to check that they can be built, for nothing
    #[arg(long, env = "DBT_EMPTY", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    pub empty: bool,
    #[arg(long, hide = true)]
    no_empty: bool,
    /// Build microbatch models from this date or time on [default: where each left off]
    #[arg(long, value_name = "TIME", env = "DBT_EVENT_TIME_START", hide_env = true,
          value_parser = instant)]
    pub event_time_start: Option<DateTime<Utc>>,
    /// Build microbatch models up to this date or time [default: now]
    #[arg(long, value_name = "TIME", env = "DBT_EVENT_TIME_END", hide_env = true,
          value_parser = instant)]
    pub event_time_end: Option<DateTime<Utc>>,
    /// Stop at the first failure, cancelling what runs
    #[arg(short = 'x', long, env = "DBT_FAIL_FAST", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    pub fail_fast: bool,
    #[arg(long, hide = true)]
    no_fail_fast: bool,
    /// Keep the rows that tests find in tables
    #[arg(long, env = "DBT_STORE_FAILURES", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    pub store_failures: bool,
    /// Further attempts of a node whose failure may pass: deadlock, lost connection
    #[arg(long, value_name = "N", env = "RIDEHAIL_RETRIES", default_value_t = RetryLimits::DEFAULT.retries)]
    pub retries: u16,
    /// Cancel the run when it takes longer than this many seconds
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// What an empty selection means for the exit code
    #[arg(
        long,
        value_name = "WHAT",
        env = "RIDEHAIL_EMPTY_SELECTION",
        default_value = "ok"
    )]
    pub empty_selection: EmptySelection,
}

impl ExecutionArgs {
    /// A request for `command` with these options.
    #[must_use]
    pub fn request(&self, command: Command) -> Request {
        Request {
            threads: self.threads.or(self.single_threaded.then_some(1)),
            full_refresh: self.full_refresh,
            empty: self.empty && !self.no_empty,
            event_time_start: self.event_time_start,
            event_time_end: self.event_time_end,
            fail_fast: self.fail_fast && !self.no_fail_fast,
            store_failures: self.store_failures,
            retries: self.retries,
            timeout_seconds: self.timeout,
            ..Request::new(command)
        }
    }
}

/// Where runs are recorded.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Run store")]
pub struct StoreArgs {
    /// Postgres that holds schema `ridehail` [default: the profile's database]
    #[arg(long, value_name = "URL", env = "RIDEHAIL_DATABASE_URL", hide_env_values = true, value_parser = secret)]
    pub database_url: Option<Secret>,
}

impl StoreArgs {
    /// The address given, if one was.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        self.database_url.clone().map(Address::Url)
    }
}

pub(crate) fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// The web page and the scheduler.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Serving")]
pub struct ServeArgs {
    /// Address of the web page; loopback only, as there is no login
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "RIDEHAIL_LISTEN",
        default_value = "127.0.0.1:15080"
    )]
    pub listen: SocketAddr,
    /// Runs at once
    #[arg(long, value_name = "N", env = "RIDEHAIL_MAX_RUNS", default_value_t = 4)]
    pub max_runs: usize,
    /// Days that ended runs are kept with their nodes and events; 0 keeps them for good
    #[arg(
        long,
        value_name = "DAYS",
        env = "RIDEHAIL_KEEP_RUNS_DAYS",
        default_value_t = 30
    )]
    pub keep_runs_days: u16,
}

//! What someone wants done, as plain data: from flags, from jobs.yml, or from a stored row.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use project::batches::{Window, Windows};
use project::manifest::ResourceType;
use project::sample::Sample;
use project::select::{Indirect, Spec};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::archive::options::ArchiveOptions;
use crate::archive::upkeep::UpkeepOptions;
use crate::retry::RetryLimits;

mod command;

pub use command::{Command, LakeWork};

/// Who wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Someone at a terminal, who sees it end.
    Cli,
    /// jobs.yml.
    Schedule,
    /// `jobs trigger` or the web.
    Manual,
}

impl Trigger {
    /// As stored.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Schedule => "schedule",
            Self::Manual => "manual",
        }
    }
}

/// How tests follow the nodes they stand on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum IndirectSelection {
    /// Tests of which any parent is selected.
    #[default]
    Eager,
    /// Tests of which every parent is selected.
    Cautious,
    /// Like cautious, and parents may also be ancestors of what is selected.
    Buildable,
    /// Only tests that are selected themselves.
    Empty,
}

impl From<IndirectSelection> for Indirect {
    fn from(mode: IndirectSelection) -> Self {
        match mode {
            IndirectSelection::Eager => Self::Eager,
            IndirectSelection::Cautious => Self::Cautious,
            IndirectSelection::Buildable => Self::Buildable,
            IndirectSelection::Empty => Self::Empty,
        }
    }
}

/// What to do. Everything that decides the outcome is in here, dates included, and nothing that belongs to
/// a machine (folders, passwords): another process can carry it out, later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Verb.
    pub command: Command,
    /// Exactly these nodes by unique id, whatever the selectors say: what `retry` asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<Vec<String>>,
    /// Selectors; empty = everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub select: Vec<String>,
    /// Selectors taken away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Narrows the verb's kinds; empty = all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_types: Vec<ResourceType>,
    /// Kinds taken away from those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_resource_types: Vec<ResourceType>,
    /// Name in selectors.yml, in the place of selectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// How tests follow.
    #[serde(default)]
    pub indirect: IndirectSelection,
    /// `--vars`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub vars: Map<String, Json>,
    /// Rebuild incremental models from nothing.
    #[serde(default)]
    pub full_refresh: bool,
    /// Build models of no rows: their shape alone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub empty: bool,
    /// First instant that microbatch models build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time_start: Option<DateTime<Utc>>,
    /// The instant they stop before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time_end: Option<DateTime<Utc>>,
    /// What became of microbatch models' windows in the run that is tried again: only those that failed are built.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub windows: BTreeMap<String, Windows>,
    /// When the run began that is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried_from: Option<DateTime<Utc>>,
    /// Keep some rows of each seed for the end.
    #[serde(default, skip_serializing_if = "is_default")]
    pub show: bool,
    /// Stop at the first failure.
    #[serde(default)]
    pub fail_fast: bool,
    /// Keep the rows that tests find.
    #[serde(default, skip_serializing_if = "is_default")]
    pub store_failures: bool,
    /// Take warnings for failures; what the project says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_error: Option<bool>,
    /// Which of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_error_options: Option<Map<String, Json>>,
    /// Read what is not here where another environment has it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub defer: bool,
    /// And what is not selected in any case.
    #[serde(default, skip_serializing_if = "is_default")]
    pub favor_state: bool,
    /// Read only what happened in a span of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
    /// Attempts at once; the profile's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Profile, when not the project's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Output of the profile, when not its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Further attempts of a node whose failure may pass.
    pub retries: u16,
    /// The run is cancelled when it takes longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// How `archive` goes about it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub archive: ArchiveOptions,
    /// How `maintain` goes about it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub upkeep: UpkeepOptions,
    /// Job of jobs.yml.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The tick that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
    /// `run_started_at` of templates. Set when the run is first taken; kept by whoever goes on with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
}

fn is_default<T: Default + PartialEq>(options: &T) -> bool {
    *options == T::default()
}

impl Request {
    /// Everything, with defaults.
    #[must_use]
    pub fn new(command: Command) -> Self {
        Self {
            command,
            nodes: None,
            select: Vec::new(),
            exclude: Vec::new(),
            resource_types: Vec::new(),
            exclude_resource_types: Vec::new(),
            selector: None,
            indirect: IndirectSelection::default(),
            vars: Map::new(),
            full_refresh: false,
            empty: false,
            event_time_start: None,
            event_time_end: None,
            windows: BTreeMap::new(),
            retried_from: None,
            show: false,
            fail_fast: false,
            store_failures: false,
            warn_error: None,
            warn_error_options: None,
            defer: false,
            favor_state: false,
            sample: None,
            threads: None,
            profile: None,
            target: None,
            retries: RetryLimits::DEFAULT.retries,
            timeout_seconds: None,
            archive: ArchiveOptions::default(),
            upkeep: UpkeepOptions::default(),
            job: None,
            due_at: None,
            started_at: None,
        }
    }

    /// Attempts at once, where the profile says `of_profile`. Moving tables is bound by the disk and by one
    /// server that others use meanwhile: two at once is the default there.
    #[must_use]
    pub fn threads(&self, of_profile: usize) -> usize {
        self.threads.unwrap_or(match self.command {
            Command::Archive | Command::Maintain => 2,
            Command::Build
            | Command::Run
            | Command::Test
            | Command::Seed
            | Command::Snapshot
            | Command::Clone => of_profile,
        })
    }

    /// What is asked of microbatch models.
    #[must_use]
    pub fn window(&self) -> Window {
        // a sample goes before what is asked for besides, as in dbt
        let (start, end) = self
            .sample
            .map_or((self.event_time_start, self.event_time_end), |sample| {
                (Some(sample.start), Some(sample.end))
            });
        Window { start, end }
    }

    /// The limit on the whole run.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_seconds.map(Duration::from_secs)
    }

    /// The kinds of nodes it executes.
    #[must_use]
    pub fn kinds(&self) -> Vec<ResourceType> {
        let asked = |kind: &ResourceType| {
            (self.resource_types.is_empty() || self.resource_types.contains(kind))
                && !self.exclude_resource_types.contains(kind)
        };
        let of_verb = self.command.resource_types().iter().copied();
        of_verb.filter(asked).collect()
    }

    /// The selection, of `resource_types`.
    #[must_use]
    pub fn spec(&self, resource_types: Vec<ResourceType>) -> Spec {
        Spec {
            select: self.select.clone(),
            exclude: self.exclude.clone(),
            selector: self.selector.clone(),
            resource_types,
            exclude_resource_types: self.exclude_resource_types.clone(),
            indirect: self.indirect.into(),
        }
    }

    /// The selection in one line: `everything`, `tag:mart --exclude x`.
    #[must_use]
    pub fn selection(&self) -> String {
        let mut text = if let Some(nodes) = &self.nodes {
            format!("retry of {} nodes", nodes.len())
        } else if let Some(name) = &self.selector {
            format!("--selector {name}")
        } else if self.select.is_empty() {
            "everything".to_owned()
        } else {
            self.select.join(" ")
        };
        if !self.exclude.is_empty() {
            text.push_str(" --exclude ");
            text.push_str(&self.exclude.join(" "));
        }
        if self.full_refresh {
            text.push_str(" --full-refresh");
        }
        if self.empty {
            text.push_str(" --empty");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use project::batches::instant;

    use super::*;

    #[test]
    fn a_sample_is_what_microbatch_models_build() {
        let mut request = Request::new(Command::Run);
        request.event_time_start = instant("2024-01-01");
        assert_eq!(request.window().start, instant("2024-01-01"));
        assert_eq!(request.window().end, None);
        let now = instant("2024-03-01").unwrap();
        request.sample = Sample::parse("{start: 2024-02-01, end: 2024-02-02}", now).ok();
        let window = request.window();
        assert_eq!(window.start, instant("2024-02-01"));
        assert_eq!(window.end, instant("2024-02-02"));
    }
}

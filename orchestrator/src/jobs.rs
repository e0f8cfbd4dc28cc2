//! `jobs.yml`, beside `dbt_project.yml`: what runs when. Pure: text in, jobs or a complaint with its line out.
//!
//! ```yaml
//! jobs:
//!   - name: hourly
//!     description: The marts of the last days
//!     schedule: {cron: "5 * * * *", time_zone: Europe/Paris}   # without: only when triggered
//!     command: build            # build, run, test, seed, archive or maintain
//!     select: tag:mart          # text or a list; without: everything
//!     exclude: [mart_slow]
//!     vars: {lookback_days: 3}
//!     threads: 4
//!     retries: 2                # further attempts of a node whose failure may pass
//!     timeout: 30m              # s, m or h; the whole run
//!     archive: {rate: 20MB}     # of archive: batch_days, rate, drain_timeout
//!     upkeep: {older_than: 7d}  # of maintain: tasks, older_than, keep, files
//!     overlap: skip             # or queue: what to do while the job's last run has not ended
//! ```

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use serde_saphyr::Spanned;

use crate::archive::options::ArchiveOptions;
use crate::archive::upkeep::UpkeepOptions;
use crate::retry::RetryLimits;
use crate::run::request::{Command, Request};

/// The file's name.
pub const FILE: &str = "jobs.yml";

/// A complaint about jobs.yml.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is there but cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("{}:{line}: {message}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What.
        message: String,
        /// What to write instead.
        hint: &'static str,
    },
}

impl Error {
    /// What a person can do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "check the file's permissions",
            Self::Wrong { hint, .. } => hint,
        }
    }
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Name, unique in the file.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// When; `None` = only when triggered.
    pub schedule: Option<Schedule>,
    /// What to do while its last run has not ended.
    pub overlap: Overlap,
    /// What to do.
    pub request: Request,
}

/// When a job falls due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Five fields: minute, hour, day of month, month, day of week.
    pub cron: String,
    /// The zone whose wall clock the fields mean.
    pub time_zone: Tz,
}

/// What to do with a tick while the job's last run has not ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Note it and go on.
    #[default]
    Skip,
    /// Queue the run; it starts when the last one ends.
    Queue,
}

/// As stored: plain text, so that a page can read it without knowing time zones.
#[derive(Serialize, Deserialize)]
struct ScheduleText {
    cron: String,
    time_zone: String,
}

impl Serialize for Schedule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ScheduleText {
            cron: self.cron.clone(),
            time_zone: self.time_zone.name().to_owned(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = ScheduleText::deserialize(deserializer)?;
        let time_zone = Tz::from_str(&text.time_zone).map_err(serde::de::Error::custom)?;
        Ok(Self {
            cron: text.cron,
            time_zone,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    jobs: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    #[serde(default)]
    description: String,
    schedule: Option<Times>,
    command: Command,
    #[serde(default)]
    select: Words,
    #[serde(default)]
    exclude: Words,
    #[serde(default)]
    vars: Map<String, Json>,
    #[serde(default)]
    full_refresh: bool,
    threads: Option<usize>,
    retries: Option<u16>,
    timeout: Option<Spanned<String>>,
    target: Option<String>,
    #[serde(default)]
    archive: ArchiveOptions,
    #[serde(default)]
    upkeep: UpkeepOptions,
    #[serde(default)]
    overlap: Overlap,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Times {
    cron: Spanned<String>,
    time_zone: Option<Spanned<String>>,
}

/// One selector, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    One(String),
    Many(Vec<String>),
}

impl Default for Words {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Words {
    fn list(self) -> Vec<String> {
        match self {
            Self::One(word) => vec![word],
            Self::Many(words) => words,
        }
    }
}

/// Reads jobs.yml of a project; a project without one has no jobs.
///
/// # Errors
/// See [`Error`].
pub fn read(project_dir: &Path) -> Result<Vec<Job>, Error> {
    let path = project_dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&path, &text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(Error::Read { path, source }),
    }
}

/// The jobs of `text`, which stands in `path`.
///
/// # Errors
/// [`Error::Wrong`].
pub fn parse(path: &Path, text: &str) -> Result<Vec<Job>, Error> {
    let wrong = |line, message, hint| Error::Wrong {
        path: path.to_owned(),
        line,
        message,
        hint,
    };
    let file: File = serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        let message = error.without_snippet().to_string();
        // the message repeats the position that stands before it
        let message = message
            .split(" at line ")
            .next()
            .unwrap_or_default()
            .to_owned();
        wrong(
            line,
            message,
            "the keys of a job are: name, description, schedule, command, select, \
            exclude, vars, full_refresh, threads, retries, timeout, target, archive, upkeep, overlap",
        )
    })?;
    let mut names = HashSet::new();
    file.jobs
        .into_iter()
        .map(|entry| {
            let name = entry.name.value.clone();
            let line = entry.name.defined.line();
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if name.is_empty() || !name.chars().all(fits) {
                let message = format!("`{name}` cannot be a job's name");
                return Err(wrong(line, message, "use letters, digits, `_` and `-`"));
            }
            if !names.insert(name.clone()) {
                let message = format!("there is another job `{name}`");
                return Err(wrong(line, message, "give each job a name of its own"));
            }
            job(entry).map_err(|(line, message, hint)| wrong(line, message, hint))
        })
        .collect()
}

fn job(entry: Entry) -> Result<Job, (u64, String, &'static str)> {
    let name = entry.name.value;
    let schedule = entry.schedule.map(schedule).transpose()?;
    let timeout_seconds = entry
        .timeout
        .map(|text| {
            seconds(&text.value).ok_or_else(|| {
                let message = format!("`{}` is no duration", text.value);
                (
                    text.defined.line(),
                    message,
                    "write a number and s, m or h: 90s, 30m, 2h",
                )
            })
        })
        .transpose()?;
    let request = Request {
        select: entry.select.list(),
        exclude: entry.exclude.list(),
        vars: entry.vars,
        full_refresh: entry.full_refresh,
        threads: entry.threads,
        target: entry.target,
        retries: entry.retries.unwrap_or(RetryLimits::DEFAULT.retries),
        timeout_seconds,
        archive: entry.archive,
        upkeep: entry.upkeep,
        job: Some(name.clone()),
        ..Request::new(entry.command)
    };
    Ok(Job {
        name,
        description: entry.description,
        schedule,
        overlap: entry.overlap,
        request,
    })
}

fn schedule(times: Times) -> Result<Schedule, (u64, String, &'static str)> {
    let cron = times.cron.value;
    pattern(&cron).map_err(|error| {
        let message = format!("`{cron}` is no cron pattern: {error}");
        (
            times.cron.defined.line(),
            message,
            "five fields: minute hour day month weekday, e.g. \"5 * * * *\"",
        )
    })?;
    let time_zone = match times.time_zone {
        None => Tz::UTC,
        Some(name) => Tz::from_str(&name.value).map_err(|_| {
            let message = format!("there is no time zone `{}`", name.value);
            (
                name.defined.line(),
                message,
                "use a name of the tz database: UTC, Europe/Paris, America/New_York",
            )
        })?,
    };
    Ok(Schedule { cron, time_zone })
}

/// A five-field pattern. Both day fields given means either, as cron always had it.
///
/// # Errors
/// croner's complaint.
pub fn pattern(cron: &str) -> Result<Cron, croner::errors::CronError> {
    CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build()
        .parse(cron)
}

/// Seconds of `90s`, `30m`, `2h`.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let (digits, factor) = match text.as_bytes().last()? {
        b's' => (text.strip_suffix('s')?, 1),
        b'm' => (text.strip_suffix('m')?, 60),
        b'h' => (text.strip_suffix('h')?, 3_600),
        _ => return None,
    };
    digits
        .trim()
        .parse::<u64>()
        .ok()
        .filter(|&n| n > 0)?
        .checked_mul(factor)
}

#[cfg(test)]
#[path = "jobs_tests.rs"]
mod tests;

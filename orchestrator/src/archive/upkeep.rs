//! How upkeep goes about it: from flags, from jobs.yml, or from a stored request. And what it says at its end. Pure.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use lake::maintain::{Done, Options, Task};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::age;
use super::options::as_text;
use super::report::{Verdict, grouped, size};

/// What upkeep may be told. Everything has a default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UpkeepOptions {
    /// Which tasks; empty = all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskName>,
    /// Age from which snapshots and objects may go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_than: Option<Age>,
    /// Newest snapshots that stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<usize>,
    /// Files of a day from which they are put together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<usize>,
    /// The moment that ages are counted from, when not the present one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<DateTime<Utc>>,
}

impl UpkeepOptions {
    /// With the defaults filled in.
    #[must_use]
    pub fn for_lake(&self) -> Options {
        let defaults = Options::default();
        Options {
            tasks: if self.tasks.is_empty() {
                defaults.tasks
            } else {
                self.tasks.iter().map(|task| task.0).collect()
            },
            older_than: self.older_than.map_or(defaults.older_than, |age| age.0),
            keep: self.keep.unwrap_or(defaults.keep),
            files: self.files.unwrap_or(defaults.files),
            dry_run: false,
        }
    }
}

/// `7 days`, `7d`, `2 weeks`, `36h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age(pub TimeDelta);

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        age(&Json::from(text)).map(Self).ok_or_else(|| {
            format!(
                "`{text}` is no age: write `7 days`, `7d`, `2 weeks`, `36h`, or a number of days"
            )
        })
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}h", self.0.num_hours())
    }
}

/// A task by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskName(pub Task);

impl FromStr for TaskName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

impl fmt::Display for TaskName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

as_text!(Age, TaskName);

/// `COMPACT 2 days, EXPIRE 3 snapshots, DELETE 7 objects (1.2 MB)`; what there was nothing of is left out.
#[must_use]
pub fn message(done: &Done) -> String {
    let count = |number: usize, one: &str| {
        let plural = if number == 1 { "" } else { "s" };
        format!("{} {one}{plural}", grouped(number as u64))
    };
    let mut parts = Vec::new();
    if !done.compacted.days.is_empty() {
        parts.push(format!(
            "COMPACT {}",
            count(done.compacted.days.len(), "day")
        ));
    }
    if !done.compacted.unnoted.is_empty() {
        parts.push(format!(
            "READ {}",
            count(done.compacted.unnoted.len(), "day")
        ));
    }
    if done.compacted.merge {
        parts.push(format!(
            "MERGE {}",
            count(done.compacted.manifests, "manifest")
        ));
    }
    if !done.expired.is_empty() {
        parts.push(format!("EXPIRE {}", count(done.expired.len(), "snapshot")));
    }
    if !done.orphans.is_empty() {
        let bytes = done.orphans.iter().map(|object| object.size).sum();
        let objects = count(done.orphans.len(), "object");
        parts.push(format!("DELETE {objects} ({})", size(bytes)));
    }
    if parts.is_empty() {
        return "NOTHING to do".to_owned();
    }
    parts.join(", ")
}

/// What the upkeep of one table came to.
#[must_use]
pub fn verdict(done: &Done) -> Verdict {
    let mut texts = done.findings.clone();
    let hint = if !texts.is_empty() {
        Some("`ridehail archive verify --deep` reads the files")
    } else if !done.left_out.is_empty() {
        Some("start Trino (it needs a JDK 25) and set RIDEHAIL_TRINO_URL")
    } else {
        return Verdict::Done;
    };
    texts.extend(done.left_out.iter().cloned());
    Verdict::Warned {
        text: texts.join("\n"),
        hint,
    }
}

#[cfg(test)]
mod tests {
    use lake::maintain::compact::Plan;
    use lake::maintain::expire::Expired;

    use super::*;

    #[test]
    fn what_was_done_is_told_and_nothing_else() {
        assert_eq!(message(&Done::default()), "NOTHING to do");
        assert_eq!(verdict(&Done::default()), Verdict::Done);
        let day = "2026-01-02".parse().unwrap();
        let (id, at) = (1, DateTime::UNIX_EPOCH);
        let done = Done {
            compacted: Plan {
                days: vec![(day, 3, 100)],
                manifests: 21,
                merge: true,
                unnoted: vec![day],
            },
            expired: vec![Expired { id, at }, Expired { id, at }],
            ..Done::default()
        };
        assert_eq!(
            message(&done),
            "COMPACT 1 day, READ 1 day, MERGE 21 manifests, EXPIRE 2 snapshots"
        );
        let done = Done {
            left_out: vec!["no Trino".to_owned()],
            ..Done::default()
        };
        assert!(matches!(verdict(&done), Verdict::Warned { text, .. } if text == "no Trino"));
    }

    #[test]
    fn stored_and_read_again() {
        let text = r#"{"tasks":["expire","orphans"],"older_than":"48h","keep":3}"#;
        let options: UpkeepOptions = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&options).unwrap(), text);
        let for_lake = options.for_lake();
        assert_eq!(for_lake.tasks, [Task::Expire, Task::Orphans]);
        assert_eq!(for_lake.older_than, TimeDelta::days(2));
        assert_eq!((for_lake.keep, for_lake.files), (3, 2));
        let days: UpkeepOptions = serde_json::from_str(r#"{"older_than": 2}"#).unwrap();
        assert_eq!(days.older_than, options.older_than);
        let wrong = serde_json::from_str::<UpkeepOptions>(r#"{"tasks": ["sweep"]}"#);
        assert!(wrong.unwrap_err().to_string().contains("compact, expire"));
    }
}

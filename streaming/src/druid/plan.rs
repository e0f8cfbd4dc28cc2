//! Desired and actual in, steps out. Pure: no clock, no network.
//!
//! Each step says what it does to running tasks and whether data is lost by it, before anything
//! is done. What a person did by hand (a suspension) is left as it is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::canon::{Difference, differences};
use super::consequence::loss;
use super::spec::{Desired, MARK};

/// Worker slots of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub struct Slots {
    /// Tasks that can run at once.
    #[serde(rename(deserialize = "currentClusterCapacity"))]
    pub capacity: i64,
    /// Tasks that run.
    #[serde(rename(deserialize = "usedClusterCapacity"))]
    pub used: i64,
}

/// A supervisor as Druid echoes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Supervisor {
    /// The echoed spec.
    pub spec: Value,
    /// Whether it is suspended: its tasks have published and none is started.
    pub suspended: bool,
}

impl Supervisor {
    fn mark(&self, key: &str) -> Option<&str> {
        self.spec["context"][MARK][key].as_str()
    }
}

/// What is there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Actual {
    /// Topics of the cluster.
    pub topics: BTreeSet<String>,
    /// Supervisors by id.
    pub supervisors: BTreeMap<String, Supervisor>,
    /// Retention rules by datasource.
    pub rules: BTreeMap<String, Value>,
    /// Compaction configs by datasource.
    pub compaction: BTreeMap<String, Value>,
    /// Worker slots, when a worker is known.
    pub slots: Option<Slots>,
}

/// What a step is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The topic a supervisor reads; `topics apply` makes it, this plan only looks.
    Topic,
    /// The supervisor itself.
    Supervisor,
    /// Retention rules.
    Rules,
    /// Automatic compaction.
    Compaction,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// As the file says.
    None,
    /// Something must exist first; the step is not carried out.
    Missing,
    /// Not there yet.
    Create,
    /// There, and different.
    Update {
        /// Fields that differ; empty when a field was only taken out of the file.
        differences: Vec<Difference>,
        /// Whether running tasks stop (they publish what they read) and new ones start.
        restarts: bool,
        /// What is lost and why, a sentence each.
        loses: Vec<String>,
    },
    /// Made by these files once and no longer declared.
    Orphan {
        /// Whether apply ends it: only when asked to prune.
        prune: bool,
    },
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Datasource, or the topic's name for [`Part::Topic`].
    pub on: String,
    /// What of it.
    pub part: Part,
    /// What is done.
    #[serde(flatten)]
    pub change: Change,
    /// Suspended by hand, and left so.
    pub suspended: bool,
}

impl Step {
    /// Whether apply has something to do here.
    #[must_use]
    pub fn acts(&self) -> bool {
        match &self.change {
            Change::Create | Change::Update { .. } => true,
            Change::Orphan { prune } => *prune,
            Change::None | Change::Missing => false,
        }
    }
}

/// Steps in the order they are carried out: topics, supervisors, rules, compaction.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Plan {
    /// The steps, unchanged parts included.
    pub steps: Vec<Step>,
    /// Sentences about the whole, e.g. too few worker slots.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Whether apply would change nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.steps.iter().any(Step::acts)
    }

    /// Whether something has to exist first.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.steps.iter().any(|step| step.change == Change::Missing)
    }
}

/// What to do so that `actual` becomes `desired`.
///
/// `prefix` tells own orphans from strangers: a supervisor whose mark names another prefix, or
/// that has no mark, is nobody's business here.
#[must_use]
pub fn plan(desired: &[Desired], actual: &Actual, prefix: &str, prune: bool) -> Plan {
    let mut steps: Vec<Step> = desired
        .iter()
        .map(|want| Step {
            on: want.topic.clone(),
            part: Part::Topic,
            change: if actual.topics.contains(&want.topic) {
                Change::None
            } else {
                Change::Missing
            },
            suspended: false,
        })
        .collect();
    steps.extend(
        desired
            .iter()
            .map(|want| supervisor(want, actual.supervisors.get(&want.datasource))),
    );
    steps.extend(orphans(desired, actual, prefix, prune));
    steps.extend(
        desired
            .iter()
            .map(|want| rules(want, actual.rules.get(&want.datasource))),
    );
    steps.extend(
        desired
            .iter()
            .filter_map(|want| compaction(want, actual.compaction.get(&want.datasource))),
    );
    Plan {
        steps,
        warnings: warnings(desired, actual),
    }
}

fn supervisor(want: &Desired, there: Option<&Supervisor>) -> Step {
    let step = |change, suspended| Step {
        on: want.datasource.clone(),
        part: Part::Supervisor,
        change,
        suspended,
    };
    let Some(there) = there else {
        return step(Change::Create, false);
    };
    // a file that says `suspended` itself decides; else what was done by hand stands
    let by_hand = there.suspended && want.supervisor.get("suspended").is_none();
    let differences = differences(&want.supervisor, &there.spec);
    let taken_out = there
        .mark("fingerprint")
        .is_some_and(|mark| mark != want.fingerprint);
    if differences.is_empty() && !taken_out {
        return step(Change::None, by_hand);
    }
    let loses = differences.iter().filter_map(loss).collect();
    step(
        Change::Update {
            differences,
            restarts: !there.suspended,
            loses,
        },
        by_hand,
    )
}

fn orphans(desired: &[Desired], actual: &Actual, prefix: &str, prune: bool) -> Vec<Step> {
    actual
        .supervisors
        .iter()
        .filter(|(id, there)| {
            there.mark("prefix") == Some(prefix)
                && !desired.iter().any(|want| want.datasource == **id)
        })
        .map(|(id, there)| Step {
            on: id.clone(),
            part: Part::Supervisor,
            change: Change::Orphan { prune },
            suspended: there.suspended,
        })
        .collect()
}

fn rules(want: &Desired, there: Option<&Value>) -> Step {
    let none = Value::Array(Vec::new());
    let there = there.unwrap_or(&none);
    let differences = differences(&want.rules, there);
    let change = if differences.is_empty() {
        Change::None
    } else if *there == none {
        Change::Create
    } else {
        let loses = super::consequence::retention_loss(&want.rules, there)
            .into_iter()
            .collect();
        Change::Update {
            differences,
            restarts: false,
            loses,
        }
    };
    Step {
        on: want.datasource.clone(),
        part: Part::Rules,
        change,
        suspended: false,
    }
}

fn compaction(want: &Desired, there: Option<&Value>) -> Option<Step> {
    let body = want.compaction_body()?;
    let change = match there.map(|there| differences(&body, there)) {
        None => Change::Create,
        Some(differences) if differences.is_empty() => Change::None,
        Some(differences) => Change::Update {
            differences,
            restarts: false,
            loses: Vec::new(),
        },
    };
    Some(Step {
        on: want.datasource.clone(),
        part: Part::Compaction,
        change,
        suspended: false,
    })
}

fn warnings(desired: &[Desired], actual: &Actual) -> Vec<String> {
    let needed: u64 = desired.iter().map(Desired::slots).sum();
    let capacity = actual.slots.map(|slots| slots.capacity);
    match capacity {
        Some(capacity) if u64::try_from(capacity).unwrap_or(0) < needed => vec![format!(
            "{needed} worker slots are needed while tasks hand over (2 x taskCount x replicas a \
             supervisor), Druid has {capacity}: some tasks will wait"
        )],
        None => vec!["Druid knows no worker yet: tasks wait until one joins".to_owned()],
        Some(_) => Vec::new(),
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;

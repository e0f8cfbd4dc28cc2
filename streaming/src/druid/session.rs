//! One verb's view: the files it was given and the servers it talks to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::args::Options;
use super::client::Client;
use super::error::Error;
use super::kafka;
use super::plan::{Actual, Plan, Slots, Supervisor, plan};
use super::spec::{self, Desired};

/// Between two looks at something that is being waited for.
const LOOK: Duration = Duration::from_secs(1);

/// The files and the servers.
#[derive(Debug, Clone)]
pub struct Session {
    /// Druid.
    pub client: Client,
    /// Kafka brokers as this process reaches them.
    pub brokers: String,
    /// What the files ask for, in name order.
    pub desired: Vec<Desired>,
    prefix: String,
}

impl Session {
    /// Reads the files. No server is asked yet.
    ///
    /// # Errors
    /// A file cannot be used.
    pub fn open(options: &Options) -> Result<Self, Error> {
        Ok(Self {
            client: Client::new(&options.druid_url)?,
            brokers: options.brokers.clone(),
            desired: spec::load(&options.specs, &options.variables())?,
            prefix: options.datasource_prefix.clone(),
        })
    }

    /// Declared supervisors by their files' names; all when `names` is empty.
    ///
    /// # Errors
    /// No file has such a name.
    pub fn named(&self, names: &[String]) -> Result<Vec<&Desired>, Error> {
        if names.is_empty() {
            return Ok(self.desired.iter().collect());
        }
        names.iter().map(|name| self.one(name)).collect()
    }

    /// One declared supervisor by its file's name or its datasource.
    ///
    /// # Errors
    /// No file has such a name.
    pub fn one(&self, name: &str) -> Result<&Desired, Error> {
        self.desired
            .iter()
            .find(|want| want.name == name || want.datasource == name)
            .ok_or_else(|| Error::UnknownName {
                name: name.to_owned(),
                known: self.desired.iter().map(|want| want.name.clone()).collect(),
            })
    }

    /// What is there now.
    ///
    /// # Errors
    /// Druid or Kafka is away.
    pub async fn observe(&self) -> Result<Actual, Error> {
        let (supervisors, rules, compaction, slots, topics) = tokio::try_join!(
            self.client.supervisors(),
            self.client.rules(),
            self.client.compaction(),
            self.client.slots(),
            kafka::topics(&self.brokers),
        )?;
        Ok(observed(supervisors, rules, compaction, slots, topics))
    }

    /// What apply would do now.
    ///
    /// # Errors
    /// Druid or Kafka is away.
    pub async fn plan(&self, prune: bool) -> Result<Plan, Error> {
        Ok(plan(
            &self.desired,
            &self.observe().await?,
            &self.prefix,
            prune,
        ))
    }

    /// The plan for what was seen.
    #[must_use]
    pub fn plan_for(&self, actual: &Actual, prune: bool) -> Plan {
        plan(&self.desired, actual, &self.prefix, prune)
    }
}

/// What the servers' answers say.
pub(super) fn observed(
    supervisors: Vec<Value>,
    rules: Value,
    compaction: Vec<Value>,
    slots: Option<Slots>,
    topics: BTreeSet<String>,
) -> Actual {
    Actual {
        topics,
        supervisors: supervisors.into_iter().filter_map(echoed).collect(),
        rules: match rules {
            Value::Object(fields) => fields.into_iter().collect(),
            _ => BTreeMap::new(),
        },
        compaction: compaction
            .into_iter()
            .filter_map(|config| Some((config["dataSource"].as_str()?.to_owned(), config)))
            .collect(),
        slots,
    }
}

/// A supervisor out of the overlord's full list.
fn echoed(mut entry: Value) -> Option<(String, Supervisor)> {
    let id = entry["id"].as_str()?.to_owned();
    let mut spec = entry["spec"].take();
    let suspended = spec["suspended"] == Value::Bool(true);
    if let Some(fields) = spec.as_object_mut() {
        // Druid repeats these three outside of `spec` for readers of old versions
        fields.retain(|key, _| !["dataSchema", "ioConfig", "tuningConfig"].contains(&key.as_str()));
    }
    Some((id, Supervisor { spec, suspended }))
}

/// Asks `question` every second until it gives an answer or `deadline` passes.
///
/// A server that is away for a moment (a leader is being elected, a router restarts) is asked
/// again; every other error ends the wait.
///
/// # Errors
/// The question's, or [`Error::Deadline`] with `what` and `hint`.
pub(super) async fn until<T, F>(
    deadline: Duration,
    what: &str,
    hint: &str,
    mut question: F,
) -> Result<T, Error>
where
    F: AsyncFnMut() -> Result<Option<T>, Error>,
{
    let end = tokio::time::Instant::now() + deadline;
    loop {
        match question().await {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) | Err(Error::NotReady { .. } | Error::Unreachable { .. }) => {}
            Err(other) => return Err(other),
        }
        if tokio::time::Instant::now() + LOOK > end {
            return Err(Error::Deadline {
                what: what.to_owned(),
                seconds: deadline.as_secs(),
                hint: hint.to_owned(),
            });
        }
        tokio::time::sleep(LOOK).await;
    }
}

//! Watches what was posted until it reads, and goes back to the last good spec when it does not.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::error::Error;
use super::health::{Verdict, positions, troubles, verdict};
use super::kafka;
use super::session::{Session, until};
use super::spec::Desired;

/// What became of a supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub(super) enum Became {
    /// Reads.
    Running,
    /// Stays suspended, as it was found.
    Suspended,
    /// Its topic does not exist: nothing was posted.
    Blocked,
    /// Ended, since no file declares it.
    Pruned,
    /// Not reading within the deadline.
    Late {
        /// Where it stands, in Druid's word.
        state: String,
    },
    /// Unhealthy; nothing to go back to.
    Unhealthy {
        /// Druid's newest error.
        reason: String,
    },
    /// Unhealthy; the spec of before was put back.
    RolledBack {
        /// Druid's newest error.
        reason: String,
        /// Whether it reads again.
        reads: bool,
    },
    /// Reads from where there is nothing to read.
    Stuck {
        /// What is wrong.
        what: String,
        /// The command that ends it.
        hint: String,
    },
}

/// A supervisor's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Applied {
    /// Datasource.
    pub(super) on: String,
    /// What became of it.
    #[serde(flatten)]
    pub(super) became: Became,
    /// Ids of the tasks that read.
    pub(super) tasks: Vec<String>,
}

impl Applied {
    pub(super) fn without_tasks(on: &str, became: Became) -> Self {
        Self {
            on: on.to_owned(),
            became,
            tasks: Vec::new(),
        }
    }

    pub(super) fn good(&self) -> bool {
        matches!(
            self.became,
            Became::Running | Became::Suspended | Became::Pruned
        )
    }
}

/// Waits for one supervisor, and posts `fallback` when what is there turns out unhealthy.
///
/// # Errors
/// Druid refuses to answer.
pub(super) async fn watch(
    session: &Session,
    want: &Desired,
    fallback: Option<&Value>,
    deadline: Duration,
) -> Result<Applied, Error> {
    let id = &want.datasource;
    let became = match settle(session, id, deadline).await? {
        Settled::Reads(tasks) => {
            return Ok(Applied {
                on: id.clone(),
                became: Became::Running,
                tasks,
            });
        }
        Settled::Suspended => Became::Suspended,
        Settled::Late(state) => Became::Late { state },
        Settled::Unhealthy(reason) => match fallback {
            Some(spec) => {
                tracing::warn!(
                    supervisor = id,
                    reason,
                    "unhealthy; putting the last spec back"
                );
                session.client.post_supervisor(id, spec).await?;
                let settled = settle(session, id, deadline).await?;
                let reads = matches!(settled, Settled::Reads(_) | Settled::Suspended);
                Became::RolledBack { reason, reads }
            }
            None => Became::Unhealthy { reason },
        },
    };
    Ok(Applied::without_tasks(id, became))
}

enum Settled {
    Reads(Vec<String>),
    Suspended,
    Late(String),
    Unhealthy(String),
}

async fn settle(session: &Session, id: &str, deadline: Duration) -> Result<Settled, Error> {
    let mut state = "absent".to_owned();
    let mut error = None;
    let settled = until(deadline, "it did not settle", "", async || {
        let Some(payload) = session.client.supervisor_status(id).await? else {
            return Ok(None);
        };
        Ok(match verdict(&payload) {
            Verdict::Ready if payload["suspended"] == Value::Bool(true) => Some(Settled::Suspended),
            Verdict::Ready => Some(Settled::Reads(task_ids(&payload))),
            Verdict::Unhealthy(reason) => Some(Settled::Unhealthy(reason)),
            Verdict::Pending(now, newest) => {
                (state, error) = (now, newest);
                None
            }
        })
    })
    .await;
    match settled {
        // errors, and still nothing read: more patience would not help
        Err(Error::Deadline { .. }) => Ok(match error {
            Some(error) => Settled::Unhealthy(format!("{state}: {error}")),
            None => Settled::Late(state),
        }),
        other => other,
    }
}

/// Looks whether those that read stand within their topic's log.
pub(super) async fn stuck(session: &Session, done: &mut [Applied]) -> Result<(), Error> {
    for one in done.iter_mut().filter(|one| one.became == Became::Running) {
        let want = session.one(&one.on)?;
        let logs = kafka::logs(&session.brokers, &want.topic).await?;
        let payload = session
            .client
            .supervisor_status(&one.on)
            .await?
            .unwrap_or_default();
        let positions = positions(&payload);
        if let Some(trouble) = troubles(&want.name, &positions, &logs).into_iter().next() {
            one.became = Became::Stuck {
                what: trouble.what,
                hint: trouble.hint,
            };
        }
    }
    Ok(())
}

pub(super) fn task_ids(payload: &Value) -> Vec<String> {
    payload["activeTasks"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|task| task["id"].as_str().map(str::to_owned))
        .collect()
}

//! Carries a plan out: topics looked at, supervisors posted and watched, then retention and
//! compaction. Only what differs is posted, so an unchanged supervisor's tasks read on.

use std::io::Write;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use super::error::Error;
use super::health::{Verdict, troubles, verdict};
use super::plan::{Actual, Change, Part, Plan, Step};
use super::render;
use super::session::{Session, until};
use super::spec::Desired;
use super::{Outcome, actions, kafka};

/// Posting while tasks publish can end them early, and then their rows are read twice over: time
/// is given them to finish. Longer than a publication takes; on expiry the change goes ahead,
/// since what an ended task had not published is read again by the next.
const PUBLISHING: Duration = Duration::from_secs(90);

/// How apply was asked to go about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// End own supervisors that are no longer declared.
    pub(super) prune: bool,
    /// Agreed to data being lost.
    pub(super) yes: bool,
    /// Seconds to wait for healthy supervisors.
    pub(super) deadline: u64,
}

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
    fn good(&self) -> bool {
        matches!(
            self.became,
            Became::Running | Became::Suspended | Became::Pruned
        )
    }
}

pub(super) async fn run(
    session: &Session,
    how: How,
    json: bool,
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    let begun = Instant::now();
    let actual = session.observe().await?;
    let plan = session.plan_for(&actual, how.prune);
    if !json {
        render::plan(out, &plan)?;
    }
    agree(&plan, how.yes).await?;

    let mut done = supervisors(session, &plan, &actual, how).await?;
    let broken: Vec<String> = done
        .iter()
        .filter(|one| !one.good())
        .map(|one| one.on.clone())
        .collect();
    for step in plan
        .steps
        .iter()
        .filter(|step| step.acts() && !broken.contains(&step.on))
    {
        let Some(want) = session
            .desired
            .iter()
            .find(|want| want.datasource == step.on)
        else {
            continue;
        };
        match (step.part, want.compaction_body()) {
            (Part::Rules, _) => {
                session
                    .client
                    .post_rules(&want.datasource, &want.rules)
                    .await?
            }
            (Part::Compaction, Some(body)) => {
                session
                    .client
                    .post_compaction(&want.datasource, &body)
                    .await?;
            }
            (Part::Topic | Part::Supervisor | Part::Compaction, _) => {}
        }
    }
    stuck(session, &mut done).await?;

    // the comparison that made the plan must now find nothing: else Druid echoes something in a
    // form that is not known here, and every apply would restart tasks
    let left = if broken.is_empty() {
        session.plan(how.prune).await?
    } else {
        Plan::default()
    };
    let good = done.iter().all(Applied::good) && left.is_empty();
    if json {
        let seconds = begun.elapsed().as_secs();
        render::json(
            out,
            &json!({"plan": plan, "supervisors": done, "left": left.steps, "good": good, "seconds": seconds}),
        )?;
    } else {
        render::applied(out, &plan, &done, begun.elapsed())?;
        if !left.is_empty() {
            writeln!(out, "still different after applying:")?;
            render::plan(out, &left)?;
        }
    }
    Ok(Outcome::good_if(good))
}

/// Asks about losses before anything is done.
async fn agree(plan: &Plan, yes: bool) -> Result<(), Error> {
    let losses: Vec<String> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.change {
            Change::Update { loses, .. } if !loses.is_empty() => {
                Some(format!("{}: {}", step.on, loses.join("; ")))
            }
            _ => None,
        })
        .collect();
    if losses.is_empty() {
        return Ok(());
    }
    actions::agree("a change that loses data", &losses.join("\n"), yes).await
}

async fn supervisors(
    session: &Session,
    plan: &Plan,
    actual: &Actual,
    how: How,
) -> Result<Vec<Applied>, Error> {
    let missing = |topic: &str| {
        plan.steps
            .iter()
            .any(|step| step.on == topic && step.change == Change::Missing)
    };
    let mut done = Vec::new();
    let mut watched = Vec::new();
    for step in plan
        .steps
        .iter()
        .filter(|step| step.part == Part::Supervisor)
    {
        let want = session
            .desired
            .iter()
            .find(|want| want.datasource == step.on);
        let Some(want) = want else {
            if step.acts() {
                session
                    .client
                    .supervisor_verb(&step.on, "terminate")
                    .await?;
                done.push(applied(&step.on, Became::Pruned));
            }
            continue;
        };
        if missing(&want.topic) {
            done.push(applied(&want.datasource, Became::Blocked));
            continue;
        }
        if step.acts() {
            post(session, want, step).await?;
        }
        watched.push((want, step));
    }
    let deadline = Duration::from_secs(how.deadline);
    let watches = watched.into_iter().map(|(want, step)| {
        let before = actual
            .supervisors
            .get(&want.datasource)
            .map(|there| &there.spec);
        watch(session, want, step, before, deadline)
    });
    done.extend(futures::future::try_join_all(watches).await?);
    Ok(done)
}

async fn post(session: &Session, want: &Desired, step: &Step) -> Result<(), Error> {
    if matches!(step.change, Change::Update { restarts: true, .. }) {
        let publishing = until(
            PUBLISHING,
            "tasks did not finish publishing",
            "",
            async || {
                let payload = session.client.supervisor_status(&want.datasource).await?;
                let busy = payload.is_some_and(|payload| {
                    payload["publishingTasks"]
                        .as_array()
                        .is_some_and(|tasks| !tasks.is_empty())
                });
                Ok((!busy).then_some(()))
            },
        );
        match publishing.await {
            Ok(()) => {}
            Err(Error::Deadline { .. }) => {
                tracing::warn!(
                    supervisor = want.datasource,
                    "tasks still publish; going ahead"
                );
            }
            Err(other) => return Err(other),
        }
    }
    tracing::info!(supervisor = want.datasource, "posting");
    session
        .client
        .post_supervisor(&want.datasource, &want.body(step.suspended))
        .await
}

/// Waits for one supervisor, and puts `before` back when what was posted turns out unhealthy.
async fn watch(
    session: &Session,
    want: &Desired,
    step: &Step,
    before: Option<&Value>,
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
        Settled::Unhealthy(reason) => match before.filter(|_| step.acts()) {
            Some(spec) => {
                tracing::warn!(
                    supervisor = id,
                    reason,
                    "unhealthy; going back to the spec of before"
                );
                session.client.post_supervisor(id, spec).await?;
                settle(session, id, deadline).await?;
                Became::RolledBack { reason }
            }
            None => Became::Unhealthy { reason },
        },
    };
    Ok(applied(id, became))
}

enum Settled {
    Reads(Vec<String>),
    Suspended,
    Late(String),
    Unhealthy(String),
}

async fn settle(session: &Session, id: &str, deadline: Duration) -> Result<Settled, Error> {
    let mut state = "absent".to_owned();
    let settled = until(deadline, "it did not settle", "", async || {
        let Some(payload) = session.client.supervisor_status(id).await? else {
            return Ok(None);
        };
        Ok(match verdict(&payload) {
            Verdict::Ready if payload["suspended"] == Value::Bool(true) => Some(Settled::Suspended),
            Verdict::Ready => Some(Settled::Reads(task_ids(&payload))),
            Verdict::Unhealthy(reason) => Some(Settled::Unhealthy(reason)),
            Verdict::Pending(now) => {
                state = now;
                None
            }
        })
    })
    .await;
    match settled {
        Err(Error::Deadline { .. }) => Ok(Settled::Late(state)),
        other => other,
    }
}

/// Looks whether those that read stand within their topic's log.
async fn stuck(session: &Session, done: &mut [Applied]) -> Result<(), Error> {
    for one in done.iter_mut().filter(|one| one.became == Became::Running) {
        let want = session.one(&one.on)?;
        let logs = kafka::logs(&session.brokers, &want.topic).await?;
        let payload = session
            .client
            .supervisor_status(&one.on)
            .await?
            .unwrap_or_default();
        let positions = super::health::positions(&payload);
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

fn applied(on: &str, became: Became) -> Applied {
    Applied {
        on: on.to_owned(),
        became,
        tasks: Vec::new(),
    }
}

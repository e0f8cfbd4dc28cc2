//! Carries a plan out: topics looked at, supervisors posted and watched, then retention and
//! compaction. Only what differs is posted, so an unchanged supervisor's tasks read on.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::json;

use super::error::Error;
use super::plan::{Actual, Change, Part, Plan, Step};
use super::render;
use super::session::{Session, until};
use super::spec::Desired;
use super::watch::{Applied, Became, stuck, watch};
use super::{Outcome, actions};

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
                done.push(Applied::without_tasks(&step.on, Became::Pruned));
            }
            continue;
        };
        if missing(&want.topic) {
            done.push(Applied::without_tasks(&want.datasource, Became::Blocked));
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
        let fallback = before.filter(|_| step.acts());
        watch(session, want, fallback, deadline)
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

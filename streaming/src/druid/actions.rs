//! Reset, suspend and resume: what a person does to one supervisor by name.

use std::io::{BufRead as _, IsTerminal as _, Write};
use std::time::Duration;

use serde_json::Value;

use super::args::Position;
use super::error::Error;
use super::session::{Session, until};
use super::{Outcome, health, kafka};

/// Publishing takes seconds; a queue of other tasks before it may take longer.
const PUBLISHING: Duration = Duration::from_secs(300);

/// Asks the person at the terminal, unless agreed to beforehand.
///
/// # Errors
/// [`Error::NotAgreed`] on any answer but yes, and when nobody can be asked.
pub(super) async fn agree(what: &str, explanation: &str, yes: bool) -> Result<(), Error> {
    if yes {
        return Ok(());
    }
    let question = format!("{explanation}\nGo on? (y/N) ");
    let agreed = tokio::task::spawn_blocking(move || -> std::io::Result<bool> {
        let stdin = std::io::stdin();
        let mut stderr = std::io::stderr();
        if !stdin.is_terminal() {
            writeln!(
                stderr,
                "{}",
                question.trim_end_matches("Go on? (y/N) ").trim_end()
            )?;
            return Ok(false);
        }
        write!(stderr, "{question}")?;
        stderr.flush()?;
        let mut answer = String::new();
        stdin.lock().read_line(&mut answer)?;
        Ok(matches!(
            answer.trim().to_ascii_lowercase().as_str(),
            "y" | "yes"
        ))
    })
    .await??;
    if agreed {
        Ok(())
    } else {
        Err(Error::NotAgreed {
            what: what.to_owned(),
        })
    }
}

/// Moves a supervisor's stored offsets.
pub(super) async fn reset(
    session: &Session,
    name: &str,
    to: Position,
    partitions: &[i32],
    yes: bool,
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    let want = session.one(name)?;
    let payload = session
        .client
        .supervisor_status(&want.datasource)
        .await?
        .ok_or_else(|| Error::NotReading {
            name: want.name.clone(),
            why: "has no supervisor",
            verb: "apply".to_owned(),
        })?;
    let logs = kafka::logs(&session.brokers, &want.topic).await?;
    let mut offsets: Vec<(i32, i64)> = Vec::new();
    for (partition, log) in &logs {
        if partitions.is_empty() || partitions.contains(partition) {
            let offset = if to == Position::Earliest {
                log.start
            } else {
                log.end
            };
            offsets.push((*partition, offset));
        }
    }
    let positions = health::positions(&payload);
    let explanation = explain(&want.name, to, &offsets, &positions, &logs);
    agree(&format!("the reset of {}", want.name), &explanation, yes).await?;

    // A reset ends running tasks without publishing what they read. Going back, those rows are
    // read again; going to the end they would be lost, so they are published first.
    let publish = to == Position::Latest && payload["suspended"] != Value::Bool(true);
    if publish {
        session
            .client
            .supervisor_verb(&want.datasource, "suspend")
            .await?;
        published(session, &want.datasource).await?;
    }
    session
        .client
        .reset_offsets(&want.datasource, &want.topic, &offsets)
        .await?;
    if publish {
        session
            .client
            .supervisor_verb(&want.datasource, "resume")
            .await?;
    }
    writeln!(out, "{} reads on from:", want.name)?;
    for (partition, offset) in &offsets {
        writeln!(out, "  partition {partition} offset {offset}")?;
    }
    Ok(Outcome::Good)
}

fn explain(
    name: &str,
    to: Position,
    offsets: &[(i32, i64)],
    positions: &std::collections::BTreeMap<i32, i64>,
    logs: &std::collections::BTreeMap<i32, health::Log>,
) -> String {
    let mut again = 0;
    let mut skipped = 0;
    let mut unknown = false;
    for (partition, offset) in offsets {
        let end = logs.get(partition).map_or(0, |log| log.end);
        match positions.get(partition) {
            // beyond the end: another incarnation of the topic, whose rows are not these
            Some(position) if *position > end => {}
            Some(position) => {
                again += (position - offset).max(0);
                skipped += (offset - position).max(0);
            }
            None => unknown = true,
        }
    }
    let count = if unknown {
        "an unknown number of".to_owned()
    } else {
        again.to_string()
    };
    match to {
        Position::Earliest => format!(
            "{name} will read {} partitions from the beginning of their logs: {count} records that \
             Druid has read are read again.\nRows of them that are in segments stay, so these are \
             doubled; only running tasks' unpublished rows are dropped.",
            offsets.len()
        ),
        Position::Latest => format!(
            "{name} will skip to the end of {} partitions: {} records in between will never be in \
             Druid.",
            offsets.len(),
            if unknown {
                "an unknown number of".to_owned()
            } else {
                skipped.to_string()
            }
        ),
    }
}

async fn published(session: &Session, id: &str) -> Result<(), Error> {
    let hint = "`ridehail druid status` shows it; then run the same command again";
    until(PUBLISHING, "the tasks did not publish", hint, async || {
        let tasks = session.client.tasks(id).await?;
        Ok(tasks.is_empty().then_some(()))
    })
    .await
}

/// Suspends; what runs publishes what it read.
pub(super) async fn suspend(
    session: &Session,
    names: &[String],
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    switch(session, names, "suspend", true, out).await
}

/// Resumes.
pub(super) async fn resume(
    session: &Session,
    names: &[String],
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    switch(session, names, "resume", false, out).await
}

async fn switch(
    session: &Session,
    names: &[String],
    verb: &str,
    wanted: bool,
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    for want in session.named(names)? {
        let payload = session.client.supervisor_status(&want.datasource).await?;
        // Druid refuses to suspend what is suspended
        let there = payload.map(|payload| payload["suspended"] == Value::Bool(true));
        if there == Some(wanted) {
            writeln!(out, "{}: nothing to {verb}", want.name)?;
        } else {
            session
                .client
                .supervisor_verb(&want.datasource, verb)
                .await?;
            writeln!(out, "{}: {verb} asked for", want.name)?;
        }
    }
    Ok(Outcome::Good)
}

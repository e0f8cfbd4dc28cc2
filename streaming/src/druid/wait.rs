//! Waits until every record that is in Kafka now is a row that queries see, or was refused.
//!
//! The target is Kafka's own end of each log when the wait begins. A task reports the offset
//! behind a row only after the row can be queried in it, so positions at or past the target mean
//! that the rows are in. What is left: segments of tasks that were ended before a historical had
//! loaded them, which the coordinator counts, and a broker that learns of a segment a moment after
//! its task. Nothing tells when it has, so the count of rows must also stay the same for a while, or,
//! where events keep coming, be looked at for a longer while.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::error::Error;
use super::session::{Session, until};
use super::spec::Desired;
use super::{Outcome, health, kafka, render};

/// How long the count of rows stays the same once the broker knows every segment; it learns of one
/// within milliseconds, or after a second or two on a busy machine.
const SETTLED: Duration = Duration::from_secs(3);
/// After this long the broker knows, though the count still grows.
const LONG_ENOUGH: Duration = Duration::from_secs(15);

pub(super) async fn run(
    session: &Session,
    names: &[String],
    deadline: u64,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<Outcome, Error> {
    let begun = Instant::now();
    let waits = session
        .named(names)?
        .into_iter()
        .map(|want| caught_up(session, want, Duration::from_secs(deadline)));
    let done = futures::future::try_join_all(waits).await?;
    let seconds = begun.elapsed().as_secs_f64();
    if as_json {
        let by_name: BTreeMap<&str, i64> = done.iter().map(|(name, rows)| (*name, *rows)).collect();
        render::json(
            out,
            &json!({"caught_up": true, "rows": by_name, "seconds": seconds}),
        )?;
    } else {
        for (name, rows) in done {
            writeln!(out, "{name} has caught up: {rows} rows")?;
        }
    }
    Ok(Outcome::Good)
}

async fn caught_up<'a>(
    session: &Session,
    want: &'a Desired,
    deadline: Duration,
) -> Result<(&'a str, i64), Error> {
    let not_reading = |why, verb| Error::NotReading {
        name: want.name.clone(),
        why,
        verb,
    };
    match session.client.supervisor_status(&want.datasource).await? {
        None => return Err(not_reading("has no supervisor", "apply".to_owned())),
        Some(payload) if payload["suspended"] == Value::Bool(true) => {
            return Err(not_reading("is suspended", format!("resume {}", want.name)));
        }
        Some(_) => {}
    }
    let target = kafka::logs(&session.brokers, &want.topic).await?;
    let what = format!("{} did not catch up with {}", want.name, want.topic);
    let hint = "`ridehail druid status` says where it stands";
    let mut reached: Option<Instant> = None;
    let mut count: Option<(i64, Instant)> = None;
    let rows = until(deadline, &what, hint, async || {
        let Some(payload) = session.client.supervisor_status(&want.datasource).await? else {
            return Ok(None);
        };
        let positions = health::positions(&payload);
        if health::lag(&positions, &target) != Some(0)
            || session.client.segments_to_load(&want.datasource).await? > 0
        {
            (reached, count) = (None, None);
            return Ok(None);
        }
        let now = Instant::now();
        let reached = *reached.get_or_insert(now);
        let rows = rows(session, &want.datasource).await?;
        let since = match count {
            Some((same, since)) if same == rows => since,
            _ => now,
        };
        count = Some((rows, since));
        let is_done = since.elapsed() >= SETTLED || reached.elapsed() >= LONG_ENOUGH;
        Ok(is_done.then_some(rows))
    })
    .await?;
    Ok((&want.name, rows))
}

/// Rows that queries see; none before the datasource exists.
async fn rows(session: &Session, datasource: &str) -> Result<i64, Error> {
    let query = format!("SELECT COUNT(*) AS \"rows\" FROM \"{datasource}\"");
    let rows = session.client.sql(&query).await?.unwrap_or_default();
    Ok(rows
        .first()
        .and_then(|row| row["rows"].as_i64())
        .unwrap_or(0))
}

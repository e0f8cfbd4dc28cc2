//! Gathers how the supervisors stand: Druid's report, Kafka's logs, and what queries see.

use chrono::{DateTime, Duration, NaiveDate, Utc};
use serde::Serialize;
use serde_json::Value;

use super::error::Error;
use super::health::{self, Trouble, Verdict};
use super::plan::{Slots, Supervisor};
use super::session::Session;
use super::spec::Desired;
use super::{iso, kafka, watch};

/// All declared supervisors.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The router that answered.
    pub url: String,
    /// Druid's clock when it was asked.
    pub at: DateTime<Utc>,
    /// Whether every supervisor is there, reads, and stands within its topic's log.
    pub healthy: bool,
    /// First UTC day of which no supervisor can have refused a row for its age; absent when none
    /// refuses any.
    pub complete_from: Option<NaiveDate>,
    /// The day that is being written: whole days end before it.
    pub complete_until: NaiveDate,
    /// Worker slots.
    pub slots: Option<Slots>,
    /// By name.
    pub supervisors: Vec<Standing>,
}

/// One supervisor.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// Its file's name.
    pub name: String,
    /// Datasource, prefix included.
    pub datasource: String,
    /// Topic, prefix included.
    pub topic: String,
    /// Druid's detailed state, `ABSENT` when there is no such supervisor.
    pub state: String,
    /// Whether it reads, or is suspended on purpose, and is in no trouble.
    pub healthy: bool,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Ids of tasks that read.
    pub tasks: Vec<String>,
    /// Tasks that publish segments.
    pub publishing: usize,
    /// Records in Kafka that no task has read; absent while no task reports.
    pub lag: Option<i64>,
    /// Rows of the running tasks; they start at zero with each task.
    pub counters: Counters,
    /// First UTC day that is whole, as for the report.
    pub complete_from: Option<NaiveDate>,
    /// What queries see; absent before the first row.
    pub rows: Option<i64>,
    /// Segments in use, the running tasks' included.
    pub segments: i64,
    /// Bytes of published segments.
    pub bytes: i64,
    /// Newest row that is not in the future.
    pub newest: Option<DateTime<Utc>>,
    /// Seconds since `newest`.
    pub freshness_seconds: Option<i64>,
    /// What a person must act on.
    pub troubles: Vec<Trouble>,
}

/// Rows since the running tasks began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Counters {
    /// Taken.
    pub processed: i64,
    /// Taken, with a field that did not fit its type.
    pub processed_with_error: i64,
    /// Refused by the window or by the filter.
    pub thrown_away: i64,
    /// No JSON object, or no readable time.
    pub unparseable: i64,
    /// Unparseable and thrown away, per minute over the last five.
    pub rejected_per_minute: f64,
}

pub(super) async fn gather(session: &Session) -> Result<Report, Error> {
    let at = clock(session).await?;
    let mut actual = session.observe().await?;
    let supervisors = futures::future::try_join_all(
        session
            .desired
            .iter()
            .map(|want| (want, actual.supervisors.remove(&want.datasource)))
            .map(|(want, there)| standing(session, want, there, at)),
    )
    .await?;
    Ok(Report {
        url: session.client.url().to_owned(),
        at,
        healthy: supervisors.iter().all(|one| one.healthy),
        complete_from: supervisors.iter().filter_map(|one| one.complete_from).max(),
        complete_until: iso::complete_until(at),
        slots: actual.slots,
        supervisors,
    })
}

/// Druid's own clock: the one that its window is measured with.
async fn clock(session: &Session) -> Result<DateTime<Utc>, Error> {
    let rows = session
        .client
        .sql("SELECT CURRENT_TIMESTAMP AS \"now\"")
        .await?
        .unwrap_or_default();
    rows.first()
        .and_then(|row| time(&row["now"]))
        .ok_or_else(|| Error::Answer {
            what: "tell the time".to_owned(),
            detail: "no timestamp in it".to_owned(),
        })
}

async fn standing(
    session: &Session,
    want: &Desired,
    there: Option<Supervisor>,
    at: DateTime<Utc>,
) -> Result<Standing, Error> {
    let payload = match there {
        Some(_) => session.client.supervisor_status(&want.datasource).await?,
        None => None,
    };
    let (logs, stats, seen, segments) = tokio::try_join!(
        kafka::logs(&session.brokers, &want.topic),
        session.client.supervisor_stats(&want.datasource),
        seen(session, &want.datasource),
        segments(session, &want.datasource),
    )?;
    let mut troubles = Vec::new();
    if logs.is_empty() {
        troubles.push(Trouble {
            what: format!("topic {} does not exist", want.topic),
            hint: "ridehail topics apply".to_owned(),
        });
    }
    let positions = payload.as_ref().map(health::positions).unwrap_or_default();
    troubles.extend(health::troubles(&want.name, &positions, &logs));
    let ready = match payload.as_ref().map(health::verdict) {
        None => {
            troubles.push(Trouble {
                what: format!("no supervisor reads {}", want.topic),
                hint: "ridehail druid apply".to_owned(),
            });
            false
        }
        Some(Verdict::Ready) => true,
        Some(Verdict::Pending(..)) => false,
        Some(Verdict::Unhealthy(reason)) => {
            troubles.push(Trouble {
                what: reason,
                hint: "ridehail druid plan".to_owned(),
            });
            false
        }
    };
    let payload = payload.unwrap_or_default();
    let suspended = payload["suspended"] == Value::Bool(true);
    let late = there.as_ref().map_or(&want.supervisor, |there| &there.spec);
    let newest = seen.as_ref().and_then(|seen| seen.1);
    Ok(Standing {
        name: want.name.clone(),
        datasource: want.datasource.clone(),
        topic: want.topic.clone(),
        state: payload["detailedState"]
            .as_str()
            .unwrap_or("ABSENT")
            .to_owned(),
        healthy: ready && troubles.is_empty(),
        suspended,
        tasks: watch::task_ids(&payload),
        publishing: payload["publishingTasks"].as_array().map_or(0, Vec::len),
        lag: if positions.is_empty() {
            None
        } else {
            health::lag(&positions, &logs)
        },
        counters: counters(stats.as_ref()),
        complete_from: window(late, &want.rules, at),
        rows: seen.map(|seen| seen.0),
        segments: segments.0,
        bytes: segments.1,
        newest,
        freshness_seconds: newest.map(|newest| (at - newest).num_seconds().max(0)),
        troubles,
    })
}

/// The first whole day by the narrower of what ingestion refuses and what retention drops.
fn window(spec: &Value, rules: &Value, at: DateTime<Utc>) -> Option<NaiveDate> {
    let late = spec.pointer("/spec/ioConfig/lateMessageRejectionPeriod");
    let kept = rules.as_array().and_then(|rules| {
        rules
            .iter()
            .find(|rule| rule["type"] == "loadByPeriod")
            .map(|rule| &rule["period"])
    });
    [late, kept]
        .into_iter()
        .flatten()
        .filter_map(|period| period.as_str().and_then(iso::seconds))
        .map(|seconds| iso::complete_from(at, Duration::seconds(seconds)))
        .max()
}

/// Rows and the newest time that is not in the future; `None` before the first row.
async fn seen(
    session: &Session,
    datasource: &str,
) -> Result<Option<(i64, Option<DateTime<Utc>>)>, Error> {
    let query = format!(
        "SELECT COUNT(*) AS \"rows\", \
         MAX(__time) FILTER (WHERE __time <= CURRENT_TIMESTAMP) AS newest FROM \"{datasource}\""
    );
    let rows = session.client.sql(&query).await?;
    Ok(rows.and_then(|rows| {
        let row = rows.first()?;
        Some((row["rows"].as_i64()?, time(&row["newest"])))
    }))
}

/// Segments in use and their published bytes.
async fn segments(session: &Session, datasource: &str) -> Result<(i64, i64), Error> {
    let query = format!(
        "SELECT COUNT(*) AS segments, SUM(\"size\") AS bytes FROM sys.segments \
         WHERE datasource = '{datasource}' AND is_active = 1"
    );
    let rows = session.client.sql(&query).await?.unwrap_or_default();
    let number = |key: &str| rows.first().and_then(|row| row[key].as_i64()).unwrap_or(0);
    Ok((number("segments"), number("bytes")))
}

/// Sums the counters of the tasks that run.
fn counters(stats: Option<&Value>) -> Counters {
    let mut sum = Counters::default();
    let groups = stats
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|groups| groups.values());
    let tasks = groups
        .filter_map(Value::as_object)
        .flat_map(|tasks| tasks.values());
    for task in tasks {
        let totals = &task["totals"]["buildSegments"];
        let total = |key: &str| totals[key].as_i64().unwrap_or(0);
        sum.processed += total("processed");
        sum.processed_with_error += total("processedWithError");
        sum.thrown_away += total("thrownAway");
        sum.unparseable += total("unparseable");
        let recent = &task["movingAverages"]["buildSegments"]["5m"];
        let rate = |key: &str| recent[key].as_f64().unwrap_or(0.0);
        sum.rejected_per_minute += (rate("unparseable") + rate("thrownAway")) * 60.0;
    }
    sum
}

fn time(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str()?.parse().ok()
}

//! `ridehail reconcile`: do all systems hold the same figures?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use sqlx::postgres::PgPoolOptions;
use streaming::druid::iso;

use super::Advice;
use super::printer::{Color, Printer};
use crate::clock::{Clock, SystemClock};
use crate::reconcile::checks::{Check, parse};
use crate::reconcile::sources::{Systems, archived};
use crate::reconcile::verdict::Outcome;
use crate::reconcile::{Error, table};

/// Between two looks at what does not agree yet.
const PAUSE: Duration = Duration::from_secs(2);
/// Druid answers a count within seconds or is in trouble.
const DRUID_ANSWER: Duration = Duration::from_secs(60);

/// Compares figures of Kafka, Postgres and Druid with each other and with the generator's truth.
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// File that says which figures must agree
    #[arg(
        long,
        value_name = "FILE",
        env = "RIDEHAIL_CHECKS",
        default_value = "models/reconcile.yml"
    )]
    checks: PathBuf,
    /// What the generator was acknowledged, as `generate --truth` wrote it
    #[arg(long, value_name = "FILE", env = "RIDEHAIL_TRUTH")]
    truth: PathBuf,
    /// Only checks of this group; may be repeated
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// Look again for so many seconds at what does not agree yet
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,
    /// One JSON object a check instead of the table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: streaming::config::DatabaseArgs,
    /// Schema of the models
    #[arg(
        long,
        value_name = "NAME",
        env = "RIDEHAIL_PG_SCHEMA",
        default_value = "analytics"
    )]
    schema: String,
    #[command(flatten)]
    kafka: streaming::config::KafkaArgs,
    /// Druid's router
    #[arg(
        long,
        value_name = "URL",
        env = "RIDEHAIL_DRUID_URL",
        default_value = "http://127.0.0.1:15088"
    )]
    druid_url: String,
    /// Text put before every datasource's name
    #[arg(long, env = "RIDEHAIL_DATASOURCE_PREFIX", default_value = "")]
    datasource_prefix: String,
    /// Days that Druid keeps: the age from which its specs refuse rows
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    druid_days: u16,
    #[command(flatten)]
    trino: lake::trino::TrinoArgs,
}

pub(super) async fn execute(args: ReconcileArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let checks = chosen(read_checks(&args.checks)?, &args.group)?;
    let systems = systems(&args).await?;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(args.wait);
    let mut outcomes = systems.take(&checks).await;
    while tokio::time::Instant::now() < deadline && !outcomes.iter().all(Outcome::agrees) {
        tokio::time::sleep(PAUSE).await;
        // the truth stands still, so what agreed once goes on agreeing
        for (outcome, check) in outcomes.iter_mut().zip(&checks) {
            if !outcome.agrees() {
                *outcome = systems.one(check).await;
            }
        }
    }
    if args.json {
        outcomes
            .iter()
            .for_each(|outcome| printer.json(&outcome.to_json()));
    } else {
        for line in table::render(&outcomes).lines() {
            match line.split_once("FAIL") {
                Some((before, after)) if before.trim().is_empty() => {
                    let mark = printer.paint(Color::Red, "FAIL");
                    printer.line(&format!("{before}{mark}{after}"));
                }
                _ => printer.line(line),
            }
        }
    }
    let agree = outcomes.iter().all(Outcome::agrees);
    Ok(if agree {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

fn read(path: &Path) -> Result<String, Error> {
    let named = |source| Error::Read {
        path: path.display().to_string(),
        source,
    };
    std::fs::read_to_string(path).map_err(named)
}

fn read_checks(path: &Path) -> Result<Vec<Check>, Error> {
    let named = |message| Error::Checks {
        path: path.display().to_string(),
        message,
    };
    parse(&read(path)?).map_err(named)
}

/// The checks of `groups`, or all of them.
fn chosen(checks: Vec<Check>, groups: &[String]) -> Result<Vec<Check>, Advice> {
    if let Some(unknown) = groups
        .iter()
        .find(|group| !checks.iter().any(|check| check.group == **group))
    {
        let known: std::collections::BTreeSet<&str> =
            checks.iter().map(|check| check.group.as_str()).collect();
        let known: Vec<&str> = known.into_iter().collect();
        return Err(Advice {
            what: format!("no check is in group '{unknown}'"),
            hint: format!("groups: {}", known.join(", ")),
        });
    }
    Ok(checks
        .into_iter()
        .filter(|c| groups.is_empty() || groups.contains(&c.group))
        .collect())
}

async fn systems(args: &ReconcileArgs) -> anyhow::Result<Systems> {
    let truth = serde_json::from_str(&read(&args.truth)?).map_err(|source| Error::Truth {
        path: args.truth.display().to_string(),
        source,
    })?;
    let now = SystemClock.now();
    let age = chrono::Duration::days(i64::from(args.druid_days));
    let variables = BTreeMap::from([
        ("schema".to_owned(), args.schema.clone()),
        ("topic_prefix".to_owned(), args.kafka.topic_prefix.clone()),
        (
            "datasource_prefix".to_owned(),
            args.datasource_prefix.clone(),
        ),
        (
            "day_from".to_owned(),
            iso::complete_from(now, age).to_string(),
        ),
        ("day_to".to_owned(), iso::complete_until(now).to_string()),
    ]);
    let postgres = PgPoolOptions::new()
        .max_connections(1)
        .connect_lazy(args.database.database_url.reveal())?;
    Ok(Systems {
        truth,
        archived: archived(&postgres).await?,
        trino: args.trino.client(),
        postgres,
        kafka_brokers: args.kafka.brokers.clone(),
        topic_prefix: args.kafka.topic_prefix.clone(),
        druid_url: args.druid_url.clone(),
        variables,
        http: reqwest::Client::builder().timeout(DRUID_ANSWER).build()?,
    })
}

//! Records that were not events: [`ls`] and [`show`] them, [`replay`] them once whatever was wrong is mended.

use std::io::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, FromRow, PgPool};

use crate::config::DatabaseArgs;
pub use crate::landing::replay::{Filter, Replayed};
use crate::landing::{self, replay::MATCHES};

/// Options of `ridehail stream rejects ls`.
#[derive(Clone, Debug, clap::Args)]
pub struct LsArgs {
    /// Where they are kept.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Which ones.
    #[command(flatten)]
    pub filter: Filter,
    /// Count them by topic and reason instead
    #[arg(long)]
    pub summary: bool,
    /// Include those that were replayed
    #[arg(long)]
    pub all: bool,
    /// Most rejects to list, newest first
    #[arg(long, default_value_t = 50)]
    pub limit: i64,
    /// How to print them
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// Options of `ridehail stream rejects show`.
#[derive(Clone, Debug, clap::Args)]
pub struct ShowArgs {
    /// Where they are kept.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Topic, without its prefix
    pub topic: String,
    /// Kafka partition
    pub partition: i32,
    /// Kafka offset
    pub offset: i64,
}

/// Options of `ridehail stream rejects replay`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReplayArgs {
    /// Where they are kept.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Which ones.
    #[command(flatten)]
    pub filter: Filter,
    /// How to print the outcome
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// A table for people
    Text,
    /// JSON for programs
    Json,
}

/// A rejected record, without its bytes.
#[derive(Clone, Debug, Serialize, FromRow)]
struct Reject {
    topic: String,
    kafka_partition: i32,
    kafka_offset: i64,
    reason: String,
    detail: String,
    bytes: Option<i32>,
    kafka_timestamp: DateTime<Utc>,
    rejected_at: DateTime<Utc>,
    replayed_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, Serialize, FromRow)]
struct Count {
    topic: String,
    reason: String,
    rejects: i64,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
}

/// Why rejects could not be listed or replayed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Postgres, or the replay itself.
    #[error(transparent)]
    Landing(#[from] landing::Error),
    /// No such reject.
    #[error(
        "no reject at {topic}/{partition} offset {offset}\nhint: `ridehail stream rejects ls --all` lists them"
    )]
    NotFound {
        /// Topic named.
        topic: String,
        /// Partition named.
        partition: i32,
        /// Offset named.
        offset: i64,
    },
    /// Output could not be written.
    #[error("cannot write output")]
    Output(#[from] std::io::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Landing(error.into())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Output(error.into())
    }
}

/// Lists rejects, newest first. Their bytes are left to [`show`].
///
/// # Errors
/// Postgres is away or `out` is closed.
pub async fn ls(args: &LsArgs, out: &mut dyn Write) -> Result<(), Error> {
    let pool = connect(&args.database).await?;
    if args.summary {
        ls_counts(&pool, args, out).await
    } else {
        ls_each(&pool, args, out).await
    }
}

async fn ls_each(pool: &PgPool, args: &LsArgs, out: &mut dyn Write) -> Result<(), Error> {
    let rejects: Vec<Reject> = sqlx::query_as(AssertSqlSafe(format!(
        "select topic, kafka_partition, kafka_offset, reason, detail, octet_length(value) as bytes, kafka_timestamp,
                rejected_at, replayed_at
         from raw.rejects where {MATCHES} and ($4 or replayed_at is null)
         order by rejected_at desc, topic, kafka_partition, kafka_offset desc limit $5"
    )))
    .bind(&args.filter.topic)
    .bind(&args.filter.reason)
    .bind(args.filter.since)
    .bind(args.all)
    .bind(args.limit)
    .fetch_all(pool)
    .await?;
    if args.output == Output::Json {
        serde_json::to_writer_pretty(&mut *out, &rejects)?;
        return Ok(writeln!(out)?);
    }
    let rows = rejects.iter().map(|r| {
        let state = r.replayed_at.map_or("open", |_| "replayed");
        let bytes = r.bytes.map_or_else(|| "-".to_owned(), |n| n.to_string());
        [
            format!("{}/{}", r.topic, r.kafka_partition),
            r.kafka_offset.to_string(),
            time(r.rejected_at),
            r.reason.clone(),
            bytes,
            state.to_owned(),
            r.detail.clone(),
        ]
    });
    let head = [
        "PARTITION",
        "OFFSET",
        "REJECTED",
        "REASON",
        "BYTES",
        "STATE",
        "DETAIL",
    ];
    Ok(table(head, rows.collect(), out)?)
}

async fn ls_counts(pool: &PgPool, args: &LsArgs, out: &mut dyn Write) -> Result<(), Error> {
    let counts: Vec<Count> = sqlx::query_as(AssertSqlSafe(format!(
        "select topic, reason, count(*) as rejects, min(rejected_at) as first, max(rejected_at) as last
         from raw.rejects where {MATCHES} and ($4 or replayed_at is null)
         group by topic, reason order by topic, rejects desc, reason limit $5"
    )))
    .bind(&args.filter.topic)
    .bind(&args.filter.reason)
    .bind(args.filter.since)
    .bind(args.all)
    .bind(args.limit)
    .fetch_all(pool)
    .await?;
    if args.output == Output::Json {
        serde_json::to_writer_pretty(&mut *out, &counts)?;
        return Ok(writeln!(out)?);
    }
    let rows = counts.iter().map(|c| {
        [
            c.topic.clone(),
            c.reason.clone(),
            c.rejects.to_string(),
            time(c.first),
            time(c.last),
        ]
    });
    Ok(table(
        ["TOPIC", "REASON", "REJECTS", "FIRST", "LAST"],
        rows.collect(),
        out,
    )?)
}

/// Prints one reject with its key and value, bytes that are no text replaced.
///
/// # Errors
/// There is none at those coordinates, Postgres is away or `out` is closed.
pub async fn show(args: &ShowArgs, out: &mut dyn Write) -> Result<(), Error> {
    #[derive(FromRow)]
    struct Whole {
        #[sqlx(flatten)]
        reject: Reject,
        key: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    }
    let pool = connect(&args.database).await?;
    let whole: Option<Whole> = sqlx::query_as(
        "select topic, kafka_partition, kafka_offset, reason, detail, octet_length(value) as bytes, kafka_timestamp,
                rejected_at, replayed_at, key, value
         from raw.rejects where topic = $1 and kafka_partition = $2 and kafka_offset = $3",
    )
    .bind(&args.topic)
    .bind(args.partition)
    .bind(args.offset)
    .fetch_optional(&pool)
    .await?;
    let Some(Whole { reject, key, value }) = whole else {
        let ShowArgs {
            topic,
            partition,
            offset,
            ..
        } = args.clone();
        return Err(Error::NotFound {
            topic,
            partition,
            offset,
        });
    };
    let text = |bytes: Option<Vec<u8>>| {
        bytes.map_or_else(
            || "(null)".to_owned(),
            |b| String::from_utf8_lossy(&b).into_owned(),
        )
    };
    writeln!(
        out,
        "{}/{} offset {}",
        reject.topic, reject.kafka_partition, reject.kafka_offset
    )?;
    writeln!(out, "sent      {}", time(reject.kafka_timestamp))?;
    writeln!(out, "rejected  {}", time(reject.rejected_at))?;
    writeln!(
        out,
        "replayed  {}",
        reject.replayed_at.map_or_else(|| "no".to_owned(), time)
    )?;
    writeln!(out, "reason    {}: {}", reject.reason, reject.detail)?;
    writeln!(out, "key       {}", text(key))?;
    writeln!(out, "value     {}", text(value))?;
    Ok(())
}

/// Decodes the matching open rejects again and lands those that are events now; the others stay, with the reason
/// that holds now.
///
/// # Errors
/// Postgres is away or `out` is closed.
pub async fn replay(args: &ReplayArgs, out: &mut dyn Write) -> Result<Replayed, Error> {
    let replayed = landing::replay::replay(&args.database.database_url, &args.filter).await?;
    match args.output {
        Output::Json => {
            serde_json::to_writer(&mut *out, &replayed)?;
            writeln!(out)?;
        }
        Output::Text => writeln!(
            out,
            "{} landed, {} still rejected",
            replayed.landed, replayed.remaining
        )?,
    }
    Ok(replayed)
}

async fn connect(database: &DatabaseArgs) -> Result<PgPool, Error> {
    Ok(PgPoolOptions::new()
        .max_connections(1)
        .connect(database.database_url.reveal())
        .await?)
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Prints rows under a head, columns as wide as their widest cell, the last one ragged.
fn table<const N: usize>(
    head: [&str; N],
    rows: Vec<[String; N]>,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let mut widths = head.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let head = head.map(ToOwned::to_owned);
    for row in std::iter::once(&head).chain(&rows) {
        let cells: Vec<_> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_lines_up() {
        let mut out = Vec::new();
        let rows = vec![
            ["a".to_owned(), "long cell".to_owned()],
            ["bbbb".to_owned(), "c".to_owned()],
        ];
        table(["X", "Y"], rows, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "X     Y\na     long cell\nbbbb  c\n"
        );
    }
}

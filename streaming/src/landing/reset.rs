//! Moves stored progress by a person's decision, when landing has stopped and cannot know what is right.

use std::io::Write;
use std::str::FromStr;

use sqlx::postgres::PgPoolOptions;

use super::{Error, Topic, probe, store};
use crate::config::{DatabaseArgs, KafkaArgs};
use crate::topics;

/// Options of `ridehail stream reset`.
#[derive(Clone, Debug, clap::Args)]
pub struct ResetArgs {
    /// Where the topic is.
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// Where it lands.
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// Topic to move, without its prefix
    #[arg(long)]
    pub topic: String,
    /// Only this Kafka partition [default: all]
    #[arg(long)]
    pub partition: Option<i32>,
    /// Where to read on: earliest, latest, or an offset
    #[arg(long)]
    pub to: To,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// Where to read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// The first record Kafka still has. Of the same topic, rows that are there already are recognised by their
    /// coordinates and left alone. Of a re-created topic they cannot be: an event sent again is a second row, which
    /// staging removes by event id.
    Earliest,
    /// The end: what is in Kafka now is never landed.
    Latest,
    /// This offset.
    Offset(i64),
}

impl FromStr for To {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            _ => match text.parse() {
                Ok(offset) if offset >= 0 => Ok(Self::Offset(offset)),
                _ => Err("expected earliest, latest or an offset".to_owned()),
            },
        }
    }
}

/// Moves the stored offset of a topic's partitions. Shows what that means and asks `confirm` first, unless told
/// not to. A landing that runs meanwhile is fenced, and goes on from the new place. Returns whether it was done.
///
/// # Errors
/// Kafka or Postgres is away, or there is no such topic or partition.
pub async fn reset(
    args: &ResetArgs,
    confirm: &mut dyn FnMut(&str) -> bool,
    out: &mut dyn Write,
) -> Result<bool, Error> {
    let topic = Topic {
        physical: args.kafka.physical(&args.topic),
        logical: args.topic.clone(),
    };
    let known = topics::read_file(&args.kafka.topics_file)?;
    if !known
        .iter()
        .any(|declared| declared.land && declared.name == topic.logical)
    {
        return Err(Error::NotLanded {
            topic: topic.logical,
        });
    }
    let probe = probe::Probe::new(&args.kafka)?;
    let topics = std::slice::from_ref(&topic);
    let identities = probe.identities(topics).await?;
    let identity = identities
        .get(&topic.physical)
        .ok_or_else(|| Error::MissingTopics {
            topics: topic.physical.clone(),
        })?;
    let mut partitions = probe.partitions(topics).await?;
    partitions.retain(|(_, partition)| args.partition.is_none_or(|only| only == *partition));
    if partitions.is_empty() {
        return Err(Error::NoPartition {
            topic: topic.logical,
            partition: args.partition.unwrap_or(0),
        });
    }
    partitions.sort_unstable();
    let bounds = probe.bounds(partitions.clone()).await?;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect(args.database.database_url.reveal())
        .await?;
    crate::migrate(&pool).await?;

    let mut moves = Vec::new();
    for key in partitions {
        let (start, end) = bounds[&key];
        let to = match args.to {
            To::Earliest => start,
            To::Latest => end,
            To::Offset(offset) => offset.clamp(start, end),
        };
        let stored = store::read(&pool, &topic.logical, key.1).await?;
        let from = stored.map_or_else(|| "nothing".to_owned(), |s| s.next_offset.to_string());
        writeln!(
            out,
            "{}/{}: {from} -> {to} (Kafka has {start} to {end})",
            topic.logical, key.1
        )?;
        moves.push((key.1, to));
    }
    let question = match args.to {
        To::Latest => "What lies between is never landed. Move the offsets?",
        To::Earliest | To::Offset(_) => {
            "Records read again are recognised by their coordinates; those of a re-created topic land a second time. Move the offsets?"
        }
    };
    if !args.yes && !confirm(question) {
        return Ok(false);
    }
    let mut tx = pool.begin().await?;
    for (partition, to) in moves {
        store::place(&mut *tx, &topic.logical, partition, to, identity).await?;
        store::clear(&mut *tx, &topic.logical, partition).await?;
    }
    tx.commit().await?;
    Ok(true)
}

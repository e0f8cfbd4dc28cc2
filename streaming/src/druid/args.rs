//! Options of `ridehail druid`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::iso;
use super::spec::Variables;

/// Keep Druid's supervisors, retention and compaction as the spec files say
#[derive(Debug, Clone, Args)]
pub struct DruidArgs {
    /// Where Druid and Kafka are, and what belongs to whom.
    #[command(flatten)]
    pub options: Options,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Where Druid and Kafka are, and what belongs to whom.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Druid's router
    #[arg(
        long,
        global = true,
        env = "RIDEHAIL_DRUID_URL",
        default_value = "http://127.0.0.1:15088"
    )]
    pub druid_url: String,
    /// Folder of spec files, one a datasource
    #[arg(
        long,
        global = true,
        env = "RIDEHAIL_DRUID_SPECS",
        default_value = "streaming/druid-specs"
    )]
    pub specs: PathBuf,
    /// Kafka brokers to ask first, comma separated host:port
    #[arg(
        long,
        global = true,
        env = "RIDEHAIL_KAFKA_BROKERS",
        default_value = "127.0.0.1:15092,127.0.0.1:15093,127.0.0.1:15094"
    )]
    pub brokers: String,
    /// Kafka brokers as Druid reaches them [default: as --brokers]
    #[arg(long, global = true, env = "RIDEHAIL_DRUID_BROKERS")]
    pub druid_brokers: Option<String>,
    /// Text put before every topic's name
    #[arg(long, global = true, env = "RIDEHAIL_TOPIC_PREFIX", default_value = "")]
    pub topic_prefix: String,
    /// Text put before every datasource's name
    #[arg(
        long,
        global = true,
        env = "RIDEHAIL_DATASOURCE_PREFIX",
        default_value = ""
    )]
    pub datasource_prefix: String,
    /// How long a task reads before it publishes segments, ISO-8601
    #[arg(
        long,
        global = true,
        env = "RIDEHAIL_DRUID_TASK_DURATION",
        default_value = "PT1H",
        value_parser = duration
    )]
    pub task_duration: String,
    /// Text for people or JSON for scripts
    #[arg(long, global = true, value_enum, default_value_t)]
    pub output: Output,
}

impl Options {
    /// Values for the spec files.
    #[must_use]
    pub fn variables(&self) -> Variables {
        Variables {
            brokers: self
                .druid_brokers
                .clone()
                .unwrap_or_else(|| self.brokers.clone()),
            topic_prefix: self.topic_prefix.clone(),
            datasource_prefix: self.datasource_prefix.clone(),
            task_duration: self.task_duration.clone(),
        }
    }
}

/// Refuses what Druid would refuse later with less of a reason.
fn duration(text: &str) -> Result<String, String> {
    match iso::seconds(text) {
        Some(1..) => Ok(text.to_owned()),
        _ => Err("not an ISO-8601 duration such as PT1H or PT10M".to_owned()),
    }
}

/// How to print.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Show what apply would change, restart and lose
    Plan {
        /// Plan to end supervisors these files made once and no longer declare
        #[arg(long)]
        prune: bool,
        /// Exit with 1 when something would change
        #[arg(long)]
        check: bool,
    },
    /// Make Druid as the files say and wait until it is healthy
    Apply {
        /// End supervisors these files made once and no longer declare
        #[arg(long)]
        prune: bool,
        /// Agree to changes that lose data
        #[arg(long, short)]
        yes: bool,
        /// Seconds to wait for running, healthy supervisors
        #[arg(long, default_value_t = 180)]
        deadline: u64,
    },
    /// Show state, lag, freshness, rejected rows and segments; exit with 1 when unhealthy
    Status,
    /// Wait until every row that is in Kafka now can be queried
    Wait {
        /// Supervisors to wait for [default: all]
        names: Vec<String>,
        /// Seconds to wait
        #[arg(long, default_value_t = 600)]
        deadline: u64,
    },
    /// Move a supervisor to the beginning (duplicates rows) or the end (skips rows) of its topic
    Reset {
        /// Supervisor, by its file's name
        name: String,
        /// Where to read on
        #[arg(long, value_enum)]
        to: Position,
        /// Only these partitions, comma separated [default: all]
        #[arg(long, value_delimiter = ',')]
        partitions: Vec<i32>,
        /// Agree without being asked
        #[arg(long, short)]
        yes: bool,
    },
    /// Let tasks publish what they read and start no more; apply leaves it so
    Suspend {
        /// Supervisors, by their files' names
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Read on after a suspension
    Resume {
        /// Supervisors, by their files' names
        #[arg(required = true)]
        names: Vec<String>,
    },
}

/// Where a reset moves to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Position {
    /// The oldest record that is held.
    Earliest,
    /// Behind the newest record.
    Latest,
}

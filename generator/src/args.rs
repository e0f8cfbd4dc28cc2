//! Flags of `ridehail generate`. Every one has an environment variable.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::fault::FaultRates;

/// Where records go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum SinkKind {
    /// The three Kafka topics.
    #[default]
    Kafka,
    /// One JSON object a line: topic, partition, key and value (or raw, for damaged records).
    Ndjson,
    /// Nowhere: encode and count only.
    None,
}

/// Simulate cities and send their events.
///
/// Everything about a world follows from its seed, start and cities. With the Kafka sink a run
/// continues the world that the topics already hold: it replays the seed and sends what is not
/// there yet.
#[derive(Clone, Debug, clap::Args)]
pub struct GenerateArgs {
    /// Past to generate before now, such as 45d: from UTC midnight so long ago, as fast as
    /// possible. Ignored where the topics already hold a world
    #[arg(long, env = "RIDEHAIL_HISTORY", value_parser = duration)]
    pub history: Option<Duration>,
    /// Then go on with the wall clock, at --rate events a second
    #[arg(long, env = "RIDEHAIL_LIVE")]
    pub live: bool,
    /// Events a second of --live, over all topics [default: the running rate, or 100]
    #[arg(long, env = "RIDEHAIL_RATE", requires = "live")]
    pub rate: Option<f64>,
    /// End --live after this time, such as 60s [default: run until stopped]
    #[arg(long = "for", env = "RIDEHAIL_FOR", value_parser = duration, requires = "live")]
    pub for_: Option<Duration>,
    /// End at this instant of simulated time (exclusive), such as 2026-11-22T00:00:00Z
    /// [default: now; with --live: run until stopped]
    #[arg(long, env = "RIDEHAIL_UNTIL", value_parser = instant)]
    pub until: Option<DateTime<Utc>>,
    /// Begin a new world at this instant instead of counting --history back from now
    #[arg(long, env = "RIDEHAIL_START", value_parser = instant, conflicts_with = "history")]
    pub start: Option<DateTime<Utc>>,
    /// Simulated seconds a second while behind the wall clock [default: as fast as possible]
    #[arg(long, env = "RIDEHAIL_SPEED")]
    pub speed: Option<f64>,
    /// Seed of a new world [default: 42]
    #[arg(long, env = "RIDEHAIL_SEED")]
    pub seed: Option<u64>,
    /// Cities of a new world, such as lagos,london [default: lagos,london,new_york,sao_paulo,
    /// mumbai; also known: nairobi,mexico_city,singapore]
    #[arg(long, env = "RIDEHAIL_CITIES", value_delimiter = ',')]
    pub cities: Option<Vec<String>>,
    /// Requests on an average day and city of a new world: 450, or by city 450,london=900
    /// [default: 450]
    #[arg(long, env = "RIDEHAIL_RIDES_PER_DAY")]
    pub rides_per_day: Option<String>,
    /// Mean seconds between location pings of an online vehicle in a new world's history
    /// [default: 2400]
    #[arg(long, env = "RIDEHAIL_PING_SECONDS")]
    pub ping_seconds: Option<u32>,
    /// Shares of faults: none, default, or duplicates=0.002,late=0.001,out_of_order=0.002,
    /// malformed=0.0005 [default: these; for a world that exists: as before]
    #[arg(long, env = "RIDEHAIL_FAULTS")]
    pub faults: Option<FaultArg>,
    /// Give events from this instant on schema version 2, which adds app_version
    #[arg(long, env = "RIDEHAIL_SCHEMA_V2_FROM", value_parser = instant)]
    pub schema_v2_from: Option<DateTime<Utc>>,
    /// Where records go
    #[arg(long, env = "RIDEHAIL_SINK", value_enum, default_value_t)]
    pub sink: SinkKind,
    /// File for --sink ndjson [default: standard output]
    #[arg(long, env = "RIDEHAIL_OUT")]
    pub out: Option<PathBuf>,
    /// Write the truth here (whole or not at all) instead of to standard output
    #[arg(long, env = "RIDEHAIL_TRUTH")]
    pub truth: Option<PathBuf>,
    /// Kafka brokers
    #[arg(
        long,
        env = "RIDEHAIL_KAFKA_BROKERS",
        default_value = "127.0.0.1:15092,127.0.0.1:15093,127.0.0.1:15094"
    )]
    pub brokers: String,
    /// Put before the names of the three topics
    #[arg(long, env = "RIDEHAIL_TOPIC_PREFIX", default_value = "")]
    pub topic_prefix: String,
    /// Give up when Kafka acknowledges nothing for so long
    #[arg(long, env = "RIDEHAIL_DELIVERY_TIMEOUT", value_parser = duration, default_value = "120s")]
    pub delivery_timeout: Duration,
}

/// Shares of faults, as read from the command line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaultArg(pub(crate) FaultRates);

impl std::str::FromStr for FaultArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

/// `45d`, `12h`, `30m`, `60s`, `500ms`.
fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_| format!("`{text}`: say it like 45d or 60s"))?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(format!("`{text}` needs a unit: d, h, m, s or ms")),
    };
    number
        .checked_mul(millis)
        .filter(|total| *total < 100 * 366 * 86_400_000)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is more than a hundred years"))
}

/// An RFC 3339 instant, or a date for its UTC midnight.
fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    let whole = if text.len() == 10 {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    DateTime::parse_from_rfc3339(&whole)
        .map(|at| at.with_timezone(&Utc))
        .map_err(|_| format!("`{text}`: say it like 2026-11-22T00:00:00Z or 2026-11-22"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let check = |text: &str, expected: Option<u64>| {
            let got = duration(text).ok().map(|d| d.as_millis() as u64);
            assert_eq!(got, expected, "{text}");
        };
        check("45d", Some(45 * 86_400_000));
        check("90m", Some(5_400_000));
        check("500ms", Some(500));
        check("45", None);
        check("d", None);
        check("99999999999d", None);
    }

    #[test]
    fn instants_are_read() {
        let midnight = instant("2026-11-22").expect("a date");
        assert_eq!(Ok(midnight), instant("2026-11-22T00:00:00Z"));
        assert!(instant("yesterday").is_err());
    }
}

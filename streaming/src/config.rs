//! What every command here must be told: where Kafka is, where Postgres is, which topics there are.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use rdkafka::ClientConfig;

/// Where Kafka is and which topics are meant.
#[derive(Clone, Debug, clap::Args)]
pub struct KafkaArgs {
    /// Kafka brokers to ask first, comma separated host:port
    #[arg(
        long,
        env = "RIDEHAIL_KAFKA_BROKERS",
        default_value = "127.0.0.1:15092,127.0.0.1:15093,127.0.0.1:15094"
    )]
    pub brokers: String,
    /// Text put before every topic's name in Kafka, never in Postgres
    #[arg(long, env = "RIDEHAIL_TOPIC_PREFIX", default_value = "")]
    pub topic_prefix: String,
    /// Data file that declares the topics
    #[arg(
        long,
        env = "RIDEHAIL_TOPICS_FILE",
        default_value = "streaming/topics.yml"
    )]
    pub topics_file: PathBuf,
}

impl KafkaArgs {
    /// Settings every Kafka client of ours starts from.
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "ridehail")
            // A restarted broker is found again within seconds, not within the default 10.
            .set("reconnect.backoff.max.ms", "2000");
        config
    }

    /// A logical topic's name in Kafka.
    pub fn physical(&self, logical: &str) -> String {
        format!("{}{logical}", self.topic_prefix)
    }
}

/// Where Postgres is.
#[derive(Clone, Debug, clap::Args)]
pub struct DatabaseArgs {
    /// Postgres database that events land in
    #[arg(
        long,
        env = "RIDEHAIL_DATABASE_URL",
        default_value = "postgres://ridehail:ridehail@127.0.0.1:15032/warehouse",
        hide_default_value = true,
        hide_env_values = true
    )]
    pub database_url: DatabaseUrl,
}

/// A database URL. It may hold a password, so it never prints itself.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The URL with its password, for connecting only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = std::convert::Infallible;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        Ok(Self(url.to_owned()))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

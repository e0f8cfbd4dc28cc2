//! The topics file. Pure but for reading it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::Deserializer;

use super::Error;

/// A topic as declared.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// Logical name: without the deployment's prefix, and the name of its landing table.
    pub name: String,
    /// How many partitions; may grow, never shrink.
    pub partitions: i32,
    /// Replicas of each partition.
    pub replication_factor: i32,
    /// Whether the topic is landed in Postgres.
    #[serde(default)]
    pub land: bool,
    /// Topic configuration, Kafka's own names; a value not named here is left to the cluster.
    #[serde(default, deserialize_with = "texts")]
    pub config: BTreeMap<String, String>,
}

impl Declared {
    /// Sets the replication factor, and lowers min.insync.replicas to it where it would make the topic unwritable.
    pub fn limit_replicas(&mut self, replicas: i32) {
        self.replication_factor = replicas;
        if let Some(insync) = self.config.get_mut("min.insync.replicas")
            && insync.parse::<i32>().is_ok_and(|n| n > replicas)
        {
            *insync = replicas.to_string();
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    topics: Vec<Declared>,
}

/// Reads the topics file.
///
/// # Errors
/// The file cannot be read, is not YAML of the right shape, or declares a topic that cannot be.
pub fn read_file(path: &Path) -> Result<Vec<Declared>, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&text).map_err(|message| Error::Invalid {
        path: path.to_owned(),
        message,
    })
}

fn parse(text: &str) -> Result<Vec<Declared>, String> {
    let file: File = serde_saphyr::from_str(text).map_err(|e| e.to_string())?;
    for (n, topic) in file.topics.iter().enumerate() {
        let name = &topic.name;
        if !is_identifier(name) {
            return Err(format!(
                "topic `{name}`: a name is lower-case letters, digits and _, at most 48, since it also names a table"
            ));
        }
        if topic.partitions < 1 || topic.replication_factor < 1 {
            return Err(format!(
                "topic `{name}`: partitions and replication_factor are at least 1"
            ));
        }
        if file.topics[..n].iter().any(|other| other.name == *name) {
            return Err(format!("topic `{name}` is declared twice"));
        }
    }
    Ok(file.topics)
}

/// Postgres cuts names at 63 bytes; a day partition appends nine.
fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 48
        && bytes
            .next()
            .is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Kafka's configuration values are all text; YAML writers should not need to quote numbers for that.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Scalar {
        Bool(bool),
        Int(i64),
        Float(f64),
        Text(String),
    }
    let map = BTreeMap::<String, Scalar>::deserialize(deserializer)?;
    Ok(map
        .into_iter()
        .map(|(key, value)| {
            let text = match value {
                Scalar::Bool(v) => v.to_string(),
                Scalar::Int(v) => v.to_string(),
                Scalar::Float(v) => v.to_string(),
                Scalar::Text(v) => v,
            };
            (key, text)
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repositorys_own_file_declares_three_landed_topics() {
        let topics = parse(include_str!("../../topics.yml")).unwrap();
        let names: Vec<_> = topics
            .iter()
            .filter(|t| t.land)
            .map(|t| t.name.as_str())
            .collect();
        assert_eq!(names, ["ride_events", "user_events", "vehicle_events"]);
        for topic in topics {
            assert_eq!((topic.partitions, topic.replication_factor), (6, 3));
            assert_eq!(topic.config["min.insync.replicas"], "2");
        }
    }

    #[test]
    fn fewer_replicas_never_leave_a_topic_unwritable() {
        let mut topic = parse(include_str!("../../topics.yml")).unwrap().remove(0);
        topic.limit_replicas(1);
        assert_eq!(topic.config["min.insync.replicas"], "1");
    }

    #[test]
    fn nonsense_is_refused_with_its_name() {
        let check = |yaml: &str, expected: &str| {
            let message = parse(yaml).unwrap_err();
            assert!(message.contains(expected), "{message}");
        };
        let topic = |name: &str, partitions: i32| {
            format!(
                "topics:\n  - name: {name}\n    partitions: {partitions}\n    replication_factor: 1\n"
            )
        };
        check(&topic("Ride-Events", 1), "Ride-Events");
        check(&topic("a;drop", 1), "a;drop");
        check(&topic("rides", 0), "at least 1");
        check(
            &format!(
                "{}{}",
                topic("a", 1),
                topic("a", 1).replace("topics:\n", "")
            ),
            "declared twice",
        );
        check("topics:\n  - nme: a\n", "nme");
    }
}

//! Declared topics against existing ones. Pure.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::Declared;

/// A topic as the cluster has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Existing {
    /// Name in Kafka.
    pub name: String,
    /// Number of partitions.
    pub partitions: i32,
    /// Replicas of the first partition.
    pub replication_factor: i32,
    /// Values set on the topic itself.
    pub set: BTreeMap<String, String>,
    /// Every value in force, inherited ones included.
    pub effective: BTreeMap<String, String>,
}

/// One difference between file and cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The topic is missing.
    Create(Declared),
    /// The topic has too few partitions.
    Widen {
        /// Name in Kafka.
        topic: String,
        /// Partitions now.
        from: i32,
        /// Partitions declared.
        to: i32,
    },
    /// Values differ.
    Configure {
        /// Name in Kafka.
        topic: String,
        /// What differs: key, value in force, declared value.
        differs: Vec<(String, Option<String>, String)>,
        /// Every value the topic must hold on its own afterwards: those set today, with the declared ones over
        /// them. Whoever applies sends all of it, because Kafka's request resets what it does not name.
        complete: BTreeMap<String, String>,
    },
    /// Something apply leaves alone, told so that a person can decide.
    Drift {
        /// Name in Kafka.
        topic: String,
        /// What it is.
        what: String,
    },
}

impl Change {
    /// Whether apply acts on it.
    pub fn is_applied(&self) -> bool {
        !matches!(self, Self::Drift { .. })
    }
}

/// What must change so that `existing` is as `declared`. Names on both sides are Kafka's.
pub fn compare(declared: &[Declared], existing: &[Existing]) -> Vec<Change> {
    let mut changes = Vec::new();
    for topic in declared {
        let Some(now) = existing.iter().find(|e| e.name == topic.name) else {
            changes.push(Change::Create(topic.clone()));
            continue;
        };
        let drift = |what| Change::Drift {
            topic: topic.name.clone(),
            what,
        };
        if now.partitions < topic.partitions {
            changes.push(Change::Widen {
                topic: topic.name.clone(),
                from: now.partitions,
                to: topic.partitions,
            });
        } else if now.partitions > topic.partitions {
            changes.push(drift(format!(
                "{} partitions where {} are declared: Kafka cannot take partitions away",
                now.partitions, topic.partitions
            )));
        }
        if now.replication_factor != topic.replication_factor {
            changes.push(drift(format!(
                "{} replicas where {} are declared: move them with kafka-reassign-partitions",
                now.replication_factor, topic.replication_factor
            )));
        }
        let differs: Vec<_> = topic
            .config
            .iter()
            .filter(|(key, value)| now.effective.get(*key) != Some(*value))
            .map(|(key, value)| (key.clone(), now.effective.get(key).cloned(), value.clone()))
            .collect();
        if !differs.is_empty() {
            let mut complete = now.set.clone();
            complete.extend(topic.config.clone());
            changes.push(Change::Configure {
                topic: topic.name.clone(),
                differs,
                complete,
            });
        }
        for (key, value) in now
            .set
            .iter()
            .filter(|(key, _)| !topic.config.contains_key(*key))
        {
            changes.push(drift(format!(
                "{key}={value} is set on the topic but not declared: kept"
            )));
        }
    }
    changes
}

pub(super) fn render(changes: &[Change], out: &mut dyn Write) -> io::Result<()> {
    if changes.is_empty() {
        return writeln!(out, "topics are as declared");
    }
    for change in changes {
        match change {
            Change::Create(topic) => {
                writeln!(
                    out,
                    "+ {}: create, {} partitions, {} replicas",
                    topic.name, topic.partitions, topic.replication_factor
                )?;
                for (key, value) in &topic.config {
                    writeln!(out, "    {key}={value}")?;
                }
            }
            Change::Widen { topic, from, to } => writeln!(
                out,
                "~ {topic}: {from} -> {to} partitions\n    warning: keys move to other partitions; order per key holds only from then on"
            )?,
            Change::Configure { topic, differs, .. } => {
                writeln!(out, "~ {topic}: configuration")?;
                for (key, now, then) in differs {
                    let now = now.as_deref().unwrap_or("(unset)");
                    writeln!(out, "    {key}: {now} -> {then}")?;
                }
            }
            Change::Drift { topic, what } => writeln!(out, "! {topic}: {what}")?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    fn declared(partitions: i32, config: &[(&str, &str)]) -> Declared {
        Declared {
            name: "rides".to_owned(),
            partitions,
            replication_factor: 3,
            land: true,
            config: map(config),
        }
    }

    fn existing(partitions: i32, set: &[(&str, &str)]) -> Existing {
        let mut effective = map(&[("retention.ms", "604800000"), ("cleanup.policy", "delete")]);
        effective.extend(map(set));
        Existing {
            name: "rides".to_owned(),
            partitions,
            replication_factor: 3,
            set: map(set),
            effective,
        }
    }

    fn check(declared: Declared, existing: Option<Existing>, expected: &str) {
        let existing: Vec<_> = existing.into_iter().collect();
        let changes = compare(&[declared], &existing);
        let mut out = Vec::new();
        render(&changes, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap().trim_end(), expected);
    }

    #[test]
    fn plans_read_well() {
        check(
            declared(6, &[("min.insync.replicas", "2")]),
            None,
            "+ rides: create, 6 partitions, 3 replicas\n    min.insync.replicas=2",
        );
        // A value that is in force by inheritance needs no change.
        check(
            declared(6, &[("retention.ms", "604800000")]),
            Some(existing(6, &[])),
            "topics are as declared",
        );
        check(
            declared(6, &[("retention.ms", "1000")]),
            Some(existing(4, &[])),
            "~ rides: 4 -> 6 partitions\n    warning: keys move to other partitions; order per key holds only from then on\n\
             ~ rides: configuration\n    retention.ms: 604800000 -> 1000",
        );
        check(
            declared(2, &[]),
            Some(existing(4, &[("max.message.bytes", "99")])),
            "! rides: 4 partitions where 2 are declared: Kafka cannot take partitions away\n\
             ! rides: max.message.bytes=99 is set on the topic but not declared: kept",
        );
    }

    #[test]
    fn a_configuration_change_keeps_what_it_does_not_name() {
        let changes = compare(
            &[declared(6, &[("retention.ms", "1")])],
            &[existing(6, &[("max.message.bytes", "99")])],
        );
        let Change::Configure { complete, .. } = &changes[0] else {
            panic!("{changes:?}")
        };
        assert_eq!(
            *complete,
            map(&[("max.message.bytes", "99"), ("retention.ms", "1")])
        );
    }
}

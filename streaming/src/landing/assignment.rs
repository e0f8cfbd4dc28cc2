//! The polling thread's part in a rebalance: which partitions are ours, and from where.
//!
//! Rebalances are answered late on purpose. An assignment is answered when `place` has found the offsets in
//! Postgres, a revocation when what is under way has ended. Neither is needed for correctness (the fence is),
//! both spare work that would be thrown away. Meanwhile polling goes on, and so does the group's heartbeat.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::Error;
use super::consume::{Assigned, Consumer};
use super::group::Event;
use super::lane::Lane;
use super::place::{Key, Placed};

/// How long a revoked partition may finish what is under way.
const HAND_OVER: Duration = Duration::from_secs(5);

impl Consumer {
    /// Stops reading some partitions until their place is found anew.
    pub(super) fn recheck(&mut self, which: impl Fn(Key) -> bool) {
        let mut keys = Vec::new();
        for (key, assigned) in self.assigned.iter_mut().filter(|(key, _)| which(**key)) {
            assigned.lane.hold();
            assigned.seek = None;
            keys.push(*key);
        }
        if !keys.is_empty() {
            let _ = self.questions.send(keys);
        }
    }

    /// Takes up partitions whose place is known: newly assigned ones, or held ones that may go on.
    pub(super) fn placed(&mut self, placed: Vec<Placed>) {
        let mut fresh = TopicPartitionList::new();
        let mut held = TopicPartitionList::new();
        for Placed {
            key,
            topic_id,
            from,
        } in placed
        {
            if let Some(assigned) = self.assigned.get_mut(&key) {
                assigned.topic_id = topic_id;
                if let Some(from) = from {
                    assigned.lane.restart(from);
                    assigned.seek = Some(from);
                }
                continue;
            }
            let name = &self.shared.topics[key.0].physical;
            let at = from.map_or(Offset::End, Offset::Offset);
            fresh
                .add_partition_offset(name, key.1, at)
                .expect("offsets in Postgres are not negative");
            if from.is_none() {
                held.add_partition(name, key.1);
            }
            let Some(mut queue) = self.client.split_partition_queue(name, key.1) else {
                tracing::warn!(
                    topic = name,
                    partition = key.1,
                    "assigned a partition that does not exist"
                );
                continue;
            };
            let waker = self.poller.clone();
            queue.set_nonempty_callback(move || waker.wake());
            self.generations += 1;
            let lane = from.map_or_else(
                || Lane::held(self.generations << 32),
                |from| Lane::reading(from, self.generations << 32),
            );
            self.assigned.insert(
                key,
                Assigned {
                    lane,
                    queue,
                    topic_id,
                    seek: None,
                    leaving: None,
                },
            );
            self.shared
                .metrics
                .assigned(&self.shared.topics[key.0].logical, key.1, true);
        }
        // Answers the group even if the list is empty: it waits for the answer.
        if let Err(error) = self.client.incremental_assign(&fresh) {
            tracing::warn!(%error, "assignment came too late");
        }
        if held.count() > 0
            && let Err(error) = self.client.pause(&held)
        {
            tracing::warn!(%error, "cannot pause partitions that must not be read");
        }
        tracing::info!(
            partitions = fresh.count(),
            held = held.count(),
            "partitions assigned"
        );
    }

    /// Serves the group: rebalances, and errors that are about no partition.
    pub(super) fn serve_group(&mut self) -> Result<(), Error> {
        // Events are answered one a call; a few may wait.
        for _ in 0..4 {
            match self.client.poll(Duration::ZERO) {
                None => {}
                // Only for a partition whose queue was not split off, and those are not assigned.
                Some(Ok(message)) => {
                    tracing::error!(
                        topic = message.topic(),
                        partition = message.partition(),
                        "record outside its lane"
                    );
                    return Err(Error::Stray {
                        topic: message.topic().to_owned(),
                        partition: message.partition(),
                    });
                }
                Some(Err(error)) => self.kafka_error(&error)?,
            }
        }
        for event in self.client.context().events() {
            match event {
                Event::Assigned(partitions) => {
                    let keys = partitions
                        .iter()
                        .filter_map(|(name, p)| self.key(name, *p))
                        .collect();
                    let _ = self.questions.send(keys);
                }
                Event::Revoked(partitions) => {
                    let now = Instant::now();
                    let keys: Vec<Key> = partitions
                        .iter()
                        .filter_map(|(name, p)| self.key(name, *p))
                        .collect();
                    for key in keys {
                        if let Some(assigned) = self.assigned.get_mut(&key) {
                            assigned.lane.leave();
                            assigned.leaving.get_or_insert(now);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn key(&self, name: &str, partition: i32) -> Option<Key> {
        let topic = self
            .shared
            .topics
            .iter()
            .position(|topic| topic.physical == name)?;
        Some((topic, partition))
    }

    /// Lets go of partitions that were revoked and are idle, or have had their time.
    pub(super) fn hand_over(&mut self, now: Instant) {
        let lost = self.client.assignment_lost();
        let gone: Vec<Key> = self
            .assigned
            .iter()
            .filter(|(_, a)| {
                a.leaving
                    .is_some_and(|since| a.lane.is_idle() || lost || now >= since + HAND_OVER)
            })
            .map(|(key, _)| *key)
            .collect();
        // All at once: the group waits for the whole revocation anyway.
        if gone.is_empty()
            || gone.len()
                < self
                    .assigned
                    .values()
                    .filter(|a| a.leaving.is_some())
                    .count()
        {
            return;
        }
        self.hint(now, true);
        let mut list = TopicPartitionList::new();
        for key in gone {
            self.assigned.remove(&key);
            self.hints.remove(&key);
            let topic = &self.shared.topics[key.0];
            list.add_partition(&topic.physical, key.1);
            self.shared.metrics.assigned(&topic.logical, key.1, false);
        }
        tracing::info!(partitions = list.count(), "partitions handed over");
        if let Err(error) = self.client.incremental_unassign(&list) {
            tracing::warn!(%error, "revocation came too late");
        }
    }
}

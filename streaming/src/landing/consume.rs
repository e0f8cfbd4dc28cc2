//! Reads Kafka: one thread polls, sorts records into lanes and hands full ones to the writers.
//!
//! Each assigned partition has a queue of its own, and a lane that has no room is simply not read. Its records
//! wait in that queue, which the client bounds (`queued.max.messages.kbytes`), then in Kafka. That is the
//! back-pressure; `pause()` would throw away what was fetched each time. The group's own queue is always polled,
//! so the member stays in the group however slow Postgres is.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::group::Group;
use super::lane::Lane;
use super::place::Key;
use super::poller::{Command, End, Poller, Work};
use super::{Error, Shared};

/// Longest sleep when nothing happens; every event of interest wakes the thread earlier.
const IDLE: Duration = Duration::from_millis(50);
/// Records taken from one partition before the next has its turn.
const TURN: usize = 1000;
/// How often Kafka hears how far we are; only lag tools listen.
const HINT_EVERY: Duration = Duration::from_secs(1);
/// How long a seek may take; it is tried again.
const SEEK: Duration = Duration::from_secs(2);

/// A partition of ours.
pub(super) struct Assigned {
    pub(super) lane: Lane,
    pub(super) queue: PartitionQueue<Group>,
    pub(super) topic_id: Uuid,
    /// Where the client must be moved to before the lane may read.
    pub(super) seek: Option<i64>,
    /// Since when it is being handed over.
    pub(super) leaving: Option<Instant>,
}

/// The polling thread's state.
pub(super) struct Consumer {
    pub(super) shared: Arc<Shared>,
    pub(super) poller: Poller,
    pub(super) client: Arc<BaseConsumer<Group>>,
    pub(super) assigned: BTreeMap<Key, Assigned>,
    pub(super) in_flight: usize,
    pub(super) generations: u64,
    pub(super) hints: HashMap<Key, i64>,
    pub(super) hinted: Instant,
    pub(super) work: mpsc::UnboundedSender<Work>,
    pub(super) questions: mpsc::UnboundedSender<Vec<Key>>,
}

/// Polls until cancelled, then flushes, waits for what is under way and leaves the group.
pub(super) fn run(
    shared: Arc<Shared>,
    poller: Poller,
    commands: &std::sync::mpsc::Receiver<Command>,
    work: mpsc::UnboundedSender<Work>,
    questions: mpsc::UnboundedSender<Vec<Key>>,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    poller.attach();
    let group = Group::default();
    let waker = poller.clone();
    let mut client: BaseConsumer<Group> = shared.consumer_config().create_with_context(group)?;
    client.set_nonempty_callback(move || waker.wake());
    let names: Vec<&str> = shared
        .topics
        .iter()
        .map(|topic| topic.physical.as_str())
        .collect();
    client.subscribe(&names)?;
    let now = Instant::now();
    let mut consumer = Consumer {
        shared,
        poller,
        client: Arc::new(client),
        assigned: BTreeMap::new(),
        in_flight: 0,
        generations: 0,
        hints: HashMap::new(),
        hinted: now,
        work,
        questions,
    };
    let mut stop_by = None;
    loop {
        while let Ok(command) = commands.try_recv() {
            consumer.obey(command);
        }
        consumer.serve_group()?;
        let stopping = cancel.is_cancelled();
        let read = !stopping && consumer.read()?;
        let now = Instant::now();
        consumer.dispatch(now, stopping);
        consumer.hand_over(now);
        consumer.hint(now, false);
        consumer.publish_drained();
        if stopping {
            let by = *stop_by.get_or_insert(now + consumer.shared.stop_grace);
            let idle =
                consumer.in_flight == 0 && consumer.assigned.values().all(|a| a.lane.is_idle());
            if idle || now >= by {
                break;
            }
        }
        if !read {
            std::thread::park_timeout(consumer.nap(now));
        }
    }
    consumer.hint(Instant::now(), true);
    if consumer.in_flight > 0 {
        tracing::warn!(
            batches = consumer.in_flight,
            "stopped before Postgres took everything; what is left is read again"
        );
    }
    // Dropping the client leaves the group, which revokes: from here on that is answered at once.
    consumer.client.context().close();
    Ok(())
}

impl Consumer {
    fn obey(&mut self, command: Command) {
        match command {
            Command::Placed(placed) => self.placed(placed),
            Command::Done {
                key,
                generation,
                end,
            } => {
                self.in_flight -= 1;
                let Some(assigned) = self.assigned.get_mut(&key) else {
                    return;
                };
                if !assigned.lane.landed(generation) {
                    return;
                }
                match end {
                    End::Landed { next } => {
                        self.hints.insert(key, next);
                    }
                    End::Fenced { next } => {
                        assigned.lane.restart(next);
                        assigned.seek = Some(next);
                    }
                    End::Void => self.recheck(|other| other == key),
                }
            }
            Command::Recheck(keys) => self.recheck(|key| keys.contains(&key)),
        }
    }

    /// The client recovers from all but fatal errors by itself.
    pub(super) fn kafka_error(&self, error: &KafkaError) -> Result<(), Error> {
        if let KafkaError::MessageConsumptionFatal(_) = error {
            return Err(Error::Kafka(error.clone()));
        }
        self.shared
            .metrics
            .kafka_errors
            .fetch_add(1, Ordering::Relaxed);
        tracing::warn!(%error, "kafka client reports an error and goes on");
        Ok(())
    }

    /// Reads what is there into lanes that have room. Says whether there may be more.
    fn read(&mut self) -> Result<bool, Error> {
        let limits = self.shared.limits;
        let mut waiting: usize = self.assigned.values().map(|a| a.lane.waiting_bytes()).sum();
        let mut more = false;
        let mut lost = None;
        for (key, assigned) in &mut self.assigned {
            if let Some(at) = assigned.seek {
                let name = &self.shared.topics[key.0].physical;
                match self.client.seek(name, key.1, Offset::Offset(at), SEEK) {
                    Ok(()) => {
                        let mut one = TopicPartitionList::new();
                        one.add_partition(name, key.1);
                        if let Err(error) = self.client.resume(&one) {
                            tracing::warn!(topic = name, partition = key.1, %error, "cannot resume");
                        }
                        assigned.seek = None;
                    }
                    Err(error) => {
                        tracing::warn!(topic = name, partition = key.1, %error, "cannot seek yet");
                        continue;
                    }
                }
            }
            let now = Instant::now();
            let mut turn = 0;
            while turn < TURN && waiting < self.shared.buffer && assigned.lane.has_room(&limits) {
                match assigned.queue.poll(Duration::ZERO) {
                    None => break,
                    Some(Ok(message)) => {
                        let before = assigned.lane.waiting_bytes();
                        let timestamp = message.timestamp().to_millis().unwrap_or(0);
                        assigned.lane.push(
                            now,
                            message.offset(),
                            timestamp,
                            message.key(),
                            message.payload(),
                        );
                        waiting += assigned.lane.waiting_bytes() - before;
                        turn += 1;
                    }
                    Some(Err(KafkaError::PartitionEOF(_))) => assigned.lane.reached_end(),
                    // The offset is not in the log any more: judge anew what that means.
                    Some(Err(KafkaError::MessageConsumption(
                        RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange,
                    ))) => {
                        lost = Some(*key);
                        break;
                    }
                    Some(Err(error)) => {
                        if let KafkaError::MessageConsumptionFatal(_) = error {
                            return Err(Error::Kafka(error));
                        }
                        tracing::warn!(partition = key.1, %error, "kafka client reports an error and goes on");
                        break;
                    }
                }
            }
            more |= turn == TURN;
        }
        self.shared
            .metrics
            .buffered_bytes
            .store(waiting as u64, Ordering::Relaxed);
        if let Some(key) = lost {
            self.recheck(|other| other == key);
        }
        Ok(more)
    }

    /// Hands batches that are ready to the writers, those that wait longest first.
    fn dispatch(&mut self, now: Instant, flush: bool) {
        let shared = &self.shared;
        // One batch a writer works on, one that waits for it: more would only take memory.
        while self.in_flight < shared.writers * 2 {
            let oldest = self
                .assigned
                .iter_mut()
                .filter(|(_, a)| a.seek.is_none())
                .filter_map(|(key, a)| {
                    Some((
                        a.lane.ready(now, &shared.limits, shared.linger, flush)?,
                        key,
                        a,
                    ))
                })
                .min_by_key(|(since, ..)| *since);
            let Some((_, key, assigned)) = oldest else {
                break;
            };
            let work = Work {
                key: *key,
                generation: assigned.lane.generation(),
                topic_id: assigned.topic_id,
                batch: assigned.lane.take(),
            };
            self.in_flight += 1;
            let _ = self.work.send(work);
        }
    }

    /// Tells Kafka how far partitions are landed. Nothing here reads it back.
    pub(super) fn hint(&mut self, now: Instant, force: bool) {
        if self.hints.is_empty() || !(force || now >= self.hinted + HINT_EVERY) {
            return;
        }
        self.hinted = now;
        let mut list = TopicPartitionList::new();
        for ((topic, partition), next) in self.hints.drain() {
            let name = &self.shared.topics[topic].physical;
            list.add_partition_offset(name, partition, Offset::Offset(next))
                .expect("landed offsets are not negative");
        }
        if let Err(error) = self.client.commit(&list, CommitMode::Async) {
            tracing::debug!(%error, "kafka did not take the hint");
        }
        fail::fail_point!("landing::hinted");
    }

    /// Says which partitions are landed to the end of their log, when that has changed.
    fn publish_drained(&mut self) {
        let drained = self
            .assigned
            .iter()
            .filter(|(_, a)| a.lane.is_drained())
            .map(|(key, _)| *key);
        let mut shown = self
            .shared
            .drained
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !drained.clone().eq(shown.iter().copied()) {
            *shown = drained.collect();
        }
    }

    /// How long to sleep when there is nothing to read: until a batch is due at the latest.
    fn nap(&self, now: Instant) -> Duration {
        let due = self
            .assigned
            .values()
            .filter_map(|a| a.lane.due(self.shared.linger))
            .min();
        due.map_or(IDLE, |due| {
            due.saturating_duration_since(now)
                .clamp(Duration::from_millis(1), IDLE)
        })
    }
}

//! Reads Kafka: one thread polls, sorts records into lanes and hands full ones to the writers.
//!
//! Each assigned partition has a queue of its own, and a lane that has no room is simply not read. Its records
//! wait in that queue, which the client bounds (`queued.max.messages.kbytes`), then in Kafka. That is the
//! back-pressure; `pause()` would throw away what was fetched each time. The group's own queue is always polled,
//! so the member stays in the group however slow Postgres is.
//!
//! Rebalances are answered late on purpose. An assignment is answered when `place` has found the offsets in
//! Postgres, a revocation when what is under way has ended. Neither is needed for correctness (the fence is),
//! both spare work that would be thrown away.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
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

use super::batch::Batch;
use super::group::{Event, Group};
use super::lane::Lane;
use super::place::{Key, Placed};
use super::{Error, Shared};

/// What others tell the polling thread.
#[derive(Debug)]
pub(super) enum Command {
    /// Partitions asked about can be read.
    Placed(Vec<Placed>),
    /// A batch ended: landed, or dropped with the place to read on from.
    Done { key: Key, generation: u64, end: End },
    /// Something about these changed outside: find their place anew.
    Recheck(Vec<Key>),
}

/// How a batch handed to a writer ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// Everything before this offset is landed.
    Landed { next: i64 },
    /// Read on from here; nothing of the batch counts.
    Fenced { next: i64 },
    /// Find the place anew.
    Void,
}

/// A batch for the writers.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) key: Key,
    pub(super) generation: u64,
    pub(super) topic_id: Uuid,
    pub(super) batch: Batch,
}

/// The way to the polling thread.
#[derive(Clone, Debug)]
pub(super) struct Poller {
    commands: std::sync::mpsc::Sender<Command>,
    thread: Arc<OnceLock<Thread>>,
}

impl Poller {
    pub(super) fn new() -> (Self, std::sync::mpsc::Receiver<Command>) {
        let (commands, receiver) = std::sync::mpsc::channel();
        (
            Self {
                commands,
                thread: Arc::default(),
            },
            receiver,
        )
    }

    /// Sends and wakes. A poller that has ended needs nothing any more.
    pub(super) fn send(&self, command: Command) {
        let _ = self.commands.send(command);
        self.wake();
    }

    /// Wakes the thread up.
    pub(super) fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

/// Longest sleep when nothing happens; every event of interest wakes the thread earlier.
const IDLE: Duration = Duration::from_millis(50);
/// Records taken from one partition before the next has its turn.
const TURN: usize = 1000;
/// How often Kafka hears how far we are; only lag tools listen.
const HINT_EVERY: Duration = Duration::from_secs(1);
/// How long a revoked partition may finish what is under way.
const HAND_OVER: Duration = Duration::from_secs(5);
/// How long a seek may take; it is tried again.
const SEEK: Duration = Duration::from_secs(2);

struct Assigned {
    lane: Lane,
    queue: PartitionQueue<Group>,
    topic_id: Uuid,
    /// Where the client must be moved to before the lane may read.
    seek: Option<i64>,
    /// Since when it is being handed over.
    leaving: Option<Instant>,
}

struct Consumer {
    shared: Arc<Shared>,
    poller: Poller,
    client: Arc<BaseConsumer<Group>>,
    assigned: BTreeMap<Key, Assigned>,
    in_flight: usize,
    generations: u64,
    hints: HashMap<Key, i64>,
    hinted: Instant,
    work: mpsc::UnboundedSender<Work>,
    questions: mpsc::UnboundedSender<Vec<Key>>,
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
    let _ = poller.thread.set(std::thread::current());
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

    /// Stops reading some partitions until their place is found anew.
    fn recheck(&mut self, which: impl Fn(Key) -> bool) {
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
    fn placed(&mut self, placed: Vec<Placed>) {
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
    fn serve_group(&mut self) -> Result<(), Error> {
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

    /// The client recovers from all but fatal errors by itself.
    fn kafka_error(&self, error: &KafkaError) -> Result<(), Error> {
        if let KafkaError::MessageConsumptionFatal(_) = error {
            return Err(Error::Kafka(error.clone()));
        }
        self.shared
            .metrics
            .kafka_errors
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
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

    /// Lets go of partitions that were revoked and are idle, or have had their time.
    fn hand_over(&mut self, now: Instant) {
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

    /// Tells Kafka how far partitions are landed. Nothing here reads it back.
    fn hint(&mut self, now: Instant, force: bool) {
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

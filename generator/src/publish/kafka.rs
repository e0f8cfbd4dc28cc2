//! The Kafka sink: an idempotent producer whose acknowledgements are checked one by one.
//!
//! A record's offset must be its ordinal within the partition. Whoever else writes to the
//! partition is noticed with the first acknowledgement after it. Retries never end by themselves
//! (a record given up in the middle would leave a hole behind which later ones are written);
//! instead the sink gives up as a whole when nothing is acknowledged for long.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext, PurgeConfig};

use crate::error::Error;
use crate::fault::Record;
use crate::publish::resume::{POSITION_HEADER, WORLD_HEADER, topic_names};
use crate::spec::WorldSpec;
use crate::tally::Tally;

/// Filled in by librdkafka while the producer is polled.
struct Acknowledged {
    /// By slot: offset of the next acknowledgement.
    next: Vec<AtomicU64>,
    failure: Mutex<Option<String>>,
}

impl Acknowledged {
    fn fail(&self, reason: String) {
        let mut failure = self
            .failure
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        failure.get_or_insert(reason);
    }

    fn failure(&self) -> Option<String> {
        self.failure
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }
}

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    /// The slot: topic and partition in one number.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, slot: usize) {
        match result {
            Ok(message) => {
                let expected = self.next[slot].fetch_add(1, Ordering::Relaxed);
                // librdkafka doesn't know the offset of a record that a retry found written
                if message.offset() >= 0 && message.offset() as u64 != expected {
                    self.fail(format!(
                        "{}[{}] took record {expected} at offset {}: someone else writes there",
                        message.topic(),
                        message.partition(),
                        message.offset()
                    ));
                }
            }
            Err((error, message)) => {
                self.fail(format!(
                    "{}[{}]: {error}",
                    message.topic(),
                    message.partition()
                ));
            }
        }
    }
}

/// One partition's records that were sent and not yet counted.
struct Slot {
    partition: usize,
    counted: u64,
    pending: VecDeque<Record>,
}

pub(crate) struct KafkaSink {
    producer: BaseProducer<Acknowledged>,
    names: [String; 3],
    world: Vec<u8>,
    first_slot: [usize; 3],
    position: Vec<u8>,
    ledger: Ledger,
}

/// What was sent and what of it has come back.
struct Ledger {
    slots: Vec<Slot>,
    in_flight: u64,
    progress: Instant,
    patience: Duration,
}

impl KafkaSink {
    /// `ends` are the partitions' end offsets, where this sink goes on.
    pub(crate) fn connect(
        brokers: &str,
        prefix: &str,
        spec: &WorldSpec,
        ends: &[Vec<u64>; 3],
        patience: Duration,
    ) -> Result<Self, Error> {
        let mut slots = Vec::new();
        let mut first_slot = [0; 3];
        for (topic, ends) in ends.iter().enumerate() {
            first_slot[topic] = slots.len();
            for (partition, end) in ends.iter().enumerate() {
                let pending = VecDeque::new();
                slots.push(Slot {
                    partition,
                    counted: *end,
                    pending,
                });
            }
        }
        let acknowledged = Acknowledged {
            next: slots
                .iter()
                .map(|slot| AtomicU64::new(slot.counted))
                .collect(),
            failure: Mutex::new(None),
        };
        let producer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("client.id", "ridehail-generate")
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", "lz4")
            .set("linger.ms", "20")
            .set("batch.size", "900000")
            .set("batch.num.messages", "10000")
            .set("queue.buffering.max.messages", "200000")
            .set("queue.buffering.max.kbytes", "262144")
            .set("message.timeout.ms", "0")
            .set("allow.auto.create.topics", "false")
            .create_with_context(acknowledged)
            .map_err(|source| Error::Kafka {
                brokers: brokers.to_owned(),
                doing: "connecting",
                source,
            })?;
        Ok(Self {
            producer,
            names: topic_names(prefix),
            world: spec.to_json(),
            first_slot,
            position: Vec::new(),
            ledger: Ledger {
                slots,
                in_flight: 0,
                progress: Instant::now(),
                patience,
            },
        })
    }

    /// Hands a record to the producer; waits while its queue is full.
    pub(crate) fn send(
        &mut self,
        record: Record,
        place: (usize, usize, u64),
        key: &[u8],
        value: &[u8],
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let (topic, partition, ordinal) = place;
        let slot = self.first_slot[topic] + partition;
        self.position.clear();
        write!(self.position, "{ordinal}@{}", record.at)
            .expect("invariant: writing to memory can't fail");
        let headers = OwnedHeaders::new_with_capacity(2)
            .insert(Header {
                key: WORLD_HEADER,
                value: Some(&self.world),
            })
            .insert(Header {
                key: POSITION_HEADER,
                value: Some(&self.position),
            });
        let mut message = BaseRecord::with_opaque_to(&self.names[topic], slot)
            .partition(partition as i32)
            .key(key)
            .payload(value)
            .headers(headers);
        loop {
            match self.producer.send(message) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    message = back;
                    self.producer.poll(Duration::from_millis(20));
                    self.ledger.count(self.producer.context(), tally)?;
                }
                Err((error, _)) => {
                    return Err(Error::Delivery {
                        reason: error.to_string(),
                    });
                }
            }
        }
        self.ledger.note(slot, record);
        Ok(())
    }

    /// Takes in acknowledgements for up to `wait`, and counts them.
    pub(crate) fn poll(&mut self, wait: Duration, tally: &mut Tally) -> Result<(), Error> {
        self.producer.poll(wait);
        self.ledger.count(self.producer.context(), tally)
    }

    /// Waits until everything sent is acknowledged.
    pub(crate) fn finish(&mut self, tally: &mut Tally) -> Result<(), Error> {
        while self.ledger.in_flight > 0 {
            self.poll(Duration::from_millis(50), tally)?;
        }
        Ok(())
    }

    /// Drops what is not acknowledged; counts what came in meanwhile.
    pub(crate) fn abandon(&mut self, tally: &mut Tally) {
        self.producer
            .purge(PurgeConfig::default().queue().inflight());
        self.producer.poll(Duration::from_millis(200));
        self.ledger.add_up(self.producer.context(), tally);
    }
}

impl Ledger {
    fn note(&mut self, slot: usize, record: Record) {
        if self.in_flight == 0 {
            self.progress = Instant::now();
        }
        self.in_flight += 1;
        self.slots[slot].pending.push_back(record);
    }

    fn count(&mut self, acknowledged: &Acknowledged, tally: &mut Tally) -> Result<(), Error> {
        if self.add_up(acknowledged, tally) {
            self.progress = Instant::now();
        }
        if let Some(reason) = acknowledged.failure() {
            return Err(Error::Delivery { reason });
        }
        if self.in_flight > 0 && self.progress.elapsed() > self.patience {
            return Err(Error::Stalled {
                seconds: self.patience.as_secs(),
                in_flight: self.in_flight,
            });
        }
        Ok(())
    }

    fn add_up(&mut self, acknowledged: &Acknowledged, tally: &mut Tally) -> bool {
        let mut any = false;
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let next = acknowledged.next[index].load(Ordering::Relaxed);
            while slot.counted < next {
                let Some(record) = slot.pending.pop_front() else {
                    break;
                };
                tally.count(&record, slot.partition);
                slot.counted += 1;
                self.in_flight -= 1;
                any = true;
            }
        }
        any
    }
}

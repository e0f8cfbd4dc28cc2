//! What the Kafka client calls back during a rebalance: noted here, answered by `consume`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

/// Partitions, by the topic's name in Kafka.
pub(super) type Partitions = Vec<(String, i32)>;

/// What the group decided.
#[derive(Debug)]
pub(super) enum Event {
    /// These are ours once we say so.
    Assigned(Partitions),
    /// These are ours until we say so.
    Revoked(Partitions),
}

/// Notes rebalances instead of answering them, so that the answer can wait for Postgres without blocking the
/// thread that polls. The client allows that: the group stands still until `incremental_assign` or
/// `incremental_unassign` is called.
#[derive(Debug, Default)]
pub(super) struct Group {
    events: Mutex<VecDeque<Event>>,
    closing: AtomicBool,
}

impl Group {
    /// Takes what was noted, in order.
    pub(super) fn events(&self) -> VecDeque<Event> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on rebalances are answered at once: nobody is left to answer them later.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }
}

impl ClientContext for Group {}

impl ConsumerContext for Group {
    fn rebalance(
        &self,
        client: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let assigned = what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Acquire) {
            let answered = if assigned {
                client.incremental_assign(list)
            } else {
                client.incremental_unassign(list)
            };
            // What was never answered before is not in the assignment: let all of it go.
            if answered.is_err()
                && let Err(error) = client.unassign()
            {
                tracing::warn!(%error, "cannot let partitions go");
            }
            return;
        }
        let partitions = if list.count() == 0 {
            Vec::new()
        } else {
            list.elements()
                .iter()
                .map(|e| (e.topic().to_owned(), e.partition()))
                .collect()
        };
        let event = if assigned {
            Event::Assigned(partitions)
        } else {
            Event::Revoked(partitions)
        };
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(event);
    }
}

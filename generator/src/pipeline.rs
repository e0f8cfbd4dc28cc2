//! The way of an event: faults, partition and position, encoding, sink, tally.

use std::io::Write;
use std::path::PathBuf;

use crate::clock;
use crate::encode::Encoder;
use crate::error::Error;
use crate::event::Event;
use crate::fault::{FaultRates, Faults, Record};
use crate::publish::kafka::KafkaSink;
use crate::publish::resume::Last;
use crate::publish::{ndjson, partition};
use crate::spec::WorldSpec;
use crate::tally::Tally;
use crate::world::World;

pub(crate) enum Sink<'a> {
    Kafka(Box<KafkaSink>),
    Ndjson(Box<dyn Write + 'a>, PathBuf),
    Nowhere,
}

/// A world and everything behind it.
pub(crate) struct Pipeline<'a> {
    world: World,
    faults: Faults,
    sender: Sender<'a>,
}

/// The part that handles records, apart from where they come from.
struct Sender<'a> {
    encoder: Encoder,
    sink: Sink<'a>,
    tally: Tally,
    partitions: [u32; 3],
    /// By topic and partition: ordinal of the next record.
    positions: [Vec<u64>; 3],
    /// By topic and partition: ordinals below are acknowledged already.
    skip: [Vec<u64>; 3],
    lasts: [Vec<Option<Last>>; 3],
    produced_at: i64,
    value: Vec<u8>,
    failed: Option<Error>,
}

impl<'a> Pipeline<'a> {
    pub(crate) fn new(
        spec: WorldSpec,
        sink: Sink<'a>,
        skip: [Vec<u64>; 3],
        lasts: [Vec<Option<Last>>; 3],
    ) -> Self {
        let sender = Sender {
            encoder: Encoder::new(&spec),
            sink,
            tally: Tally::new(&spec),
            partitions: spec.partitions,
            positions: spec.partitions.map(|count| vec![0; count as usize]),
            skip,
            lasts,
            produced_at: 0,
            value: Vec::with_capacity(1_024),
            failed: None,
        };
        Self {
            faults: Faults::new(spec.seed),
            world: World::new(spec),
            sender,
        }
    }

    /// Simulates up to `until` (exclusive) and sends what happens.
    pub(crate) fn run(&mut self, until: i64) -> Result<(), Error> {
        self.sender.produced_at = clock::now_ms();
        let Self {
            world,
            faults,
            sender,
        } = self;
        let phases = world.spec.phases.clone();
        let mut current = 0;
        world.run(until, &mut |event: Event| {
            while phases
                .get(current + 1)
                .is_some_and(|next| next.from <= event.at)
            {
                current += 1;
            }
            let rates: &FaultRates = &phases[current].faults;
            faults.push(event, rates, &mut |record| sender.send(record));
        });
        faults.release_before(until, &mut |record| sender.send(record));
        match sender.failed.take() {
            Some(error) => Err(error),
            None => sender.poll(),
        }
    }

    /// Waits for the last acknowledgements.
    pub(crate) fn finish(&mut self) -> Result<(), Error> {
        let sender = &mut self.sender;
        match &mut sender.sink {
            Sink::Kafka(kafka) => kafka.finish(&mut sender.tally),
            Sink::Ndjson(out, path) => out.flush().map_err(|source| Error::Write {
                path: path.clone(),
                source,
            }),
            Sink::Nowhere => Ok(()),
        }
    }

    /// After a failure: lets go of what is on the way.
    pub(crate) fn abandon(&mut self) {
        if let Sink::Kafka(kafka) = &mut self.sender.sink {
            kafka.abandon(&mut self.sender.tally);
        }
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.sender.tally
    }

    /// Takes in acknowledgements without simulating anything.
    pub(crate) fn poll(&mut self) -> Result<(), Error> {
        self.sender.poll()
    }
}

impl Sender<'_> {
    fn send(&mut self, record: Record) {
        if self.failed.is_none()
            && let Err(error) = self.try_send(record)
        {
            self.failed = Some(error);
        }
    }

    fn try_send(&mut self, record: Record) -> Result<(), Error> {
        let topic = record.event.topic() as usize;
        let key = self.encoder.identity.key(&record.event);
        let partition = partition(key.as_bytes(), self.partitions[topic]);
        let ordinal = self.positions[topic][partition];
        self.positions[topic][partition] += 1;
        let skip = self.skip[topic][partition];
        if ordinal < skip {
            if ordinal + 1 == skip {
                self.check_replay(topic, partition, key.as_bytes(), &record)?;
            }
            self.tally.count(&record, partition);
            return Ok(());
        }
        self.encoder
            .encode(&record, self.produced_at, &mut self.value);
        match &mut self.sink {
            Sink::Kafka(kafka) => {
                let place = (topic, partition, ordinal);
                return kafka.send(record, place, key.as_bytes(), &self.value, &mut self.tally);
            }
            Sink::Ndjson(out, path) => {
                ndjson::write(out, &record, partition, key.as_bytes(), &self.value).map_err(
                    |source| Error::Write {
                        path: path.clone(),
                        source,
                    },
                )?;
            }
            Sink::Nowhere => {}
        }
        self.tally.count(&record, partition);
        Ok(())
    }

    /// The last record in a partition must be the replayed one.
    fn check_replay(
        &self,
        topic: usize,
        partition: usize,
        key: &[u8],
        record: &Record,
    ) -> Result<(), Error> {
        let Some(last) = &self.lasts[topic][partition] else {
            return Ok(());
        };
        if last.key == key && last.at == record.at {
            return Ok(());
        }
        Err(Error::ForeignRecords {
            topic: crate::event::TOPICS[topic].to_owned(),
            partition,
            what: format!(
                "the last one is about {}, the replay of its world has {} there",
                String::from_utf8_lossy(&last.key),
                String::from_utf8_lossy(key)
            ),
        })
    }

    fn poll(&mut self) -> Result<(), Error> {
        match &mut self.sink {
            Sink::Kafka(kafka) => kafka.poll(std::time::Duration::ZERO, &mut self.tally),
            Sink::Ndjson(..) | Sink::Nowhere => Ok(()),
        }
    }
}

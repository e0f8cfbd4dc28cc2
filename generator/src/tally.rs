//! Counts acknowledged records; [`Tally::truth`] makes the report of them.
//!
//! Flat arrays by city and day: this runs once per record, at a million records a few seconds.

use std::collections::BTreeMap;

use crate::city::{self, City};
use crate::driver::DAY;
use crate::event::{Body, EVENT_TYPES, RideStep, TOPICS};
use crate::fault::{DAMAGE_NAMES, DAMAGES, Record, Sending};
use crate::spec::WorldSpec;
use crate::time_text::time_text;
use crate::truth::{DayCount, RideCounts, TopicTruth, Truth};

/// Ride steps, plus rides seen at all.
const RIDE_COLUMNS: usize = 13;
const RIDES: usize = 12;

#[derive(Clone, Default)]
struct TopicTally {
    by_partition: Vec<u64>,
    malformed: u64,
    by_type: [u64; 12],
    by_city: Vec<u64>,
    by_day: Vec<DayCount>,
}

/// One city, one day.
#[derive(Clone, Copy, Default)]
struct Cell {
    rides: [u64; RIDE_COLUMNS],
    /// Completed rides by day of the request: total, tip, driver pay.
    fares: [i64; 3],
    /// Adjustments by their own day: count, cents, driver pay.
    adjustments: [i64; 3],
}

pub(crate) struct Tally {
    spec: WorldSpec,
    cities: Vec<&'static City>,
    first_day: i64,
    topics: [TopicTally; 3],
    sent: [u64; 3],
    damaged: [u64; DAMAGES.len()],
    /// By city, then day.
    cells: Vec<Vec<Cell>>,
    /// One bit per ride: has had an event.
    seen: Vec<u64>,
}

impl Tally {
    pub(crate) fn new(spec: &WorldSpec) -> Self {
        let cities: Vec<_> = spec
            .cities
            .iter()
            .filter_map(|c| city::find(&c.slug))
            .collect();
        let topics = std::array::from_fn(|topic| TopicTally {
            by_partition: vec![0; spec.partitions[topic] as usize],
            by_city: vec![0; cities.len()],
            ..TopicTally::default()
        });
        Self {
            spec: spec.clone(),
            first_day: spec.start.div_euclid(DAY),
            topics,
            sent: [0; 3],
            damaged: [0; DAMAGES.len()],
            cells: vec![Vec::new(); cities.len()],
            cities,
            seen: Vec::new(),
        }
    }

    /// Counts one acknowledged record.
    pub(crate) fn count(&mut self, record: &Record, partition: usize) {
        let event = &record.event;
        let topic = &mut self.topics[event.topic() as usize];
        topic.by_partition[partition] += 1;
        let day = (event.at.div_euclid(DAY) - self.first_day) as usize;
        if topic.by_day.len() <= day {
            topic.by_day.resize(day + 1, DayCount::default());
        }
        match record.sending {
            Sending::Malformed(damage) => {
                topic.malformed += 1;
                self.damaged[damage as usize] += 1;
                return;
            }
            Sending::Duplicate => {
                topic.by_day[day].valid += 1;
                self.sent[0] += 1;
                return;
            }
            Sending::Late => self.sent[1] += 1,
            Sending::OutOfOrder => self.sent[2] += 1,
            Sending::Original => {}
        }
        topic.by_day[day].valid += 1;
        topic.by_day[day].distinct_event_ids += 1;
        topic.by_type[event.kind()] += 1;
        topic.by_city[usize::from(event.city)] += 1;
        if let Body::Ride(facts, step) = &event.body {
            let requested = (facts.requested_at.div_euclid(DAY) - self.first_day) as usize;
            let first = self.see(facts.ride);
            let cell = self.cell(event.city, requested);
            cell.rides[RIDES] += u64::from(first);
            cell.rides[step.kind()] += 1;
            if let RideStep::RideCompleted(fare) = step {
                cell.fares[0] += i64::from(fare.total);
                cell.fares[1] += i64::from(fare.tip);
                cell.fares[2] += i64::from(fare.driver_pay);
            }
            if let RideStep::FareAdjusted {
                adjustment,
                driver_pay_adjustment,
                ..
            } = step
            {
                let cell = self.cell(event.city, day);
                cell.adjustments[0] += 1;
                cell.adjustments[1] += i64::from(*adjustment);
                cell.adjustments[2] += i64::from(*driver_pay_adjustment);
            }
        }
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.topics
            .iter()
            .flat_map(|topic| &topic.by_partition)
            .sum()
    }

    fn cell(&mut self, city: u8, day: usize) -> &mut Cell {
        let days = &mut self.cells[usize::from(city)];
        if days.len() <= day {
            days.resize(day + 1, Cell::default());
        }
        &mut days[day]
    }

    /// Notes the ride; true the first time.
    fn see(&mut self, ride: u64) -> bool {
        let (word, bit) = ((ride / 64) as usize, 1u64 << (ride % 64));
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        let first = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        first
    }

    fn day_name(&self, day: usize) -> String {
        time_text((self.first_day + day as i64) * DAY)[..10].to_owned()
    }

    /// The report; `until` is the simulated time that was reached.
    pub(crate) fn truth(&self, until: i64) -> Truth {
        let mut truth = Truth {
            seed: self.spec.seed,
            world: self.spec.fingerprint(),
            start: time_text(self.spec.start),
            until: time_text(until),
            ..Truth::default()
        };
        for (index, topic) in self.topics.iter().enumerate() {
            truth
                .topics
                .insert(TOPICS[index].to_owned(), self.topic_truth(index, topic));
        }
        truth.faults.duplicate = self.sent[0];
        truth.faults.late = self.sent[1];
        truth.faults.out_of_order = self.sent[2];
        for (name, count) in DAMAGE_NAMES.iter().zip(self.damaged) {
            truth.faults.malformed.insert((*name).to_owned(), count);
        }
        for (city, days) in self.cities.iter().zip(&self.cells) {
            for (day, cell) in days.iter().enumerate() {
                self.add_cell(&mut truth, city, &self.day_name(day), cell);
            }
        }
        truth
    }

    fn topic_truth(&self, index: usize, topic: &TopicTally) -> TopicTruth {
        let acknowledged = topic.by_partition.iter().sum();
        let days = topic
            .by_day
            .iter()
            .enumerate()
            .filter(|(_, count)| count.valid > 0);
        TopicTruth {
            acknowledged,
            valid: acknowledged - topic.malformed,
            malformed: topic.malformed,
            distinct_event_ids: topic.by_day.iter().map(|day| day.distinct_event_ids).sum(),
            by_partition: topic.by_partition.clone(),
            by_type: EVENT_TYPES[index]
                .iter()
                .zip(topic.by_type)
                .map(|(name, count)| ((*name).to_owned(), count))
                .collect(),
            by_city: self
                .cities
                .iter()
                .zip(&topic.by_city)
                .map(|(city, count)| (city.slug.to_owned(), *count))
                .collect(),
            by_day: days
                .map(|(day, count)| (self.day_name(day), *count))
                .collect(),
        }
    }

    fn add_cell(&self, truth: &mut Truth, city: &City, day: &str, cell: &Cell) {
        let slug = city.slug;
        if cell.rides[RIDES] > 0 {
            let rides = &mut truth.rides;
            rides.total.add(&cell.rides);
            rides
                .by_city
                .entry(slug.to_owned())
                .or_default()
                .add(&cell.rides);
            rides
                .by_day
                .entry(day.to_owned())
                .or_default()
                .add(&cell.rides);
        }
        let completed = cell.rides[7];
        if completed > 0 {
            let currency = city.tariff.currency;
            let fares = &mut truth.fares;
            for sums in [
                fares.by_currency.entry(currency.to_owned()).or_default(),
                fares.by_city.entry(slug.to_owned()).or_default(),
                nested(&mut fares.by_city_day, slug, day),
            ] {
                currency.clone_into(&mut sums.currency);
                sums.rides += completed;
                sums.total_cents += cell.fares[0];
                sums.tip_cents += cell.fares[1];
                sums.driver_pay_cents += cell.fares[2];
            }
        }
        if cell.adjustments[0] > 0 {
            let adjustments = &mut truth.adjustments;
            adjustments.count += cell.adjustments[0] as u64;
            for sums in [
                adjustments.by_city.entry(slug.to_owned()).or_default(),
                nested(&mut adjustments.by_city_day, slug, day),
            ] {
                city.tariff.currency.clone_into(&mut sums.currency);
                sums.count += cell.adjustments[0] as u64;
                sums.adjustment_cents += cell.adjustments[1];
                sums.driver_pay_adjustment_cents += cell.adjustments[2];
            }
        }
    }
}

fn nested<'a, T: Default>(
    map: &'a mut BTreeMap<String, BTreeMap<String, T>>,
    outer: &str,
    inner: &str,
) -> &'a mut T {
    map.entry(outer.to_owned())
        .or_default()
        .entry(inner.to_owned())
        .or_default()
}

impl RideCounts {
    fn add(&mut self, rides: &[u64; RIDE_COLUMNS]) {
        let fields = [
            &mut self.requested,
            &mut self.offered,
            &mut self.declined,
            &mut self.driver_assigned,
            &mut self.driver_en_route,
            &mut self.driver_arrived,
            &mut self.ride_started,
            &mut self.ride_completed,
            &mut self.cancelled_by_rider,
            &mut self.cancelled_by_driver,
            &mut self.no_driver_found,
            &mut self.fare_adjusted,
            &mut self.rides,
        ];
        for (field, count) in fields.into_iter().zip(rides) {
            *field += count;
        }
        let ended = self.ride_completed
            + self.cancelled_by_rider
            + self.cancelled_by_driver
            + self.no_driver_found;
        self.active = self.rides - ended;
    }
}

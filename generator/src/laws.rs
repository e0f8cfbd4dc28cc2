//! What holds in every world, whatever the seed: checked against random worlds.
//!
//! The legal orders are written down here once more, by hand, so that a mistake in the
//! simulation's own tables shows.

mod book;

use std::collections::HashMap;

use proptest::prelude::*;

use self::book::Laws;
use crate::city;
use crate::driver::{DAY, HOUR, MINUTE};
use crate::event::{Body, Event, RideStep, VehicleStep};
use crate::fault::{FaultRates, Faults, Record, Sending};
use crate::spec::{CitySpec, Phase, SIMULATION, WorldSpec};
use crate::world::World;

/// A Thursday's midnight.
const START: i64 = 1_791_417_600_000;

fn spec(seed: u64, cities: usize, rides_per_day: f64, phases: &[(i64, Option<f64>)]) -> WorldSpec {
    let first = (0, None);
    let phases = std::iter::once(&first).chain(phases);
    WorldSpec {
        simulation: SIMULATION,
        seed,
        start: START,
        cities: city::CITIES[..cities]
            .iter()
            .map(|city| CitySpec {
                slug: city.slug.to_owned(),
                rides_per_day,
            })
            .collect(),
        partitions: [6; 3],
        ping_seconds: 1_800,
        schema_v2_from: None,
        phases: phases
            .map(|(after, rate)| Phase {
                from: START + after,
                rate: *rate,
                faults: FaultRates::DEFAULT,
            })
            .collect(),
    }
}

fn simulate(spec: &WorldSpec, steps: &[i64]) -> Vec<Event> {
    let mut world = World::new(spec.clone());
    let mut events = Vec::new();
    for after in steps {
        world.run(START + after, &mut |event| events.push(event));
    }
    events
}

fn records(spec: &WorldSpec, steps: &[i64]) -> Vec<Record> {
    let mut world = World::new(spec.clone());
    let mut faults = Faults::new(spec.seed);
    let rates: FaultRates = "duplicates=0.05,late=0.05,out_of_order=0.05,malformed=0.05"
        .parse()
        .expect("legal");
    let mut records = Vec::new();
    for after in steps {
        let until = START + after;
        world.run(until, &mut |event| {
            faults.push(event, &rates, &mut |r| records.push(r))
        });
        faults.release_before(until, &mut |r| records.push(r));
    }
    records
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_world_is_lawful(
        seed: u64,
        cities in 1usize..=8,
        rides in 20.0f64..900.0,
        hours in 2i64..40,
        rate in prop::option::of(0.5f64..60.0),
        again: bool,
    ) {
        let mut phases = Vec::new();
        if rate.is_some() {
            phases.push((hours * HOUR / 2 + 137, rate));
        }
        if again {
            phases.push((hours * HOUR * 3 / 4 + 1, None));
        }
        let spec = spec(seed, cities, rides, &phases);
        let mut laws = Laws::default();
        let mut world = World::new(spec);
        world.run(START + hours * HOUR, &mut |event| laws.check(&event));
    }

    #[test]
    fn a_shorter_run_is_a_prefix(
        seed: u64,
        first in 1i64..20 * HOUR,
        more in 1i64..6 * HOUR,
        live in 1i64..20 * HOUR,
    ) {
        let whole = spec(seed, 2, 300.0, &[(live, Some(3.0))]);
        let long = simulate(&whole, &[first + more]);
        prop_assert_eq!(&simulate(&whole, &[first, first + more]), &long);
        let short = simulate(&whole, &[first]);
        prop_assert_eq!(&short[..], &long[..short.len()]);
        // a phase that comes later changes nothing before it
        let without = simulate(&spec(seed, 2, 300.0, &[]), &[live]);
        let before = simulate(&whole, &[live]);
        prop_assert_eq!(without, before);
    }

    #[test]
    fn records_keep_every_event_and_their_order(
        seed: u64,
        first in 1i64..30 * HOUR,
        more in 1i64..30 * HOUR,
    ) {
        let spec = spec(seed, 1, 300.0, &[]);
        let long = records(&spec, &[first + more]);
        prop_assert_eq!(&records(&spec, &[first, first + more]), &long);
        let short = records(&spec, &[first]);
        prop_assert_eq!(&short[..], &long[..short.len()]);
        let mut clean = HashMap::new();
        for (index, record) in long.iter().enumerate() {
            prop_assert!(index == 0 || long[index - 1].at <= record.at);
            prop_assert!(record.at >= record.event.at);
            match record.sending {
                Sending::Duplicate | Sending::Malformed(_) => {
                    prop_assert!(clean.contains_key(&record.event.serial));
                }
                Sending::Late => prop_assert!(record.at - record.event.at <= 30 * HOUR),
                Sending::OutOfOrder => prop_assert!(record.at - record.event.at <= 5 * MINUTE),
                Sending::Original => prop_assert_eq!(record.at, record.event.at),
            }
            if !matches!(record.sending, Sending::Duplicate | Sending::Malformed(_)) {
                prop_assert_eq!(clean.insert(record.event.serial, ()), None);
            }
        }
        // what is missing is still held back
        let events = simulate(&spec, &[first + more]);
        for event in events {
            let due = START + first + more - 30 * HOUR;
            prop_assert!(clean.contains_key(&event.serial) || event.at >= due);
        }
    }
}

/// Events by second of a phase that begins after two hours.
fn live_seconds(rate: f64, seconds: i64) -> (Vec<u32>, Vec<Event>) {
    let spec = spec(7, 5, 450.0, &[(2 * HOUR, Some(rate))]);
    let events = simulate(&spec, &[2 * HOUR + seconds * 1_000]);
    let mut counts = vec![0; seconds as usize];
    let live: Vec<Event> = events
        .into_iter()
        .filter(|event| event.at >= START + 2 * HOUR)
        .collect();
    for event in &live {
        counts[((event.at - START - 2 * HOUR) / 1_000) as usize] += 1;
    }
    (counts, live)
}

#[test]
fn a_live_phase_holds_its_rate() {
    for rate in [20.0, 200.0] {
        let (counts, live) = live_seconds(rate, 3_600);
        for (tenth, window) in counts.chunks(10).enumerate() {
            let mean = f64::from(window.iter().sum::<u32>()) / 10.0;
            // the fleet has to be hired first
            let allowed = [0.6, 0.35, 0.35].get(tenth).copied().unwrap_or(0.2);
            assert!(
                (mean / rate - 1.0).abs() < allowed,
                "{mean} instead of {rate} in {tenth}"
            );
        }
        let all = live.len() as f64 / counts.len() as f64;
        assert!((all / rate - 1.0).abs() < 0.03, "{all} instead of {rate}");
        let pings = live
            .iter()
            .filter(|event| event.event_type() == "location")
            .count();
        assert!(
            pings as f64 / live.len() as f64 <= 0.40,
            "{pings} of {} are pings",
            live.len()
        );
        let done = live
            .iter()
            .filter(|event| event.event_type() == "ride_completed")
            .count();
        assert!(
            done as f64 / live.len() as f64 > 0.02,
            "{done} rides in {} events",
            live.len()
        );
    }
}

#[test]
fn two_weeks_are_calibrated() {
    let events = simulate(&spec(42, 5, 450.0, &[]), &[14 * DAY]);
    let mut counts: HashMap<&str, f64> = HashMap::new();
    let mut requested = HashMap::new();
    let mut waits = Vec::new();
    let mut since: HashMap<u32, (&str, i64)> = HashMap::new();
    let (mut online, mut occupied) = (0, 0);
    let mut weekly: HashMap<u32, i64> = HashMap::new();
    for event in &events {
        *counts.entry(event.event_type()).or_default() += 1.0;
        match event.body {
            Body::Ride(facts, RideStep::Requested { .. }) => {
                requested.insert(facts.ride, event.at);
            }
            Body::Ride(facts, RideStep::DriverArrived) => {
                waits.push(event.at - requested[&facts.ride]);
            }
            Body::Vehicle(_, VehicleStep::Location { .. } | VehicleStep::Registered) => {}
            Body::Vehicle(vehicle, _) => {
                if let Some((status, from)) = since.insert(vehicle, (event.event_type(), event.at))
                {
                    let time = event.at - from;
                    if status != "offline" && status != "maintenance" {
                        online += time;
                        *weekly.entry(vehicle).or_default() += time / 2;
                    }
                    if status == "en_route" || status == "on_trip" {
                        occupied += time;
                    }
                }
            }
            _ => {}
        }
    }
    let ended = counts["ride_completed"]
        + counts["cancelled_by_rider"]
        + counts["cancelled_by_driver"]
        + counts["no_driver_found"];
    let in_range = |name: &str, value: f64, low: f64, high: f64| {
        assert!(
            (low..high).contains(&value),
            "{name}: {value} is not in {low}..{high}"
        );
    };
    in_range(
        "completion rate",
        counts["ride_completed"] / ended,
        0.78,
        0.90,
    );
    in_range(
        "requests a city and day",
        counts["requested"] / 70.0,
        400.0,
        450.0,
    );
    in_range("utilisation", occupied as f64 / online as f64, 0.50, 0.60);
    in_range(
        "part of pings",
        counts["location"] / events.len() as f64,
        0.03,
        0.40,
    );
    waits.sort_unstable();
    let mean = waits.iter().sum::<i64>() as f64 / waits.len() as f64 / 60_000.0;
    in_range("mean minutes to arrival", mean, 3.0, 5.3);
    in_range(
        "median minutes to arrival",
        waits[waits.len() / 2] as f64 / 60_000.0,
        3.0,
        4.5,
    );
    let few = weekly.values().filter(|time| **time < 20 * HOUR).count() as f64;
    in_range(
        "drivers under 20 hours a week",
        few / weekly.len() as f64,
        0.85,
        0.97,
    );
}

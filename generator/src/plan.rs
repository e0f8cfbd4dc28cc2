//! Decides what a run does: which world, which phases, until when. Pure.

use crate::args::GenerateArgs;
use crate::city;
use crate::driver::{DAY, MINUTE};
use crate::error::Error;
use crate::fault::FaultRates;
use crate::spec::{CitySpec, Phase, SIMULATION, WorldSpec};
use crate::time_text::time_text;

/// A live phase that was interrupted for longer than this is not made up for event by event: the
/// gap gets the daily demand instead.
const LONGEST_GAP: i64 = 10 * MINUTE;
const DEFAULT_SEED: u64 = 42;
const DEFAULT_RATE: f64 = 100.0;
/// So that a day has 400 requests in every city and 45 days of five cities a million events.
const DEFAULT_RIDES_PER_DAY: f64 = 450.0;
const DEFAULT_PING_SECONDS: u32 = 2_400;

/// What the topics say of their world.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) spec: WorldSpec,
    /// Simulated time of the last record that is there.
    pub(crate) last_at: i64,
}

/// A run that was decided on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) spec: WorldSpec,
    /// Simulated time to stop at (exclusive); `i64::MAX`: when told to.
    pub(crate) until: i64,
    /// Follow the wall clock.
    pub(crate) live: bool,
    /// Simulated time that is only replayed.
    pub(crate) replay_until: i64,
}

/// `partitions` are those of the topics; `now` is the wall clock's.
pub(crate) fn plan(
    args: &GenerateArgs,
    recorded: Option<Recorded>,
    partitions: [u32; 3],
    now: i64,
) -> Result<Run, Error> {
    check_numbers(args)?;
    let (mut spec, last_at) = match recorded {
        Some(recorded) => {
            let last_at = recorded.last_at;
            (continued(args, recorded, partitions)?, Some(last_at))
        }
        None => (begun(args, partitions, now)?, None),
    };
    let earliest = last_at.map_or(spec.start, |at| at + 1);
    let live_from = now.max(earliest);
    add_phases(args, &mut spec, last_at, live_from);
    let until = match (args.until, args.for_) {
        (Some(until), _) => until.timestamp_millis(),
        (None, Some(length)) => live_from + length.as_millis() as i64,
        (None, None) if args.live => i64::MAX,
        (None, None) => now,
    };
    if !args.live && until > now {
        return Err(argument(
            format!("--until {} is in the future", time_text(until)),
            "add --live to wait for it",
        ));
    }
    if until <= spec.start {
        return Err(argument(
            format!(
                "--until {} is not after the start {}",
                time_text(until),
                time_text(spec.start)
            ),
            "give a later --until or a longer --history",
        ));
    }
    Ok(Run {
        spec,
        until: until.max(earliest),
        live: args.live,
        replay_until: earliest,
    })
}

fn check_numbers(args: &GenerateArgs) -> Result<(), Error> {
    if args
        .rate
        .is_some_and(|rate| !(0.1..=1_000_000.0).contains(&rate))
    {
        return Err(argument(
            "--rate is out of range",
            "give 0.1 to 1000000 events a second",
        ));
    }
    if args
        .speed
        .is_some_and(|speed| !(1.0..=1e9).contains(&speed))
    {
        return Err(argument(
            "--speed is below 1",
            "leave it out, or give a number from 1 on",
        ));
    }
    if args
        .ping_seconds
        .is_some_and(|seconds| !(60..=86_400).contains(&seconds))
    {
        return Err(argument(
            "--ping-seconds is out of range",
            "give 60 to 86400 seconds",
        ));
    }
    Ok(())
}

fn begun(args: &GenerateArgs, partitions: [u32; 3], now: i64) -> Result<WorldSpec, Error> {
    let start = match (args.start, args.history) {
        (Some(start), _) => start.timestamp_millis(),
        (None, Some(history)) => (now - history.as_millis() as i64).div_euclid(DAY) * DAY,
        (None, None) if args.live => now.div_euclid(1_000) * 1_000,
        (None, None) => {
            return Err(argument(
                "there is no world yet, and nothing says when it begins",
                "give --history 45d, --live, or both",
            ));
        }
    };
    let faults = args.faults.map_or(FaultRates::DEFAULT, |faults| faults.0);
    Ok(WorldSpec {
        simulation: SIMULATION,
        seed: args.seed.unwrap_or(DEFAULT_SEED),
        start,
        cities: cities(args)?,
        partitions,
        ping_seconds: args.ping_seconds.unwrap_or(DEFAULT_PING_SECONDS),
        schema_v2_from: args.schema_v2_from.map(|at| at.timestamp_millis()),
        phases: vec![Phase {
            from: start,
            rate: None,
            faults,
        }],
    })
}

fn cities(args: &GenerateArgs) -> Result<Vec<CitySpec>, Error> {
    let slugs: Vec<String> = match &args.cities {
        Some(slugs) => slugs.iter().map(|slug| slug.trim().to_owned()).collect(),
        None => {
            let first = &city::CITIES[..city::DEFAULT_CITIES];
            first.iter().map(|city| city.slug.to_owned()).collect()
        }
    };
    let known = || {
        city::CITIES
            .iter()
            .map(|c| c.slug)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut specs: Vec<CitySpec> = Vec::new();
    for slug in slugs {
        if city::find(&slug).is_none() {
            let hint = format!("known are {}", known());
            return Err(argument(format!("--cities: `{slug}` is unknown"), hint));
        }
        if specs.iter().any(|spec| spec.slug == slug) {
            return Err(argument(
                format!("--cities: `{slug}` twice"),
                "name each city once",
            ));
        }
        specs.push(CitySpec {
            slug,
            rides_per_day: DEFAULT_RIDES_PER_DAY,
        });
    }
    if let Some(text) = &args.rides_per_day {
        set_rides(text, &mut specs)?;
    }
    Ok(specs)
}

fn set_rides(text: &str, specs: &mut [CitySpec]) -> Result<(), Error> {
    for part in text.split(',') {
        let (slug, number) = part
            .split_once('=')
            .map_or((None, part), |(s, n)| (Some(s), n));
        let rides: Option<f64> = number.trim().parse().ok();
        let Some(rides) = rides.filter(|rides| (1.0..=10_000_000.0).contains(rides)) else {
            return Err(argument(
                format!("--rides-per-day: `{part}` has no usable number"),
                "say it like 430 or 430,london=900",
            ));
        };
        let mut found = false;
        for spec in specs.iter_mut() {
            if slug.is_none_or(|slug| slug.trim() == spec.slug) {
                spec.rides_per_day = rides;
                found = true;
            }
        }
        if !found {
            return Err(argument(
                format!("--rides-per-day: `{part}` names a city that isn't simulated"),
                "add it to --cities",
            ));
        }
    }
    Ok(())
}

fn continued(
    args: &GenerateArgs,
    recorded: Recorded,
    partitions: [u32; 3],
) -> Result<WorldSpec, Error> {
    let Recorded { mut spec, last_at } = recorded;
    if spec.simulation != SIMULATION {
        return Err(Error::Simulation {
            recorded: spec.simulation,
            own: SIMULATION,
        });
    }
    let contradiction = |flag, wanted: String, recorded: String| {
        if wanted == recorded {
            return Ok(());
        }
        Err(Error::Contradiction {
            flag,
            wanted,
            recorded,
        })
    };
    if partitions != spec.partitions {
        let (now, then) = (format!("{partitions:?}"), format!("{:?}", spec.partitions));
        contradiction("the topics' number of partitions", now, then)?;
    }
    if let Some(seed) = args.seed {
        contradiction("--seed", seed.to_string(), spec.seed.to_string())?;
    }
    if let Some(start) = args.start {
        contradiction(
            "--start",
            time_text(start.timestamp_millis()),
            time_text(spec.start),
        )?;
    }
    if args.cities.is_some() || args.rides_per_day.is_some() {
        let wanted = cities(&GenerateArgs {
            cities: args
                .cities
                .clone()
                .or_else(|| Some(spec.cities.iter().map(|city| city.slug.clone()).collect())),
            ..args.clone()
        })?;
        let slugs = |specs: &[CitySpec]| {
            specs
                .iter()
                .map(|c| c.slug.clone())
                .collect::<Vec<_>>()
                .join(",")
        };
        contradiction("--cities", slugs(&wanted), slugs(&spec.cities))?;
        if args.rides_per_day.is_some() {
            let rides = |specs: &[CitySpec]| {
                let each = specs
                    .iter()
                    .map(|c| format!("{}={}", c.slug, c.rides_per_day));
                each.collect::<Vec<_>>().join(",")
            };
            contradiction("--rides-per-day", rides(&wanted), rides(&spec.cities))?;
        }
    }
    if let Some(seconds) = args.ping_seconds {
        contradiction(
            "--ping-seconds",
            seconds.to_string(),
            spec.ping_seconds.to_string(),
        )?;
    }
    if let Some(from) = args.schema_v2_from.map(|at| at.timestamp_millis()) {
        let free = spec.schema_v2_from.is_none_or(|old| old > last_at) && from > last_at;
        if !free && spec.schema_v2_from != Some(from) {
            let recorded = spec
                .schema_v2_from
                .map_or("version 1 so far".to_owned(), time_text);
            contradiction("--schema-v2-from", time_text(from), recorded)?;
        }
        spec.schema_v2_from = Some(from);
    }
    // a phase that was only planned when the run before was stopped
    spec.phases.retain(|phase| phase.from <= last_at);
    Ok(spec)
}

/// Appends the phases that this run needs; those that are there stay as they are.
fn add_phases(args: &GenerateArgs, spec: &mut WorldSpec, last_at: Option<i64>, live_from: i64) {
    let current = *spec.current();
    let faults = args.faults.map_or(current.faults, |faults| faults.0);
    let earliest = last_at.map_or(spec.start, |at| at + 1);
    if !args.live {
        if last_at.is_some() && (current.rate.is_some() || current.faults != faults) {
            spec.phases.push(Phase {
                from: earliest,
                rate: None,
                faults,
            });
        }
        return;
    }
    let rate = args.rate.or(current.rate).unwrap_or(DEFAULT_RATE);
    let wanted = Phase {
        from: live_from,
        rate: Some(rate),
        faults,
    };
    if current.rate.is_some() {
        if live_from - earliest <= LONGEST_GAP {
            if current.rate != wanted.rate || current.faults != faults {
                spec.phases.push(Phase {
                    from: earliest,
                    ..wanted
                });
            }
            return;
        }
        spec.phases.push(Phase {
            from: earliest,
            rate: None,
            faults: current.faults,
        });
    }
    if spec.current().from < live_from {
        spec.phases.push(wanted);
    } else {
        *spec.phases.last_mut().expect("invariant: never empty") = wanted;
    }
}

fn argument(what: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::Argument {
        what: what.into(),
        hint: hint.into(),
    }
}

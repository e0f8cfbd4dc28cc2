//! However many schedulers look, each tick fires once.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use orchestrator::clock::{Clock, ManualClock};
use orchestrator::jobs::parse;
use orchestrator::run::state::RunState;
use orchestrator::schedule::fire::fire_due;
use orchestrator::store::{Address, Store, runs, schedules, ticks};
use project::Secret;

use crate::bed::Bed;

async fn open(bed: &Bed, jobs: &str, now: DateTime<Utc>) -> Store {
    let store = Store::open(&Address::Url(Secret::new(bed.url())), 4)
        .await
        .unwrap();
    let jobs = parse(Path::new("jobs.yml"), jobs).unwrap();
    let mut connection = store.pool().acquire().await.unwrap();
    schedules::replace(&mut connection, "shop", &jobs, now)
        .await
        .unwrap();
    drop(connection);
    store
}

fn start() -> DateTime<Utc> {
    "2026-03-01T00:00:30Z".parse().unwrap()
}

const EVERY_MINUTE: &str = "
jobs:
  - name: minutely
    schedule: {cron: '* * * * *', time_zone: UTC}
    command: build
";

#[tokio::test(flavor = "multi_thread")]
async fn many_schedulers_fire_each_tick_once() {
    const TICKS: usize = 60;
    let bed = Bed::new();
    let clock = ManualClock::starting(start());
    let jobs = format!("{EVERY_MINUTE}    overlap: queue\n");
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(open(&bed, &jobs, clock.now()).await);
    }
    let mut fired = Vec::new();
    for _ in 0..TICKS {
        clock.advance(TimeDelta::minutes(1));
        let now = clock.now();
        let looks = stores.iter().map(|store| fire_due(store, "shop", now));
        for runs in futures::future::join_all(looks).await {
            fired.extend(runs.unwrap());
        }
    }
    assert_eq!(fired.len(), TICKS, "every tick fired, none twice");
    let stored = runs::list(stores[0].pool(), Some("minutely"), None, 1_000)
        .await
        .unwrap();
    let due: BTreeSet<_> = stored.iter().map(|run| run.due_at.unwrap()).collect();
    assert_eq!((stored.len(), due.len()), (TICKS, TICKS));
    assert_eq!(
        *due.first().unwrap(),
        "2026-03-01T00:01:00Z".parse::<DateTime<Utc>>().unwrap()
    );
}

#[tokio::test]
async fn a_busy_job_leaves_its_tick_out_and_says_so() {
    let bed = Bed::new();
    let store = open(&bed, EVERY_MINUTE, start()).await;
    let at = |minutes| start() + TimeDelta::minutes(minutes);
    let first = fire_due(&store, "shop", at(1)).await.unwrap();
    assert_eq!(first.len(), 1);
    assert!(fire_due(&store, "shop", at(2)).await.unwrap().is_empty());
    runs::end(store.pool(), first[0], RunState::Success, None, at(2))
        .await
        .unwrap();
    assert_eq!(fire_due(&store, "shop", at(3)).await.unwrap().len(), 1);
    let told: Vec<String> = ticks::latest(store.pool(), "shop", 10)
        .await
        .unwrap()
        .into_iter()
        .map(|tick| format!("{} {}", tick.due_at.format("%H:%M"), tick.decision))
        .collect();
    assert_eq!(told, ["00:03 fired", "00:02 overlapping", "00:01 fired"]);
}

#[tokio::test]
async fn a_scheduler_that_was_away_runs_the_latest_and_records_the_rest() {
    let bed = Bed::new();
    let store = open(&bed, EVERY_MINUTE, start()).await;
    let back = start() + TimeDelta::minutes(5);
    assert_eq!(fire_due(&store, "shop", back).await.unwrap().len(), 1);
    assert!(fire_due(&store, "shop", back).await.unwrap().is_empty());
    let decisions: Vec<String> = ticks::latest(store.pool(), "shop", 10)
        .await
        .unwrap()
        .into_iter()
        .map(|tick| tick.decision)
        .collect();
    assert_eq!(decisions, ["fired", "missed", "missed", "missed", "missed"]);
}

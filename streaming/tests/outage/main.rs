//! Servers killed and restarted under a running landing, on a small cluster of its own (`docker/stack`, stack
//! `outage`). Runs last and one test at a time: `cargo test --test outage -- --test-threads 1`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../it/bed.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod bed;
#[path = "../it/events.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod events;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bed::{Bed, DEADLINE, Servers, TOPICS};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// One controller, two brokers, Postgres.
struct Cluster {
    servers: Servers,
}

fn stack(arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docker/stack");
    let output = Command::new(script)
        .args(arguments)
        .env("STACK", "outage")
        .env("RIDEHAIL_KAFKA_SIZE", "1+2")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("docker/stack runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "docker/stack {arguments:?}: {said}"
    );
    said
}

impl Cluster {
    fn up() -> Self {
        stack(&["up", "postgres", "kafka"]);
        let exports = stack(&["env"]);
        let value = |name: &str| {
            let start = format!("export {name}=");
            let line = exports.lines().find_map(|line| line.strip_prefix(&start));
            line.unwrap_or_else(|| panic!("{name} not in {exports}"))
                .trim_matches('\'')
                .to_owned()
        };
        Self {
            servers: Servers {
                database_url: value("RIDEHAIL_DATABASE_URL"),
                brokers: value("RIDEHAIL_KAFKA_BROKERS"),
                replicas: Some(2),
            },
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        stack(&["clean"]);
    }
}

/// Sends events to every topic until told to stop; returns how many to each. Waits for brokers that are away.
fn produce_on(bed: &Arc<Bed>, stop: &Arc<AtomicBool>) -> tokio::task::JoinHandle<u32> {
    let (bed, stop) = (Arc::clone(bed), Arc::clone(stop));
    tokio::task::spawn_blocking(move || {
        let mut n = 0;
        while !stop.load(Ordering::SeqCst) {
            for topic in TOPICS {
                bed.produce(topic, &events::events(n..n + 200));
            }
            n += 200;
            std::thread::sleep(Duration::from_millis(20));
        }
        n
    })
}

/// Lands while `harm` is done, then proves that nothing was lost or doubled.
async fn survive(harm: impl AsyncFnOnce(&Bed)) {
    let cluster = Cluster::up();
    let bed = Arc::new(Bed::on(&cluster.servers).await);
    let mut args = bed.args();
    args.until_caught_up = false;
    let cancel = CancellationToken::new();
    let landing = tokio::spawn(streaming::landing::run(args, cancel.clone()));
    let stop = Arc::new(AtomicBool::new(false));
    let producing = produce_on(&bed, &stop);
    grows(&bed).await;

    harm(&bed).await;

    stop.store(true, Ordering::SeqCst);
    let sent = producing.await.unwrap();
    let deadline = Instant::now() + DEADLINE;
    let landed = AtomicU32::new(0);
    while landed.load(Ordering::SeqCst) < sent {
        assert!(
            Instant::now() < deadline,
            "{} of {sent} landed",
            landed.load(Ordering::SeqCst)
        );
        assert!(!landing.is_finished(), "landing ended: {:?}", landing.await);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let count = bed
            .count("select count(distinct event_id) from raw.vehicle_events")
            .await;
        landed.store(count.try_into().unwrap(), Ordering::SeqCst);
    }
    // The same process went on through it all.
    cancel.cancel();
    tokio::time::timeout(DEADLINE, landing)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    bed.land().await;
    bed.assert_exactly_once().await;
}

/// Waits until rows land that were not there when it was called.
async fn grows(bed: &Bed) {
    let rows = || async {
        let count = sqlx::query_scalar::<_, i64>("select count(*) from raw.vehicle_events");
        count.fetch_one(&bed.pool).await.ok()
    };
    let deadline = Instant::now() + DEADLINE;
    let mut before = None;
    loop {
        let now = rows().await;
        if before.is_some() && now > before {
            return;
        }
        before = before.or(now);
        assert!(Instant::now() < deadline, "landing does not go on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_killed_and_restarted() {
    survive(async |bed| {
        for _ in 0..2 {
            stack(&["kill", "postgres"]);
            stack(&["up", "postgres"]);
            grows(bed).await;
        }
        stack(&["restart", "postgres"]);
        grows(bed).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_are_killed_one_after_the_other_and_all_at_once() {
    survive(async |bed| {
        for broker in ["kafka-1", "kafka-2"] {
            stack(&["kill", broker]);
            stack(&["up", "kafka"]);
            grows(bed).await;
        }
        stack(&["kill", "kafka"]);
        stack(&["up", "kafka"]);
        grows(bed).await;
    })
    .await;
}

//! Days that are given back while someone asks the view, and whoever gives them back is killed.

use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::time::Duration;

use lake::Error;
use lake::ledger::state::State;
use lake::mover::{RunOptions, Stopped};

use super::city::{City, Servers};
use super::killed::{ABORTED, process};
use super::rested::until;
use super::truth::Watch;

/// Every step between the old view and the late table without the rows.
const STEPS: [&str; 9] = [
    "lake::giving_back@1",
    "lake::view_replaced@1",
    "lake::settling@1",
    "lake::settled@1",
    "lake::view_replaced@2",
    "lake::settling@2",
    "lake::settled@2",
    "lake::sql@60",
    "none@1",
];

/// A killed process's session may hold the table for a moment.
async fn patiently<T, F: Future<Output = Result<T, Error>>>(work: impl Fn() -> F) -> T {
    for _ in 0..100 {
        match work().await {
            Err(Error::Busy { .. }) => tokio::time::sleep(Duration::from_millis(100)).await,
            done => return done.unwrap(),
        }
    }
    panic!("still busy after ten seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn late_rows_are_seen_once_while_they_are_given_back() {
    let city = Arc::new(City::new("returned", 6, 20).await);
    city.remember().await;
    // two days have left, so that there is a view; nothing more is due by this clock
    let early = "2026-02-02T00:00:00Z".parse().unwrap();
    city.archive_at(early, &RunOptions::default())
        .await
        .unwrap();
    let watch = Watch::over(&city, false);
    let late = format!("select count(*) from lake.late_{}_events", city.schema);
    let mut arrived = 0;
    for (round, step) in STEPS.into_iter().enumerate() {
        city.archive(&until(State::Copied)).await.unwrap();
        {
            let _guard = watch.pause().await;
            city.arrive(3, 1000 + arrived, 5).await;
            arrived += 5;
        }
        assert_eq!(city.number(&late).await, 5, "round {round}");
        let day = City::day(2).to_string();
        let mut command = process(&city, 4, &[("CRASH_AT", step)]);
        let status = command.args(["--abandon", &day]).status().await.unwrap();
        let as_planned = match step {
            "none@1" => status.success(),
            _ => status.signal() == Some(ABORTED),
        };
        assert!(as_planned, "{step}: {status}");
        // before the boundary is back nothing has happened
        if step.starts_with("lake::giving_back") {
            let again = || city.abandon(&city.policy.table, City::day(2));
            patiently(again).await;
        }
        let options = RunOptions::default();
        let outcome = patiently(|| city.archive_at(early, &options)).await;
        assert_eq!((outcome.committed, outcome.stopped), (0, None), "{step}");
        assert_eq!(city.number(&late).await, 0, "{step}");
        let count = format!(
            "select count(*) from {}.events where happened_at >= '2026-01-04' and happened_at < '2026-01-05'",
            city.schema
        );
        assert_eq!(
            city.number(&count).await,
            20 + i64::from(arrived),
            "{step}: in the table"
        );
    }
    watch.end().await;
    city.archive(&RunOptions::default()).await.unwrap();
    city.assert_settled().await;
    Arc::into_inner(city)
        .expect("nobody else asks")
        .clean()
        .await;
}

#[tokio::test]
async fn late_rows_wait_for_trino_and_nothing_moves_before() {
    let city = City::new("returnless", 5, 10).await;
    city.remember().await;
    let early = "2026-02-02T00:00:00Z".parse().unwrap();
    city.archive_at(early, &RunOptions::default())
        .await
        .unwrap();
    city.archive(&until(State::Copied)).await.unwrap();
    city.arrive(2, 500, 3).await;
    let servers = Servers::of(
        &["--trino-url", "http://127.0.0.1:1"],
        &city.servers.database,
    );
    let away = City::open(&servers, &city.schema).await.unwrap();
    let given = away
        .abandon(&city.policy.table, City::day(2))
        .await
        .unwrap();
    let told = format!("{given:?}");
    assert!(
        told.contains("rows: 0") && told.contains("GivingBack"),
        "{told}"
    );
    // its writers have the day all the same
    city.arrive(2, 600, 2).await;
    assert_eq!(city.history().await, city.truth().await);
    let stuck = away.archive(&RunOptions::default()).await.unwrap();
    assert!(
        matches!(stuck.stopped, Some(Stopped::GivingBack { away: Some(_) })),
        "{stuck:?}"
    );
    assert_eq!(stuck.committed, 0);
    let outcome = city.archive(&RunOptions::default()).await.unwrap();
    assert_eq!((outcome.dropped, outcome.stopped), (2, None));
    city.assert_settled().await;
    city.clean().await;
}

//! Landing as processes of their own, killed between any two steps.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::bed::{Bed, DEADLINE, TOPICS};
use crate::events::{broken, event, events};

/// Every step whose order matters. `hinted` is after the commit, where only Kafka's hint is left to do.
const STEPS: [&str; 9] = [
    "landing::days_made",
    "landing::days_ready",
    "landing::begun",
    "landing::fenced",
    "landing::rows_copied",
    "landing::rejects_written",
    "landing::committed",
    "landing::hinted",
    "landing::placed",
];

/// How a process ends that aborts: as abruptly as by kill -9, but told apart from it.
const ABORTED: i32 = 6;

/// A landing process. It has a group of its own: a killed member's partitions would be kept for it for ten seconds,
/// and exactly once must not depend on the group anyway.
fn process(bed: &Bed, group: &str, extra: &[&str]) -> Command {
    let tests = std::env::current_exe().unwrap();
    let examples = tests.parent().unwrap().parent().unwrap().join("examples");
    let mut command = Command::new(examples.join("land"));
    command
        .args([
            "--brokers",
            &bed.kafka.brokers,
            "--topic-prefix",
            &bed.kafka.topic_prefix,
        ])
        .args(["--topics-file", bed.kafka.topics_file.to_str().unwrap()])
        .args(["--database-url", &bed.url, "--metrics-listen", "off"])
        .args(["--group", &format!("{}-{group}", bed.name)])
        .args(["--batch-rows", "100", "--linger-ms", "20"])
        .args(extra)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn end(mut child: Child) -> std::process::ExitStatus {
    tokio::time::timeout(DEADLINE, child.wait())
        .await
        .expect("the process ends in time")
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_any_two_steps_nothing_is_lost_or_doubled() {
    let bed = Bed::new().await;
    let broken: Vec<_> = broken().into_iter().map(|(record, _)| record).collect();
    let mut n = 0;
    for step in STEPS {
        // Early and later in its life: with no progress made, and amid it. A fresh process makes days only once.
        for nth in [1, 7] {
            for topic in TOPICS {
                bed.produce(topic, &events(n..n + 400));
            }
            bed.produce("user_events", &broken);
            n += 400;
            let crash = format!("{step}@{nth}");
            let child = process(&bed, &format!("{n}"), &["--until-caught-up"])
                .env("CRASH_AT", &crash)
                .spawn()
                .unwrap();
            let status = end(child).await;
            // The point may be reached less often than seven times; then this run was an undisturbed one.
            let aborted = status.signal() == Some(ABORTED);
            assert!(
                aborted || (status.success() && nth > 1),
                "{crash}: {status}"
            );
        }
    }
    let child = process(&bed, "last", &["--until-caught-up"])
        .spawn()
        .unwrap();
    assert!(end(child).await.success());
    bed.assert_exactly_once().await;
    assert_eq!(
        bed.count("select count(*) from raw.ride_events").await,
        i64::from(n)
    );
    bed.clean().await;
}

/// The steps where rows of days that have left are under way beside the others.
const LATE_STEPS: [&str; 5] = [
    "landing::rows_copied",
    "landing::late_ready",
    "landing::late_written",
    "landing::rejects_written",
    "landing::committed",
];

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_late_rows_are_written_nothing_is_lost_or_doubled() {
    let bed = Bed::new().await;
    bed.archive(
        "ride_events",
        "date_trunc('day', now(), 'UTC') - interval '2 days'",
    )
    .await;
    let broken: Vec<_> = broken().into_iter().map(|(record, _)| record).collect();
    let mut n = 0;
    for (round, step) in LATE_STEPS.into_iter().enumerate() {
        // Five days in steps of a few minutes.
        let records: Vec<_> = (n..n + 7200).step_by(6).map(event).collect();
        bed.produce("ride_events", &records);
        bed.produce("ride_events", &broken);
        n += 7200;
        // Columns that the late table must gain first, in the transaction that is killed.
        let add = format!("alter table raw.ride_events add column extra_{round} int4");
        sqlx::raw_sql(sqlx::AssertSqlSafe(add))
            .execute(&bed.pool)
            .await
            .unwrap();
        let child = process(&bed, &format!("late{round}"), &["--until-caught-up"])
            .env("CRASH_AT", format!("{step}@2"))
            .spawn()
            .unwrap();
        assert_eq!(end(child).await.signal(), Some(ABORTED), "{step}");
    }
    let child = process(&bed, "last", &["--until-caught-up"])
        .spawn()
        .unwrap();
    assert!(end(child).await.success());
    bed.assert_exactly_once().await;
    assert!(
        bed.count("select count(*) from lake.late_ride_events")
            .await
            > 0
    );
    assert_eq!(
        bed.count("select count(*) from lake.late_ride_events where ridehail_suspect")
            .await,
        0
    );
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_nothing_is_lost_or_doubled() {
    let bed = Bed::new().await;
    let mut sent = 0;
    for round in 0..6_u32 {
        bed.produce("vehicle_events", &events(sent..sent + 3000));
        sent += 3000;
        let target = i64::from(round) * 2500 + 100;
        let mut child = process(&bed, &format!("r{round}"), &[]).spawn().unwrap();
        // Somewhere in the middle of this round's rows: where exactly, the machine decides.
        let deadline = tokio::time::Instant::now() + DEADLINE;
        while bed.count("select count(*) from raw.vehicle_events").await < target {
            assert!(tokio::time::Instant::now() < deadline, "no rows land");
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        child.kill().await.unwrap();
    }
    let child = process(&bed, "last", &["--until-caught-up"])
        .spawn()
        .unwrap();
    assert!(end(child).await.success());
    bed.assert_exactly_once().await;
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_that_share_the_work_is_killed_while_they_share_it_out() {
    let bed = Bed::new().await;
    let mut args = bed.args();
    args.group = Some(format!("{}-shared", bed.name));
    args.until_caught_up = false;
    let cancel = tokio_util::sync::CancellationToken::new();
    let staying = tokio::spawn(streaming::landing::run(args, cancel.clone()));
    bed.until(
        "assignment",
        "select count(*) = 18 from raw.landing_progress",
    )
    .await;

    let mut n = 0;
    for _ in 0..3 {
        // Joins, which takes partitions from the one that stays, and dies in the middle of it all.
        let mut joining = process(&bed, "shared", &[]).spawn().unwrap();
        let before = bed
            .count("select sum(batch)::bigint from raw.landing_progress")
            .await;
        let deadline = tokio::time::Instant::now() + DEADLINE;
        while bed
            .count("select sum(batch)::bigint from raw.landing_progress")
            .await
            < before + 200
        {
            assert!(
                tokio::time::Instant::now() < deadline,
                "nothing lands during a rebalance"
            );
            for topic in TOPICS {
                bed.produce(topic, &events(n..n + 100));
            }
            n += 100;
        }
        joining.kill().await.unwrap();
    }
    // The dead one's partitions come back when its session ends.
    let child = process(&bed, "judge", &["--until-caught-up"])
        .spawn()
        .unwrap();
    assert!(end(child).await.success());
    cancel.cancel();
    tokio::time::timeout(DEADLINE, staying)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    bed.assert_exactly_once().await;
    bed.clean().await;
}

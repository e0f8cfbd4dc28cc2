//! The archive as a process of its own, killed at every step, at random calls and at random moments, while rows keep
//! coming late, days keep falling due, and someone keeps asking the view.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use lake::mover::RunOptions;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::process::Command;

use super::city::City;
use super::truth::Watch;
use crate::faults::seed;

/// Every step whose order matters.
const STEPS: [&str; 23] = [
    "lake::planned",
    "lake::boundary_advanced",
    "lake::frozen",
    "lake::copy_begun",
    "lake::files_written",
    "lake::copied",
    "lake::read_back",
    "lake::verified",
    "lake::announced",
    "lake::metadata_written",
    "lake::swapped",
    "lake::commit_answered",
    "lake::committed",
    "lake::view_replaced",
    "lake::shown",
    "lake::drained",
    "lake::partition_detached",
    "lake::detached",
    "lake::dropping",
    "lake::dropped",
    "lake::flush_planned",
    "lake::late_rows_resolved",
    "lake::sql",
];

/// How a process ends that aborts: as abruptly as by kill -9, but told apart from it.
pub(super) const ABORTED: i32 = 6;

/// How a round's process comes to its end.
#[derive(Debug)]
enum Death {
    /// At the n-th time a failpoint is reached.
    At(&'static str, u32),
    /// By SIGKILL, after so many milliseconds.
    After(u64),
}

impl Death {
    /// The steps in turn, then whatever chance says.
    fn of(round: usize, chance: &mut ChaCha8Rng) -> Self {
        if let Some(step) = STEPS.get(round) {
            return Self::At(step, 1);
        }
        match chance.random_range(0..4u8) {
            0 => Self::At("lake::s3", chance.random_range(1..60)),
            1 => Self::At("lake::sql", chance.random_range(1..120)),
            2 => Self::At(
                STEPS[chance.random_range(0..STEPS.len())],
                chance.random_range(1..4),
            ),
            _ => Self::After(chance.random_range(20..1500)),
        }
    }
}

pub(super) fn process(city: &City, now_day: u32, extra: &[(&str, &str)]) -> Command {
    let tests = std::env::current_exe().unwrap();
    let examples = tests.parent().unwrap().parent().unwrap().join("examples");
    let mut command = Command::new(examples.join("archive"));
    command
        .args([
            "--database-url",
            &city.servers.database,
            "--schema",
            &city.schema,
            "--table",
            "events",
        ])
        .args([
            "--field",
            "happened_at",
            "--key",
            "part",
            "off",
            "--batch-days",
            "3",
        ])
        .args(["--now", &format!("{}T12:00:00Z", City::day(now_day))])
        .envs(extra.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Rounds of a run; `make torture` asks for more.
fn rounds() -> usize {
    std::env::var("LAKE_KILLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(50)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_every_row_is_there_once() {
    let city = Arc::new(City::new("killed", 6, 60).await);
    city.remember().await;
    // the first run, undisturbed, so that there is a view to ask
    city.archive(&RunOptions::default()).await.unwrap();

    let watch = Watch::over(&city, false);
    let mut chance = ChaCha8Rng::seed_from_u64(seed());
    let (mut days, mut due, mut next_row) = (6, 34, 1000);
    let mut killed = 0;
    for round in 0..rounds() {
        {
            let _guard = watch.pause().await;
            if round % 3 == 0 {
                city.add_day_with_truth(days, 40).await;
                days += 1;
                due += 1;
            }
            for day in [0, days / 2, days - 1] {
                city.arrive(day, next_row, chance.random_range(1..9)).await;
                next_row += 10;
            }
        }
        let death = Death::of(round, &mut chance);
        let command = match &death {
            Death::At(point, nth) => {
                process(&city, due, &[("CRASH_AT", &format!("{point}@{nth}"))]).spawn()
            }
            Death::After(_) => process(&city, due, &[]).spawn(),
        };
        let mut child = command.unwrap();
        if let Death::After(milliseconds) = death {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            child.start_kill().unwrap();
        }
        let status = child.wait().await.unwrap();
        // a point may be reached less often; a session of the killed one may hold the table for a moment
        killed += u32::from(status.signal().is_some());
        let fine = status.success()
            || status.signal() == Some(ABORTED)
            || status.signal() == Some(9)
            || status.code() == Some(1);
        assert!(fine, "round {round}, {death:?}: {status}");
    }
    for _ in 0..20 {
        let status = process(&city, due, &[]).status().await.unwrap();
        if status.success() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    watch.end().await;
    assert!(
        killed as usize >= rounds() / 3,
        "{killed} of {} were killed",
        rounds()
    );

    city.assert_settled().await;
    Arc::into_inner(city)
        .expect("nobody else asks")
        .clean()
        .await;
}

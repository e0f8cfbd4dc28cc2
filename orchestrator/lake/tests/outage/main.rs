//! Servers killed and restarted in the middle of moves, on a small stack of its own (`docker/stack`, stack
//! `lake-outage`). Runs last and one test at a time: `cargo test --test outage -- --test-threads 1`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "is shown when a test fails")]

#[path = "../it/moves/city.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod city;
#[path = "../it/moves/truth.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod truth;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use city::{City, Servers};
use lake::ledger::state::State;
use sqlx::AssertSqlSafe;
use tokio_util::sync::CancellationToken;
use truth::Watch;

/// The day whose noon it is: four are due.
const DUE: u32 = 34;

/// Postgres, the object store, Trino.
struct Stack {
    servers: Servers,
}

fn stack(arguments: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docker/stack");
    let output = Command::new(script)
        .args(arguments)
        .env("STACK", "lake-outage")
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

impl Stack {
    fn up() -> Self {
        stack(&["up", "postgres", "minio", "trino"]);
        let exports = stack(&["env"]);
        let value = |name: &str| {
            let start = format!("export {name}=");
            let line = exports.lines().find_map(|line| line.strip_prefix(&start));
            line.unwrap_or_else(|| panic!("{name} not in {exports}"))
                .trim_matches('\'')
                .to_owned()
        };
        let (s3, trino) = (value("RIDEHAIL_S3_ENDPOINT"), value("RIDEHAIL_TRINO_URL"));
        let flags = ["--s3-endpoint", &s3, "--trino-url", &trino];
        Self {
            servers: Servers::of(&flags, &value("RIDEHAIL_DATABASE_URL")),
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        stack(&["clean"]);
    }
}

/// What is done to a server.
#[derive(Debug, Clone, Copy)]
enum Harm {
    /// kill -9 of Postgres. Until init has asked for its status the next one cannot start: for seconds, in a few
    /// containers.
    Kill,
    /// Postgres drops every session and writes nothing more, as when one of its processes crashes.
    Immediate,
    /// A server ends in good order and is back at once, as after an upgrade.
    Restart(&'static str),
}

impl Harm {
    fn done(self) {
        match self {
            Self::Kill => drop(stack(&["kill", "postgres"])),
            Self::Restart(server) => drop(stack(&["restart", server])),
            Self::Immediate => {
                let dir = stack(&["dir"]);
                let pids = Path::new(dir.trim()).join("pids/postgres");
                let pid = std::fs::read_to_string(pids).unwrap();
                let pid = pid.split_whitespace().next().unwrap();
                let signalled = Command::new("kill").args(["-QUIT", pid]).status().unwrap();
                assert!(signalled.success());
                // its last deed
                let lock = Path::new(dir.trim()).join("postgres/data/postmaster.pid");
                while lock.exists() {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        }
    }
}

/// Runs until one has come to `point`, where harm is done. A run that survives it goes no further than `until`.
async fn harmed(city: &City, point: &str, harm: Harm, until: State) {
    let done = CancellationToken::new();
    let reached = done.clone();
    fail::cfg_callback(point, move || {
        if !reached.is_cancelled() {
            harm.done();
            reached.cancel();
        }
    })
    .expect("failpoints are compiled in");
    let run = async {
        for _ in 0..20 {
            match city.archive_once(&city.servers, DUE, Some(until)).await {
                Ok(outcome) => println!("{point}, {harm:?}: {outcome:?}"),
                Err(error) => println!("{point}, {harm:?}: {}", error.told()),
            }
            if done.is_cancelled() {
                return;
            }
            // Trino has yet to find out that its sessions with the last Postgres are dead
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("{point} was not reached");
    };
    // a run that fails waits for Postgres, to write down why
    let repaired = async {
        done.cancelled().await;
        if !matches!(harm, Harm::Restart(_)) {
            up().await;
        }
    };
    tokio::join!(run, repaired);
    fail::remove(point);
}

async fn up() {
    let up = || stack(&["up", "postgres", "minio"]);
    tokio::task::spawn_blocking(up).await.unwrap();
}

/// Postgres crashes while a detach waits for whoever has read the table.
async fn crash_while_detaching(city: &City) {
    let schema = &city.schema;
    let pending = format!(
        "select count(*) from pg_inherits where inhparent = '{schema}.events'::regclass and inhdetachpending"
    );
    let mut reader = city.pool().begin().await.unwrap();
    let sql = format!("select count(*) from {schema}.events");
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut *reader)
        .await
        .unwrap();
    let over = CancellationToken::new();
    let run = async {
        let run = city.archive_once(&city.servers, DUE, None).await;
        over.cancel();
        run
    };
    let crash = async {
        while city.number(&pending).await == 0 {
            assert!(!over.is_cancelled(), "over before a partition was detached");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::task::spawn_blocking(|| Harm::Immediate.done())
            .await
            .unwrap();
        up().await;
    };
    let (run, ()) = tokio::join!(run, crash);
    println!("detaching: {}", run.unwrap_err().told());
    assert_eq!(city.number(&pending).await, 1, "it was broken off");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_fail_in_the_middle_of_moves() {
    let stack = Stack::up();
    let city = Arc::new(City::on(&stack.servers, "outage", 6, 200).await);
    city.remember().await;
    // the first day, undisturbed, so that there is a view to ask
    city.archive_through(&city.servers, 31).await;
    let watch = Watch::over(&city, true);

    let restart = Harm::Restart("postgres");
    for (point, harm, until) in [
        ("lake::boundary_advanced", Harm::Immediate, State::Frozen),
        ("lake::copy_begun", restart, State::Copied),
        (
            "lake::files_written",
            Harm::Restart("minio"),
            State::Verified,
        ),
        ("lake::swapped", Harm::Kill, State::Committed),
        ("lake::commit_answered", Harm::Immediate, State::Committed),
        ("lake::view_replaced", Harm::Immediate, State::Visible),
    ] {
        harmed(&city, point, harm, until).await;
    }
    crash_while_detaching(&city).await;
    harmed(&city, "lake::dropping", Harm::Kill, State::Dropped).await;
    city.archive_through(&city.servers, DUE).await;

    {
        let _guard = watch.pause().await;
        city.arrive(0, 1000, 5).await;
        city.arrive(2, 2000, 7).await;
        city.arrive_again(1).await;
    }
    for (point, harm, until) in [
        ("lake::late_rows_resolved", Harm::Immediate, State::Copied),
        ("lake::swapped", restart, State::Committed),
        ("lake::dropping", Harm::Immediate, State::Dropped),
    ] {
        harmed(&city, point, harm, until).await;
    }
    city.archive_through(&city.servers, DUE).await;
    watch.end().await;
    city.assert_settled().await;
}

//! The archive as a process of its own, killed at every step, at random calls and at random moments, while rows keep
//! coming late, days keep falling due, and someone keeps asking the view.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lake::maintain::orphans;
use lake::mover::RunOptions;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::process::Command;
use tokio::sync::RwLock;

use super::city::{City, database};

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
const ABORTED: i32 = 6;

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
            &database(),
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

fn seed() -> u64 {
    std::env::var("LAKE_SEED")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_every_row_is_there_once() {
    let city = Arc::new(City::new("killed", 6, 60).await);
    city.sql(&format!(
        "create table {0}.truth as select * from {0}.events",
        city.schema
    ))
    .await;
    // the first run, undisturbed, so that there is a view to ask
    city.archive(&RunOptions::default()).await.unwrap();

    // Whoever changes the rows holds it for writing; the view is asked under a read lock.
    let changing = Arc::new(RwLock::new(()));
    let asked = Arc::new(AtomicU32::new(0));
    let asking = tokio::spawn(ask(
        Arc::clone(&city),
        Arc::clone(&changing),
        Arc::clone(&asked),
    ));

    let mut chance = ChaCha8Rng::seed_from_u64(seed());
    let (mut days, mut due, mut next_row) = (6, 34, 1000);
    let mut killed = 0;
    for round in 0..rounds() {
        {
            let _guard = changing.write().await;
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
    // a view that was wrong once ended the task that asks
    assert!(!asking.is_finished(), "{:?}", asking.await.err());
    asking.abort();
    assert!(
        killed as usize >= rounds() / 3,
        "{killed} of {} were killed",
        rounds()
    );
    assert!(
        asked.load(Ordering::SeqCst) > 5,
        "the view was asked {asked:?} times"
    );

    assert_eq!(
        city.history().await,
        city.truth().await,
        "every row once, at the end"
    );
    let schema = &city.schema;
    let open = format!(
        "select count(*) from lake.moves where table_schema = '{schema}' and finished_at is null"
    );
    assert_eq!(city.number(&open).await, 0, "moves are stuck");
    let stale = format!(
        "select count(*) from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = '{schema}.events'::regclass and c.relname < 'events_' || to_char(
             (select boundary from lake.boundaries where table_schema = '{schema}') at time zone 'UTC', 'YYYYMMDD')"
    );
    assert_eq!(
        city.number(&stale).await,
        0,
        "partitions below the boundary"
    );
    let loose = format!(
        "select count(*) from pg_class where relnamespace = '{schema}'::regnamespace and relkind = 'r'
           and relname like 'events_%' and not relispartition"
    );
    assert_eq!(city.number(&loose).await, 0, "detached partitions");
    city.assert_no_garbage().await;
    city.assert_verified().await;
    Arc::into_inner(city)
        .expect("nobody else asks")
        .clean()
        .await;
}

/// Asks the view again and again: at any instant it must show what there is, each row once.
async fn ask(city: Arc<City>, changing: Arc<RwLock<()>>, asked: Arc<AtomicU32>) {
    loop {
        {
            let _guard = changing.read().await;
            let (history, truth) = (city.history().await, city.truth().await);
            if history != truth {
                panic!("the view shows {history:?}, and there is {truth:?}");
            }
            asked.fetch_add(1, Ordering::SeqCst);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl City {
    async fn add_day_with_truth(&self, day: u32, rows: u32) {
        self.add_day(day, rows).await;
        let schema = &self.schema;
        let from = City::day(day);
        self.sql(&format!(
            "insert into {schema}.truth select * from {schema}.events_{}",
            from.format("%Y%m%d")
        ))
        .await;
    }

    /// Rows of a day arrive, by the rule for writers: under the boundary's lock, to the table or to the late table.
    async fn arrive(&self, day: u32, from: u32, rows: u32) {
        let schema = &self.schema;
        let columns = "happened_at, part, off, ride, cents, fare, factor, note, tags, payload, raw, is_final, day, local";
        self.sql(&format!(
            "do $do$
             declare b record; at timestamptz := '{}';
             begin
                 select boundary, open_flush into b from lake.boundaries
                 where table_schema = '{schema}' and table_name = 'events' for share;
                 create temporary table arriving (like {schema}.events) on commit drop;
                 insert into arriving select {} from generate_series({from}, {from} + {rows} - 1) as n;
                 if at < b.boundary then
                     insert into lake.late_{schema}_events ({columns}, ridehail_flush, ridehail_suspect)
                     select *, b.open_flush, false from arriving;
                 else
                     insert into {schema}.events select * from arriving;
                 end if;
                 insert into {schema}.truth select * from arriving;
             end $do$",
            super::city::start(day).to_rfc3339(),
            Self::values_of(day),
        ))
        .await;
    }

    async fn truth(&self) -> Vec<serde_json::Value> {
        self.figures(&format!("warehouse.{}.truth", self.schema))
            .await
    }

    /// After clean-up without a floor on age, everything below the table's location is referred to.
    pub(super) async fn assert_no_garbage(&self) {
        let table = lake::ledger::tables::get(self.pool(), &self.policy.table)
            .await
            .unwrap()
            .unwrap();
        let soon = chrono::DateTime::<chrono::Utc>::MAX_UTC;
        let found = orphans::find(&self.lake, &table, soon).await.unwrap();
        orphans::delete(&self.lake, &found).await.unwrap();
        assert!(
            orphans::find(&self.lake, &table, soon)
                .await
                .unwrap()
                .is_empty()
        );
    }

    /// Every archived day holds what the ledger says.
    pub(super) async fn assert_verified(&self) {
        let table = lake::ledger::tables::get(self.pool(), &self.policy.table)
            .await
            .unwrap()
            .unwrap();
        let moves = lake::ledger::moves::all(self.pool(), &self.policy.table)
            .await
            .unwrap();
        let days: std::collections::BTreeSet<_> =
            moves.iter().map(|m| m.lower.date_naive()).collect();
        for day in days {
            let found = lake::drift::verify_day(&self.lake, &table, day)
                .await
                .unwrap();
            assert_eq!(found.problem(), None, "{day}");
        }
    }
}

//! What a table ought to hold, kept beside it; and what must be true of an archive whatever was done to it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use futures::TryStreamExt as _;
use lake::ledger::state::State;
use lake::ledger::{moves, tables};
use lake::maintain::orphans;
use lake::mover::{Outcome, RunOptions};
use lake::storage::Store;
use tokio::sync::{RwLock, RwLockWriteGuard};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::city::{City, Servers, start};

const COLUMNS: &str = "happened_at, part, off, ride, cents, fare, factor, note, tags, payload, raw, is_final, day, local";

/// Asks the view again and again: at any instant it must show what there is, each row once.
pub(crate) struct Watch {
    /// Whoever changes the rows holds it for writing; the view is asked under a read lock.
    changing: Arc<RwLock<()>>,
    asked: Arc<AtomicU32>,
    enough: CancellationToken,
    asking: JoinHandle<()>,
}

impl Watch {
    /// With `outages`, that there is no answer is not wrong: servers may be away.
    pub(crate) fn over(city: &Arc<City>, outages: bool) -> Self {
        let (changing, asked) = (Arc::new(RwLock::new(())), Arc::new(AtomicU32::new(0)));
        let enough = CancellationToken::new();
        let asking = tokio::spawn(ask(
            Arc::clone(city),
            Arc::clone(&changing),
            Arc::clone(&asked),
            enough.clone(),
            outages,
        ));
        Self {
            changing,
            asked,
            enough,
            asking,
        }
    }

    /// Rows may change while this is held.
    pub(crate) async fn pause(&self) -> RwLockWriteGuard<'_, ()> {
        self.changing.write().await
    }

    /// The view was never wrong, and it was asked.
    pub(crate) async fn end(self) {
        // a view that was wrong once ended the task
        assert!(!self.asking.is_finished(), "{:?}", self.asking.await.err());
        // the last question is asked to its end: one that is given up holds every move up for 20 s
        self.enough.cancel();
        self.asking.await.unwrap();
        let asked = self.asked.load(Ordering::SeqCst);
        assert!(asked > 2, "the view was asked {asked} times");
    }
}

async fn ask(
    city: Arc<City>,
    changing: Arc<RwLock<()>>,
    asked: Arc<AtomicU32>,
    enough: CancellationToken,
    outages: bool,
) {
    let view = format!("lake.history.{}", city.view().await);
    let truth = format!("warehouse.{}.truth", city.schema);
    while !enough.is_cancelled() {
        {
            let _guard = changing.read().await;
            let shown = city.try_figures(&view).await;
            match (shown, city.try_figures(&truth).await) {
                (Ok(shown), Ok(truth)) if shown == truth => {
                    asked.fetch_add(1, Ordering::SeqCst);
                }
                (Err(_), _) | (_, Err(_)) if outages => {}
                (shown, truth) => panic!("the view shows {shown:?}, and there is {truth:?}"),
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Most runs until one ends well. Far more than it takes: how many is up to chance.
const RUNS: usize = 100;
/// A run that takes longer hangs: requests to the store are repeated for half a minute.
const HANGS: Duration = Duration::from_secs(100);

impl City {
    /// One run by another process, which reaches the servers at `servers`, at noon of the day numbered `due`.
    ///
    /// # Panics
    /// It hangs, or has found a difference, which is no server's failure.
    pub(crate) async fn archive_once(
        &self,
        servers: &Servers,
        due: u32,
        until: Option<State>,
    ) -> Result<Outcome, lake::Error> {
        let now = start(due) + TimeDelta::hours(12);
        let options = RunOptions {
            batch_days: 4,
            until,
            ..RunOptions::default()
        };
        let run = async {
            let other = Self::open(servers, &self.schema).await?;
            other.archive_at(now, &options).await
        };
        let done = tokio::time::timeout(HANGS, run).await.expect("a run hangs");
        if let Err(
            error @ (lake::Error::Differs { .. }
            | lake::Error::OutOfStep { .. }
            | lake::Error::Refused { .. }
            | lake::Error::Value { .. }),
        ) = &done
        {
            panic!("{}", error.told());
        }
        done
    }

    /// Runs until one ends well.
    pub(crate) async fn archive_through(&self, servers: &Servers, due: u32) {
        let begun = Instant::now();
        for _ in 0..RUNS {
            match self.archive_once(servers, due, None).await {
                Ok(outcome) if outcome.stopped.is_none() => return,
                Ok(outcome) => println!("{:?} {:?}", begun.elapsed(), outcome.stopped),
                Err(error) => println!("{:?} {}", begun.elapsed(), error.told()),
            }
            // a session of the last run may hold the table for a moment
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("not done after {RUNS} runs");
    }

    /// The table as it is now is the truth; what comes later is added to both.
    pub(crate) async fn remember(&self) {
        let schema = &self.schema;
        let sql = format!("create table {schema}.truth as select * from {schema}.events");
        self.sql(&sql).await;
    }

    pub(crate) async fn truth(&self) -> Vec<serde_json::Value> {
        self.figures(&format!("warehouse.{}.truth", self.schema))
            .await
    }

    pub(crate) async fn add_day_with_truth(&self, day: u32, rows: u32) {
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
    pub(crate) async fn arrive(&self, day: u32, from: u32, rows: u32) {
        let schema = &self.schema;
        self.sql(&format!(
            "do $do$
             declare b record; at timestamptz := '{}';
             begin
                 select boundary, open_flush into b from lake.boundaries
                 where table_schema = '{schema}' and table_name = 'events' for share;
                 create temporary table arriving (like {schema}.events) on commit drop;
                 insert into arriving select {} from generate_series({from}, {from} + {rows} - 1) as n;
                 if at < b.boundary then
                     insert into lake.late_{schema}_events ({COLUMNS}, ridehail_flush, ridehail_suspect)
                     select *, b.open_flush, false from arriving;
                 else
                     insert into {schema}.events select * from arriving;
                 end if;
                 insert into {schema}.truth select * from arriving;
             end $do$",
            start(day).to_rfc3339(),
            Self::values_of(day),
        ))
        .await;
    }

    /// Rows of an archived day arrive once more, from a writer who does not know that they are archived.
    pub(crate) async fn arrive_again(&self, day: u32) {
        let (schema, from, to) = (&self.schema, start(day), start(day + 1));
        self.sql(&format!(
            "insert into lake.late_{schema}_events ({COLUMNS}, ridehail_flush, ridehail_suspect)
             select {COLUMNS}, (select open_flush from lake.boundaries where table_schema = '{schema}'
                                for share), true
             from {schema}.truth where happened_at >= '{from}' and happened_at < '{to}'"
        ))
        .await;
    }

    /// Every row once, nothing under way, nothing left over, and the archive holds what the ledger says.
    pub(crate) async fn assert_settled(&self) {
        assert_eq!(
            self.history().await,
            self.truth().await,
            "every row once, at the end"
        );
        let schema = &self.schema;
        let boundary = format!(
            "to_char((select boundary from lake.boundaries where table_schema = '{schema}') at time zone 'UTC',
                     'YYYYMMDD')"
        );
        for (what, sql) in [
            (
                "moves are stuck",
                format!(
                    "from lake.moves where table_schema = '{schema}' and finished_at is null"
                ),
            ),
            (
                "partitions below the boundary",
                format!(
                    "from pg_inherits i join pg_class c on c.oid = i.inhrelid
                     where i.inhparent = '{schema}.events'::regclass and c.relname < 'events_' || {boundary}"
                ),
            ),
            (
                "pending detaches",
                format!(
                    "from pg_inherits where inhparent = '{schema}.events'::regclass and inhdetachpending"
                ),
            ),
            (
                "detached partitions",
                format!(
                    "from pg_class where relnamespace = '{schema}'::regnamespace and relkind = 'r'
                       and relname like 'events_%' and not relispartition"
                ),
            ),
            (
                "late rows that the archive has",
                format!("from lake.late_{schema}_events where ridehail_flush < (
                             select open_flush from lake.boundaries where table_schema = '{schema}')"),
            ),
        ] {
            let sql = format!("select count(*) {sql}");
            assert_eq!(self.number(&sql).await, 0, "{what}: {sql}");
        }
        self.assert_no_garbage().await;
        self.assert_verified().await;
    }

    /// After clean-up without a floor on age, everything below the table's location is referred to, by our account
    /// and by Trino's.
    pub(crate) async fn assert_no_garbage(&self) {
        let table = tables::get(self.pool(), &self.policy.table)
            .await
            .unwrap()
            .unwrap();
        let soon = chrono::DateTime::<chrono::Utc>::MAX_UTC;
        let found = orphans::find(&self.lake, &table, soon).await.unwrap();
        println!("{} orphans", found.len());
        orphans::delete(&self.lake, &found).await.unwrap();
        assert!(
            orphans::find(&self.lake, &table, soon)
                .await
                .unwrap()
                .is_empty()
        );
        let of = |what: &str| {
            format!(
                "lake.\"{}\".\"{}${what}\"",
                table.iceberg_schema, table.iceberg_table
            )
        };
        let sql = format!(
            "select file from {} union select manifest_list from {} union select path from {}
             union select file_path from {}",
            of("metadata_log_entries"),
            of("snapshots"),
            of("all_manifests"),
            of("files"),
        );
        let used: BTreeSet<String> = self
            .trino()
            .rows(&sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"))
            .iter()
            .map(|row| row[0].as_str().unwrap().to_owned())
            .collect();
        let store = Store::open(&self.servers.lake.s3).unwrap();
        let place = format!(
            "{}/{}/{}",
            store.warehouse(),
            table.iceberg_schema,
            table.iceberg_table
        );
        let there: BTreeSet<String> = store
            .list(&place)
            .unwrap()
            .map_ok(|object| object.location)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(there, used, "what is there and what Trino reads");
    }

    /// Every archived day holds what the ledger says.
    pub(crate) async fn assert_verified(&self) {
        let table = tables::get(self.pool(), &self.policy.table)
            .await
            .unwrap()
            .unwrap();
        let moves = moves::all(self.pool(), &self.policy.table).await.unwrap();
        let days: BTreeSet<_> = moves.iter().map(|m| m.lower.date_naive()).collect();
        assert!(!days.is_empty());
        for day in days {
            let found = lake::drift::verify_day(&self.lake, &table, day)
                .await
                .unwrap();
            assert_eq!(found.problem(), None, "{day}");
        }
    }
}

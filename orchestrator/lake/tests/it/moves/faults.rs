//! Whole moves while a server behaves badly: runs are repeated until one ends well. An error is allowed, a wrong
//! result is not, at no instant.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lake::Error;
use lake::ledger::state::State;
use lake::mover::plan::midnight;
use lake::mover::{self, RunOptions};
use lake::trino::Trino;
use sqlx::AssertSqlSafe;

use super::city::{City, Servers};
use super::truth::Watch;
use crate::faults::http::{self, Request};
use crate::faults::{Chance, Tally, postgres, seed};

/// Four days leave; then rows come late, some of them again, and another day leaves, while the view is watched.
async fn survive(name: &str, servers: impl AsyncFnOnce(&City) -> Servers) {
    let city = Arc::new(City::new(name, 6, 60).await);
    let servers = servers(&city).await;
    city.remember().await;
    city.archive_through(&servers, 34).await;
    let watch = Watch::over(&city, false);
    {
        let _guard = watch.pause().await;
        city.arrive(0, 1000, 5).await;
        city.arrive(2, 2000, 7).await;
        city.arrive(5, 3000, 3).await;
        city.arrive_again(1).await;
    }
    city.archive_through(&servers, 35).await;
    watch.end().await;
    city.assert_settled().await;
    Arc::into_inner(city)
        .expect("nobody else asks")
        .clean()
        .await;
}

fn without_scheme(url: &str) -> &str {
    url.strip_prefix("http://")
        .expect("a test's servers speak http")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_now_and_then() {
    use http::Fate;
    let (chance, tally) = (Chance::of(seed()), Tally::default());
    let harms = tally.clone();
    let files = AtomicUsize::new(0);
    let fate = move |request: &Request| {
        let line = request.line();
        if line.starts_with("PUT") && line.contains(".parquet") {
            // It says that it keeps the file, and does not. Who reads back knows.
            if files.fetch_add(1, Ordering::SeqCst) % 4 == 1 {
                harms.count("lost");
                return Fate::Answered("200 OK\r\netag: \"lost\"");
            }
        }
        let (harm, fate) = match chance.below(80) {
            0..6 => ("500", Fate::Answered("500 Internal Server Error")),
            6..12 => ("slow", Fate::Slow(Duration::from_millis(chance.below(200)))),
            12..17 => ("request cut", Fate::Cut(chance.below(600) as usize)),
            17..22 => ("answer cut", Fate::AnswerCut(chance.below(3000) as usize)),
            22 | 23 => ("403", Fate::Answered("403 Forbidden")),
            _ => return Fate::Fine,
        };
        harms.count(harm);
        fate
    };
    let mut proxy = None;
    survive("fault_s3", async |city| {
        let mut servers = city.servers.clone();
        let endpoint = without_scheme(&servers.lake.s3.s3_endpoint);
        let proxy = proxy.insert(http::proxy(endpoint, fate).await);
        servers.lake.s3.s3_endpoint = proxy.url();
        servers
    })
    .await;
    tally.assert_all(&["500", "slow", "request cut", "answer cut", "403", "lost"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_whose_commits_are_not_answered() {
    use postgres::{Asked, Fate};
    let (chance, tally) = (Chance::of(seed()), Tally::default());
    let harms = tally.clone();
    let swaps = AtomicUsize::new(0);
    let fate = move |asked: Asked| {
        let late = |chance: &Chance| Fate::Late(Duration::from_millis(chance.below(500)));
        let (harm, fate) = match asked {
            Asked::Connection if chance.below(60) == 0 => ("no connection", Fate::Unsent),
            Asked::Connection => return Fate::Fine,
            // few, and the ones that matter most: each harm has its turn
            Asked::Swap => match swaps.fetch_add(1, Ordering::SeqCst) % 4 {
                0 => ("swap unanswered", Fate::Unanswered),
                1 => ("swap late", Fate::Late(Duration::from_millis(400))),
                2 => ("swap unsent", Fate::Unsent),
                _ => return Fate::Fine,
            },
            Asked::Commit => match chance.below(20) {
                0 | 1 => ("commit unanswered", Fate::Unanswered),
                2 => ("commit unsent", Fate::Unsent),
                3 => ("commit late", late(&chance)),
                _ => return Fate::Fine,
            },
            Asked::Statement => match chance.below(1000) {
                0 => ("unsent", Fate::Unsent),
                1 | 2 => ("unanswered", Fate::Unanswered),
                3 => ("late", late(&chance)),
                4 => ("answer cut", Fate::AnswerCut(chance.below(5000) as usize)),
                _ => return Fate::Fine,
            },
        };
        harms.count(harm);
        fate
    };
    let mut proxy = None;
    survive("fault_pg", async |city| {
        let mut servers = city.servers.clone();
        let (user, place) = servers.database.split_once('@').unwrap();
        let (address, database) = place.split_once('/').unwrap();
        let proxy = proxy.insert(postgres::proxy(address, fate).await);
        servers.database = format!("{user}@{}/{database}?sslmode=disable", proxy.address);
        servers
    })
    .await;
    // the rest is up to chance
    tally.assert_all(&[
        "swap unanswered",
        "swap late",
        "swap unsent",
        "commit unanswered",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trino_that_does_what_it_does_not_answer() {
    use http::Fate;
    let (chance, tally) = (Chance::of(seed()), Tally::default());
    let harms = tally.clone();
    let views = AtomicUsize::new(0);
    let url = Servers::of_environment().lake.trino.trino_url;
    let trino = Trino::new(&url.expect("RIDEHAIL_TRINO_URL"), "ridehail");
    let fate = move |request: &Request| {
        // What a dead run left is ended under the common name. When that fails a run goes on, and then waits until
        // Trino has given the statement up: rightly, and for longer than a test should take.
        if request.header("x-trino-source") == Some("ridehail") {
            return Fate::Fine;
        }
        let view = request.body.starts_with(b"CREATE OR REPLACE VIEW");
        let turn = view.then(|| views.fetch_add(1, Ordering::SeqCst) % 3);
        let (harm, fate) = match (turn, chance.below(60)) {
            // made, and nobody is told
            (Some(0), _) => {
                let trino = trino.clone();
                let trino = trino.named(request.header("x-trino-source").unwrap());
                let sql = String::from_utf8(request.body.clone()).unwrap();
                let made = async move { drop(trino.rows(&sql).await.unwrap()) };
                ("view made", Fate::Instead(Box::pin(made)))
            }
            (Some(1), n) => ("view not made", Fate::Cut(n as usize)),
            (_, 0) => ("503", Fate::Answered("503 Service Unavailable")),
            (_, 1) => ("request cut", Fate::Cut(chance.below(200) as usize)),
            (_, 2) => ("answer cut", Fate::AnswerCut(chance.below(500) as usize)),
            _ => return Fate::Fine,
        };
        harms.count(harm);
        fate
    };
    let mut proxy = None;
    survive("fault_trino", async |city| {
        let mut servers = city.servers.clone();
        let real = city.trino().url();
        let proxy = proxy.insert(http::proxy(without_scheme(&real), fate).await);
        servers.lake.trino.trino_url = Some(proxy.url());
        servers
    })
    .await;
    tally.assert_all(&[
        "view made",
        "view not made",
        "503",
        "request cut",
        "answer cut",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detach_that_was_broken_off_is_ended_by_the_next_run() {
    let city = City::new("fault_detach", 6, 60).await;
    city.remember().await;
    let stop = RunOptions {
        until: Some(State::Drained),
        ..RunOptions::default()
    };
    city.archive(&stop).await.unwrap();
    let schema = &city.schema;
    // whoever has read the table and goes on holds the detach up
    let mut reader = city.pool().begin().await.unwrap();
    let sql = format!("select count(*) from {schema}.events");
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut *reader)
        .await
        .unwrap();
    let pending = format!(
        "select count(*) from pg_inherits where inhparent = '{schema}.events'::regclass and inhdetachpending"
    );
    let end = format!(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity
         where query like 'alter table \"{schema}\".\"events\" detach%' and wait_event_type = 'Lock'"
    );
    let options = RunOptions::default();
    let ended = async {
        while city.number(&pending).await == 0 || city.number(&end).await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        std::future::pending().await
    };
    let run = tokio::select! {
        run = city.archive(&options) => run,
        () = ended => unreachable!("it waits for the run"),
    };
    let error = run.expect_err("its session was ended");
    assert!(matches!(error, Error::Postgres { .. }), "{}", error.told());
    assert_eq!(city.number(&pending).await, 1);
    assert_eq!(city.history().await, city.truth().await);
    // who looks is told what is under way, and not that the table cannot be archived
    let now = midnight(City::day(34));
    let preview = mover::preview(&city.lake, &city.policy, now, 3)
        .await
        .unwrap();
    assert_eq!(preview.plan.refused, None);
    let told = preview.open.iter().all(|m| m.last_error.is_some());
    assert!(told && preview.open.len() == 4, "{:?}", preview.open);

    reader.rollback().await.unwrap();
    let outcome = city.archive(&options).await.unwrap();
    assert_eq!((outcome.dropped, outcome.stopped), (4, None));
    city.assert_settled().await;
    city.clean().await;
}

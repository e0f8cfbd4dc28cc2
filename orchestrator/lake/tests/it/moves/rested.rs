//! Moves that rest between states while something happens to them.

use futures::TryStreamExt as _;
use lake::Error;
use lake::ledger::state::State;
use lake::ledger::tables;
use lake::mover::{self, Abandoned, RunOptions};
use lake::storage::Store;

use super::city::{City, NOW, Servers};
use super::odd::{archive, table};

pub(super) fn until(state: State) -> RunOptions {
    RunOptions {
        until: Some(state),
        ..RunOptions::default()
    }
}

/// Every file with rows of the city's table, by name.
pub(super) async fn data_files(city: &City) -> Vec<String> {
    let store = Store::open(&city.servers.lake.s3).unwrap();
    let table = tables::get(city.pool(), &city.policy.table).await.unwrap();
    let table = table.unwrap();
    let (namespace, name) = (&table.iceberg_schema, &table.iceberg_table);
    let data = format!("{}/{namespace}/{name}/data", store.warehouse());
    let listed = store.list(&data).unwrap();
    let mut files: Vec<String> = listed.map_ok(|o| o.location).try_collect().await.unwrap();
    files.sort();
    files
}

#[tokio::test]
async fn what_was_lost_while_a_move_rested_is_made_once_more() {
    let city = City::new("lost", 5, 30).await;
    let before = city.in_postgres().await;
    city.archive(&until(State::Drained)).await.unwrap();
    let store = Store::open(&city.servers.lake.s3).unwrap();
    let files = data_files(&city).await;
    let whole = store.get(&files[0]).await.unwrap();
    store.delete(&files[..2]).await.unwrap();
    // altered at the same size: only reading tells
    let mut altered = store.get(&files[2]).await.unwrap().to_vec();
    let middle = altered.len() / 3;
    altered[middle] ^= 1;
    store.delete(&files[2..3]).await.unwrap();
    store
        .put_if_absent(&files[2], altered.into())
        .await
        .unwrap();
    // what cannot be made again stays where it is, a part of its table
    add(&city, 1).await;
    let error = city.archive(&RunOptions::default()).await;
    let error = error.expect_err("a file is gone, and its rows are others");
    assert!(error.told().contains(&files[1]), "{}", error.told());
    let kept = format!(
        "select count(*) from {}.events where happened_at >= '2026-01-02' and happened_at < '2026-01-03'",
        city.schema
    );
    assert_eq!(city.number(&kept).await, 30, "its rows are still there");
    add(&city, -1).await;
    let outcome = city.archive(&RunOptions::default()).await.unwrap();
    assert_eq!((outcome.dropped, outcome.stopped), (4, None));
    assert_eq!(city.history().await, before);
    assert_eq!(store.get(&files[0]).await.unwrap(), whole);
    assert_eq!(data_files(&city).await, files, "nothing beside them");
    city.assert_verified().await;
    city.clean().await;
}

#[tokio::test]
async fn what_is_lost_before_the_commit_is_copied_again() {
    let city = City::new("unsound", 5, 30).await;
    let before = city.in_postgres().await;
    city.archive(&until(State::Verified)).await.unwrap();
    let store = Store::open(&city.servers.lake.s3).unwrap();
    let files = data_files(&city).await;
    store.delete(&files[..1]).await.unwrap();
    let outcome = city.archive(&RunOptions::default()).await.unwrap();
    assert_eq!((outcome.dropped, outcome.stopped), (4, None));
    assert_eq!(city.history().await, before);
    let now = data_files(&city).await;
    assert_eq!(now.len(), 4);
    assert!(!now.contains(&files[0]), "under another name");
    city.assert_verified().await;
    city.clean().await;
}

/// Changes a row of the second day as the net would not let anyone.
async fn add(city: &City, cents: i64) {
    let schema = &city.schema;
    city.sql(&format!(
        "begin;
         alter table {schema}.events_20260102 disable trigger user;
         update {schema}.events_20260102 set cents = cents + {cents} where off = 1000007;
         alter table {schema}.events_20260102 enable trigger user;
         commit"
    ))
    .await;
}

#[tokio::test]
async fn what_is_changed_behind_the_net_before_the_commit_is_copied_again() {
    let city = City::new("changed", 5, 20).await;
    city.archive(&until(State::Copied)).await.unwrap();
    add(&city, 1).await;
    let now = city.in_postgres().await;
    let outcome = city.archive(&RunOptions::default()).await.unwrap();
    assert_eq!((outcome.dropped, outcome.stopped), (4, None));
    assert_eq!(city.history().await, now);
    city.assert_verified().await;
    city.clean().await;
}

#[tokio::test]
async fn what_is_changed_behind_the_net_is_not_dropped() {
    let city = City::new("behind", 5, 20).await;
    let before = city.in_postgres().await;
    city.archive(&until(State::Committed)).await.unwrap();
    add(&city, 1).await;
    let error = city.archive(&RunOptions::default()).await;
    let error = error.expect_err("a row is another");
    let told = error.told();
    assert!(told.contains("events_20260102"), "{told}");
    assert!(
        told.contains("column `cents`: another hash; column `cents`: another sum"),
        "{told}"
    );
    assert!(
        error.hint().unwrap().contains("archive abandon"),
        "{:?}",
        error.hint()
    );
    // written to and the same all the same, as after a dump was restored
    add(&city, -1).await;
    let outcome = city.archive(&RunOptions::default()).await.unwrap();
    assert_eq!(outcome.stopped, None);
    assert_eq!(outcome.dropped, 3, "{outcome:?}");
    assert_eq!(city.history().await, before);
    city.assert_verified().await;
    city.clean().await;
}

#[tokio::test]
async fn a_changed_partition_can_be_kept_and_the_others_leave() {
    let city = City::new("kept", 5, 20).await;
    let before = city.in_postgres().await;
    let id = &city.policy.table;
    let day = City::day(1);
    let none = city.abandon(id, day).await.unwrap_err();
    assert!(matches!(none, Error::NotDone { .. }), "{}", none.told());
    city.archive(&until(State::Committed)).await.unwrap();
    let late = city.abandon(id, day).await.unwrap_err();
    assert!(
        late.told().contains("its rows are in Iceberg"),
        "{}",
        late.told()
    );
    add(&city, 1).await;
    city.archive(&RunOptions::default()).await.unwrap_err();
    let kept = city.abandon(id, day).await.unwrap();
    let Abandoned::Kept {
        table,
        problem: None,
    } = kept
    else {
        panic!("{kept:?}");
    };
    assert_eq!(table.name, "events_20260102");
    let outcome = city.archive(&RunOptions::default()).await.unwrap();
    assert_eq!((outcome.dropped, outcome.stopped), (2, None));
    assert_eq!(
        city.history().await,
        before,
        "the archive has what was copied"
    );
    let rows = format!("select count(*) from {}", table.quoted());
    assert_eq!(city.number(&rows).await, 20);
    // an ordinary table, without the net
    city.sql(&format!("delete from {}", table.quoted())).await;
    city.clean().await;
}

#[tokio::test]
async fn days_are_given_back_with_what_came_meanwhile() {
    let city = City::new("given", 6, 20).await;
    // the first two days have left; the others are stuck
    let two = RunOptions {
        batch_days: 2,
        ..RunOptions::default()
    };
    let early = "2026-02-02T00:00:00Z".parse().unwrap();
    city.archive_at(early, &two).await.unwrap();
    city.remember().await;
    let schema = &city.schema;
    for day in 0..2 {
        let values = City::values_of(day);
        city.sql(&format!(
            "insert into {schema}.truth select {values} from generate_series(0, 19) as n"
        ))
        .await;
    }
    city.archive(&until(State::Copied)).await.unwrap();
    city.arrive(3, 100, 5).await;
    // by the net: once more what is there, and a row that contradicts another
    city.sql(&format!(
        "create table {schema}.saved as select * from {schema}.events where happened_at < '2026-01-04' limit 2;
         update {schema}.saved set cents = -1 where off = (select min(off) from {schema}.saved);
         insert into {schema}.events select * from {schema}.saved"
    ))
    .await;
    let before = city.truth().await;
    assert_eq!(city.history().await, before);
    let given = city
        .abandon(&city.policy.table, City::day(2))
        .await
        .unwrap();
    assert_eq!(
        given,
        Abandoned::GivenBack {
            days: vec![City::day(2), City::day(3)],
            rows: 5,
            refused: 1,
            waiting: None,
        }
    );
    assert_eq!(
        city.history().await,
        before,
        "the view shows what it showed"
    );
    let late = format!("select count(*) from lake.late_{schema}_events");
    assert_eq!(city.number(&late).await, 0);
    // writers change the days as before, and they leave at the next run
    let count = format!("select count(*) from {schema}.events where happened_at >= '2026-01-03'");
    assert_eq!(city.number(&count).await, 85);
    for table in ["events", "truth"] {
        city.sql(&format!(
            "update {schema}.{table} set cents = 7 where happened_at >= '2026-01-03' and off % 3 = 0"
        ))
        .await;
    }
    let outcome = city.archive(&RunOptions::default()).await.unwrap();
    assert_eq!((outcome.dropped, outcome.stopped), (2, None));
    city.assert_settled().await;
    city.clean().await;
}

#[tokio::test]
async fn without_an_answer_of_trino_days_are_committed_and_wait() {
    use lake::mover::Stopped;
    let city = City::new("away", 0, 0).await;
    let policy = table(&city, "facts").await;
    let servers = Servers::of(
        &["--trino-url", "http://127.0.0.1:1"],
        &city.servers.database,
    );
    let away = City::open(&servers, &city.schema).await.unwrap();
    let now = NOW.parse().unwrap();
    let plan = mover::preview(&away.lake, &policy, now, 9)
        .await
        .unwrap()
        .plan;
    assert_eq!((plan.due.len(), plan.refused), (2, None));
    assert!(
        plan.warnings[0].contains("was not checked"),
        "{:?}",
        plan.warnings
    );
    let outcome = archive(&away, &policy, &RunOptions::default())
        .await
        .unwrap();
    assert_eq!(outcome.committed, 2);
    let Some(Stopped::NoTrino { away: Some(why) }) = outcome.stopped else {
        panic!("{:?}", outcome.stopped);
    };
    assert!(why.contains("does not answer"), "{why}");
    let done = archive(&city, &policy, &RunOptions::default())
        .await
        .unwrap();
    assert_eq!((done.dropped, done.stopped), (2, None));
    city.clean().await;
}

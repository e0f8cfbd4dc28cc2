//! What keeps an archive: whose its files are, what became of their bytes, what upkeep may delete.

use chrono::{DateTime, Utc};
use lake::audit::Audit;
use lake::ledger::state::State;
use lake::ledger::tables::{self, Table};
use lake::mover::RunOptions;
use lake::storage::Store;
use lake::{maintain, owner};
use sqlx::ConnectOptions as _;

use super::city::{City, NOW, Servers};
use super::rested::{data_files, until};
use crate::bed::Bed;

async fn adopted(city: &City) -> Table {
    let table = tables::get(city.pool(), &city.policy.table).await;
    table.unwrap().unwrap()
}

#[tokio::test]
async fn a_path_belongs_to_one_database() {
    let (one, other) = (Bed::new().await, Bed::new().await);
    let place = format!("it/{}", one.name);
    let of = |bed: &Bed| {
        let url = bed.options.to_url_lossy();
        Servers::of(&["--s3-warehouse", &place, "--trino-url", ""], url.as_str())
    };
    let first = City::on(&of(&one), "owner", 5, 10).await;
    let second = City::on(&of(&other), "owner", 5, 10).await;
    let stop = until(State::Committed);
    first.archive(&stop).await.unwrap();
    let error = second.archive(&stop).await.unwrap_err();
    assert!(
        error.told().contains("belong to another database"),
        "{}",
        error.told()
    );
    assert!(error.hint().unwrap().contains("backup adopt"));
    owner::take_over(&second.lake).await.unwrap();
    second.archive(&stop).await.unwrap();
    for dry_run in [true, false] {
        let options = maintain::Options {
            dry_run,
            ..maintain::Options::default()
        };
        let table = adopted(&first).await;
        let error = maintain::run(&first.lake, &table, &options, NOW.parse().unwrap()).await;
        let told = error.unwrap_err().told();
        assert!(told.contains("belong to another database"), "{told}");
    }
    // a restored dump brings its ledger's word of the database that it was made of
    other.sql("update lake.owner set database_oid = 1").await;
    let told = second.archive(&stop).await.unwrap_err().told();
    assert!(told.contains("it is a copy of database"), "{told}");
    one.clean().await;
    other.clean().await;
}

#[tokio::test]
async fn bytes_that_no_row_shows_are_compared_and_strays_are_named() {
    let city = City::new("bytes", 5, 30).await;
    city.archive(&RunOptions::default()).await.unwrap();
    let store = Store::open(&city.servers.lake.s3).unwrap();
    let file = data_files(&city).await.remove(0);
    let bytes = store.get(&file).await.unwrap();
    // in the footer: who wrote it
    let mark = b"ridehail";
    let at = bytes
        .windows(mark.len())
        .rposition(|part| part == mark)
        .unwrap();
    let mut altered = bytes.to_vec();
    altered[at] = b'R';
    store.delete(std::slice::from_ref(&file)).await.unwrap();
    store.put_if_absent(&file, altered.into()).await.unwrap();
    let folder = file.rsplit_once('/').unwrap().0;
    let stray = format!("{folder}/stray.parquet");
    store.put_if_absent(&stray, "stray".into()).await.unwrap();
    // the newest commit is younger than it
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let schema = &city.schema;
    city.sql(&format!(
        "insert into lake.late_{schema}_events (happened_at, part, off, ride, payload, ridehail_flush, ridehail_suspect)
         values ('2026-01-02 10:00:00+00', 1, 5000, gen_random_uuid(), '{{}}', 1, false)"
    ))
    .await;
    city.archive(&RunOptions::default()).await.unwrap();
    let table = adopted(&city).await;
    let audit = Audit::open(&city.lake, &table).await.unwrap();
    let day = City::day(0);
    assert_eq!(
        audit.shallow(&city.lake, day).await.unwrap().problem(),
        None
    );
    let found = audit.deep(&city.lake, day, None).await.unwrap();
    assert_eq!(
        found.differences,
        [format!("altered: {file} has other bytes than were proven")]
    );
    let untouched = audit.deep(&city.lake, City::day(1), None).await.unwrap();
    assert_eq!(untouched.problem(), None);
    let extra = async |day| {
        let found = audit
            .extra_objects(&city.lake, &table, &[day])
            .await
            .unwrap();
        found
            .into_iter()
            .map(|object| object.location)
            .collect::<Vec<_>>()
    };
    assert_eq!(extra(day).await, std::slice::from_ref(&stray));
    assert_eq!(extra(City::day(1)).await, [""; 0]);

    // whatever moment ages are counted from, what is young by the clock stays
    let soon: DateTime<Utc> = "2100-01-01T00:00:00Z".parse().unwrap();
    let orphans = async |dry_run| {
        let options = maintain::Options {
            tasks: vec![maintain::Task::Orphans],
            dry_run,
            ..maintain::Options::default()
        };
        let done = maintain::run(&city.lake, &table, &options, soon)
            .await
            .unwrap();
        done.orphans.iter().any(|object| object.location == stray)
    };
    assert!(!orphans(false).await);
    assert!(orphans(true).await, "it is there, and would go");
    city.clean().await;
}

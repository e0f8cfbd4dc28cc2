//! Moves that rest between states while something happens to them.

use futures::TryStreamExt as _;
use lake::Error;
use lake::ledger::state::State;
use lake::ledger::tables;
use lake::mover::RunOptions;
use lake::storage::Store;

use super::city::City;

pub(super) fn until(state: State) -> RunOptions {
    RunOptions {
        until: Some(state),
        ..RunOptions::default()
    }
}

/// Every file with rows of the city's table, by name.
async fn data_files(city: &City) -> Vec<String> {
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
async fn what_was_lost_while_a_move_rested_keeps_its_rows_in_postgres() {
    let city = City::new("lost", 5, 30).await;
    let before = city.in_postgres().await;
    city.archive(&until(State::Drained)).await.unwrap();
    let store = Store::open(&city.servers.lake.s3).unwrap();
    let file = data_files(&city).await.remove(0);
    let bytes = store.get(&file).await.unwrap();
    store.delete(std::slice::from_ref(&file)).await.unwrap();
    let error = city.archive(&RunOptions::default()).await;
    let error = error.expect_err("a file is gone").told();
    assert!(error.contains(&file), "{error}");
    let kept = format!("select count(*) from {}.events_20260101", city.schema);
    assert_eq!(city.number(&kept).await, 30, "its rows are still there");
    // altered at the same size: only reading tells
    let mut altered = bytes.to_vec();
    let middle = altered.len() / 3;
    altered[middle] ^= 1;
    store.put_if_absent(&file, altered.into()).await.unwrap();
    let error = city.archive(&RunOptions::default()).await;
    let error = error.expect_err("a file is another");
    assert!(matches!(error, Error::Differs { .. }), "{}", error.told());
    store.delete(std::slice::from_ref(&file)).await.unwrap();
    store.put_if_absent(&file, bytes).await.unwrap();
    let outcome = city.archive(&RunOptions::default()).await.unwrap();
    assert_eq!((outcome.dropped, outcome.stopped), (4, None));
    assert_eq!(city.history().await, before);
    city.clean().await;
}

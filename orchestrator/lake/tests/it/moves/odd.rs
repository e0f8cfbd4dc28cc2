//! Tables that are not as others: long names, names in capitals, columns that nobody can archive.

use lake::ledger::TableId;
use lake::mover::{self, Event, Outcome, Policy, RunOptions};
use lake::{Error, restore};
use tokio_util::sync::CancellationToken;

use super::city::{City, NOW};

/// A table of four columns and two days beside the city's, and its policy.
pub(super) async fn table(city: &City, name: &str) -> Policy {
    let id = TableId::new(&city.schema, name);
    let quoted = id.quoted();
    city.sql(&format!(
        "create table {quoted} (at timestamptz not null, id int4 not null, flag boolean, note text, amount numeric(10,2),
             seen timestamptz, tags int4[], primary key (at, id)) partition by range (at)"
    ))
    .await;
    for day in ["2026-01-01", "2026-01-02"] {
        let part = TableId::new(
            &city.schema,
            &format!("p{}_{}", day.replace('-', ""), &name[..name.len().min(20)]),
        );
        city.sql(&format!(
            "create table {} partition of {quoted} for values from ('{day} 00:00:00+00')
                 to (timestamptz '{day} 00:00:00+00' + interval '1 day');
             insert into {quoted} select timestamptz '{day} 01:00:00+00' + n * interval '1 minute', n, n % 2 = 0, 'n' || n, n / 4.0,
                 timestamptz '{day} 02:00:00+00', array[n]
             from generate_series(1, 10) n",
            part.quoted()
        ))
        .await;
    }
    Policy {
        table: id,
        field: "at".to_owned(),
        key: vec!["id".to_owned(), "at".to_owned()],
        after: city.policy.after,
        live: None,
    }
}

pub(super) async fn archive(
    city: &City,
    policy: &Policy,
    options: &RunOptions,
) -> Result<Outcome, Error> {
    let (now, silent) = (NOW.parse().unwrap(), |_: &Event| {});
    let cancel = CancellationToken::new();
    mover::run(&city.lake, policy, now, options, &silent, &cancel).await
}

#[tokio::test]
async fn a_day_of_a_table_with_a_long_name_comes_back_beside_it() {
    let city = City::new("long", 0, 0).await;
    for length in [50, 63] {
        let policy = table(&city, &"f".repeat(length)).await;
        archive(&city, &policy, &RunOptions::default())
            .await
            .unwrap();
        let day = "2026-01-02".parse().unwrap();
        let restored = restore::restore(&city.lake, &policy.table, day)
            .await
            .unwrap();
        assert_eq!(restored.rows, 10);
        let name = &restored.table.name;
        assert!(
            name.len() <= 63 && name.ends_with("_restored_20260102"),
            "{name}"
        );
        let again = restore::restore(&city.lake, &policy.table, day)
            .await
            .unwrap_err();
        assert_eq!(
            again.hint(),
            Some(format!("drop table {}", restored.table.quoted()).as_str())
        );
    }
    city.clean().await;
}

#[tokio::test]
async fn nobody_is_told_to_drop_a_table_that_is_no_copy() {
    let city = City::new("nocopy", 0, 0).await;
    let policy = table(&city, "facts").await;
    archive(&city, &policy, &RunOptions::default())
        .await
        .unwrap();
    let schema = &city.schema;
    city.sql(&format!(
        "create table {schema}.facts_restored_20260101 (precious int)"
    ))
    .await;
    let day = "2026-01-01".parse().unwrap();
    let error = restore::restore(&city.lake, &policy.table, day)
        .await
        .unwrap_err();
    assert!(
        !error.hint().unwrap().contains("drop"),
        "{:?}",
        error.hint()
    );
    city.clean().await;
}

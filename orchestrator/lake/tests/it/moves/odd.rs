//! Tables that are not as others: long names, names in capitals, columns that nobody can archive.

use lake::audit::Audit;
use lake::ledger::{TableId, tables};
use lake::mover::{self, Event, Outcome, Policy, RunOptions};
use lake::{Error, maintain, restore};
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
            &format!(
                "p{}_{}{}",
                day.replace('-', ""),
                name.len(),
                &name[..name.len().min(20)]
            ),
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

#[tokio::test]
async fn the_view_follows_the_columns_when_nothing_is_due() {
    use lake::ledger::state::State;
    let city = City::new("follow", 0, 0).await;
    let policy = table(&city, "sales").await;
    archive(&city, &policy, &RunOptions::default())
        .await
        .unwrap();
    let (schema, view) = (&city.schema, city.view().await);
    city.sql(&format!(
        "create table {schema}.young partition of {schema}.sales
             for values from ('2026-02-03 00:00:00+00') to ('2026-02-04 00:00:00+00')"
    ))
    .await;
    let rows = async |columns: &str| {
        let sql = format!("select {columns} from lake.history.{view}");
        let rows = city.trino().rows(&sql).await;
        rows.unwrap_or_else(|e| panic!("{sql}: {e}"))[0].clone()
    };
    city.sql(&format!("alter table {schema}.sales drop column flag"))
        .await;
    archive(&city, &policy, &RunOptions::default())
        .await
        .unwrap();
    assert_eq!(rows("count(*), count(flag)").await, [20, 20]);
    city.sql(&format!(
        "alter table {schema}.sales alter column id type bigint;
         insert into {schema}.sales (at, id) values ('2026-02-03 12:00:00+00', 3000000000)"
    ))
    .await;
    // also when the run itself goes no further than its first step
    let stop = RunOptions {
        until: Some(State::Planned),
        ..RunOptions::default()
    };
    archive(&city, &policy, &stop).await.unwrap();
    assert_eq!(rows("count(*), max(id)").await, [21, 3_000_000_000_i64]);
    city.clean().await;
}

/// In what way a run and a plan refuse a table; neither has changed anything.
async fn refused(city: &City, policy: &Policy) -> String {
    let rows = format!(
        "select count(*) from lake.boundaries where table_schema = '{}' and table_name = '{}'",
        policy.table.schema, policy.table.name
    );
    let before = city.number(&rows).await;
    let run = archive(city, policy, &RunOptions::default())
        .await
        .unwrap_err();
    let now = NOW.parse().unwrap();
    let plan = match mover::preview(&city.lake, policy, now, 9).await {
        Ok(found) => found.plan.refused.expect("the plan refuses it too").reason,
        Err(error) => error.told(),
    };
    assert!(
        run.told().contains(&plan) || plan == run.told(),
        "{plan}\n{}",
        run.told()
    );
    assert_eq!(city.number(&rows).await, before, "adopted all the same");
    run.told()
}

#[tokio::test]
async fn a_table_that_cannot_be_archived_is_refused_before_anything_is_touched() {
    let city = City::new("refused", 0, 0).await;
    let schema = &city.schema;
    for name in [
        "colliding",
        "unkeyed",
        "monthly",
        "defaulted",
        "twin",
        "Twin",
    ] {
        table(&city, name).await;
    }
    let policy = async |name: &str| {
        let mut policy = city.policy.clone();
        policy.table = TableId::new(schema, name);
        policy.field = "at".to_owned();
        policy.key = vec!["id".to_owned()];
        policy
    };
    city.sql(&format!(
        "alter table {schema}.colliding add \"Note\" text;
         create table {schema}.month partition of {schema}.monthly
             for values from ('2025-11-01 00:00:00+00') to ('2025-12-01 00:00:00+00');
         create table {schema}.other partition of {schema}.defaulted default"
    ))
    .await;
    let told = refused(&city, &policy("colliding").await).await;
    assert!(told.contains("Note"), "{told}");
    let mut unkeyed = policy("unkeyed").await;
    unkeyed.key = vec!["nothing".to_owned()];
    assert!(
        refused(&city, &unkeyed)
            .await
            .contains("no column `nothing`")
    );
    assert!(
        refused(&city, &policy("monthly").await)
            .await
            .contains("not one UTC day")
    );
    assert!(
        refused(&city, &policy("defaulted").await)
            .await
            .contains("DEFAULT")
    );
    let twin = policy("twin").await;
    archive(&city, &twin, &RunOptions::default()).await.unwrap();
    let told = refused(&city, &policy("Twin").await).await;
    assert!(told.contains("capitals"), "{told}");
    city.clean().await;
}

#[tokio::test]
async fn values_that_iceberg_has_not_are_found_before_their_day_is_frozen() {
    let city = City::new("unfit", 0, 0).await;
    let policy = table(&city, "nn").await;
    let schema = &city.schema;
    for (column, value, good) in [
        ("seen", "'infinity'", "now()"),
        ("amount", "'NaN'", "1"),
        ("tags", "'{{1,2},{3,4}}'", "'{1}'"),
    ] {
        let set = async |value: &str| {
            city.sql(&format!(
                "update {schema}.nn set {column} = {value} where id = 5 and at < '2026-01-02'"
            ))
            .await;
        };
        set(value).await;
        let told = refused_adopted(&city, &policy).await;
        assert!(told.contains(&format!("column `{column}`")), "{told}");
        set(good).await;
    }
    // the second day has one: the first leaves all the same
    city.sql(&format!(
        "update {schema}.nn set seen = '-infinity' where at > '2026-01-02' and id = 3"
    ))
    .await;
    let error = archive(&city, &policy, &RunOptions::default())
        .await
        .unwrap_err();
    assert!(
        error.hint().unwrap().contains("isfinite"),
        "{:?}",
        error.hint()
    );
    let done = format!(
        "select count(*) from lake.moves where table_schema = '{schema}' and state = 'dropped'"
    );
    assert_eq!(city.number(&done).await, 1);
    city.clean().await;
}

/// As [`refused`], of a table that is adopted by it.
async fn refused_adopted(city: &City, policy: &Policy) -> String {
    let told = archive(city, policy, &RunOptions::default())
        .await
        .unwrap_err()
        .told();
    let moves = format!(
        "select count(*) from lake.moves where table_schema = '{}'",
        city.schema
    );
    assert_eq!(city.number(&moves).await, 0, "nothing is frozen");
    refused(city, policy).await;
    told
}

#[tokio::test]
async fn a_partition_made_again_is_seen_by_plan_run_and_verification() {
    let city = City::new("again", 0, 0).await;
    let policy = table(&city, "facts").await;
    archive(&city, &policy, &RunOptions::default())
        .await
        .unwrap();
    let schema = &city.schema;
    city.sql(&format!(
        "create table {schema}.again partition of {schema}.facts
             for values from ('2026-01-01 00:00:00+00') to ('2026-01-02 00:00:00+00');
         insert into {schema}.facts (at, id) values ('2026-01-01 12:00:00+00', 99)"
    ))
    .await;
    let now = NOW.parse().unwrap();
    let plan = mover::preview(&city.lake, &policy, now, 9)
        .await
        .unwrap()
        .plan;
    assert!(
        plan.warnings[0].contains("again was made again"),
        "{plan:?}"
    );
    let run = archive(&city, &policy, &RunOptions::default())
        .await
        .unwrap();
    assert_eq!(run.warnings, plan.warnings);
    let adopted = tables::get(city.pool(), &policy.table)
        .await
        .unwrap()
        .unwrap();
    let audit = Audit::open(&city.lake, &adopted).await.unwrap();
    let day = audit
        .deep(&city.lake, "2026-01-01".parse().unwrap(), None)
        .await
        .unwrap();
    assert!(
        day.differences[0].starts_with("extra: partition again"),
        "{day:?}"
    );
    city.clean().await;
}

#[tokio::test]
async fn a_table_that_is_gone_or_was_never_made_hides_no_other() {
    let city = City::new("gone", 0, 0).await;
    let policy = table(&city, "facts").await;
    archive(&city, &policy, &RunOptions::default())
        .await
        .unwrap();
    let schema = &city.schema;
    // as an older version left one that it refused
    city.sql(&format!(
        "drop table {schema}.facts;
         insert into lake.boundaries (table_schema, table_name, field, late_table)
             values ('{schema}', 'half', 'at', 'late_{schema}_half');
         insert into lake.tables (table_schema, table_name, field, key_columns, iceberg_schema, iceberg_table, view_name)
             values ('{schema}', 'half', 'at', '{{id}}', '{schema}', 'half', '{schema}_half')"
    ))
    .await;
    for (name, days) in [("facts", 2), ("half", 0)] {
        let id = TableId::new(schema, name);
        let table = tables::get(city.pool(), &id).await.unwrap().unwrap();
        let audit = Audit::open(&city.lake, &table).await.unwrap();
        assert_eq!(audit.days().len(), days, "{name}");
        for day in audit.days() {
            assert_eq!(
                audit.deep(&city.lake, day, None).await.unwrap().problem(),
                None
            );
        }
        let found = maintain::catalog::check_table(&city.lake, &table)
            .await
            .unwrap();
        assert_eq!(found, [""; 0], "{name}");
        let options = maintain::Options {
            dry_run: true,
            ..maintain::Options::default()
        };
        let done = maintain::run(&city.lake, &table, &options, NOW.parse().unwrap()).await;
        assert!(done.unwrap().is_nothing(), "{name}");
    }
    city.clean().await;
}

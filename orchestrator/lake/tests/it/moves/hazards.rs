//! What people do to tables that nobody asked the archive about.

use lake::Error;
use lake::ledger::state::State;
use lake::mover::{Abandoned, Event, Policy, RunOptions, Stopped};
use sqlx::AssertSqlSafe;

use super::city::{City, Servers};
use super::odd::{archive, table};
use super::rested::until;

async fn reason(city: &City, policy: &Policy) -> String {
    let error = archive(city, policy, &RunOptions::default()).await;
    let error = error.expect_err("is refused");
    assert!(matches!(error, Error::Refused { .. }), "{}", error.told());
    format!("{}; {}", error.told(), error.hint().unwrap_or_default())
}

/// Rows of Trino's view over the tiers.
async fn seen(city: &City, policy: &Policy) -> i64 {
    let sql = "select view_name from lake.tables where table_schema = $1 and table_name = $2";
    let view: String = sqlx::query_scalar(sql)
        .bind(&policy.table.schema)
        .bind(&policy.table.name)
        .fetch_one(city.pool())
        .await
        .unwrap();
    let sql = format!("select count(*) from lake.history.\"{view}\"");
    let rows = city.trino().rows(&sql).await.unwrap();
    rows[0][0].as_i64().unwrap()
}

/// The archive brought up to date.
async fn done(city: &City, policy: &Policy) {
    archive(city, policy, &RunOptions::default())
        .await
        .unwrap_or_else(|error| panic!("{}", error.told()));
}

#[tokio::test]
async fn rows_that_a_copy_would_not_see_stop_it() {
    let city = City::new("unseen", 0, 0).await;
    let schema = &city.schema;
    // a day that is partitioned itself
    let policy = table(&city, "parted").await;
    city.sql(&format!(
        "drop table {schema}.p20260101_6parted;
         create table {schema}.sub partition of {schema}.parted
             for values from ('2026-01-01 00:00+00') to ('2026-01-02 00:00+00') partition by hash (id);
         create table {schema}.sub0 partition of {schema}.sub for values with (modulus 1, remainder 0);
         insert into {schema}.parted (at, id) values ('2026-01-01 05:00+00', 1)"
    ))
    .await;
    let told = reason(&city, &policy).await;
    assert!(
        told.contains("its partition sub is partitioned itself"),
        "{told}"
    );
    // rows that a policy hides, of the table or of one day
    let policy = table(&city, "hidden").await;
    for relation in ["hidden", "p20260101_6hidden"] {
        let alter = format!("alter table {schema}.{relation}");
        city.sql(&format!(
            "{alter} enable row level security, force row level security"
        ))
        .await;
        let told = reason(&city, &policy).await;
        let wanted = format!("row level security is on for {schema}.{relation}");
        assert!(told.contains(&wanted), "{told}");
        city.sql(&format!(
            "{alter} disable row level security, no force row level security"
        ))
        .await;
    }
    done(&city, &policy).await;
    assert_eq!(seen(&city, &policy).await, 20);
    city.clean().await;
}

#[tokio::test]
async fn rows_that_are_referred_to_do_not_begin_to_leave() {
    let city = City::new("referred", 0, 0).await;
    let schema = &city.schema;
    let policy = table(&city, "referred").await;
    city.sql(&format!(
        "create table {schema}.notes (at timestamptz, id int4, foreign key (at, id) references {schema}.referred)"
    ))
    .await;
    let told = reason(&city, &policy).await;
    assert!(told.contains("notes_at_id_fkey"), "{told}");
    city.sql(&format!(
        "alter table {schema}.notes drop constraint notes_at_id_fkey"
    ))
    .await;
    done(&city, &policy).await;
    city.clean().await;
}

#[tokio::test]
async fn a_type_may_change_until_the_first_day_has_left() {
    let city = City::new("retyped", 0, 0).await;
    let schema = &city.schema;
    let policy = table(&city, "retyped").await;
    let alter = |what: &str| format!("alter table {schema}.retyped {what}");
    // Trino reads no arrays of bytes: refused, and nothing is left of the try
    city.sql(&alter("add column parts bytea[]")).await;
    let told = reason(&city, &policy).await;
    assert!(
        told.contains("Trino does not see its columns \"parts\""),
        "{told}"
    );
    let adopted = format!("select count(*) from lake.tables where table_schema = '{schema}'");
    assert_eq!(city.number(&adopted).await, 0);
    city.sql(&alter("alter parts type text using 'x'")).await;
    let nothing_due = Policy {
        after: chrono::TimeDelta::days(3000),
        ..policy.clone()
    };
    done(&city, &nothing_due).await;
    // adopted, and empty: another type is followed, and what may be NULL is
    city.sql(&alter("alter parts type int4 using 7")).await;
    city.sql(&alter("alter flag set not null")).await;
    done(&city, &nothing_due).await;
    city.sql(&alter("alter flag drop not null")).await;
    done(&city, &policy).await;
    city.sql(&format!(
        "insert into lake.late_{schema}_retyped (at, id, parts, ridehail_flush, ridehail_suspect)
         select '2026-01-01 06:00+00', 99, 8, open_flush, false from lake.boundaries where table_schema = '{schema}'"
    ))
    .await;
    done(&city, &policy).await;
    assert_eq!(seen(&city, &policy).await, 21);
    city.clean().await;
}

#[tokio::test]
async fn a_late_row_that_the_net_catches_has_its_generated_columns() {
    let city = City::new("generated", 0, 0).await;
    let schema = &city.schema;
    let policy = table(&city, "generated").await;
    city.sql(&format!(
        "alter table {schema}.generated add column \"twice it\" int8 generated always as (id * 2) stored,
             add column field int4"
    ))
    .await;
    archive(&city, &policy, &until(State::Frozen))
        .await
        .unwrap();
    city.sql(&format!(
        "insert into {schema}.generated (at, id, field) values ('2026-01-01 07:00+00', 21, 5)"
    ))
    .await;
    done(&city, &policy).await;
    let sql = format!(
        "select \"twice it\", field from lake.{schema}.generated
         where id = 21 or id = 3 and at < timestamp '2026-01-02 00:00 UTC' order by id"
    );
    let rows = city.trino().rows(&sql).await.unwrap();
    let rows = serde_json::to_string(&rows).unwrap();
    assert_eq!(rows, "[[6,null],[42,5]]");
    city.clean().await;
}

/// Columns by the names that statements of ours give to tables.
#[tokio::test]
async fn a_column_may_have_any_name() {
    let city = City::new("named", 0, 0).await;
    let schema = &city.schema;
    let policy = table(&city, "named").await;
    city.sql(&format!(
        "alter table {schema}.named add column l jsonb, add column a int4, add column b int4, add column \"row\" text,
             add column r int4, add column w int4, add column o int4, add column n int4, add column seq int4"
    ))
    .await;
    let late = |row: &str| {
        format!(
            "insert into lake.late_{schema}_named (at, id, l, \"row\", ridehail_flush, ridehail_suspect)
             select '2026-01-01 01:01+00', 1, '{{\"k\": 2}}', '{row}', open_flush, false
             from lake.boundaries where table_schema = '{schema}'"
        )
    };
    archive(&city, &policy, &until(State::Copied))
        .await
        .unwrap();
    city.sql(&late("precious")).await;
    let day = "2026-01-01".parse().unwrap();
    let given = city.abandon(&policy.table, day).await.unwrap();
    assert!(
        matches!(given, Abandoned::GivenBack { refused: 1, .. }),
        "{given:?}"
    );
    done(&city, &policy).await;
    city.sql(&late("dear")).await;
    let outcome = archive(&city, &policy, &RunOptions::default())
        .await
        .unwrap();
    let warning = &outcome.warnings[0];
    assert!(
        warning.starts_with("1 late row of 2026-01-01 contradicts"),
        "{warning}"
    );
    let sql = format!(
        "select row ->> 'row' || (row -> 'l')::text || (row ->> 'id') from lake.refused_rows
         where table_schema = '{schema}' order by refused_id"
    );
    let kept: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_all(city.pool())
        .await
        .unwrap();
    assert_eq!(kept, ["precious{\"k\": 2}1", "dear{\"k\": 2}1"]);
    city.clean().await;
}

/// A row that nobody can archive does not hold up those that came with it.
#[tokio::test]
async fn late_rows_that_iceberg_has_no_value_for_are_kept_aside() {
    let city = City::new("poison", 0, 0).await;
    let schema = &city.schema;
    let policy = table(&city, "poisoned").await;
    archive(&city, &policy, &RunOptions::default())
        .await
        .unwrap();
    city.sql(&format!(
        "insert into lake.late_{schema}_poisoned (at, id, amount, seen, ridehail_flush, ridehail_suspect)
         select at, id, amount, seen, open_flush, false
         from lake.boundaries,
             (values (timestamptz '2026-01-01 05:00+00', 91, 1.5, timestamptz '2026-01-01'),
                     ('2026-01-01 05:00+00', 92, 'NaN', '2026-01-01'),
                     ('2026-01-01 05:00+00', 93, 1.5, '74000-01-01'),
                     ('-infinity', 94, 1.5, '2026-01-01')) as late (at, id, amount, seen)
         where table_schema = '{schema}'"
    ))
    .await;
    let outcome = archive(&city, &policy, &RunOptions::default())
        .await
        .unwrap();
    assert_eq!((outcome.rows, outcome.stopped), (1, None));
    let warning = &outcome.warnings[0];
    assert!(
        warning.starts_with("3 late rows hold a value that Iceberg has not"),
        "{warning}"
    );
    let sql = format!(
        "select string_agg((row ->> 'id') || ' ' || split_part(reason, '`', 2), ', ' order by row ->> 'id')
         from lake.refused_rows where table_schema = '{schema}'"
    );
    let kept: String = sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(city.pool())
        .await
        .unwrap();
    assert_eq!(kept, "92 amount, 93 seen, 94 at");
    let instants: Vec<chrono::DateTime<chrono::Utc>> = sqlx::query_scalar(AssertSqlSafe(format!(
        "select field_value from lake.refused_rows where table_schema = '{schema}' order by field_value"
    )))
    .fetch_all(city.pool())
    .await
    .unwrap();
    assert_eq!(instants[0].to_rfc3339(), "0001-01-01T00:00:00+00:00");
    city.clean().await;
}

/// A run that took every late row along would not end while a writer sends them.
#[tokio::test]
async fn a_run_flushes_once() {
    let city = City::new("once", 5, 5).await;
    city.archive(&RunOptions::default()).await.unwrap();
    let late = |n: u32| {
        let schema = &city.schema;
        format!(
            "insert into lake.late_{schema}_events overriding system value
             select {}, nextval(pg_get_serial_sequence('lake.late_{schema}_events', 'ridehail_seq')),
                 (select open_flush from lake.boundaries where table_schema = '{schema}'), false, now()
             from generate_series({n}, {n}) as n",
            City::values_of(1)
        )
    };
    city.sql(&late(100)).await;
    let (sender, mut committed) = tokio::sync::mpsc::unbounded_channel();
    let reporter = move |event: &Event| {
        if let Event::Reached { what } = event
            && what.state == State::Committed
        {
            let _ = sender.send(());
        }
    };
    let (options, cancel) = (
        RunOptions::default(),
        tokio_util::sync::CancellationToken::new(),
    );
    let now = super::city::NOW.parse().unwrap();
    let run = lake::mover::run(&city.lake, &city.policy, now, &options, &reporter, &cancel);
    let writer = async {
        committed.recv().await;
        city.sql(&late(101)).await;
    };
    let (outcome, ()) = tokio::join!(run, writer);
    assert_eq!(outcome.unwrap().dropped, 1);
    let waiting = format!("select count(*) from lake.late_{}_events", city.schema);
    assert_eq!(city.number(&waiting).await, 1);
    city.archive(&RunOptions::default()).await.unwrap();
    assert_eq!(city.number(&waiting).await, 0);
    city.clean().await;
}

/// A view over another database would lose what leaves this one.
#[tokio::test]
async fn a_trino_that_reads_another_database_makes_no_view() {
    let here = Servers::of_environment();
    let elsewhere = Servers::of(&["--trino-warehouse", "druid"], &here.database);
    let city = City::on(&elsewhere, "elsewhere", 5, 20).await;
    let outcome = city.archive(&RunOptions::default()).await.unwrap();
    let Some(Stopped::NoTrino { away: Some(why) }) = outcome.stopped else {
        panic!("{outcome:?}");
    };
    assert!(why.contains("is not this database's"), "{why}");
    assert_eq!((outcome.committed, outcome.dropped), (4, 0));
    let there = City::open(&here, &city.schema).await.unwrap();
    let before = there.in_postgres().await;
    let outcome = there.archive(&RunOptions::default()).await.unwrap();
    assert_eq!((outcome.dropped, outcome.stopped), (4, None));
    assert_eq!(there.history().await, before);
    there.clean().await;
}

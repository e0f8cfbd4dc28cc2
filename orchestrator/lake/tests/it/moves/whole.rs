//! Moves that nothing disturbs.

use lake::mover::RunOptions;

use super::city::City;

#[tokio::test]
async fn due_days_leave_and_the_view_stays_the_same() {
    let city = City::new("whole", 6, 400).await;
    let before = city.in_postgres().await;
    let outcome = city.archive(&RunOptions::default()).await.unwrap();
    assert_eq!(
        (outcome.committed, outcome.dropped, outcome.rows),
        (4, 4, 1600),
        "{outcome:?}"
    );
    assert_eq!(outcome.stopped, None);
    assert_eq!(city.history().await, before);
    let schema = &city.schema;
    assert_eq!(
        city.number(&format!("select count(*) from {schema}.events"))
            .await,
        800
    );
    let partitions = "select count(*) from pg_inherits where inhparent = to_regclass($$";
    assert_eq!(
        city.number(&format!("{partitions}{schema}.events$$)"))
            .await,
        2
    );
    // nothing more is due
    let again = city.archive(&RunOptions::default()).await.unwrap();
    assert_eq!((again.committed, again.dropped), (0, 0));
    assert_eq!(city.history().await, before);
    city.clean().await;
}

#[tokio::test]
async fn late_rows_are_shown_at_once_and_flushed_once() {
    let city = City::new("late", 5, 100).await;
    let schema = &city.schema;
    let saved =
        format!("create table {schema}.saved as select * from {schema}.events where off in (0, 1)");
    city.sql(&saved).await;
    city.archive(&RunOptions::default()).await.unwrap();
    let late = format!("lake.late_{schema}_events");
    // as the landing routes them: not suspect; and as the net or a model's run would: suspect
    city.sql(&format!(
        "insert into {late} (happened_at, part, off, ride, cents, payload, ridehail_flush, ridehail_suspect)
         select timestamptz '2026-01-02 10:00:00+00', 1, 5000 + n, gen_random_uuid(), n, '{{}}', 1, n > 10
         from generate_series(1, 15) n"
    ))
    .await;
    assert_eq!(city.history().await[0], 510, "suspects are not shown");
    // one that the archive has already, and one with the key of an archived row and other contents
    city.sql(&format!(
        "update {schema}.saved set cents = -1 where off = 1"
    ))
    .await;
    let columns = "happened_at, part, off, ride, cents, fare, factor, note, tags, payload, raw, is_final, day, local";
    city.sql(&format!(
        "insert into {late} ({columns}, ridehail_flush, ridehail_suspect) select {columns}, 1, true from {schema}.saved"
    ))
    .await;
    let flushed = city.archive(&RunOptions::default()).await.unwrap();
    assert_eq!(
        (flushed.committed, flushed.dropped, flushed.rows),
        (2, 2, 15),
        "{flushed:?}"
    );
    assert_eq!(city.history().await[0], 515);
    assert_eq!(
        city.number(&format!("select count(*) from {late}")).await,
        0
    );
    let refused = format!(
        "select count(*) from lake.refused_rows
         where table_schema = '{schema}' and (row->>'off')::int = 1 and (row->>'cents')::int = -1"
    );
    assert_eq!(
        city.number(&refused).await,
        1,
        "an archived row does not change; what wanted to change it is kept"
    );
    // sent again, it is refused again, and kept once
    city.sql(&format!(
        "insert into {late} ({columns}, ridehail_flush, ridehail_suspect) select {columns}, 2, true from {schema}.saved"
    ))
    .await;
    city.archive(&RunOptions::default()).await.unwrap();
    assert_eq!(city.number(&refused).await, 1);
    city.assert_verified().await;
    city.clean().await;
}

#[tokio::test]
async fn whoever_writes_to_a_frozen_day_without_asking_is_caught() {
    use lake::ledger::state::State;
    let city = City::new("net", 5, 20).await;
    let stop = RunOptions {
        until: Some(State::Frozen),
        ..RunOptions::default()
    };
    let outcome = city.archive(&stop).await.unwrap();
    assert_eq!(outcome.stopped, Some(lake::mover::Stopped::AsAsked));
    let schema = &city.schema;
    city.insert(0, 900, 3).await;
    assert_eq!(
        city.number(&format!("select count(*) from lake.late_{schema}_events"))
            .await,
        3
    );
    for change in [
        format!("update {schema}.events set cents = 0 where happened_at < '2026-01-02'"),
        format!("delete from {schema}.events where happened_at < '2026-01-02'"),
        format!("truncate {schema}.events"),
        format!("truncate {schema}.events_20260101"),
    ] {
        let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(change.clone()))
            .execute(city.pool())
            .await;
        let error = refused.expect_err(&change).to_string();
        assert!(error.contains("is archived"), "{change}: {error}");
    }
    city.archive(&RunOptions::default()).await.unwrap();
    assert_eq!(city.history().await[0], 103);
    city.assert_verified().await;
    city.clean().await;
}

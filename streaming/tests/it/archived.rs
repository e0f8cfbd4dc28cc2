//! Landing beside an archive: days before a boundary have left, and what comes late for them is kept apart.

use chrono::TimeDelta;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};
use streaming::landing::{ResetArgs, To};
use streaming::rejects::{self, Filter, Output, ReplayArgs};

use crate::bed::{Bed, DEADLINE, Sent};
use crate::events::{broken, event_at, events, now};

/// Midnight some days ago, as SQL.
fn days_ago(days: i64) -> String {
    let day = (now() - TimeDelta::days(days)).date_naive();
    format!("timestamptz '{day} 00:00:00+00'")
}

/// Events that happened some days ago.
fn aged(range: std::ops::Range<u32>, days: i64) -> Vec<Sent> {
    range
        .map(|n| event_at(n, now() - TimeDelta::days(days)))
        .collect()
}

impl Bed {
    async fn run(&self, sql: String) {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&self.pool)
            .await
            .unwrap();
    }

    /// Reads all of the topic again.
    async fn reset(&self) {
        let reset = ResetArgs {
            kafka: self.kafka.clone(),
            database: self.args().database,
            topic: "ride_events".to_owned(),
            partition: None,
            to: To::Earliest,
            yes: true,
        };
        streaming::landing::reset(&reset, &mut |_| false, &mut Vec::new())
            .await
            .unwrap();
    }

    /// Rows of the table, late rows, and suspects among them.
    async fn rows(&self) -> (i64, i64, i64) {
        sqlx::query_as(
            "select (select count(*) from raw.ride_events), count(*), count(*) filter (where ridehail_suspect)
             from lake.late_ride_events",
        )
        .fetch_one(&self.pool)
        .await
        .unwrap()
    }

    /// Partitions of the table.
    async fn days(&self) -> Vec<String> {
        sqlx::query_scalar(
            "select inhrelid::regclass::text from pg_inherits
             where inhparent = 'raw.ride_events'::regclass order by 1",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap()
    }
}

fn day_table(days: i64) -> String {
    let day = (now() - TimeDelta::days(days)).date_naive();
    format!("raw.ride_events_{}", day.format("%Y%m%d"))
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_days_that_have_left_go_to_the_late_table_and_their_days_are_not_made() {
    let bed = Bed::new().await;
    // Nothing has left yet.
    bed.archive("ride_events", "'-infinity'").await;
    bed.produce("ride_events", &aged(0..50, 4));
    let summary = bed.land().await;
    assert_eq!((summary.rows, summary.late_rows), (50, 0));
    assert!(bed.days().await.contains(&day_table(4)));

    // Days before yesterday leave: one still hangs on, frozen; the one before it never came to be.
    bed.run(format!(
        "update lake.boundaries set boundary = {}, open_flush = 7; alter table raw.ride_events add column note text",
        days_ago(1)
    ))
    .await;
    let records: Vec<_> = (0..200)
        .map(|n| aged(100 + n..101 + n, i64::from(n % 4) + 1).remove(0))
        .collect();
    bed.produce("ride_events", &records);
    let summary = bed.land().await;
    assert_eq!((summary.rows, summary.late_rows), (200, 150));
    assert_eq!(bed.rows().await, (100, 150, 0));
    let days = bed.days().await;
    assert!(
        days.contains(&day_table(1)) && days.contains(&day_table(4)),
        "{days:?}"
    );
    assert!(
        !days.contains(&day_table(2)) && !days.contains(&day_table(3)),
        "{days:?}"
    );
    let frozen = format!("select count(*) from {}", day_table(4));
    let frozen: i64 = sqlx::query_scalar(AssertSqlSafe(frozen))
        .fetch_one(&bed.pool)
        .await
        .unwrap();
    assert_eq!(frozen, 50);
    // What the late table lacked it has gained; batch numbers are those of the transaction.
    assert_eq!(
        bed.count("select count(*) from lake.late_ride_events where ridehail_flush = 7 and note is null and landing_batch > 0")
            .await,
        150
    );

    // A day that was taken out and kept under its name is not asked about any more.
    bed.run(format!(
        "alter table raw.ride_events detach partition {}",
        day_table(4)
    ))
    .await;
    bed.produce("ride_events", &aged(400..420, 4));
    assert_eq!(bed.land().await.late_rows, 20);
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn table_late_table_and_rejects_add_up_to_the_log() {
    let bed = Bed::new().await;
    for topic in ["ride_events", "vehicle_events"] {
        bed.archive(topic, &days_ago(1)).await;
    }
    for topic in ["ride_events", "user_events", "vehicle_events"] {
        bed.produce(topic, &events(0..3000));
    }
    let broken: Vec<_> = broken().into_iter().map(|(record, _)| record).collect();
    bed.produce("ride_events", &broken);
    let summary = bed.land().await;
    assert_eq!(summary.rows, 9000);
    let late = bed
        .count("select (select count(*) from lake.late_ride_events) + (select count(*) from lake.late_vehicle_events)")
        .await;
    assert!(late > 0 && summary.late_rows == late as u64, "{summary:?}");
    assert_eq!(
        bed.count("select count(*) from lake.late_ride_events where event_time >= (select max(boundary) from lake.boundaries)")
            .await,
        0
    );
    bed.assert_exactly_once().await;
    bed.clean().await;
}

/// Moves the boundary to midnight some days ago. Returns the open transaction, and the rows of the table then.
async fn move_boundary(pool: &PgPool, days: i64) -> (Transaction<'static, Postgres>, i64) {
    let mut tx = pool.begin().await.unwrap();
    let to = days_ago(days);
    sqlx::raw_sql(AssertSqlSafe(format!(
        "update lake.boundaries set boundary = {to}"
    )))
    .execute(&mut *tx)
    .await
    .unwrap();
    let seen = sqlx::query_scalar("select count(*) from raw.ride_events")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    (tx, seen)
}

/// Waits until some statement of the database waits for a lock, `text` being part of it.
async fn until_waits(bed: &Bed, text: &str) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    loop {
        let waits: bool = sqlx::query_scalar(
            "select exists (select from pg_stat_activity where datname = current_database()
                and wait_event_type = 'Lock' and query ilike '%' || $1 || '%' and pid <> pg_backend_pid())",
        )
        .bind(text)
        .fetch_one(&bed.pool)
        .await
        .unwrap();
        if waits {
            return;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{text} does not wait"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boundary_moves_before_or_after_a_batch_but_not_during_it() {
    let bed = Bed::new().await;
    bed.archive("ride_events", &days_ago(9)).await;
    let mut records = aged(0..40, 3);
    records.push(("k".to_owned(), Some(b"{".to_vec())));
    bed.produce("ride_events", &records);

    // Landing stops at its last step, with its rows copied.
    let mut blocker = bed.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table raw.rejects in access exclusive mode")
        .execute(&mut *blocker)
        .await
        .unwrap();
    let args = bed.args();
    let landing = tokio::spawn(streaming::landing::run(args, Default::default()));
    until_waits(&bed, "insert into raw.rejects").await;

    // A move waits for it, and then sees its rows: all that the table will ever get of those days.
    let pool = bed.pool.clone();
    let moving = tokio::spawn(async move { move_boundary(&pool, 1).await });
    until_waits(&bed, "update lake.boundaries").await;
    assert!(!moving.is_finished() && !landing.is_finished());
    blocker.rollback().await.unwrap();
    let (mover, seen) = moving.await.unwrap();
    mover.commit().await.unwrap();
    let summary = landing.await.unwrap().unwrap();
    assert_eq!(summary.rows, 40);
    assert!(seen > 0, "the batch under way counts");
    assert_eq!(bed.rows().await, (seen, 40 - seen, 0));
    assert_eq!(summary.late_rows as i64, 40 - seen);

    // And the other way round: a batch waits for the move, and then knows.
    let (mover, _) = move_boundary(&bed.pool, 0).await;
    bed.produce("ride_events", &aged(100..130, 1));
    let landing = tokio::spawn(streaming::landing::run(bed.args(), Default::default()));
    until_waits(&bed, "from lake.boundaries").await;
    mover.commit().await.unwrap();
    let summary = landing.await.unwrap().unwrap();
    assert_eq!((summary.rows, summary.late_rows), (30, 30));
    bed.assert_exactly_once().await;
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_new_is_seen_by_whoever_comes_after_its_lock() {
    let bed = Bed::new().await;
    bed.land().await;
    // As a first move does: the row, committed; then the lock, while landing is about to begin.
    bed.archive("ride_events", "'-infinity'").await;
    let mut adopting = bed.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table raw.ride_events in share row exclusive mode")
        .execute(&mut *adopting)
        .await
        .unwrap();
    bed.produce("ride_events", &aged(0..30, 3));
    let landing = tokio::spawn(streaming::landing::run(bed.args(), Default::default()));
    until_waits(&bed, "lock table only raw.ride_events").await;
    sqlx::raw_sql(AssertSqlSafe(format!(
        "update lake.boundaries set boundary = {}",
        days_ago(1)
    )))
    .execute(&mut *adopting)
    .await
    .unwrap();
    adopting.commit().await.unwrap();
    assert_eq!(landing.await.unwrap().unwrap().late_rows, 30);
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_reset_lands_again_is_suspect_and_is_not_there_twice() {
    let bed = Bed::new().await;
    // Before anything leaves: 60 rows of a day that will hang on, frozen.
    bed.produce("ride_events", &aged(0..60, 3));
    bed.land().await;
    bed.archive("ride_events", &days_ago(1)).await;
    bed.produce("ride_events", &aged(100..180, 2));
    bed.produce("ride_events", &aged(200..220, 0));
    bed.land().await;
    assert_eq!(bed.rows().await, (80, 80, 0));

    bed.reset().await;
    let summary = bed.land().await;
    assert_eq!((summary.rows, summary.already_present), (0, 160));
    assert_eq!(bed.rows().await, (80, 80, 0));

    // The frozen day and the late rows go to the archive; progress goes back once more, and new late rows come.
    bed.run(format!(
        "alter table raw.ride_events detach partition {day}; drop table {day};
         delete from lake.late_ride_events; update lake.boundaries set open_flush = 2",
        day = day_table(3)
    ))
    .await;
    bed.reset().await;
    bed.produce("ride_events", &aged(300..310, 5));
    let summary = bed.land().await;
    assert_eq!(
        (summary.rows, summary.late_rows, summary.already_present),
        (150, 150, 20)
    );
    // Those that were landed before are suspect, wherever they are by now. The new ones are not.
    assert_eq!(bed.rows().await, (20, 150, 140));
    bed.reset().await;
    let summary = bed.land().await;
    assert_eq!((summary.rows, summary.already_present), (0, 170));
    assert_eq!(bed.rows().await, (20, 150, 140));
    bed.assert_exactly_once().await;

    // The same place and time, but another event: of a topic that was created again, say. It is kept as a reject.
    bed.run(
        "update lake.late_ride_events set event_id = gen_random_uuid()
         where ridehail_seq = (select min(ridehail_seq) from lake.late_ride_events where ridehail_suspect)"
            .to_owned(),
    )
    .await;
    bed.reset().await;
    bed.land().await;
    assert_eq!(
        bed.count("select count(*) from raw.rejects where reason = 'coordinates_taken'")
            .await,
        1
    );
    assert_eq!(bed.rows().await, (20, 150, 140));
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_row_that_postgres_refuses_is_rejected_alone() {
    let bed = Bed::new().await;
    bed.archive("ride_events", &days_ago(1)).await;
    bed.run(
        "create function raw.judge() returns trigger language plpgsql as
             $$ begin if new.city_id = 'nowhere' then raise sqlstate '22003' using message = 'too large'; end if; return new; end $$;
         create trigger judge before insert on raw.ride_events for each row execute function raw.judge();
         create trigger judge before insert on lake.late_ride_events for each row execute function raw.judge()"
            .to_owned(),
    )
    .await;
    let mut records = aged(0..300, 3);
    records.extend(aged(300..600, 0));
    for n in [17, 150, 450, 451] {
        let value = String::from_utf8(records[n].1.take().unwrap()).unwrap();
        records[n].1 = Some(value.replace("lagos", "nowhere").into_bytes());
    }
    bed.produce("ride_events", &records);
    let summary = bed.land().await;
    assert_eq!(
        (summary.rows, summary.late_rows, summary.rejects),
        (596, 298, 4)
    );
    assert_eq!(bed.rows().await, (298, 298, 0));
    bed.assert_exactly_once().await;
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replayed_rejects_are_late_too_and_suspect_once_progress_went_back() {
    let bed = Bed::new().await;
    bed.archive("ride_events", &days_ago(1)).await;
    let ahead = |range: std::ops::Range<u32>| -> Vec<Sent> {
        range
            .map(|n| event_at(n, now() + TimeDelta::days(5)))
            .collect()
    };
    let mend = format!(
        "update raw.rejects set value = convert_to(replace(convert_from(value, 'UTF8'), '{}', '{}'), 'UTF8')",
        (now() + TimeDelta::days(5)).date_naive(),
        (now() - TimeDelta::days(3)).date_naive()
    );
    let replay = ReplayArgs {
        database: bed.args().database,
        filter: Filter::default(),
        output: Output::Text,
    };
    bed.produce("ride_events", &ahead(0..20));
    bed.land().await;
    bed.run(mend.clone()).await;
    let done = rejects::replay(&replay, &mut Vec::new()).await.unwrap();
    assert_eq!((done.landed, done.remaining), (20, 0));
    assert_eq!(bed.rows().await, (0, 20, 0));
    assert!(!bed.days().await.contains(&day_table(3)));

    // Read again, they are what they were: rejects, once replayed. The new ones may be anything by now.
    bed.produce("ride_events", &ahead(20..50));
    bed.land().await;
    bed.reset().await;
    bed.land().await;
    bed.run(mend).await;
    let done = rejects::replay(&replay, &mut Vec::new()).await.unwrap();
    assert_eq!((done.landed, done.remaining), (30, 0));
    assert_eq!(bed.rows().await, (0, 50, 30));
    let landed = bed.landed().await;
    assert!(landed.values().all(|there| there.len() == 1));
    bed.clean().await;
}

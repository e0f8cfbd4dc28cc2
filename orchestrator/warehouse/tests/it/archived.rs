//! Models of which old days have left for an archive.

use std::sync::Arc;

use warehouse::{ErrorKind, OutcomeKind, RunOptions};

use crate::database::{Database, Model};

/// One row a day from the first of November on.
fn days(from: u32, to: u32, name: &str) -> String {
    format!(
        "select g as id, timestamptz '2026-11-01 00:00+00' + (g - 1) * interval '1 day' as at, \
         '{name}' as name from generate_series({from}, {to}) g"
    )
}

fn model(db: &Database, sql: &str) -> Model {
    Model::new("m", "incremental", sql)
        .within(db)
        .key(&["id", "at"])
        .partitioned("at", "day")
}

/// What the lake makes once in a database, and for a table that it takes on.
const ARCHIVE: &str = "
    create schema if not exists lake;
    create table if not exists lake.boundaries (
        table_schema text not null, table_name text not null, field text not null,
        boundary timestamptz not null default '-infinity', open_flush int8 not null default 1,
        late_table text not null unique, updated_at timestamptz not null default now(),
        primary key (table_schema, table_name));
    create table lake.late_s_m (like s.m,
        ridehail_seq int8 generated always as identity primary key, ridehail_flush int8 not null,
        ridehail_suspect boolean not null, ridehail_arrived_at timestamptz not null default now());
    insert into lake.boundaries (table_schema, table_name, field, late_table) values ('s', 'm', 'at', 'late_s_m')";

const LATE: &str = "select id || ' ' || name || ' ' || ridehail_flush || ' ' || ridehail_suspect from lake.late_s_m order by 1";
const HOT: &str = "select id || ' ' || name from s.m order by id";

/// Days before the fourth leave.
const MOVE: &str = "update lake.boundaries set boundary = '2026-11-04 00:00:00+00';
    alter table s.m detach partition s.m_20261101; drop table s.m_20261101;
    alter table s.m detach partition s.m_20261102; drop table s.m_20261102";

async fn archived(sql: &str) -> (Database, Model) {
    let db = Database::new().await;
    let m = model(&db, sql);
    db.built(&m).await;
    db.sql(ARCHIVE).await;
    (db, m)
}

#[tokio::test]
async fn late_rows_go_to_the_late_table_with_a_warning() {
    let (db, m) = archived(&days(1, 5, "a")).await;
    // nothing has left yet
    assert_eq!(
        db.built(&m.clone().select(&days(2, 5, "b"))).await,
        "INSERT 0 4"
    );
    db.sql(MOVE).await;

    for (strategy, word) in [("delete+insert", "INSERT 0"), ("merge", "MERGE")] {
        let next = m.clone().strategy(strategy).select(&days(1, 6, "c"));
        let outcome = db.build(&next).await.expect("builds");
        assert_eq!(outcome.kind, OutcomeKind::Warn);
        assert_eq!(outcome.message, format!("{word} 3"));
        insta::allow_duplicates! {
            insta::assert_snapshot!(outcome.explanation.unwrap_or_default(), @r#"3 rows before the archive boundary 2026-11-04 went to lake."late_s_m", for the next flush to check"#);
        }
        // the day that still hangs on, frozen, is as it was; days that are gone stay gone
        assert_eq!(db.column(HOT).await, "3 b\n4 c\n5 c\n6 c", "{strategy}");
        assert_eq!(
            db.column("select string_agg(inhrelid::regclass::text, ' ' order by 1) from pg_inherits where inhparent = 's.m'::regclass")
                .await,
            "s.m_20261103 s.m_20261104 s.m_20261105 s.m_20261106"
        );
        // a pending row of the same key is replaced
        assert_eq!(db.column(LATE).await, "1 c 1 true\n2 c 1 true\n3 c 1 true");
    }
    let append = m.clone().strategy("append").select(&days(2, 2, "d"));
    assert_eq!(db.built(&append).await, "INSERT 0 0");
    // a flush that is under way is not touched
    db.sql("update lake.boundaries set open_flush = 2").await;
    db.built(&m.clone().select(&days(1, 1, "e"))).await;
    assert_eq!(
        db.column(LATE).await,
        "1 c 1 true\n1 e 2 true\n2 d 1 true\n3 c 1 true"
    );
    // nothing late, nothing said
    let outcome = db
        .build(&m.clone().select(&days(4, 7, "f")))
        .await
        .expect("builds");
    assert_eq!(
        (outcome.kind, outcome.explanation),
        (OutcomeKind::Success, None)
    );
    let twice = format!("{} union all {}", days(1, 1, "g"), days(1, 1, "h"));
    let error = db
        .build(&m.clone().select(&twice))
        .await
        .expect_err("refused");
    insta::assert_snapshot!(error, @r#"model.p.m returns the key (id, at) = (1,"2026-11-01 00:00:00+00") more than once"#);
    db.drop().await;
}

#[tokio::test]
async fn a_rebuild_of_what_is_archived_is_refused() {
    let (mut db, m) = archived(&days(1, 5, "a")).await;
    let refreshed = RunOptions {
        full_refresh: true,
        ..db.run.clone()
    };
    db.refreshed(&m).await;
    db.sql(MOVE).await;
    let unchanged = async |db: &Database, what: &str| {
        assert_eq!(db.column(HOT).await, "3 a\n4 a\n5 a", "{what}");
        assert_eq!(
            db.column("select count(*) from lake.late_s_m").await,
            "0",
            "{what}"
        );
        assert_eq!(
            db.relations().await,
            "m p\nm_20261103 r\nm_20261104 r\nm_20261105 r",
            "{what}"
        );
    };
    // not even a hook runs
    let hooked = m.clone().hook(true, "create table s.touched ()", false);
    let compiled = hooked.compiled();
    let error = db
        .warehouse
        .run(&hooked.node, &compiled, &refreshed)
        .await
        .expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Config);
    insta::assert_snapshot!(format!("{error}\nhint: {}", error.hint().unwrap_or("none")), @"
    model.p.m cannot be built anew: days of s.m before 2026-11-04 are archived, and a rebuild would lose what joins them to the rest
    hint: run it without --full-refresh and as what it was; a model of another name can be built from all days, those of s.m from copies that `ridehail archive restore` makes
    ");
    unchanged(&db, "--full-refresh").await;
    for kind in ["table", "view"] {
        let other = Model::new("m", kind, &days(1, 5, "b")).within(&db);
        let error = db.build(&other).await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Config, "{kind}");
        unchanged(&db, kind).await;
    }
    let mut plain = m.clone();
    plain.node.config.partition_by = None;
    db.build(&plain).await.expect_err("refused");
    db.run.native_partitions = false;
    db.build(&m).await.expect_err("refused");
    db.run.native_partitions = true;
    unchanged(&db, "plain").await;
    db.built(&m.clone().select(&days(4, 6, "b"))).await;
    db.drop().await;
}

#[tokio::test]
async fn a_table_that_is_gone_is_built_from_what_has_not_left() {
    let (db, m) = archived(&days(1, 5, "a")).await;
    db.sql(MOVE).await;
    db.sql("drop table s.m").await;
    db.warehouse
        .prepare(&["s".to_owned()].into())
        .await
        .expect("reads again");
    let outcome = db.build(&m).await.expect("builds");
    assert_eq!(
        (outcome.kind, outcome.message.as_str()),
        (OutcomeKind::Warn, "SELECT 2")
    );
    assert_eq!(db.column(HOT).await, "4 a\n5 a");
    assert_eq!(db.column(LATE).await, "1 a 1 true\n2 a 1 true\n3 a 1 true");
    db.drop().await;
}

#[tokio::test]
async fn columns_follow_into_the_late_table_or_are_refused() {
    let (db, m) = archived(&days(1, 5, "a")).await;
    db.sql(MOVE).await;
    let sync = |sql: &str| {
        m.clone()
            .select(sql)
            .config(|c| c.on_schema_change = "sync_all_columns".to_owned())
    };
    let wider = format!(
        "select id::bigint as id, at, name, 1.5::numeric(8,2) as more from ({}) x",
        days(3, 6, "b")
    );
    db.built(&sync(&wider)).await;
    assert_eq!(
        db.column("select string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum)
                   from pg_attribute where attrelid = 'lake.late_s_m'::regclass and attnum > 0 and attname !~ '^ridehail_'")
            .await,
        "id bigint, at timestamp with time zone, name text, more numeric(8,2)"
    );
    assert_eq!(db.column("select more from lake.late_s_m").await, "1.50");
    let narrower = format!(
        "select id, at, 1.5::numeric(8,2) as more from ({}) x",
        days(4, 6, "c")
    );
    let error = db.build(&sync(&narrower)).await.expect_err("refused");
    insta::assert_snapshot!(error, @"cannot drop `name` and make `id` integer: days of s.m before 2026-11-04 are archived as they were");
    assert_eq!(
        db.column("select count(*) from s.m where name = 'b'").await,
        "3"
    );
    db.drop().await;
}

#[tokio::test]
async fn other_fields_and_granularities_split_at_the_boundary_too() {
    let db = Database::new().await;
    let sql = |from: u32, to: u32| {
        format!("select g as id, (date '2026-11-01' + g) as d, timestamp '2026-11-01 12:30' + g * interval '1 day' as t
                 from generate_series({from}, {to}) g")
    };
    let check = async |name: &str, field: &str, granularity: &str| {
        let m = Model::new(name, "incremental", &sql(0, 9))
            .within(&db)
            .key(&["id", field])
            .partitioned(field, granularity);
        db.built(&m).await;
        db.sql(
            &ARCHIVE
                .replace("s_m", &format!("s_{name}"))
                .replace("s.m", &format!("s.{name}"))
                .replace("'m'", &format!("'{name}'")),
        )
        .await;
        db.sql(&format!(
            "update lake.boundaries set boundary = '2026-11-05 00:00:00+00' where table_name = '{name}'"
        ))
        .await;
        db.built(&m.clone().select(&sql(3, 12))).await;
        let counts = format!(
            "select (select count(*) from s.{name}) || ' ' || (select count(*) from lake.late_s_{name})"
        );
        db.column(&counts).await
    };
    assert_eq!(check("a", "d", "day").await, "13 1");
    assert_eq!(check("b", "d", "month").await, "13 1");
    assert_eq!(check("c", "t", "hour").await, "13 1");
    assert_eq!(check("e", "t", "year").await, "13 1");
    db.drop().await;
}

/// Waits until a statement that contains `text` waits for a lock.
async fn until_waits(db: &Database, text: &str) {
    let waits = format!(
        "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
             and query ilike '%{text}%' and pid <> pg_backend_pid())"
    );
    for _ in 0..2000 {
        if db.column(&waits).await == "true" {
            return;
        }
    }
    panic!("{text} does not wait");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boundary_moves_before_or_after_a_build_but_not_during_it() {
    let (db, m) = archived(&days(1, 5, "a")).await;
    let db = Arc::new(db);
    // the last thing a build does is stopped: its hook
    db.sql("create table s.gate (x int)").await;
    let mut gate = db.connection().await;
    sqlx::raw_sql("begin; lock table s.gate in access exclusive mode")
        .execute(&mut gate)
        .await
        .expect("locks");
    let next =
        m.clone()
            .select(&days(1, 6, "b"))
            .hook(false, "insert into s.gate values (1)", true);
    let building = {
        let (db, next) = (Arc::clone(&db), next.clone());
        tokio::spawn(async move { db.build(&next).await })
    };
    until_waits(&db, "insert into s.gate").await;
    let moving = {
        let db = Arc::clone(&db);
        tokio::spawn(async move {
            let rows = db
                .sql("begin; update lake.boundaries set boundary = '2026-11-04 00:00:00+00'; select count(*)::text from s.m where name = 'b'; commit")
                .await;
            sqlx::Row::get::<String, _>(&rows[0], 0)
        })
    };
    until_waits(&db, "update lake.boundaries").await;
    assert!(!moving.is_finished() && !building.is_finished());
    sqlx::raw_sql("commit")
        .execute(&mut gate)
        .await
        .expect("commits");
    let outcome = building.await.expect("joins").expect("builds");
    assert_eq!(outcome.message, "INSERT 0 6");
    assert_eq!(moving.await.expect("joins"), "6");

    // and a build waits for a move, and then knows
    let mut mover = db.connection().await;
    sqlx::raw_sql("begin; update lake.boundaries set boundary = '2026-11-06 00:00:00+00'")
        .execute(&mut mover)
        .await
        .expect("moves");
    let building = {
        let (db, m) = (Arc::clone(&db), m.clone().select(&days(3, 7, "c")));
        tokio::spawn(async move { db.build(&m).await })
    };
    until_waits(&db, "for share").await;
    sqlx::raw_sql("commit")
        .execute(&mut mover)
        .await
        .expect("commits");
    let outcome = building.await.expect("joins").expect("builds");
    assert_eq!(outcome.message, "INSERT 0 2");
    assert_eq!(db.column(LATE).await, "3 c 1 true\n4 c 1 true\n5 c 1 true");

    // an archive that begins while a build is under way: its lock waits, or the build has seen its row
    sqlx::raw_sql("begin; lock table s.m in share row exclusive mode")
        .execute(&mut mover)
        .await
        .expect("locks");
    let building = {
        let (db, m) = (Arc::clone(&db), m.clone().select(&days(7, 8, "d")));
        tokio::spawn(async move { db.build(&m).await })
    };
    until_waits(&db, "lock table only").await;
    sqlx::raw_sql("update lake.boundaries set boundary = '2026-11-08 00:00:00+00'; commit")
        .execute(&mut mover)
        .await
        .expect("moves");
    let outcome = building.await.expect("joins").expect("builds");
    assert_eq!(outcome.message, "INSERT 0 1");
    let db = Arc::into_inner(db).expect("nobody else has it");
    db.drop().await;
}

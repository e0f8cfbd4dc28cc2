//! Native partitions.

use sqlx::Row;
use warehouse::ErrorKind;

use crate::database::{Database, Model};

/// One row an hour from the first of November on.
fn hours(from: u32, to: u32, name: &str) -> String {
    format!(
        "select g as id, timestamptz '2026-11-01 00:00+00' + g * interval '1 hour' as at, \
         '{name}' as name from generate_series({from}, {to}) g"
    )
}

fn model(db: &Database, sql: &str) -> Model {
    Model::new("m", "incremental", sql)
        .within(db)
        .key(&["id", "at"])
        .partitioned("at", "day")
}

const PARTS: &str = "select c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid)
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 's.m'::regclass order by 1";

#[tokio::test]
async fn first_run_then_only_what_is_new() {
    let db = Database::new().await;
    let m = model(&db, &hours(0, 47, "a"));
    assert_eq!(db.built(&m).await, "SELECT 48");
    insta::assert_snapshot!(db.column(PARTS).await, @"
    m_20261101 FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-11-02 00:00:00+00')
    m_20261102 FOR VALUES FROM ('2026-11-02 00:00:00+00') TO ('2026-11-03 00:00:00+00')
    ");
    assert_eq!(
        db.built(&m.clone().select(&hours(40, 60, "b"))).await,
        "INSERT 0 21"
    );
    assert_eq!(
        db.relations().await,
        "m p\nm_20261101 r\nm_20261102 r\nm_20261103 r"
    );
    assert_eq!(
        db.column("select name || count(*) from s.m group by name order by 1")
            .await,
        "a40\nb21"
    );
    assert_eq!(
        db.built(&m.clone().strategy("merge").select(&hours(60, 80, "c")))
            .await,
        "MERGE 21"
    );
    assert_eq!(db.column("select count(*) from s.m").await, "81");
    let none = format!("select * from ({}) x where false", hours(0, 1, "a"));
    assert_eq!(db.built(&m.clone().select(&none)).await, "INSERT 0 0");
    assert_eq!(
        db.built(&m.clone().strategy("append").select(&hours(81, 82, "d")))
            .await,
        "INSERT 0 2"
    );
    let valid =
        "select bool_and(indisvalid) from pg_index where indrelid::regclass::text like 's.m%'";
    assert_eq!(db.column(valid).await, "true");
    // one unique index on the parent, one on each partition
    assert_eq!(
        db.column("select count(*) from pg_indexes where schemaname = 's'")
            .await,
        "5"
    );
    db.drop().await;
}

#[tokio::test]
async fn partitions_are_made_ahead_of_their_rows() {
    let db = Database::new().await;
    let m = model(&db, &hours(0, 30, "a")).ahead(2);
    let parts = "select string_agg(right(c.relname, 4), ' ' order by c.relname) from pg_inherits i
        join pg_class c on c.oid = i.inhrelid where i.inhparent = 's.m'::regclass";
    db.built(&m).await;
    assert_eq!(db.column(parts).await, "1101 1102 1103 1104");
    // rows of the day before the newest partition need none, and bring the next one
    db.built(&m.clone().select(&hours(50, 51, "b"))).await;
    assert_eq!(db.column(parts).await, "1101 1102 1103 1104 1105");
    // older rows make no partitions beside theirs, where others will come
    let before = hours(0, 1, "c").replace("timestamptz '2026-11-01", "timestamptz '2026-10-25");
    db.built(&m.clone().select(&before)).await;
    assert_eq!(db.column(parts).await, "1025 1101 1102 1103 1104 1105");
    // whole, with the names of its own
    db.refreshed(&m.clone().select(&hours(0, 30, "d"))).await;
    assert_eq!(db.column(parts).await, "1101 1102 1103 1104");
    assert_eq!(db.column("select count(*) from s.m").await, "31");
    db.drop().await;
}

#[tokio::test]
async fn same_rows_as_a_plain_table() {
    let db = Database::new().await;
    let plain = |sql: &str| {
        let mut m = Model::new("plain", "incremental", sql)
            .within(&db)
            .key(&["id", "at"]);
        m.node.config.partition_by = None;
        m
    };
    for strategy in ["delete+insert", "merge"] {
        for (from, to, name) in [(0, 100, "a"), (50, 150, "b"), (149, 149, "c"), (0, 10, "d")] {
            let sql = hours(from, to, name);
            let (a, b) = (
                model(&db, &sql).strategy(strategy),
                plain(&sql).strategy(strategy),
            );
            assert_eq!(db.built(&a).await, db.built(&b).await);
            let differ = "select count(*) from
                ((select * from s.m except all select * from s.plain) union all
                 (select * from s.plain except all select * from s.m)) d";
            assert_eq!(db.column(differ).await, "0", "{strategy} {name}");
        }
        db.sql("drop table s.m, s.plain").await;
        db.warehouse
            .prepare(&["s".to_owned()].into())
            .await
            .expect("reads again");
    }
    db.drop().await;
}

#[tokio::test]
async fn rows_in_no_order_are_routed() {
    let db = Database::new().await;
    let mixed = format!(
        "select * from ({}) x order by md5(id::text)",
        hours(0, 4999, "a")
    );
    assert_eq!(db.built(&model(&db, &mixed)).await, "SELECT 5000");
    let wrong = "select count(*) from s.m where to_char(at at time zone 'UTC', 'YYYYMMDD') <> right(tableoid::regclass::text, 8)";
    assert_eq!(db.column(wrong).await, "0");
    assert_eq!(db.column("select count(*) from s.m").await, "5000");
    db.drop().await;
}

#[tokio::test]
async fn only_touched_partitions_are_planned() {
    let db = Database::new().await;
    let m = model(&db, &hours(0, 239, "a"));
    db.built(&m).await;
    for strategy in ["delete+insert", "merge"] {
        let next = m.clone().strategy(strategy).select(&hours(30, 50, "b"));
        let outcome = db.build(&next).await.expect("builds");
        // the statement itself, explained over a table of the same name as the temporary one
        let source = outcome
            .run_sql
            .split('"')
            .find(|t| t.contains("__dbt_tmp"))
            .expect("a source");
        let statement = outcome
            .run_sql
            .split(';')
            .next()
            .expect("the delete, or the merge");
        let mut connection = db.connection().await;
        let setup = format!(
            "create temporary table \"{source}\" as {}; explain {statement}",
            next.sql
        );
        let plan: Vec<String> = sqlx::raw_sql(sqlx::AssertSqlSafe(setup))
            .fetch_all(&mut connection)
            .await
            .expect("explains")
            .iter()
            .map(|row| row.get(0))
            .collect();
        let plan = plan.join("\n");
        for day in 1..=10 {
            let touched = plan.contains(&format!("m_202611{day:02}"));
            assert_eq!(
                touched,
                day == 2 || day == 3,
                "{strategy}, day {day}:\n{plan}"
            );
        }
    }
    db.drop().await;
}

#[tokio::test]
async fn full_refresh_gives_partitions_their_names() {
    let db = Database::new().await;
    let m = model(&db, &hours(0, 71, "a")).index(&["name"], false);
    db.built(&m).await;
    let indexes = "select indexname from pg_indexes where tablename = 'm' order by 1";
    let first = db.column(indexes).await;
    // days 2 to 4: some names stay, some go, some are new
    let m = m.select(&hours(24, 95, "b"));
    assert_eq!(db.refreshed(&m).await, "SELECT 72");
    assert_eq!(
        db.relations().await,
        "m p\nm_20261102 r\nm_20261103 r\nm_20261104 r"
    );
    assert_eq!(db.column(indexes).await, first);
    assert_eq!(db.built(&m).await, "INSERT 0 72");
    assert_eq!(db.refreshed(&m).await, "SELECT 72");
    assert_eq!(db.column("select count(*) from s.m").await, "72");
    db.drop().await;
}

#[tokio::test]
async fn plain_and_partitioned_change_on_full_refresh_only() {
    let mut db = Database::new().await;
    let m = model(&db, &hours(0, 30, "a"));
    db.run.native_partitions = false;
    db.built(&m).await;
    assert_eq!(db.relations().await, "m r");
    db.run.native_partitions = true;
    let error = db.build(&m).await.expect_err("wrong form");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.hint().is_some_and(|h| h.contains("--full-refresh")));
    db.refreshed(&m).await;
    assert_eq!(db.relations().await, "m p\nm_20261101 r\nm_20261102 r");
    db.run.native_partitions = false;
    assert!(db.build(&m).await.is_err());
    db.refreshed(&m).await;
    assert_eq!(db.relations().await, "m r");
    db.drop().await;
}

#[tokio::test]
async fn wrong_configurations_and_rows() {
    let db = Database::new().await;
    let check = async |model: Model| {
        let error = db.build(&model).await.expect_err("refused");
        // the server points into a statement that contains the database's name
        let text = error.to_string();
        let text = text.split("\nLINE ").next().unwrap_or_default();
        format!("{text}\nhint: {}", error.hint().unwrap_or("none"))
    };
    let m = model(&db, &hours(0, 3, "a"));
    insta::assert_snapshot!(check(m.clone().key(&["id"])).await, @"
    the unique_key of model.p.m lacks `at`, the field it is partitioned by
    hint: write unique_key=['id', 'at']: a unique index of a partitioned table contains the field, and the field of a key never changes
    ");
    insta::assert_snapshot!(check(m.clone().index(&["name"], true)).await, @"
    the unique index (name) of model.p.m lacks `at`, the field it is partitioned by
    hint: add 'at' to its columns
    ");
    insta::assert_snapshot!(check(m.clone().partitioned("at", "week")).await, @"
    the granularity `week` of model.p.m is unknown
    hint: use hour, day, month or year
    ");
    insta::assert_snapshot!(check(m.clone().key(&["id", "name"]).partitioned("name", "day")).await, @"
    model.p.m is partitioned by `name`, which is text
    hint: partition by a timestamp or a date
    ");
    insta::assert_snapshot!(check(m.clone().key(&["id", "nope"]).partitioned("nope", "day")).await, @"
    model.p.m returns no column `nope`, the field it is partitioned by
    hint: select it, or correct partition_by
    ");
    let nulls = "select g as id, null::timestamptz as at, 'x' as name from generate_series(1, 3) g";
    insta::assert_snapshot!(check(m.clone().select(nulls)).await, @"
    3 rows of model.p.m belong to no partition: their `at` is NULL
    hint: filter them out, or give `at` a value, in the model
    ");
    let forever = "select 1 as id, 'infinity'::timestamptz as at, 'x' as name";
    insta::assert_snapshot!(check(m.clone().select(forever)).await, @"
    1 rows of model.p.m belong to no partition: their `at` is infinity
    hint: filter them out, or give `at` a value, in the model
    ");
    let twice = format!("{} union all {}", hours(0, 3, "a"), hours(3, 3, "b"));
    insta::assert_snapshot!(check(m.clone().select(&twice)).await, @r#"
    could not create unique index "m_20261101_id_at_idx"
    DETAIL:  Key (id, at)=(3, 2026-11-01 03:00:00+00) is duplicated.
    hint: a natively partitioned model is unique by its unique_key (id, at); remove duplicates in the model
    "#);
    assert_eq!(db.relations().await, "");
    db.built(&m).await;
    insta::assert_snapshot!(check(m.clone().partitioned("at", "month").select(&hours(0, 900, "a"))).await, @r#"
    partition "m_202611" would overlap partition "m_20261101"
    hint: the table has partitions of another granularity; run the model once with --full-refresh
    "#);
    assert_eq!(db.column("select count(*) from s.m").await, "4");
    db.drop().await;
}

#[tokio::test]
async fn other_fields_and_granularities() {
    let db = Database::new().await;
    let sql = "select g as id, (date '2026-11-30' + g) as d, timestamp '2026-12-31 23:30' + g * interval '1 hour' as t
               from generate_series(0, 1) g";
    let check = async |name: &str, field: &str, granularity: &str| {
        let m = Model::new(name, "incremental", sql)
            .within(&db)
            .partitioned(field, granularity);
        db.built(&m).await;
        db.built(&m).await;
        let parts =
            format!("select relname from pg_class where relname like '{name}\\_%' order by 1");
        db.column(&parts).await.replace('\n', " ")
    };
    assert_eq!(check("a", "d", "day").await, "a_20261130 a_20261201");
    assert_eq!(check("b", "D", "month").await, "b_202611 b_202612");
    assert_eq!(check("c", "t", "year").await, "c_2026 c_2027");
    assert_eq!(check("e", "t", "hour").await, "e_2026123123 e_2027010100");
    db.drop().await;
}

#[tokio::test]
async fn days_are_utc_whatever_the_session() {
    let db = Database::new().await;
    db.sql(&format!(
        "alter database {} set timezone to 'Asia/Kolkata'",
        db.name
    ))
    .await;
    let warehouse = warehouse::Warehouse::connect(&crate::database::target(&db.name), 1)
        .await
        .expect("connects");
    let m = model(&db, &hours(0, 24, "a"));
    for _ in 0..2 {
        warehouse
            .run(&m.node, &m.compiled(), &db.run)
            .await
            .expect("builds");
    }
    assert_eq!(db.column("select count(*) from s.m_20261101").await, "24");
    assert_eq!(db.column("select count(*) from s.m_20261102").await, "1");
    warehouse.close().await;
    db.drop().await;
}

#[tokio::test]
async fn long_names_and_columns_added() {
    let db = Database::new().await;
    let name = "n".repeat(62);
    let mut m = Model::new(&name, "incremental", &hours(0, 30, "a"))
        .within(&db)
        .key(&["id", "at"])
        .partitioned("at", "day")
        .config(|c| c.on_schema_change = "append_new_columns".to_owned());
    db.built(&m).await;
    db.refreshed(&m).await;
    m.sql = format!("select *, 1 as more from ({}) x", hours(10, 60, "b"));
    assert_eq!(db.built(&m).await, "INSERT 0 51");
    let longest = db
        .column("select max(octet_length(relname)) from pg_class where relname like 'nnn%'")
        .await;
    assert_eq!(longest, "63");
    assert_eq!(
        db.column(&format!("select count(more) from s.{name}"))
            .await,
        "51"
    );
    db.drop().await;
}

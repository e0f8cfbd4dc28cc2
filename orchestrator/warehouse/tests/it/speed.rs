//! Ratios against the same work in bare SQL. Not part of a normal run:
//! `cargo test -p warehouse --test it speed -- --ignored --nocapture --test-threads 1`.

use std::time::{Duration, Instant};

use sqlx::AssertSqlSafe;

use crate::database::{Database, Model};

/// A million rows of 46 days, a dozen columns of which some are taken out of JSON.
const RAW: &str = "create table s.raw as
    select gen_random_uuid() as event_id, (array['requested', 'offered', 'ride_started'])[1 + g % 3] as event_type,
           timestamptz '2026-10-08 00:00+00' + g * interval '3.888 seconds' as event_time,
           g % 6 as kafka_partition, g::bigint as kafka_offset, 'lagos' as city_id, (g * 7 % 100000)::text as ride_id,
           jsonb_build_object('ride_id', g % 100000, 'total_cents', g % 5000, 'pickup', '6.45407,3.39467') as payload
    from generate_series(1, 1000000) g";
const MODEL: &str = "select event_id, event_type, event_time, kafka_partition, kafka_offset, city_id, ride_id,
    (payload->>'total_cents')::int as total_cents, payload->>'pickup' as pickup, md5(ride_id) as hash from s.raw";

async fn timed(work: impl Future<Output = ()>) -> Duration {
    let start = Instant::now();
    work.await;
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

#[tokio::test]
#[ignore = "takes a minute; prints ratios"]
async fn partitioned_build() {
    let db = Database::new().await;
    db.sql(RAW).await;
    let build = |name: &str, sql: &str, partitioned: bool| {
        let m = Model::new(name, "incremental", sql).within(&db);
        let m = m.strategy("delete+insert");
        if partitioned {
            m.key(&["event_id", "event_time"])
                .partitioned("event_time", "day")
        } else {
            m
        }
    };
    let mixed = format!("{MODEL} order by event_id");
    let (mut plain, mut indexed, mut parts, mut routed, mut sorted) =
        (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..3 {
        let create = format!("drop table if exists s.plain; create table s.plain as {MODEL}");
        plain.push(timed(async { drop(db.sql(&create).await) }).await);
        let index = "create unique index on s.plain (event_id, event_time)";
        let extra = timed(async { drop(db.sql(index).await) }).await;
        indexed.push(plain[plain.len() - 1] + extra);
        let m = build("m", MODEL, true);
        parts.push(timed(async { drop(db.refreshed(&m).await) }).await);
        let create = format!(
            "drop table if exists s.sorted; create table s.sorted as {mixed}; {}",
            index.replace("plain", "sorted")
        );
        sorted.push(timed(async { drop(db.sql(&create).await) }).await);
        let m = build("r", &mixed, true);
        routed.push(timed(async { drop(db.refreshed(&m).await) }).await);
    }
    let (plain, indexed, parts) = (median(plain), median(indexed), median(parts));
    let (sorted, routed) = (median(sorted), median(routed));
    println!("create table as: {plain:.2} s; with the unique index: {indexed:.2} s");
    println!(
        "partitioned, rows in order: {parts:.2} s = {:.2} x, {:.2} x with the index",
        parts / plain,
        parts / indexed
    );
    println!(
        "partitioned, rows in no order: {routed:.2} s = {:.2} x create table as + index ({sorted:.2} s)",
        routed / sorted
    );

    // one day again, into a partitioned and a plain table
    let day = format!(
        "select * from ({MODEL}) x where event_time >= '2026-11-20' and event_time < '2026-11-21'"
    );
    let (mut into_parts, mut into_plain) = (vec![], vec![]);
    db.refreshed(&build("p", MODEL, false).key(&["event_id", "event_time"]))
        .await;
    for _ in 0..3 {
        let m = build("m", &day, true);
        into_parts.push(timed(async { drop(db.built(&m).await) }).await);
        let mut p = build("p", &day, false).key(&["event_id", "event_time"]);
        p.node.config.partition_by = None;
        into_plain.push(timed(async { drop(db.built(&p).await) }).await);
    }
    let (a, b) = (median(into_parts), median(into_plain));
    println!(
        "delete+insert of one day of 46: {a:.2} s, plain table {b:.2} s = {:.2} x",
        a / b
    );
    db.drop().await;
}

#[tokio::test]
#[ignore = "prints ratios"]
async fn many_views() {
    const VIEWS: usize = 500;
    let db = Database::new().await;
    let mut connection = db.connection().await;
    for round in ["first", "second"] {
        let floor = timed(async {
            for i in 0..VIEWS {
                let name = format!("s.floor_{i}");
                let rename = if round == "first" {
                    String::new()
                } else {
                    format!("alter view {name} rename to floor_{i}_b;")
                };
                for sql in [
                    format!("begin; create view {name}_t as select 1 as id"),
                    format!("{rename} alter view {name}_t rename to floor_{i}; commit"),
                    format!("drop view if exists {name}_b cascade"),
                ] {
                    sqlx::raw_sql(AssertSqlSafe(sql))
                        .execute(&mut connection)
                        .await
                        .expect("runs");
                }
            }
        })
        .await;
        let ours = timed(async {
            for i in 0..VIEWS {
                db.built(&Model::new(&format!("v_{i}"), "view", "select 1 as id").within(&db))
                    .await;
            }
        })
        .await;
        let wide = timed(async {
            let mut tasks = tokio::task::JoinSet::new();
            for thread in 0..4 {
                let (warehouse, run) = (db.warehouse.clone(), db.run.clone());
                let models: Vec<Model> = (0..VIEWS / 4)
                    .map(|i| {
                        Model::new(&format!("w_{thread}_{i}"), "view", "select 1 as id").within(&db)
                    })
                    .collect();
                tasks.spawn(async move {
                    for model in models {
                        warehouse
                            .run(&model.node, &model.compiled(), &run)
                            .await
                            .expect("builds");
                    }
                });
            }
            while let Some(task) = tasks.join_next().await {
                task.expect("no panic");
            }
        })
        .await;
        let ratio = |d: Duration| d.as_secs_f64() / floor.as_secs_f64();
        println!(
            "{VIEWS} views, {round} run: bare SQL {floor:.2?}, one thread {:.2} x, four threads {:.2} x",
            ratio(ours),
            ratio(wide)
        );
    }
    db.drop().await;
}

#[tokio::test]
#[ignore = "prints ratios"]
async fn large_seed() {
    use std::fmt::Write as _;

    let mut db = Database::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = String::from("id,name,amount,day,flag\n");
    for i in 0..200_000 {
        let day = i % 28 + 1;
        writeln!(
            text,
            "{i},\"name, {i}\",{}.{:02},2026-11-{day:02},true",
            i % 900,
            i % 100
        )
        .expect("writes");
    }
    std::fs::write(folder.path().join("seed.csv"), &text).expect("writes");
    db.run.project_root = folder.path().to_path_buf();
    let mut seed = Model::new("seed", "seed", "").within(&db);
    seed.node.original_file_path = "seed.csv".into();
    db.built(&seed).await;
    let mut connection = db.connection().await;
    let (mut copy, mut ours) = (vec![], vec![]);
    for _ in 0..5 {
        copy.push(
            timed(async {
                sqlx::raw_sql("truncate s.seed")
                    .execute(&mut connection)
                    .await
                    .expect("truncates");
                let sql = "copy s.seed from stdin (format csv, header)";
                let mut sink = connection.copy_in_raw(sql).await.expect("copies");
                for chunk in text.as_bytes().chunks(256 * 1024) {
                    sink.send(chunk).await.expect("sends");
                }
                sink.finish().await.expect("finishes");
            })
            .await,
        );
        ours.push(timed(async { drop(db.built(&seed).await) }).await);
    }
    let (copy, ours) = (median(copy), median(ours));
    println!(
        "seed of 200,000 rows: {ours:.2} s = {:.2} x COPY ({copy:.2} s)",
        ours / copy
    );
    db.drop().await;
}

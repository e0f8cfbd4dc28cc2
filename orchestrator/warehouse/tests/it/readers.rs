//! Readers see the old rows or the new ones, and always some.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sqlx::Row;

use crate::database::{Database, Model};

/// Reads `sql` until told to stop; every answer must be one that `ok` allows.
async fn read_while<T>(
    db: &Database,
    sql: &'static str,
    ok: fn(i64) -> bool,
    work: impl Future<Output = T>,
) -> (T, u64) {
    let stop = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicU64::new(0));
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let mut connection = db.connection().await;
        let (stop, count) = (Arc::clone(&stop), Arc::clone(&count));
        readers.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let row = sqlx::raw_sql(sql)
                    .fetch_one(&mut connection)
                    .await
                    .expect("always there");
                let text: String = row.get(0);
                let value = text.parse().expect("a number");
                assert!(ok(value), "a reader saw {value}");
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let result = work.await;
    stop.store(true, Ordering::Relaxed);
    while let Some(reader) = readers.join_next().await {
        reader.expect("no reader failed");
    }
    (result, count.load(Ordering::Relaxed))
}

const COUNT: &str = "select count(*)::text from s.t";

#[tokio::test(flavor = "multi_thread")]
async fn table_swaps() {
    let db = Database::new().await;
    let table = Model::new(
        "t",
        "table",
        "select g as id from generate_series(1, 1000) g",
    )
    .within(&db);
    db.built(&table).await;
    let swaps = async {
        for _ in 0..25 {
            db.built(&table).await;
        }
    };
    let ((), reads) = read_while(&db, COUNT, |n| n == 1000, swaps).await;
    assert!(reads > 100, "{reads} reads");
    db.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_swap() {
    let db = Database::new().await;
    let sql = "select g as id from generate_series(1, 1000) g";
    db.built(&Model::new("t", "table", sql).within(&db)).await;
    let swaps = async {
        for kind in [
            "view",
            "table",
            "incremental",
            "view",
            "view",
            "table",
            "view",
            "incremental",
        ] {
            db.built(&Model::new("t", kind, sql).within(&db)).await;
        }
    };
    // an incremental run over a table of its own appends
    let ((), reads) = read_while(&db, COUNT, |n| n == 1000 || n == 2000, swaps).await;
    assert!(reads > 20, "{reads} reads");
    db.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitioned_swaps_and_extensions() {
    let db = Database::new().await;
    let sql = "select g as id, timestamptz '2026-11-01 00:00+00' + g * interval '1 hour' as at
               from generate_series(0, 239) g";
    let model = Model::new("t", "incremental", sql)
        .within(&db)
        .key(&["id", "at"])
        .partitioned("at", "day");
    db.built(&model).await;
    let work = async {
        for _ in 0..6 {
            assert_eq!(db.refreshed(&model).await, "SELECT 240");
            assert_eq!(db.built(&model).await, "INSERT 0 240");
        }
    };
    let ((), reads) = read_while(&db, COUNT, |n| n == 240, work).await;
    assert!(reads > 20, "{reads} reads");
    assert!(!db.relations().await.contains("__dbt"));
    db.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_reader_delays_the_drop_and_is_not_hurt() {
    let db = Database::new().await;
    let table = Model::new("t", "table", "select 1 as id").within(&db);
    db.built(&table).await;
    db.built(&Model::new("v", "view", "select id from s.t").within(&db))
        .await;
    let mut reader = db.connection().await;
    let read = async {
        // reads through the view, so it holds the view and the table
        let sql = "begin; select count(*) from s.v; select pg_sleep(1.5); select count(*)::text from s.v; commit";
        sqlx::raw_sql(sql)
            .fetch_all(&mut reader)
            .await
            .expect("the reader is never a victim")
    };
    let rebuild = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        db.built(&table.clone().select("select 2 as id")).await
    };
    let (rows, message) = tokio::join!(read, rebuild);
    assert_eq!(rows.len(), 3);
    assert_eq!(message, "SELECT 1");
    assert_eq!(db.column("select id from s.t").await, "2");
    assert_eq!(
        db.relations().await,
        "t r",
        "as in dbt, the view over the old table went with it"
    );
    db.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_rebuilds_under_a_shared_view() {
    let db = Database::new().await;
    let tables: Vec<Model> = (0..4)
        .map(|i| Model::new(&format!("t{i}"), "table", "select 1 as id").within(&db))
        .collect();
    for table in &tables {
        db.built(table).await;
    }
    let view = Model::new(
        "v",
        "view",
        "select id from s.t0 union all select id from s.t1
        union all select id from s.t2 union all select id from s.t3",
    )
    .within(&db);
    for _ in 0..10 {
        db.built(&view).await;
        // each drops the view that stands on the old tables of all
        let builds = tables.iter().map(|table| db.build(table));
        for result in futures::future::join_all(builds).await {
            assert_eq!(result.expect("no deadlock").message, "SELECT 1");
        }
    }
    assert_eq!(db.relations().await, "t0 r\nt1 r\nt2 r\nt3 r");
    db.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_build_the_same_table() {
    let db = Database::new().await;
    let other = warehouse::Warehouse::connect(&crate::database::target(&db.name), 1)
        .await
        .expect("connects");
    let table = Model::new("t", "table", "select 1 as id").within(&db);
    let compiled = table.compiled();
    for _ in 0..10 {
        let (a, b) = tokio::join!(db.build(&table), other.run(&table.node, &compiled, &db.run));
        assert_eq!(a.expect("takes its turn").message, "SELECT 1");
        assert_eq!(b.expect("takes its turn").message, "SELECT 1");
    }
    assert_eq!(db.relations().await, "t r");
    other.close().await;
    db.drop().await;
}

//! Cancelling stops the statement on the server and leaves a clean session.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use warehouse::{ErrorKind, RunOptions};

use crate::database::{Database, Model};

#[tokio::test]
async fn cancel_stops_the_statement_on_the_server() {
    let db = Database::new().await;
    db.built(&Model::new("slow", "table", "select 1 as id").within(&db))
        .await;
    let slow = Model::new("slow", "table", "select pg_sleep(60)::text as x, 1 as id").within(&db);
    let cancel = CancellationToken::new();
    let options = RunOptions {
        cancel: cancel.clone(),
        ..db.run.clone()
    };
    let running = "select count(*) from pg_stat_activity
                   where state <> 'idle' and datname = current_database()
                     and query like '%pg_sleep(60)%' and pid <> pg_backend_pid()";
    let compiled = slow.compiled();
    let stop = async {
        while db.column(running).await != "1" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        cancel.cancel();
    };
    let run = db.warehouse.run(&slow.node, &compiled, &options);
    let (result, ()) =
        tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(run, stop) })
            .await
            .expect("long before the minute is over");
    let error = result.expect_err("cancelled");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(db.column(running).await, "0");
    assert_eq!(
        db.column("select id from s.slow").await,
        "1",
        "the old table stays"
    );
    assert_eq!(db.relations().await, "slow r");
    // the session is as good as new
    for _ in 0..8 {
        db.built(&Model::new("slow", "table", "select 2 as id").within(&db))
            .await;
    }
    let open = "select count(*) from pg_stat_activity
                where datname = current_database() and state like 'idle in transaction%'";
    assert_eq!(db.column(open).await, "0");
    db.drop().await;
}

#[tokio::test]
async fn a_process_that_goes_away_leaves_nothing_running() {
    let db = Database::new().await;
    let slow = Model::new("slow", "table", "select pg_sleep(61)::text as x").within(&db);
    let compiled = slow.compiled();
    let running = "select count(*) from pg_stat_activity where datname = current_database()
                     and query like '%pg_sleep(61)%' and pid <> pg_backend_pid()";
    let run = db.warehouse.run(&slow.node, &compiled, &db.run);
    // the future is dropped, and its connection with it, as when the process is killed
    tokio::time::timeout(Duration::from_millis(500), run)
        .await
        .expect_err("still running");
    assert_eq!(db.column(running).await, "1");
    let gone = async {
        while db.column(running).await != "0" {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), gone)
        .await
        .expect("the server notices");
    assert_eq!(db.built(&slow.select("select 1 as id")).await, "SELECT 1");
    db.drop().await;
}

#[tokio::test]
async fn nothing_starts_after_a_cancel() {
    let db = Database::new().await;
    let options = RunOptions {
        cancel: CancellationToken::new(),
        ..db.run.clone()
    };
    options.cancel.cancel();
    let model = Model::new("t", "table", "select 1 as id").within(&db);
    let result = db
        .warehouse
        .run(&model.node, &model.compiled(), &options)
        .await;
    assert_eq!(result.expect_err("cancelled").kind(), ErrorKind::Cancelled);
    assert_eq!(db.relations().await, "");
    db.drop().await;
}

#[tokio::test]
async fn templates_are_answered_and_cancelled() {
    use project::adapter::Adapter;
    use project::relation::{RelationKind, RelationName};

    let db = Database::new().await;
    db.built(&Model::new("t", "table", "select 1 as id, 'x'::varchar(5) as w").within(&db))
        .await;
    let adapter = db.warehouse.adapter();
    let name = RelationName::new(&db.name, "s", "t");
    db.sql("create type s.mood as enum ('sad', 'ok')").await;
    let answers = tokio::task::spawn_blocking(move || {
        let empty = adapter
            .query("select 1 as a, 'x' as b where false")
            .expect("no rows");
        assert_eq!(
            (empty.columns, empty.rows.len()),
            (vec!["a".to_owned(), "b".to_owned()], 0)
        );
        let odd = adapter
            .query("select 'ok'::s.mood as m, array[1, 2] as a, 1 as n")
            .expect("rows");
        assert_eq!(
            odd.rows[0],
            [serde_json::json!("ok"), "{1,2}".into(), 1.into()]
        );
        adapter
            .query("create table s.undone (x int)")
            .expect("runs");
        assert_eq!(
            adapter
                .relation(&name.with_identifier("undone"))
                .expect("known"),
            None
        );

        let kind = adapter.relation(&name).expect("known");
        let missing = adapter
            .relation(&name.with_identifier("nope"))
            .expect("known");
        let foreign = RelationName {
            schema: "pg_catalog".to_owned(),
            ..name.with_identifier("pg_class")
        };
        let foreign = adapter.relation(&foreign).expect("looked up");
        let columns = adapter.columns(&name).expect("columns");
        let table = adapter
            .query("select 1.50 as n, null as x, date '2026-11-22' as d")
            .expect("rows");
        let error = adapter.query("select nope").expect_err("refused");
        let cancel = CancellationToken::new();
        let sleeper = adapter.with_cancel(cancel.clone());
        let later = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            cancel.cancel();
        });
        let cancelled = sleeper.query("select pg_sleep(60)").expect_err("cancelled");
        later.join().expect("no panic");
        (kind, missing, foreign, columns, table, error, cancelled)
    })
    .await
    .expect("no panic");
    let (kind, missing, foreign, columns, table, error, cancelled) = answers;
    assert_eq!((kind, missing), (Some(RelationKind::Table), None));
    assert_eq!(foreign, Some(RelationKind::Table));
    assert_eq!(columns[1].data_type, "character varying(5)");
    assert_eq!(table.columns, ["n", "x", "d"]);
    assert_eq!(table.types, ["NUMERIC", "TEXT", "DATE"]);
    assert_eq!(
        serde_json::to_string(&table.rows).expect("json"),
        r#"[["1.50",null,"2026-11-22"]]"#
    );
    assert_eq!(error.sqlstate.as_deref(), Some("42703"));
    assert!(error.message.contains("LINE 1: select nope"));
    assert_eq!(cancelled.message, "cancelled");
    db.drop().await;
}

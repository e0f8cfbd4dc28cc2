//! What a person reads when something fails, and what is left afterwards.

use std::time::Duration;

use warehouse::{ErrorKind, QueryComment, Warehouse};

use crate::database::{Database, Model, target};

#[tokio::test]
async fn failing_sql_leaves_the_old_table() {
    let db = Database::new().await;
    let table = Model::new("t", "table", "select 1 as id").within(&db);
    db.built(&table).await;
    let error = db
        .build(&table.select("select nope from s.t"))
        .await
        .expect_err("no column");
    insta::assert_snapshot!(error, @r#"
    column "nope" does not exist
    LINE 11:     select nope from s.t
                        ^
    "#);
    assert_eq!(error.sqlstate(), Some("42703"));
    assert_eq!(error.kind(), ErrorKind::Database);
    assert!(
        error
            .run_sql()
            .is_some_and(|sql| sql.contains("select nope from s.t"))
    );
    assert_eq!(db.column("select id from s.t").await, "1");
    assert_eq!(db.relations().await, "t r");
    db.drop().await;
}

#[tokio::test]
async fn server_text_is_laid_out_as_psycopg2_does() {
    let mut db = Database::new().await;
    db.run.query_comment = Some(QueryComment {
        text: "{\"app\": \"test\"}".to_owned(),
        append: false,
    });
    let check = async |sql: &str| {
        let error = db.build(&Model::new("v", "view", sql).within(&db)).await;
        error.expect_err("refused").to_string()
    };
    insta::assert_snapshot!(check("select 1 as id,\n       nmae from (select 'a' as name) x").await, @r#"
    column "nmae" does not exist
    LINE 8:        nmae from (select 'a' as name) x
                   ^
    HINT:  Perhaps you meant to reference the column "x.name".
    "#);
    insta::assert_snapshot!(check("select 'a long text before the error' as a, 'and more text' as b, 'x'::int as c, 'text after' as d").await, @r#"
    invalid input syntax for type integer: "x"
    LINE 7: ...ext before the error' as a, 'and more text' as b, 'x'::int a...
                                                                 ^
    "#);
    let twice = Model::new("t", "table", "select 1 as id union all select 1").within(&db);
    let error = db.build(&twice.index(&["id"], true)).await;
    let error = error.expect_err("duplicate").to_string();
    assert!(
        error.ends_with("\nDETAIL:  Key (id)=(1) is duplicated."),
        "{error}"
    );
    db.sql("create function s.f() returns int language plpgsql as $$ begin return 1/0; end $$")
        .await;
    let error = db
        .build(&Model::new("t", "table", "select s.f()").within(&db))
        .await;
    insta::assert_snapshot!(error.expect_err("division"), @r#"
    division by zero
    CONTEXT:  SQL expression "1/0"
    PL/pgSQL function s.f() line 1 at RETURN
    "#);
    db.drop().await;
}

#[tokio::test]
async fn deadlock_is_transient() {
    let db = Database::new().await;
    db.sql("create table s.a (x int); create table s.b (x int)")
        .await;
    let locks = |first: &str, second: &str| {
        let hook = |table: &str| format!("lock table s.{table} in exclusive mode");
        Model::new(&format!("m_{first}"), "table", "select 1 as id")
            .within(&db)
            .hook(true, &hook(first), true)
            .hook(true, "select pg_sleep(0.3)", true)
            .hook(true, &hook(second), true)
    };
    let (one, two) = (locks("a", "b"), locks("b", "a"));
    let (one, two) = tokio::join!(db.build(&one), db.build(&two));
    let ((Err(victim), Ok(_)) | (Ok(_), Err(victim))) = (one, two) else {
        panic!("one of the two is the victim");
    };
    assert_eq!(victim.sqlstate(), Some("40P01"));
    assert_eq!(victim.kind(), ErrorKind::Transient);
    assert!(victim.to_string().contains("DETAIL:  Process "));
    db.drop().await;
}

#[tokio::test]
async fn connections_that_cannot_be() {
    let db = Database::new().await;
    let mut wrong = target(&db.name);
    wrong.port = 1;
    wrong.connect_timeout = 2;
    let error = Warehouse::connect(&wrong, 1)
        .await
        .expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(
        error
            .to_string()
            .starts_with("could not connect to ridehail@127.0.0.1:1/"),
        "{error}"
    );
    assert!(error.hint().is_some());

    let missing = target("no_such_database_here");
    let error = Warehouse::connect(&missing, 1)
        .await
        .expect_err("no database");
    assert_eq!(error.sqlstate(), Some("3D000"));
    assert!(error.hint().is_some_and(|h| h.contains("dbname")));

    let mut mode = target(&db.name);
    mode.sslmode = Some("always".to_owned());
    let error = Warehouse::connect(&mode, 1)
        .await
        .expect_err("no such mode");
    assert_eq!(error.kind(), ErrorKind::Config);

    let mut role = target(&db.name);
    role.role = Some("no_such_role".to_owned());
    let error = Warehouse::connect(&role, 1)
        .await
        .expect_err("no such role");
    assert!(error.to_string().contains("no_such_role"), "{error}");
    db.drop().await;
}

#[tokio::test]
async fn a_lost_session_is_replaced() {
    let db = Database::new().await;
    let slow = Model::new("slow", "table", "select pg_sleep(30)::text as x").within(&db);
    let kill = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        db.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where query like '%pg_sleep(30)%' and pid <> pg_backend_pid()
               and datname = current_database()",
        )
        .await;
    };
    let (error, ()) = tokio::join!(db.build(&slow), kill);
    let error = error.expect_err("the session is gone");
    assert_eq!(error.kind(), ErrorKind::Transient, "{error}");
    assert_eq!(db.built(&slow.select("select 1 as id")).await, "SELECT 1");
    db.drop().await;
}

#[tokio::test]
async fn search_path_and_time_zone_come_from_the_server() {
    let db = Database::new().await;
    db.sql(&format!(
        "alter database {} set timezone to 'Asia/Kolkata'",
        db.name
    ))
    .await;
    let mut target = target(&db.name);
    target.search_path = Some("s, public".to_owned());
    let warehouse = Warehouse::connect(&target, 1).await.expect("connects");
    let model = Model::new(
        "t",
        "table",
        "select current_setting('timezone') as tz, current_setting('search_path') as path",
    )
    .within(&db);
    warehouse
        .run(&model.node, &model.compiled(), &db.run)
        .await
        .expect("builds");
    assert_eq!(
        db.column("select tz || '|' || path from s.t").await,
        "Asia/Kolkata|s, public"
    );
    warehouse.close().await;
    db.drop().await;
}

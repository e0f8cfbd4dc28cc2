//! Incremental models in plain tables.

use warehouse::ErrorKind;

use crate::database::{Database, Model};

const ALL: &str = "select id || ' ' || name collate \"C\" from s.m order by 1";

async fn first_two(strategy: &str, key: &[&str]) -> (String, String) {
    let db = Database::new().await;
    let model = Model::new("m", "incremental", "values (1, 'a'), (2, 'b')")
        .select("select * from (values (1, 'a'), (2, 'b')) v(id, name)")
        .within(&db)
        .key(key)
        .strategy(strategy);
    assert_eq!(db.built(&model).await, "SELECT 2");
    let model = model.select("select * from (values (2, 'B'), (3, 'c')) v(id, name)");
    let message = db.built(&model).await;
    let rows = db.column(ALL).await.replace('\n', ", ");
    assert_eq!(db.relations().await, "m r");
    db.drop().await;
    (message, rows)
}

#[tokio::test]
async fn strategies() {
    let check = async |strategy, key: &[&str], message: &str, rows: &str| {
        let (got, all) = first_two(strategy, key).await;
        assert_eq!(
            (got.as_str(), all.as_str()),
            (message, rows),
            "{strategy} {key:?}"
        );
    };
    check("append", &[], "INSERT 0 2", "1 a, 2 B, 2 b, 3 c").await;
    check("delete+insert", &["id"], "INSERT 0 2", "1 a, 2 B, 3 c").await;
    check("merge", &["id"], "MERGE 2", "1 a, 2 B, 3 c").await;
    check("merge", &["id", "name"], "MERGE 2", "1 a, 2 B, 2 b, 3 c").await;
    // without a strategy: append without a key, delete+insert with one
    check("default", &[], "INSERT 0 2", "1 a, 2 B, 2 b, 3 c").await;
    check("default", &["id"], "INSERT 0 2", "1 a, 2 B, 3 c").await;
    // without a key nothing matches
    check("delete+insert", &[], "INSERT 0 2", "1 a, 2 B, 2 b, 3 c").await;
    check("merge", &[], "MERGE 2", "1 a, 2 B, 2 b, 3 c").await;
}

#[tokio::test]
async fn merge_columns_and_predicates() {
    let db = Database::new().await;
    let model = Model::new("m", "incremental", "")
        .select("select * from (values (1, 'a', 1), (2, 'b', 2)) v(id, name, n)")
        .within(&db)
        .key(&["id"])
        .strategy("merge")
        .config(|c| {
            c.raw
                .insert("merge_exclude_columns".to_owned(), vec!["N"].into());
            c.raw.insert(
                "incremental_predicates".to_owned(),
                vec!["DBT_INTERNAL_DEST.id > 1"].into(),
            );
        });
    db.built(&model).await;
    let model = model.select("select * from (values (1, 'A', 10), (2, 'B', 20)) v(id, name, n)");
    assert_eq!(db.built(&model).await, "MERGE 2");
    let rows = db
        .column("select (id || name || n) collate \"C\" from s.m order by 1")
        .await;
    // row 1 is outside the predicate, so it is inserted once more
    assert_eq!(rows, "1A10\n1a1\n2B2");
    db.drop().await;
}

#[tokio::test]
async fn full_refresh_swaps_and_can_be_refused() {
    let db = Database::new().await;
    let model = Model::new("m", "incremental", "select 1 as id")
        .within(&db)
        .index(&["id"], false);
    db.built(&model).await;
    db.built(&model).await;
    let model = model.select("select 5 as other, 6 as id");
    assert_eq!(db.refreshed(&model).await, "SELECT 1");
    assert_eq!(db.column("select other from s.m").await, "5");
    let model = model.config(|c| c.full_refresh = Some(false));
    assert_eq!(db.refreshed(&model).await, "INSERT 0 1");
    assert_eq!(db.relations().await, "m r");
    db.drop().await;
}

#[tokio::test]
async fn schema_changes() {
    const OLD: &str = "select 1 as id, 2 as gone, 'x'::varchar(10) as w, 5 as num";
    const NEW: &str =
        "select 2 as id, 3::bigint as extra, 'long text here'::varchar(20) as w, 5::bigint as num";
    let columns = "select attname || ' ' || format_type(atttypid, atttypmod) from pg_attribute
                   where attrelid = 's.m'::regclass and attnum > 0 and not attisdropped order by attnum";
    let check = async |mode: &str, expected: &str| {
        let db = Database::new().await;
        let model = Model::new("m", "incremental", OLD)
            .within(&db)
            .config(|c| c.on_schema_change = mode.to_owned());
        db.built(&model).await;
        let got = match db.build(&model.select(NEW)).await {
            Ok(outcome) => {
                format!(
                    "{}: {}",
                    outcome.message,
                    db.column(columns).await.replace('\n', ", ")
                )
            }
            Err(error) => {
                let text = error.to_string();
                format!(
                    "{:?} {}",
                    error.kind(),
                    text.lines().next().unwrap_or_default()
                )
            }
        };
        assert_eq!(got, expected, "{mode}");
        db.drop().await;
    };
    check("ignore", "Database column \"gone\" does not exist").await;
    check(
        "fail",
        "Config The source and target schemas on this incremental model are out of sync!",
    )
    .await;
    check(
        "append_new_columns",
        "INSERT 0 1: id integer, gone integer, w character varying(20), num integer, extra bigint",
    )
    .await;
    check(
        "sync_all_columns",
        "INSERT 0 1: id integer, w character varying(20), num bigint, extra bigint",
    )
    .await;
}

#[tokio::test]
async fn sql_compiled_for_another_state_is_not_run() {
    let db = Database::new().await;
    let model = Model::new("m", "incremental", "select 1 as id").within(&db);
    db.built(&model).await;
    db.sql("drop table s.m").await;
    let error = db.build(&model).await.expect_err("the table is gone");
    assert_eq!(error.kind(), ErrorKind::Transient);
    // compiled again, it is a first run
    assert_eq!(db.built(&model).await, "SELECT 1");
    db.drop().await;
}

#[tokio::test]
async fn unknown_strategy() {
    let db = Database::new().await;
    let model = Model::new("m", "incremental", "select 1 as id")
        .within(&db)
        .strategy("insert_overwrite");
    let error = db.build(&model).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(error.hint(), Some("use append, delete+insert or merge"));
    db.drop().await;
}

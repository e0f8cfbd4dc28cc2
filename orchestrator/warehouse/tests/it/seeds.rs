//! Seeds.

use crate::database::{Database, Model};

async fn write(db: &mut Database, folder: &tempfile::TempDir, text: &str) -> Model {
    std::fs::write(folder.path().join("seed.csv"), text).expect("writes");
    db.run.project_root = folder.path().to_path_buf();
    let mut model = Model::new("seed", "seed", "").within(db);
    model.node.original_file_path = "seed.csv".into();
    model
}

const TYPES: &str = "select attname || ' ' || format_type(atttypid, atttypmod) from pg_attribute
                     where attrelid = 's.seed'::regclass and attnum > 0 order by attnum";

#[tokio::test]
async fn values_arrive_as_written() {
    let mut db = Database::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let text = "\u{feff}id,name,amt,d,ts,flag,empty,\"Odd, name\"\r\n\
        1,\"a \"\"q\"\" b\",1.5,2020-01-02,2020-01-02 03:04:05,true,,x\r\n\
        2,\"multi\r\nline\ttab\",2,2020-1-3,2020-01-02 03:04:06,FALSE,,back\\slash\r\n\
        3,null,,,,,,東京 é\r\n";
    let seed = write(&mut db, &folder, text).await;
    assert_eq!(db.built(&seed).await, "INSERT 3");
    insta::assert_snapshot!(db.column(TYPES).await, @"
    id integer
    name text
    amt double precision
    d date
    ts timestamp without time zone
    flag boolean
    empty integer
    Odd, name text
    ");
    let rows = db.column("select s::text from s.seed s order by id").await;
    insta::assert_snapshot!(rows, @r#"
    (1,"a ""q"" b",1.5,2020-01-02,"2020-01-02 03:04:05",t,,x)
    (2,"multi
    line	tab",2,2020-01-03,"2020-01-02 03:04:06",f,,"back\\slash")
    (3,,,,,,,"東京 é")
    "#);
    // again: emptied and filled
    assert_eq!(db.built(&seed).await, "INSERT 3");
    assert_eq!(db.column("select count(*) from s.seed").await, "3");
    assert_eq!(db.refreshed(&seed).await, "CREATE 3");
    assert_eq!(db.relations().await, "seed r");
    db.drop().await;
}

#[tokio::test]
async fn configuration_of_a_seed() {
    let mut db = Database::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let seed = write(&mut db, &folder, "Code;n\n007;1\n;2\n")
        .await
        .config(|c| {
            c.raw.insert("delimiter".to_owned(), ";".into());
            c.raw.insert("quote_columns".to_owned(), false.into());
            c.raw.insert(
                "column_types".to_owned(),
                serde_json::json!({"Code": "varchar(3)"}),
            );
        });
    assert_eq!(db.built(&seed.index(&["n"], true)).await, "INSERT 2");
    assert_eq!(
        db.column(TYPES).await,
        "code character varying(3)\nn integer"
    );
    assert_eq!(
        db.column("select code from s.seed order by n").await,
        "007\nNULL"
    );
    assert_eq!(
        db.column("select count(*) from pg_indexes where schemaname = 's'")
            .await,
        "1"
    );
    db.drop().await;
}

#[tokio::test]
async fn a_seed_that_fails_keeps_the_old_rows() {
    let mut db = Database::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let seed = write(&mut db, &folder, "id\n1\n").await;
    db.built(&seed).await;
    let seed = write(&mut db, &folder, "id,more\n1,2\n").await;
    let error = db.build(&seed).await.expect_err("no such column");
    assert_eq!(error.sqlstate(), Some("42703"));
    assert!(error.hint().is_some_and(|h| h.contains("--full-refresh")));
    let seed = write(&mut db, &folder, "id\n99999999999\n").await;
    let error = db.build(&seed).await.expect_err("out of range");
    assert!(
        error
            .to_string()
            .starts_with("value \"99999999999\" is out of range"),
        "{error}"
    );
    assert_eq!(db.column("select id from s.seed").await, "1");
    let seed = write(&mut db, &folder, "id\n1,2\n").await;
    let error = db.build(&seed).await.expect_err("too many values");
    assert!(
        error
            .to_string()
            .ends_with("row 1 has 2 values, but the header names 1 columns")
    );
    db.sql("drop table s.seed; create view s.seed as select 1 as id")
        .await;
    let seed = write(&mut db, &folder, "id\n1\n").await;
    let error = db.build(&seed).await.expect_err("a view");
    assert!(error.to_string().ends_with("it is a view"), "{error}");
    db.drop().await;
}

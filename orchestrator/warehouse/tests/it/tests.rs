//! Data tests.

use std::collections::BTreeSet;

use project::relation::RelationName;
use warehouse::OutcomeKind;

use crate::database::{Database, Model};

#[tokio::test]
async fn thresholds_and_severity() {
    let db = Database::new().await;
    let five = "select g as id from generate_series(1, 5) g";
    let test = |sql: &str| Model::new("test", "test", sql);
    let check = async |test: Model| {
        let outcome = db.build(&test).await.expect("runs");
        (
            outcome.kind,
            outcome.message,
            outcome.failures,
            outcome.explanation,
        )
    };
    let text = |t: &str| Some(t.to_owned());
    assert_eq!(
        check(test("select 1 as id where false")).await,
        (OutcomeKind::Pass, "PASS".to_owned(), Some(0), None)
    );
    assert_eq!(
        check(test(five)).await,
        (
            OutcomeKind::Fail,
            "FAIL 5".to_owned(),
            Some(5),
            text("Got 5 results, configured to fail if != 0")
        )
    );
    assert_eq!(
        check(test(five).config(|c| c.error_if = ">5".to_owned())).await,
        (
            OutcomeKind::Warn,
            "WARN 5".to_owned(),
            Some(5),
            text("Got 5 results, configured to warn if != 0")
        )
    );
    assert_eq!(
        check(test(five).config(|c| c.severity = "warn".to_owned()))
            .await
            .0,
        OutcomeKind::Warn
    );
    assert_eq!(
        check(test(five).config(|c| c.limit = Some(2))).await.2,
        Some(2)
    );
    assert_eq!(
        check(test(five).config(|c| c.fail_calc = "sum(id)".to_owned()))
            .await
            .2,
        Some(15)
    );
    let error = db.build(&test("select nope")).await.expect_err("refused");
    assert_eq!(error.sqlstate(), Some("42703"));
    db.drop().await;
}

#[tokio::test]
async fn failures_are_kept() {
    let db = Database::new().await;
    db.warehouse
        .prepare(&BTreeSet::from(["s_audit".to_owned()]))
        .await
        .expect("schema");
    let mut test = Model::new(
        "kept",
        "test",
        "select g as id from generate_series(1, 3) g",
    );
    test.node.relation_name = Some(RelationName::new(&db.name, "s_audit", "kept"));
    let test = test.config(|c| c.store_failures = Some(true));
    for _ in 0..2 {
        assert_eq!(db.build(&test).await.expect("runs").message, "FAIL 3");
    }
    assert_eq!(db.column("select count(*) from s_audit.kept").await, "3");
    let test = test.config(|c| {
        c.raw.insert("store_failures_as".to_owned(), "view".into());
    });
    assert_eq!(db.build(&test).await.expect("runs").message, "FAIL 3");
    assert_eq!(
        db.column("select relkind from pg_class where relname = 'kept'")
            .await,
        "v"
    );
    db.drop().await;
}

//! Views, tables, changes of kind, indexes, hooks.

use crate::database::{Database, Model};

#[tokio::test]
async fn view_is_created_and_replaced() {
    let db = Database::new().await;
    let view = Model::new("v", "view", "select 1 as id").within(&db);
    assert_eq!(db.built(&view).await, "CREATE VIEW");
    let view = view.select("select 2 as other, 'x' as text");
    assert_eq!(db.built(&view).await, "CREATE VIEW");
    assert_eq!(db.column("select other from s.v").await, "2");
    assert_eq!(db.relations().await, "v v");
    db.drop().await;
}

#[tokio::test]
async fn table_is_created_and_replaced() {
    let db = Database::new().await;
    let table = Model::new("t", "table", "select g as id from generate_series(1, 99) g")
        .within(&db)
        .index(&["id"], true);
    assert_eq!(db.built(&table).await, "SELECT 99");
    let indexes = "select indexname from pg_indexes where schemaname = 's' order by 1";
    let first = db.column(indexes).await;
    let table = table.select("select 1 as id");
    assert_eq!(db.built(&table).await, "SELECT 1");
    assert_eq!(db.relations().await, "t r");
    assert_eq!(db.column(indexes).await, first, "index names are stable");
    assert_eq!(first.len(), 32);
    db.drop().await;
}

#[tokio::test]
async fn kinds_change_both_ways() {
    let db = Database::new().await;
    let model = |kind: &str| Model::new("m", kind, "select 1 as id").within(&db);
    for (kind, relation) in [
        ("view", "m v"),
        ("table", "m r"),
        ("view", "m v"),
        ("incremental", "m r"),
        ("table", "m r"),
        ("incremental", "m r"),
        ("view", "m v"),
    ] {
        db.built(&model(kind)).await;
        assert_eq!(db.relations().await, relation, "{kind}");
    }
    db.sql("drop view s.m; create materialized view s.m as select 7 as id")
        .await;
    db.built(&model("table")).await;
    assert_eq!(db.relations().await, "m r");
    db.drop().await;
}

#[tokio::test]
async fn leftovers_of_a_killed_run_are_dropped() {
    let db = Database::new().await;
    db.sql(
        "create table s.t__dbt_tmp (x int); create view s.t__dbt_backup as select 1 as x;
         create table s.v__dbt_backup (x int); create table s.v__dbt_tmp (x int)",
    )
    .await;
    db.built(&Model::new("t", "table", "select 1 as id").within(&db))
        .await;
    db.built(&Model::new("v", "view", "select 1 as id").within(&db))
        .await;
    assert_eq!(db.relations().await, "t r\nv v");
    db.drop().await;
}

#[tokio::test]
async fn long_names_fit() {
    let db = Database::new().await;
    let name = "n".repeat(63);
    let model = Model::new(&name, "table", "select 1 as id").within(&db);
    db.built(&model).await;
    db.built(&model).await;
    assert_eq!(db.relations().await, format!("{name} r"));
    db.drop().await;
}

#[tokio::test]
async fn hooks_run_in_order_inside_and_outside() {
    let db = Database::new().await;
    db.sql("create table s.log (what text, tx text default txid_current()::text, n serial)")
        .await;
    let log = |what: &str| format!("insert into s.log (what) values ('{what}')");
    let model = Model::new("t", "table", "select txid_current()::text as tx")
        .within(&db)
        .hook(true, &log("before begin"), false)
        .hook(true, &log("after begin"), true)
        .hook(false, &log("before commit"), true)
        .hook(false, &log("after commit"), false);
    db.built(&model).await;
    let log = db
        .column("select what || ' ' || (l.tx = t.tx) from s.log l, s.t t order by n")
        .await;
    assert_eq!(
        log,
        "before begin false\nafter begin true\nbefore commit true\nafter commit false"
    );
    db.drop().await;
}

#[tokio::test]
async fn failing_hook_undoes_the_swap() {
    let db = Database::new().await;
    let table = Model::new("t", "table", "select 1 as id").within(&db);
    db.built(&table).await;
    let table = table
        .select("select 2 as id")
        .hook(false, "select 1/0", true);
    let error = db.build(&table).await.expect_err("division by zero");
    assert_eq!(error.to_string(), "division by zero");
    assert_eq!(db.column("select id from s.t").await, "1");
    assert_eq!(db.relations().await, "t r");
    db.drop().await;
}

#[tokio::test]
async fn unlogged_tables_and_quoted_names() {
    let db = Database::new().await;
    let model = Model::new("Odd Name", "table", "select 1 as id")
        .within(&db)
        .config(|c| {
            c.raw.insert("unlogged".to_owned(), true.into());
        });
    db.built(&model).await;
    db.built(&model).await;
    let kind = db
        .column("select relpersistence from pg_class where relname = 'Odd Name'")
        .await;
    assert_eq!(kind, "u");
    db.drop().await;
}

#[tokio::test]
async fn grants_and_comments() {
    use project::manifest::ColumnInfo;

    let db = Database::new().await;
    // a role every server has
    let role = "pg_monitor".to_owned();
    let document = |model: Model, privilege: &str| {
        let mut model = model.within(&db).config(|c| {
            c.raw.insert(
                "grants".to_owned(),
                serde_json::json!({privilege: [role.clone()]}),
            );
            c.raw.insert(
                "persist_docs".to_owned(),
                serde_json::json!({"relation": true, "columns": true}),
            );
        });
        model.node.description = "it's $$ a ; test".to_owned();
        for name in ["id", "nope"] {
            let column = ColumnInfo {
                name: name.to_owned(),
                description: format!("the {name}"),
                ..ColumnInfo::default()
            };
            model.node.columns.insert(name.to_owned(), column);
        }
        model
    };
    let state = "select (select string_agg(privilege_type, ',') from information_schema.role_table_grants
                     where table_name = 'm' and grantee = 'pg_monitor') || '|' || obj_description('s.m'::regclass)
                     || '|' || col_description('s.m'::regclass, 1)";
    for (kind, privilege) in [
        ("view", "select"),
        ("table", "select"),
        ("incremental", "select"),
        ("incremental", "update"),
    ] {
        db.built(&document(
            Model::new("m", kind, "select 1 as id"),
            privilege,
        ))
        .await;
        let expected = format!("{}|it's $$ a ; test|the id", privilege.to_uppercase());
        assert_eq!(db.column(state).await, expected, "{kind}");
    }
    db.drop().await;
}

#[tokio::test]
async fn a_name_without_quotes_is_in_small_letters() {
    let db = Database::new().await;
    for materialized in ["table", "incremental", "view"] {
        let mut model = Model::new("Mixed", materialized, "select 1 as id").within(&db);
        let name = model.node.relation_name.as_mut().expect("a relation");
        name.quoting.identifier = false;
        db.built(&model).await;
        // again: it is found, and replaced or added to
        db.built(&model).await;
        let kind = if materialized == "view" { "v" } else { "r" };
        assert_eq!(db.relations().await, format!("mixed {kind}"));
    }
    db.drop().await;
}

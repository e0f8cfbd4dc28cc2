//! The statements that create things. Their layout is dbt's, because people diff `target/run`. Pure.

use project::manifest::{IndexConfig, NodeConfig};
use project::relation::RelationName;

use crate::names;

fn header(config: &NodeConfig) -> &str {
    config
        .raw
        .get("sql_header")
        .and_then(|v| v.as_str())
        .unwrap_or("")
}

/// `create view`.
pub(crate) fn create_view(relation: &RelationName, sql: &str, config: &NodeConfig) -> String {
    let header = header(config);
    format!("{header}\n  create view {relation}\n    \n    \n  as (\n    {sql}\n  );")
}

/// `create table … as`.
pub(crate) fn create_table(relation: &RelationName, sql: &str, config: &NodeConfig) -> String {
    let unlogged = config
        .raw
        .get("unlogged")
        .and_then(serde_json::Value::as_bool);
    let kind = if unlogged == Some(true) {
        "unlogged"
    } else {
        ""
    };
    create_as(&format!("{kind} table {relation}"), "", sql, config)
}

/// `create temporary table … as`, gone at the end of the transaction.
pub(crate) fn create_temporary(name: &str, sql: &str, config: &NodeConfig) -> String {
    let name = names::quote(name);
    create_as(
        &format!("temporary table {name}"),
        " on commit drop",
        sql,
        config,
    )
}

fn create_as(what: &str, options: &str, sql: &str, config: &NodeConfig) -> String {
    let header = header(config);
    format!(
        "\n  \n    {header}\n\n  create {what}{options}\n  \n  \n    as\n  \n  (\n    {sql}\n  );\n  "
    )
}

/// `create index` with the name [`names::index`] gives it on `relation`.
pub(crate) fn create_index(relation: &RelationName, index: &IndexConfig) -> String {
    let unique = if index.unique { "unique " } else { "" };
    let name = names::quote(&names::index(relation, index));
    let using = index
        .r#type
        .as_ref()
        .map_or_else(String::new, |method| format!(" using {method}"));
    let columns = index.columns.join(", ");
    format!("create {unique}index if not exists {name} on {relation}{using} ({columns})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation() -> RelationName {
        RelationName::new("warehouse", "wd", "v__dbt_tmp")
    }

    #[test]
    fn view_text() {
        let sql = create_view(&relation(), "select 1 as id", &NodeConfig::default());
        insta::assert_snapshot!(sql, @r#"
        create view "warehouse"."wd"."v__dbt_tmp"
          
          
        as (
          select 1 as id
        );
        "#);
    }

    #[test]
    fn table_text() {
        let mut config = NodeConfig::default();
        insta::assert_snapshot!(create_table(&relation(), "select 1 as id", &config), @r#"
          

        create  table "warehouse"."wd"."v__dbt_tmp"


          as

        (
          select 1 as id
        );
        "#);
        config.raw.insert("unlogged".into(), true.into());
        assert!(create_table(&relation(), "", &config).contains("create unlogged table"));
    }

    #[test]
    fn index_text() {
        let index = IndexConfig {
            columns: vec!["id".into(), "lower(name)".into()],
            unique: true,
            r#type: Some("btree".into()),
        };
        insta::assert_snapshot!(create_index(&relation(), &index), @r#"create unique index if not exists "a0f59ba8fd0bd1ee9854d0980bd4de83" on "warehouse"."wd"."v__dbt_tmp" using btree (id, lower(name))"#);
    }
}

use project::manifest::{NodeConfig, PartitionBy};
use serde_json::json;

use super::*;

fn model(meta: Json) -> Node {
    Node {
        resource_type: ResourceType::Model,
        name: "facts".to_owned(),
        relation_name: Some(RelationName::new("warehouse", "analytics", "facts")),
        config: NodeConfig {
            materialized: "incremental".to_owned(),
            unique_key: vec!["id".to_owned(), "at".to_owned()],
            partition_by: Some(PartitionBy {
                ahead: 0,
                field: "at".to_owned(),
                granularity: "day".to_owned(),
            }),
            meta: [("archive".to_owned(), meta)].into_iter().collect(),
            ..NodeConfig::default()
        },
        ..Node::default()
    }
}

fn check(meta: Json) -> Result<Policy, String> {
    let node = model(meta);
    of_model(&node, &node.config.meta["archive"]).map_err(|(what, _)| what)
}

#[test]
fn a_model_knows_its_column_and_key() {
    let policy = check(json!({ "after": "30 days" })).unwrap();
    assert_eq!(policy.table, TableId::new("analytics", "facts"));
    assert_eq!(
        (policy.field.as_str(), policy.after),
        ("at", TimeDelta::days(30))
    );
    assert_eq!(policy.key, ["id", "at"]);
    let own = check(json!({ "after": 7, "partition": "at", "key": "id" })).unwrap();
    assert_eq!(
        (own.key, own.after),
        (vec!["id".to_owned()], TimeDelta::days(7))
    );
}

#[test]
fn ages() {
    let of = |value: Json| age(&value).map(|age| age.num_hours());
    for (written, hours) in [
        (json!("30 days"), Some(720)),
        (json!("30d"), Some(720)),
        (json!("1 day"), Some(24)),
        (json!("4 Weeks"), Some(672)),
        (json!("720h"), Some(720)),
        (json!(30), Some(720)),
        (json!("30"), Some(720)),
        (json!(0), None),
        (json!(-3), None),
        (json!(1.5), None),
        (json!("30 minutes"), None),
        (json!("soon"), None),
        (json!("99999999999999999"), None),
        (json!(true), None),
    ] {
        assert_eq!(of(written.clone()), hours, "{written}");
    }
}

#[test]
fn mistakes_are_named() {
    let said = |meta| check(meta).unwrap_err();
    assert_eq!(said(json!({ "after": "soon" })), "`after: soon` is no age");
    assert!(said(json!({ "aftr": 3 })).contains("unknown field `aftr`"));
    assert!(said(json!({})).contains("missing field `after`"));
    assert!(said(json!("30 days")).contains("no archive policy"));
    assert!(said(json!({ "after": 3, "partition": "day" })).contains("partitioned by `at`"));
    let mut node = model(json!({ "after": 3 }));
    node.config.materialized = "table".to_owned();
    let value = json!({ "after": 3 });
    assert!(
        of_model(&node, &value)
            .unwrap_err()
            .0
            .contains("makes it anew")
    );
    let mut node = model(value.clone());
    node.config.unique_key.clear();
    assert!(
        of_model(&node, &value)
            .unwrap_err()
            .0
            .contains("names no key")
    );
    let mut node = model(value.clone());
    node.config.partition_by = None;
    assert!(
        of_model(&node, &value)
            .unwrap_err()
            .0
            .contains("not partitioned")
    );
}

#[test]
fn an_inherited_policy_is_taken_back() {
    let meta = |value| [("archive".to_owned(), value)].into_iter().collect();
    assert!(written(&meta(json!(false))).is_none());
    assert!(written(&meta(json!(null))).is_none());
    assert!(written(&meta(json!({ "after": 3 }))).is_some());
}

#[test]
fn the_line_is_that_of_the_entry() {
    let text = "\
sources:
  - name: raw
    tables:
      - name: first
        config: {meta: {archive: {after: 3}}}
        columns:
          - name: second
      - name: second
        # archive it some day
        config:
          meta:
            archive: {after: soon}
      - name: third
";
    assert_eq!(line(text, "first"), Some(5));
    assert_eq!(line(text, "second"), Some(12));
    assert_eq!(line(text, "third"), Some(5));
    assert_eq!(line("select 1", "first"), None);
    let sql = "{{ config(\n  meta={'archive': {'after': 3}},\n) }}";
    assert_eq!(line(sql, "facts"), Some(2));
}

//! The semantic layer: what its rules refuse, what is told, and what is made of shorthand.

use insta::assert_snapshot;
use serde_json::json;

use crate::support::Files;

/// A project that keeps every rule.
const SOUND: &str = r#"
semantic_models:
  - name: orders
    label: Orders
    model: ref('orders')
    defaults: {agg_time_dimension: ordered_at}
    entities:
      - {name: order, type: primary, expr: id}
      - {name: customer, type: foreign, expr: cid}
    dimensions:
      - {name: ordered_at, type: time, type_params: {time_granularity: day}}
      - {name: status, type: categorical}
    measures:
      - {name: total, agg: sum, expr: amount}
      - {name: counted, agg: count, expr: id}
metrics:
  - name: revenue
    label: Revenue
    type: simple
    type_params: {measure: total}
  - name: share
    label: Share
    type: ratio
    type_params: {numerator: revenue, denominator: revenue}
  - name: twice
    label: Twice
    type: derived
    type_params: {expr: revenue * 2, metrics: [revenue]}
  - name: running
    label: Running
    type: cumulative
    type_params: {measure: total, cumulative_type_params: {window: 7 days}}
  - name: converted
    label: Converted
    type: conversion
    type_params:
      conversion_type_params: {base_measure: counted, conversion_measure: counted, entity: customer}
saved_queries:
  - name: saved
    query_params:
      metrics: [revenue]
      group_by: ["Dimension('order__status')"]
      where: "{{ Dimension('order__status') }} = 'x'"
    exports:
      - name: kept
        config: {export_as: table}
"#;

const SPINE: &str = "models:\n  - name: days\n    time_spine: {standard_granularity_column: d}\n    \
                     columns: [{name: d, granularity: day}]\n";

/// The sound project with each of `changes` made to its files.
fn with(changes: &[(&str, &str)]) -> Files {
    let (mut semantic, mut spine) = (SOUND.trim_start().to_owned(), SPINE.to_owned());
    for (from, to) in changes {
        assert!(semantic.contains(from) || spine.contains(from), "{from}");
        semantic = semantic.replace(from, to);
        spine = spine.replace(from, to);
    }
    Files::new(&[
        ("models/orders.sql", "select 1 as id"),
        ("models/days.sql", "select current_date as d"),
        ("models/semantic.yml", &semantic),
        ("models/days.yml", &spine),
    ])
}

/// What a person reads of each.
fn told(cases: &[&[(&str, &str)]]) -> String {
    let one = |changes: &&[(&str, &str)]| {
        let files = with(changes);
        let text = match files.load() {
            Ok(project) => {
                let warnings = project.warnings.iter();
                let warnings: Vec<String> = warnings.map(ToString::to_string).collect();
                format!("it loads: {}", warnings.join("; "))
            }
            Err(error) => files.told(&error),
        };
        let (from, to) = changes.first().unwrap_or(&("", ""));
        format!("# {from} -> {to}\n{text}\n")
    };
    cases.iter().map(one).collect()
}

#[test]
fn names_that_mean_nothing_are_refused() {
    assert_snapshot!(told(&[
        &[],
        &[("name: total", "name: t"), ("measure: total", "measure: t")],
        &[
            ("name: status", "name: Status"),
            ("order__status", "order__Status")
        ],
        &[("name: converted", "name: con__verted")],
        &[("name: converted", "name: month")],
        &[("name: converted", "name: metric_time")],
        &[
            ("name: status", "name: select"),
            ("order__status", "order__select")
        ],
        &[
            ("name: status", "name: customer"),
            ("order__status", "order__customer")
        ],
        &[("name: converted", "name: revenue")],
        &[("label: Converted", "label: Revenue")],
        &[(
            "_column: d}",
            "_column: d, custom_granularities: [{name: total, column_name: d}]}"
        )],
    ]));
}

#[test]
fn names_that_nothing_has_are_refused() {
    assert_snapshot!(told(&[
        &[("measure: total", "measure: totl")],
        &[("numerator: revenue", "numerator: revenu")],
        &[("metrics: [revenue]}", "metrics: [twice]}")],
        &[(
            "    label: Revenue\n",
            "    label: Revenue\n    config: {enabled: false}\n"
        )],
        &[(
            "    label: Orders\n",
            "    label: Orders\n    config: {enabled: false}\n"
        )],
        &[("ref('orders')", "ref('order')")],
        &[("entity: customer", "entity: nobody")],
        &[(
            "Dimension('order__status')\"",
            "Dimension('order__colour')\""
        )],
        &[("metrics: [revenue]\n", "metrics: [nothing]\n")],
    ]));
}

#[test]
fn shapes_that_are_none_are_refused() {
    assert_snapshot!(told(&[
        &[("    label: Converted\n", "")],
        &[(
            "    label: Converted\n",
            "    label: Converted\n    kind: x\n"
        )],
        &[("type: ratio", "type: ration")],
        &[("agg: sum", "agg: summ")],
        &[("7 days", "7days")],
        &[("7 days", "seven days")],
        &[(
            "measure: total}\n  - name: share",
            "measure: {name: total, filter: {a: b}}}\n  - name: share"
        )],
        &[(", denominator: revenue", "")],
        &[("{measure: total}", "{}")],
        &[("{export_as: table}", "{schema: x}")],
        &[(
            "    label: Converted\n",
            "    label: Converted\n    config: {enabled: 'no'}\n"
        )],
    ]));
}

#[test]
fn what_breaks_a_rule_is_refused() {
    assert_snapshot!(told(&[
        &[("7 days", "7 moons")],
        &[("{window: 7 days}", "{window: 7 days, grain_to_date: month}")],
        &[("metrics: [revenue]}", "metrics: []}")],
        &[("    defaults: {agg_time_dimension: ordered_at}\n", "")],
        &[(
            "agg_time_dimension: ordered_at",
            "agg_time_dimension: status"
        )],
        &[(", agg: count, expr: id", ", agg: count")],
        &[("agg: sum", "agg: percentile")],
        &[("agg: sum", "agg: sum, agg_params: {percentile: 0.2}")],
        &[("type: primary", "type: unique")],
        &[("type: foreign", "type: primary")],
        &[("type: foreign", "type: natural")],
        &[(
            "time_granularity: day}",
            "time_granularity: day, validity_params: {is_start: true}}"
        )],
        &[(
            "agg: sum",
            "agg: sum, non_additive_dimension: {name: status, window_choice: sum}"
        )],
        &[("conversion_measure: counted", "conversion_measure: total")],
        &[("= 'x'\"", "= 'x' and {{ Dim('x') }}\"")],
        &[("= 'x'\"", "= 'x' and {{ Dimension('status') }}\"")],
        &[("= 'x'\"", "= 'x' and {{ Metric('revenue') }} > 1\"")],
        &[(
            "    exports:",
            "      order_by: [\"Metric('share')\"]\n    exports:"
        )],
        &[("    exports:", "      limit: -1\n    exports:")],
    ]));
}

#[test]
fn time_spines_are_checked() {
    assert_snapshot!(told(&[
        &[("    time_spine: {standard_granularity_column: d}\n", "")],
        &[("granularity: day}]", "granularity: month}]")],
        &[(", granularity: day}]", "}]")],
        &[("granularity: day}]", "granularity: moon}]")],
        &[("_column: d}", "_column: e}")],
        &[(
            "_column: d}",
            "_column: d, custom_granularities: [{name: week_of_sales}]}"
        )],
        &[(
            "  - name: days\n",
            "  - name: days\n    config: {materialized: ephemeral}\n"
        )],
    ]));
}

#[test]
fn what_is_doubtful_is_told() {
    assert_snapshot!(told(&[
        &[("expr: revenue * 2, ", "")],
        &[("expr: revenue * 2, ", "expr: twice * 2, ")],
        &[("cumulative_type_params: {window: 7 days}", "window: 7 days")],
        &[(
            "= 'x'\"",
            "= 'x' and {{ TimeDimension('order__ordered_at', 'moon') }} > 1\""
        )],
        &[("time_granularity: day}", "time_granularity: hour}")],
        &[(
            "    exports:",
            "      order_by: [\"Metric('revenue').descending(True)\"]\n    exports:"
        )],
    ]));
}

#[test]
fn shorthand_is_written_out() {
    let project = with(&[]).load().unwrap();
    let metrics = &project.manifest.metrics;
    let written = |name: &str| project::rendered::semantic(&metrics[name], 0.0);
    let share = written("metric.p.share");
    let measure = json!({
        "name": "total", "filter": null, "alias": null, "join_to_timespine": false, "fill_nulls_with": null,
    });
    assert_eq!(share["type_params"]["input_measures"], json!([measure]));
    assert_eq!(
        share["type_params"]["numerator"],
        json!({"name": "revenue", "filter": null, "alias": null, "offset_window": null, "offset_to_grain": null})
    );
    assert_eq!(share["depends_on"]["nodes"], json!(["metric.p.revenue"]));
    let running = written("metric.p.running");
    assert_eq!(
        running["type_params"]["cumulative_type_params"]["window"],
        json!({"count": 7, "granularity": "day"})
    );
    let model = &project.manifest.semantic_models["semantic_model.p.orders"];
    let model = project::rendered::semantic(model, 0.0);
    assert_eq!(model["node_relation"]["alias"], json!("orders"));
    assert_eq!(model["measures"][0]["create_metric"], json!(false));
    let query = &project.manifest.saved_queries["saved_query.p.saved"];
    let query = project::rendered::semantic(query, 0.0);
    assert_eq!(query["exports"][0]["config"]["alias"], json!("kept"));
    let told = project::semantic::semantic_manifest(&project.manifest);
    assert_eq!(told["metrics"].as_array().map(Vec::len), Some(5));
    assert_eq!(
        told["metrics"][3]["type_params"]["cumulative_type_params"],
        json!({"window": {"count": 7, "granularity": "day"}, "grain_to_date": null, "period_agg": "first"})
    );
    assert_eq!(
        told["saved_queries"][0]["exports"][0]["config"].get("database"),
        None
    );
}

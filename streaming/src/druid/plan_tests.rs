//! The shipped files against what a Druid 33.0.0 echoed after they were applied to it.

use std::path::Path;

use serde_json::json;

use super::*;
use crate::druid::render;
use crate::druid::session::observed;
use crate::druid::spec::{Variables, load};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/druid-specs");

fn variables() -> Variables {
    Variables {
        brokers: "127.0.0.1:15092,127.0.0.1:15093,127.0.0.1:15094".into(),
        topic_prefix: "z_".into(),
        datasource_prefix: "z_".into(),
        task_duration: "PT1H".into(),
    }
}

fn desired() -> Vec<Desired> {
    load(Path::new(FILES), &variables()).unwrap()
}

fn recorded() -> Actual {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let supervisors = read(include_str!("../../tests/druid/fixtures/supervisors.json"));
    let rules = read(include_str!("../../tests/druid/fixtures/rules.json"));
    let compaction = read(include_str!("../../tests/druid/fixtures/compaction.json"));
    let topics = desired().into_iter().map(|want| want.topic).collect();
    let slots = Some(Slots {
        capacity: 6,
        used: 3,
    });
    observed(
        supervisors.as_array().unwrap().clone(),
        rules,
        compaction["compactionConfigs"].as_array().unwrap().clone(),
        slots,
        topics,
    )
}

fn text(plan: &Plan) -> String {
    let mut out = Vec::new();
    render::plan(&mut out, plan).unwrap();
    String::from_utf8(out).unwrap()
}

/// Only what apply would act on or a person should know.
fn notable(plan: &Plan) -> String {
    text(plan)
        .lines()
        .filter(|line| !line.ends_with(": as declared"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn what_druid_echoes_is_what_was_declared() {
    let plan = plan(&desired(), &recorded(), "z_", false);
    assert!(plan.is_empty(), "{}", text(&plan));
    assert_eq!(plan.warnings, Vec::<String>::new());
}

#[test]
fn nothing_there_and_no_topic() {
    let plan = plan(&desired()[..1], &Actual::default(), "z_", false);
    assert!(plan.is_blocked());
    insta::assert_snapshot!(text(&plan), @r#"
! z_ride_events topic: does not exist, so nothing can read it
    hint: `ridehail topics apply` makes it
+ z_ride_events supervisor: create
+ z_ride_events retention: create
+ z_ride_events compaction: create
warning: Druid knows no worker yet: tasks wait until one joins
3 to change, 0 as declared; 0 restart tasks, 0 lose data
"#);
}

#[test]
fn no_files_and_no_supervisors() {
    let plan = plan(&[], &Actual::default(), "", false);
    assert!(plan.is_empty() && !plan.is_blocked());
}

#[test]
fn changes_say_what_they_cost() {
    let mut desired = desired();
    let spec = &mut desired[0].supervisor["spec"];
    spec["ioConfig"]["lateMessageRejectionPeriod"] = json!("P7D");
    spec["ioConfig"]["taskDuration"] = json!("PT10M");
    spec["dataSchema"]["dimensionsSpec"]["dimensions"][0] =
        json!({"type": "long", "name": "event_id"});
    desired[0].rules[0]["period"] = json!("P7D");
    insta::assert_snapshot!(notable(&plan(&desired, &recorded(), "z_", false)), @r#"
~ z_ride_events supervisor: change
    spec.dataSchema.dimensionsSpec.dimensions[event_id].type
  -   string
  +   long
    spec.ioConfig.lateMessageRejectionPeriod
  -   PT2592000S
  +   P7D
    spec.ioConfig.taskDuration
  -   PT3600S
  +   PT10M
    restarts tasks: yes, they publish first
    loses data: new rows keep the field as long; values that do not fit become null
    loses data: rows older than P7D are refused from now on
~ z_ride_events retention: change
    [0].period
  -   P30D
  +   P7D
    restarts tasks: no
    loses data: queries no longer see days older than 7 days; deep storage keeps them
2 to change, 10 as declared; 1 restart tasks, 2 lose data
"#);
}

#[test]
fn a_field_taken_out_of_the_file_is_seen() {
    let mut desired = desired();
    desired[0].fingerprint = "0123456789abcdef".into();
    insta::assert_snapshot!(notable(&plan(&desired, &recorded(), "z_", false)), @r#"
~ z_ride_events supervisor: change
    a field was taken out of the file: Druid's default returns
    restarts tasks: yes, they publish first
    loses data: no
1 to change, 11 as declared; 1 restart tasks, 0 lose data
"#);
}

#[test]
fn a_suspension_by_hand_is_left() {
    let mut actual = recorded();
    let there = actual.supervisors.get_mut("z_user_events").unwrap();
    there.suspended = true;
    there.spec["suspended"] = json!(true);
    let mut desired = desired();
    let same = plan(&desired, &actual, "z_", false);
    assert!(same.is_empty());
    desired[1].supervisor["spec"]["ioConfig"]["taskDuration"] = json!("PT10M");
    let changed = plan(&desired, &actual, "z_", false);
    insta::assert_snapshot!(format!("{}\n\n{}", notable(&same), notable(&changed)), @r#"
  z_user_events supervisor: as declared; suspended by hand, left so
0 to change, 12 as declared; 0 restart tasks, 0 lose data

~ z_user_events supervisor: change
    spec.ioConfig.taskDuration
  -   PT3600S
  +   PT10M
    suspended by hand, left so: takes effect when resumed
    restarts tasks: no
    loses data: no
1 to change, 11 as declared; 0 restart tasks, 0 lose data
"#);
    assert_eq!(desired[1].body(true)["suspended"], json!(true));

    // a file that says so itself decides
    desired[1].supervisor["suspended"] = json!(false);
    assert!(!plan(&desired, &actual, "z_", false).is_empty());
}

#[test]
fn orphans_are_ours_or_nobodys_business() {
    let desired = &desired()[..1];
    let mut actual = recorded();
    actual.supervisors.get_mut("z_user_events").unwrap().spec["context"] = json!({});
    insta::assert_snapshot!(notable(&plan(desired, &actual, "z_", false)), @r#"
? z_vehicle_events supervisor: no file declares it any more; --prune ends it
0 to change, 4 as declared; 0 restart tasks, 0 lose data
"#);
    assert_eq!(
        plan(desired, &actual, "z_", true)
            .steps
            .iter()
            .filter(|step| step.acts())
            .count(),
        1
    );
    let other_prefix = plan(desired, &actual, "", true);
    assert!(
        !other_prefix
            .steps
            .iter()
            .any(|step| matches!(step.change, Change::Orphan { .. }))
    );
}

#[test]
fn too_few_worker_slots() {
    let mut actual = recorded();
    actual.slots = Some(Slots {
        capacity: 4,
        used: 0,
    });
    insta::assert_snapshot!(plan(&desired(), &actual, "z_", false).warnings.join("\n"), @"6 worker slots are needed while tasks hand over (2 x taskCount x replicas a supervisor), Druid has 4: some tasks will wait");
}

#[test]
fn shipped_files_fit_the_indexer() {
    assert_eq!(desired().iter().map(Desired::slots).sum::<u64>(), 6);
    for want in desired() {
        // never: it skips or doubles rows without a word
        assert_eq!(
            want.supervisor["spec"]["tuningConfig"]["resetOffsetAutomatically"],
            json!(false)
        );
    }
}

use std::path::Path;

use super::*;

fn variables() -> Variables {
    Variables {
        brokers: "b:1".into(),
        topic_prefix: "t_".into(),
        datasource_prefix: "d_".into(),
        task_duration: "PT1H".into(),
    }
}

fn file(more: &str) -> String {
    format!(
        r#"{{"supervisor": {{"spec": {{"dataSchema": {{"dataSource": "${{DATASOURCE_PREFIX}}x"}},
            "ioConfig": {{"topic": "${{TOPIC_PREFIX}}x", "taskDuration": "${{TASK_DURATION}}"}}}}}},
            "rules": []{more}}}"#
    )
}

fn check_fails(text: &str, expected: &str) {
    let error = parse(Path::new("specs/x.json"), text, &variables()).unwrap_err();
    assert_eq!(error.to_string(), format!("specs/x.json: {expected}"));
}

#[test]
fn variables_are_filled_in() {
    let want = parse(Path::new("specs/x.json"), &file(""), &variables()).unwrap();
    assert_eq!(
        (&*want.name, &*want.datasource, &*want.topic),
        ("x", "d_x", "t_x")
    );
    assert_eq!(want.supervisor["spec"]["ioConfig"]["taskDuration"], "PT1H");
    assert_eq!(want.compaction_body(), None);
    let body = want.body(true);
    assert_eq!(body["context"][MARK]["prefix"], "d_");
    assert_eq!(
        body["context"][MARK]["fingerprint"],
        want.fingerprint.as_str()
    );
    assert_eq!(body["suspended"], true);
    assert!(want.body(false).get("suspended").is_none());
}

#[test]
fn the_fingerprint_follows_the_supervisor_alone() {
    let print = |text: &str| {
        parse(Path::new("x.json"), text, &variables())
            .unwrap()
            .fingerprint
    };
    assert_eq!(
        print(&file("")),
        print(&file(r#", "description": "words""#))
    );
    assert_ne!(
        print(&file("")),
        print(&file("").replace("taskDuration", "period"))
    );
}

#[test]
fn files_that_cannot_be_used() {
    check_fails(
        "{",
        "not JSON: EOF while parsing an object at line 1 column 1",
    );
    check_fails(
        &file(r#", "description": "${HOME}""#),
        "unknown variable HOME",
    );
    check_fails(
        &file(r#", "description": "${HOME""#),
        "a variable is not closed in \"${HOME\"",
    );
    check_fails(&file(r#", "extra": 1"#), "unknown part extra");
    check_fails(
        &file(r#", "compaction": 1"#),
        "compaction must be an object",
    );
    check_fails(
        &file("").replace("x\"}", "x y\"}"),
        "\"d_x y\" is no usable datasource name",
    );
    check_fails(
        r#"{"rules": []}"#,
        "supervisor.spec.dataSchema.dataSource must be a text",
    );
    check_fails(&file("").replace("[]", "{}"), "rules must be a list");
}

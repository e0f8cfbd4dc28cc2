//! Topics are made as declared.

use streaming::topics::{self, TopicsArgs};

use crate::bed::Bed;

async fn check(args: &TopicsArgs, apply: bool, changes: usize, says: &[&str]) {
    let mut out = Vec::new();
    let made = if apply {
        topics::apply(args, &mut out).await.unwrap()
    } else {
        topics::plan(args, &mut out).await.unwrap()
    };
    let out = String::from_utf8(out).unwrap();
    assert_eq!(made, changes, "{out}");
    for say in says {
        assert!(out.contains(say), "{say} not in:\n{out}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_planned_made_widened_and_configured_and_then_left_alone() {
    let bed = Bed::new().await;
    check(&bed.topics_args(), false, 0, &["topics are as declared"]).await;
    check(&bed.topics_args(), true, 0, &[]).await;

    let dir = tempfile::tempdir().unwrap();
    let mut args = bed.topics_args();
    args.kafka.topics_file = dir.path().join("topics.yml");
    let declare = |text: &str| std::fs::write(&args.kafka.topics_file, text).unwrap();
    let rides = bed.kafka.physical("ride_events");
    declare(
        "topics:\n  - {name: ride_events, partitions: 8, replication_factor: 3, config: {retention.ms: 86400000}}\n",
    );
    let says = [
        format!("~ {rides}: 6 -> 8 partitions"),
        "warning: keys move".to_owned(),
        "retention.ms: 604800000 -> 86400000".to_owned(),
        // Set before and not declared any more: told, and kept.
        format!("! {rides}: min.insync.replicas=2 is set on the topic but not declared"),
    ];
    let says: Vec<&str> = says.iter().map(String::as_str).collect();
    check(&args, false, 2, &says).await;
    check(&args, true, 2, &says).await;
    check(&args, true, 0, &["min.insync.replicas=2 is set"]).await;
    declare("topics:\n  - {name: ride_events, partitions: 2, replication_factor: 1}\n");
    check(
        &args,
        true,
        0,
        &[
            "cannot take partitions away",
            "3 replicas where 1 are declared",
        ],
    )
    .await;
    bed.clean().await;
}

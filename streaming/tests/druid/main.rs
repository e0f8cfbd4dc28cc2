//! One supervisor through its life on a real Druid and a real Kafka.
//!
//! One test, since a supervisor needs two of the indexer's six worker slots and each chapter
//! builds on the one before.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bed;
mod events;

use std::ops::RangeInclusive;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bed::{Bed, NAME};
use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use serde_json::{Value, json};
use streaming::druid::Error;

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_from_its_first_plan_to_its_end() {
    let bed = Bed::new();
    let lived = AssertUnwindSafe(life(&bed)).catch_unwind().await;
    bed.clear().await;
    if let Err(panic) = lived {
        std::panic::resume_unwind(panic);
    }
}

#[tokio::test]
async fn a_druid_that_is_away_is_told_as_such() {
    let bed = Bed::new();
    for verb in ["plan", "apply", "status", "wait"] {
        // nothing listens on the port for multiplexing services
        let (outcome, text) = bed.verb(&["--druid-url", "http://127.0.0.1:1", verb]).await;
        let error = outcome.unwrap_err();
        assert!(
            matches!(error, Error::Unreachable { .. }),
            "{verb}: {error:?}"
        );
        insta::allow_duplicates! {
            insta::assert_snapshot!(error, @r#"
Druid is not reachable at http://127.0.0.1:1
hint: `make up` starts it and `make status` shows it; landing goes on without it
"#);
        }
        assert_eq!(text, "");
    }
}

async fn life(bed: &Bed) {
    let text = bed.bad(&["apply", "--deadline", "60"]).await;
    assert!(
        text.contains("! t_ride_events topic: does not exist"),
        "{text}"
    );
    assert!(
        text.contains("t_ride_events: not applied, its topic does not exist"),
        "{text}"
    );

    let (outcome, _) = bed.verb(&["wait"]).await;
    assert!(
        matches!(outcome, Err(Error::NotReading { .. })),
        "{outcome:?}"
    );

    bed.create_topic().await;
    let text = bed.good(&["apply", "--deadline", "120"]).await;
    assert!(
        text.contains("+ t_ride_events supervisor: create"),
        "{text}"
    );

    let rows = rows_are_what_landing_takes(bed).await;
    unchanged_is_left_alone(bed).await;
    let rows = a_change_restarts_and_keeps_rows(bed, rows).await;
    let (published, rows) = a_suspension_is_respected(bed, rows).await;
    losses_are_asked_about(bed).await;
    what_turns_out_unhealthy_is_taken_back(bed).await;
    let rows = a_reset_is_asked_about_and_doubles(bed, published, rows).await;
    a_topic_made_anew_is_seen(bed, rows).await;
    what_is_no_longer_declared_is_ended(bed).await;
}

async fn count(bed: &Bed) -> i64 {
    let rows = bed.sql("SELECT COUNT(*) AS n FROM {}").await;
    rows.first().map_or(0, |row| row["n"].as_i64().unwrap())
}

/// The count of rows, once it is among those `wanted` and stays so for three seconds: nothing tells when the broker has
/// learnt of every segment. Rows that are lost, or doubled, stay so, and fail.
async fn settled(bed: &Bed, wanted: RangeInclusive<i64>) -> i64 {
    const LOOKS: usize = 160;
    const SAME: usize = 6;
    let (mut before, mut same) = (0, 0);
    for _ in 0..LOOKS {
        let rows = count(bed).await;
        same = if rows == before { same + 1 } else { 0 };
        before = rows;
        if same >= SAME && wanted.contains(&rows) {
            return rows;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("{before} rows, not {wanted:?}\n{}", bed.told().await);
}

async fn now(bed: &Bed) -> DateTime<Utc> {
    bed.sql("SELECT CURRENT_TIMESTAMP AS t").await[0]["t"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

async fn rows_are_what_landing_takes(bed: &Bed) -> i64 {
    let now = now(bed).await;
    let (good, bad) = (events::good(now), events::bad(now));
    bed.send(&good).await;
    bed.send(&bad).await;
    bed.good(&["wait", "--deadline", "90"]).await;

    let expected = i64::try_from(good.len()).unwrap();
    settled(bed, expected..=expected).await;

    let report = bed.json(&["status"]).await;
    let one = &report["supervisors"][0];
    assert_eq!(
        (&report["healthy"], &one["lag"]),
        (&json!(true), &json!(0)),
        "{report}"
    );
    let counters = &one["counters"];
    let counter = |key: &str| counters[key].as_i64().unwrap();
    assert_eq!(counter("processed"), expected, "{counters}");
    let refused = counter("thrown_away") + counter("unparseable");
    assert_eq!(refused, i64::try_from(bad.len()).unwrap(), "{counters}");
    assert_eq!(one["rows"], json!(expected));
    assert!(one["freshness_seconds"].as_i64().unwrap() < 120, "{one}");

    // 30 days back, an hour of slack, then the next midnight
    let from = (now - chrono::Duration::days(30)).date_naive();
    let from = |days| (from + chrono::Duration::days(days)).to_string();
    let whole = report["complete_from"].as_str().unwrap().to_owned();
    assert!([from(1), from(2)].contains(&whole), "{whole}");

    let types = bed
        .sql(
            "SELECT COLUMN_NAME AS c, DATA_TYPE AS t FROM INFORMATION_SCHEMA.COLUMNS \
             WHERE TABLE_NAME = '{}' AND COLUMN_NAME IN ('total_cents', 'surge_multiplier', \
             'requested_at_ms', 'ride_id', 'new_field')"
                .replace("{}", &bed.topic())
                .as_str(),
        )
        .await;
    let mut types: Vec<(&str, &str)> = types
        .iter()
        .map(|row| (row["c"].as_str().unwrap(), row["t"].as_str().unwrap()))
        .collect();
    types.sort_unstable();
    assert_eq!(
        types,
        [
            ("new_field", "BIGINT"),
            ("requested_at_ms", "BIGINT"),
            ("ride_id", "VARCHAR"),
            ("surge_multiplier", "DOUBLE"),
            ("total_cents", "BIGINT"),
        ]
    );
    expected
}

async fn unchanged_is_left_alone(bed: &Bed) {
    let before = bed.tasks().await;
    let text = bed.good(&["apply"]).await;
    assert!(text.contains("nothing changed"), "{text}");
    assert_eq!(bed.tasks().await, before);
    bed.good(&["plan", "--check"]).await;
}

async fn a_change_restarts_and_keeps_rows(bed: &Bed, rows: i64) -> i64 {
    let before = bed.tasks().await;
    let text = bed
        .bad(&["--task-duration", "PT50M", "plan", "--check"])
        .await;
    assert!(text.contains("  -   PT3600S\n  +   PT50M\n"), "{text}");
    assert!(text.contains("restarts tasks: yes"), "{text}");
    assert!(text.contains("loses data: no"), "{text}");
    let text = bed.good(&["--task-duration", "PT50M", "apply"]).await;
    assert!(text.contains("1 changes carried out"), "{text}");
    assert_ne!(bed.tasks().await, before);

    // a field taken out of the file goes back to its default
    bed.edit(|file| {
        file["supervisor"]["spec"]["tuningConfig"]
            .as_object_mut()
            .unwrap()
            .remove("intermediatePersistPeriod");
    });
    let text = bed.good(&["--task-duration", "PT50M", "apply"]).await;
    assert!(text.contains("a field was taken out of the file"), "{text}");
    let text = bed.good(&["--task-duration", "PT50M", "apply"]).await;
    assert!(text.contains("nothing changed"), "{text}");
    bed.good(&["apply"]).await;
    bed.good(&["wait", "--deadline", "90"]).await;
    settled(bed, rows..=rows).await
}

async fn a_suspension_is_respected(bed: &Bed, rows: i64) -> (i64, i64) {
    bed.good(&["suspend", NAME]).await;
    let (outcome, _) = bed.verb(&["wait"]).await;
    assert!(
        matches!(outcome, Err(Error::NotReading { .. })),
        "{outcome:?}"
    );
    let text = bed.good(&["suspend", NAME]).await;
    assert!(text.contains("nothing to suspend"), "{text}");
    let text = bed.good(&["apply"]).await;
    assert!(
        text.contains("as declared; suspended by hand, left so"),
        "{text}"
    );
    // a change is taken over without waking it
    bed.good(&["--task-duration", "PT50M", "apply"]).await;
    assert_eq!(
        bed.json(&["status"]).await["supervisors"][0]["suspended"],
        json!(true)
    );
    bed.good(&["apply"]).await;

    let now = now(bed).await;
    let more: Vec<events::Bytes> = (0..10)
        .map(|n| events::bytes(&events::event(now, &format!("more{n}"))))
        .collect();
    bed.send(&more).await;
    bed.good(&["resume", NAME]).await;
    bed.good(&["apply"]).await;
    bed.good(&["wait", "--deadline", "120"]).await;
    (rows, settled(bed, rows + 10..=rows + 10).await)
}

async fn losses_are_asked_about(bed: &Bed) {
    let before = bed.tasks().await;
    let set = |period: &'static str| {
        move |file: &mut Value| {
            file["supervisor"]["spec"]["ioConfig"]["lateMessageRejectionPeriod"] = json!(period);
        }
    };
    bed.edit(set("P7D"));
    let (outcome, text) = bed.verb(&["apply"]).await;
    assert!(
        matches!(outcome, Err(Error::NotAgreed { .. })),
        "{outcome:?}"
    );
    assert!(
        text.contains("loses data: rows older than P7D are refused from now on"),
        "{text}"
    );
    bed.edit(set("P30D"));
    bed.good(&["apply"]).await;
    assert_eq!(bed.tasks().await, before);
}

async fn what_turns_out_unhealthy_is_taken_back(bed: &Bed) {
    // brokers that do not answer, and little patience with them
    let set = |servers: &'static str| {
        move |file: &mut Value| {
            let kafka = &mut file["supervisor"]["spec"]["ioConfig"]["consumerProperties"];
            kafka["bootstrap.servers"] = json!(servers);
            kafka["default.api.timeout.ms"] = json!("2000");
            kafka["request.timeout.ms"] = json!("1500");
        }
    };
    bed.edit(set("127.0.0.1:1"));
    let text = bed.bad(&["apply", "--yes", "--deadline", "120"]).await;
    assert!(
        text.contains("so the last spec was put back, which reads again"),
        "{text}"
    );
    assert_eq!(bed.json(&["status"]).await["healthy"], json!(true));
    bed.edit(|file| {
        file["supervisor"]["spec"]["ioConfig"]["consumerProperties"] =
            json!({"bootstrap.servers": "${BROKERS}"});
    });
    let text = bed.good(&["apply"]).await;
    assert!(text.contains("nothing changed"), "{text}");
    bed.good(&["wait", "--deadline", "120"]).await;
}

async fn a_reset_is_asked_about_and_doubles(bed: &Bed, published: i64, rows: i64) -> i64 {
    let (outcome, _) = bed.verb(&["reset", NAME, "--to", "earliest"]).await;
    assert!(
        matches!(outcome, Err(Error::NotAgreed { .. })),
        "{outcome:?}"
    );
    let (outcome, _) = bed
        .verb(&["reset", "rides", "--to", "earliest", "--yes"])
        .await;
    assert!(
        matches!(outcome, Err(Error::UnknownName { .. })),
        "{outcome:?}"
    );
    assert_eq!(count(bed).await, rows);

    bed.good(&["reset", NAME, "--to", "earliest", "--yes"])
        .await;
    bed.good(&["apply"]).await;
    bed.good(&["wait", "--deadline", "120"]).await;
    // the whole log is read again, and what was in segments before stays
    let doubled = settled(bed, rows + published..=rows * 2).await;

    // to the end: nothing is lost of what was read, nothing is read again
    bed.good(&["reset", NAME, "--to", "latest", "--yes"]).await;
    bed.good(&["apply"]).await;
    bed.good(&["wait", "--deadline", "120"]).await;
    settled(bed, doubled..=doubled).await
}

async fn a_topic_made_anew_is_seen(bed: &Bed, rows: i64) {
    bed.delete_topic().await;
    bed.create_topic().await;
    let now = now(bed).await;
    let new: Vec<events::Bytes> = (0..4)
        .map(|n| events::bytes(&events::event(now, &format!("new{n}"))))
        .collect();
    bed.send(&new).await;

    let text = bed.bad(&["status"]).await;
    let hint = "hint: ridehail druid reset ride_events --to earliest --partitions 0,1";
    assert!(text.contains("waits beyond the end of the log"), "{text}");
    assert!(text.contains(hint), "{text}");
    let text = bed.bad(&["apply"]).await;
    assert!(text.contains(hint), "{text}");

    bed.good(&[
        "reset",
        NAME,
        "--to",
        "earliest",
        "--partitions",
        "0,1",
        "--yes",
    ])
    .await;
    bed.good(&["apply"]).await;
    bed.good(&["wait", "--deadline", "120"]).await;
    settled(bed, rows + 4..=rows + 4).await;
}

async fn what_is_no_longer_declared_is_ended(bed: &Bed) {
    bed.remove_file();
    let text = bed.good(&["apply"]).await;
    assert!(
        text.contains("? t_ride_events supervisor: no file declares it any more"),
        "{text}"
    );
    let text = bed.good(&["apply", "--prune"]).await;
    assert!(text.contains("t_ride_events: ended"), "{text}");
    // no files and no supervisors: nothing to say, and no error
    let text = bed.good(&["plan", "--prune"]).await;
    assert!(
        text.contains("no spec file declares a supervisor"),
        "{text}"
    );
    bed.good(&["status"]).await;
}

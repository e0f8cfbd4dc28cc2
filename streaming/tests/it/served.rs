//! What a running landing tells about itself.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bed::{Bed, DEADLINE};
use crate::events::{broken, events};

async fn get(address: &str, path: &str) -> Option<(u16, String)> {
    let answer = reqwest::get(format!("http://{address}{path}")).await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

fn free_address() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().to_string()
}

/// Asks until the answer is as expected.
async fn until(address: &str, path: &str, what: impl Fn(u16, &str) -> bool) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let answer = get(address, path).await;
        if answer
            .as_ref()
            .is_some_and(|(status, text)| what(*status, text))
        {
            return;
        }
        assert!(Instant::now() < deadline, "{path}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_is_landed_on_a_graceful_stop() {
    let bed = Bed::new().await;
    let address = free_address();
    let mut args = bed.args();
    args.until_caught_up = false;
    args.metrics_listen.clone_from(&address);
    // Nothing is ever due by itself.
    args.linger_ms = 3_600_000;
    args.batch_rows = 1_000_000;
    let stop = CancellationToken::new();
    let landing = tokio::spawn(streaming::landing::run(args, stop.clone()));
    let sent = events(0..500);
    bed.produce("ride_events", &sent);
    let bytes: usize = sent
        .iter()
        .map(|(k, v)| k.len() + v.as_ref().map_or(0, Vec::len))
        .sum();
    let line = format!("ridehail_landing_buffered_bytes {bytes}\n");
    until(&address, "/metrics", |_, text| text.contains(&line)).await;
    assert_eq!(bed.count("select count(*) from raw.ride_events").await, 0);
    stop.cancel();
    let summary = tokio::time::timeout(DEADLINE, landing)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(summary.rows, 500);
    bed.assert_exactly_once().await;
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_served_and_an_alarm_makes_it_unhealthy_until_it_is_dealt_with() {
    let bed = Bed::new().await;
    let address = free_address();
    let mut args = bed.args();
    args.until_caught_up = false;
    args.metrics_listen.clone_from(&address);
    let stop = CancellationToken::new();
    let landing = tokio::spawn(streaming::landing::run(args, stop.clone()));
    bed.produce("ride_events", &events(0..300));
    bed.produce("ride_events", &[broken().remove(1).0]);
    until(&address, "/metrics", |_, text| {
        text.contains("ridehail_landing_rows_total{topic=\"ride_events\"} 300\n")
            && text.contains("reason=\"invalid_json\"} 1\n")
            && text.contains("produced_to_landed_seconds_count{topic=\"ride_events\"} 300\n")
            && (0..6).all(|p| {
                text.contains(&format!(
                    "lag{{topic=\"ride_events\",partition=\"{p}\"}} 0\n"
                ))
            })
    })
    .await;
    until(&address, "/healthz", |status, _| status == 200).await;

    bed.delete_topics(&["user_events"]).await;
    bed.until_topic_is("user_events", false).await;
    bed.apply_topics().await;
    until(&address, "/healthz", |status, text| {
        status == 503 && text.contains("user_events")
    })
    .await;
    let reset = streaming::landing::ResetArgs {
        kafka: bed.kafka.clone(),
        database: bed.args().database,
        topic: "user_events".to_owned(),
        partition: None,
        to: streaming::landing::To::Earliest,
        yes: true,
    };
    streaming::landing::reset(&reset, &mut |_| false, &mut Vec::new())
        .await
        .unwrap();
    // The running process finds out by itself and goes on.
    until(&address, "/healthz", |status, _| status == 200).await;
    bed.produce("user_events", &events(0..50));
    bed.until("landing", "select count(*) = 50 from raw.user_events")
        .await;
    stop.cancel();
    tokio::time::timeout(DEADLINE, landing)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    bed.assert_exactly_once().await;
    bed.clean().await;
}

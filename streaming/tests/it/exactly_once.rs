//! Everything lands once.

use std::collections::BTreeMap;

use crate::bed::{Bed, TOPICS};
use crate::events::{broken, events};

#[tokio::test(flavor = "multi_thread")]
async fn everything_lands_once_and_what_is_broken_is_rejected_with_its_reason() {
    let bed = Bed::new().await;
    for topic in TOPICS {
        bed.produce(topic, &events(0..2000));
    }
    let broken = broken();
    let records: Vec<_> = broken.iter().map(|(record, _)| record.clone()).collect();
    bed.produce("ride_events", &records);
    bed.produce("ride_events", &events(2000..2100));

    let summary = bed.land().await;
    assert_eq!((summary.rows, summary.rejects), (6100, broken.len() as u64));
    bed.assert_exactly_once().await;

    let reasons: Vec<(String, i64)> =
        sqlx::query_as("select reason, count(*) from raw.rejects group by reason")
            .fetch_all(&bed.pool)
            .await
            .unwrap();
    let expected = broken
        .iter()
        .fold(BTreeMap::new(), |mut counts, (_, reason)| {
            *counts.entry((*reason).to_owned()).or_default() += 1;
            counts
        });
    assert_eq!(
        reasons.into_iter().collect::<BTreeMap<String, i64>>(),
        expected
    );

    // A second run finds nothing to do; more records are landed from where the first one ended.
    assert_eq!(bed.land().await.rows, 0);
    bed.produce("user_events", &events(5000..5010));
    assert_eq!(bed.land().await.rows, 10);
    bed.assert_exactly_once().await;
    bed.clean().await;
}

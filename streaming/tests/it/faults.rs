//! What Kafka, Postgres and people do to a landing short of an outage.

use rdkafka::admin::AdminOptions;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use streaming::landing::{Alarm, Error, OnDataLoss, ResetArgs, To};
use streaming::rejects::{self, Filter, LsArgs, Output, ReplayArgs};

use crate::bed::{Bed, DEADLINE};
use crate::events::{event_at, events, now};

/// Deletes a partition's records before an offset, as retention would.
async fn delete_before(bed: &Bed, topic: &str, partition: i32, offset: i64) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(
        &bed.kafka.physical(topic),
        partition,
        Offset::Offset(offset),
    )
    .unwrap();
    bed.kafka_admin()
        .delete_records(&list, &AdminOptions::new())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_retention_took_stop_the_partition_or_are_recorded_as_a_gap() {
    let bed = Bed::new().await;
    bed.produce("vehicle_events", &events(0..600));
    bed.land().await;
    bed.produce("vehicle_events", &events(600..1200));
    let stored: i64 = sqlx::query_scalar(
        "select next_offset from raw.landing_progress where topic = 'vehicle_events' and kafka_partition = 2",
    )
    .fetch_one(&bed.pool)
    .await
    .unwrap();
    delete_before(&bed, "vehicle_events", 2, stored + 5).await;

    let Err(Error::Alarms(alarms)) = bed.land_with(bed.args()).await else {
        panic!("no alarm")
    };
    let [(topic, 2, Alarm::BehindLogStart { lost })] = alarms.as_slice() else {
        panic!("{alarms:?}")
    };
    assert_eq!(
        (topic.as_str(), lost.expected, lost.got),
        ("vehicle_events", stored, stored + 5)
    );
    // The other partitions went on.
    let rows = bed.count("select count(*) from raw.vehicle_events").await;
    assert!(rows > 600, "{rows}");
    assert_eq!(
        bed.count("select count(*) from raw.landing_alarms where cleared_at is null")
            .await,
        1
    );

    let mut args = bed.args();
    args.on_data_loss = OnDataLoss::Continue;
    bed.land_with(args).await.unwrap();
    let gap: (i64, i64, String) =
        sqlx::query_as("select expected_offset, got_offset, cause from raw.landing_gaps")
            .fetch_one(&bed.pool)
            .await
            .unwrap();
    assert_eq!(gap, (stored, stored + 5, "retention".to_owned()));
    assert_eq!(
        bed.count("select count(*) from raw.vehicle_events").await,
        1195
    );
    assert_eq!(
        bed.count("select count(*) from raw.landing_alarms where cleared_at is null")
            .await,
        0
    );
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_re_created_topic_is_an_alarm_and_a_reset_lands_it() {
    let bed = Bed::new().await;
    bed.produce("user_events", &events(0..300));
    bed.produce("ride_events", &events(0..300));
    bed.land().await;
    bed.delete_topics(&["user_events"]).await;
    bed.until_topic_is("user_events", false).await;
    bed.apply_topics().await;
    // More than before: by offsets alone the new topic looks like a continuation of the old one.
    bed.produce("user_events", &events(1000..2000));
    bed.produce("ride_events", &events(1000..1100));

    let Err(Error::Alarms(alarms)) = bed.land_with(bed.args()).await else {
        panic!("no alarm")
    };
    assert_eq!(alarms.len(), 6);
    assert!(
        alarms
            .iter()
            .all(|(t, _, a)| t == "user_events" && matches!(a, Alarm::TopicRecreated { .. }))
    );
    assert_eq!(bed.count("select count(*) from raw.user_events").await, 300);
    assert_eq!(bed.count("select count(*) from raw.ride_events").await, 400);

    let reset = ResetArgs {
        kafka: bed.kafka.clone(),
        database: bed.args().database,
        topic: "user_events".to_owned(),
        partition: None,
        to: To::Earliest,
        yes: false,
    };
    let mut asked = 0;
    let mut refuse = |_: &str| {
        asked += 1;
        false
    };
    assert!(
        !streaming::landing::reset(&reset, &mut refuse, &mut Vec::new())
            .await
            .unwrap()
    );
    assert_eq!(asked, 1);
    let reset = ResetArgs { yes: true, ..reset };
    assert!(
        streaming::landing::reset(&reset, &mut |_| false, &mut Vec::new())
            .await
            .unwrap()
    );
    assert_eq!(bed.land().await.rows, 1000);
    assert_eq!(
        bed.count("select count(*) from raw.user_events").await,
        1300
    );
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_of_the_same_topic_doubles_nothing() {
    let bed = Bed::new().await;
    bed.produce("ride_events", &events(0..700));
    bed.land().await;
    let reset = ResetArgs {
        kafka: bed.kafka.clone(),
        database: bed.args().database,
        topic: "ride_events".to_owned(),
        partition: None,
        to: To::Earliest,
        yes: true,
    };
    streaming::landing::reset(&reset, &mut |_| false, &mut Vec::new())
        .await
        .unwrap();
    // Something was lost by hand: the reset brings back just that.
    sqlx::raw_sql("delete from raw.ride_events where kafka_partition = 1")
        .execute(&bed.pool)
        .await
        .unwrap();
    let summary = bed.land().await;
    assert_eq!(summary.rows + summary.already_present, 700);
    assert!(
        summary.rows > 0 && summary.already_present > 0,
        "{summary:?}"
    );
    bed.assert_exactly_once().await;
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_only_postgres_refuses_is_rejected_alone() {
    let bed = Bed::new().await;
    bed.land().await;
    // Stands for whatever the decoder cannot know: some rows are too much for Postgres.
    sqlx::raw_sql(
        "create function raw.judge() returns trigger language plpgsql as
             $$ begin if new.city_id = 'nowhere' then raise sqlstate '22003' using message = 'too large'; end if; return new; end $$;
         create trigger judge before insert on raw.ride_events for each row execute function raw.judge()",
    )
    .execute(&bed.pool)
    .await
    .unwrap();
    let mut records = events(0..900);
    for n in [17, 450, 451] {
        let value = String::from_utf8(records[n].1.take().unwrap()).unwrap();
        records[n].1 = Some(value.replace("lagos", "nowhere").into_bytes());
    }
    bed.produce("ride_events", &records);
    let summary = bed.land().await;
    assert_eq!((summary.rows, summary.rejects), (897, 3));
    let reasons = bed
        .count("select count(*) from raw.rejects where reason = 'refused_by_postgres'")
        .await;
    assert_eq!(reasons, 3);
    bed.assert_exactly_once().await;
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rejects_are_listed_and_those_that_are_events_now_are_replayed() {
    let bed = Bed::new().await;
    // Five days ahead: an event once the clock is there, which the test brings about by changing the bytes.
    let ahead: Vec<_> = (0..40)
        .map(|n| event_at(n, now() + chrono::TimeDelta::days(5)))
        .collect();
    bed.produce("ride_events", &ahead);
    bed.produce("ride_events", &[("k".to_owned(), Some(b"{".to_vec()))]);
    bed.produce("ride_events", &events(100..200));
    let summary = bed.land().await;
    assert_eq!((summary.rows, summary.rejects), (100, 41));

    let database = bed.args().database;
    let ls = LsArgs {
        database: database.clone(),
        filter: Filter {
            reason: Some("invalid_json".to_owned()),
            ..Filter::default()
        },
        summary: false,
        all: false,
        limit: 50,
        output: Output::Json,
    };
    let mut out = Vec::new();
    rejects::ls(&ls, &mut out).await.unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1);

    let replay = ReplayArgs {
        database,
        filter: Filter::default(),
        output: Output::Text,
    };
    let mut out = Vec::new();
    let nothing = rejects::replay(&replay, &mut out).await.unwrap();
    assert_eq!((nothing.landed, nothing.remaining), (0, 41));
    let before: i64 = bed
        .count("select max(landing_batch) from raw.ride_events")
        .await;

    let soon = (now() + chrono::TimeDelta::days(5))
        .format("%Y-%m-%d")
        .to_string();
    let today = now().format("%Y-%m-%d").to_string();
    sqlx::query("update raw.rejects set value = convert_to(replace(convert_from(value, 'UTF8'), $1, $2), 'UTF8')")
        .bind(soon)
        .bind(today)
        .execute(&bed.pool)
        .await
        .unwrap();
    let mended = rejects::replay(&replay, &mut out).await.unwrap();
    assert_eq!((mended.landed, mended.remaining), (40, 1));
    assert_eq!(bed.count("select count(*) from raw.ride_events").await, 140);
    assert_eq!(
        bed.count("select count(*) from raw.rejects where replayed_at is not null")
            .await,
        40
    );
    let after: i64 = bed
        .count("select max(landing_batch) from raw.ride_events")
        .await;
    assert!(
        after > before,
        "replayed rows are new to a reader of batches"
    );
    let again = rejects::replay(&replay, &mut out).await.unwrap();
    assert_eq!((again.landed, again.remaining), (0, 1));
    let landed = bed.landed().await;
    assert!(landed.values().all(|there| there.len() == 1));
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_is_fenced_and_reads_on_from_where_the_other_got_to() {
    let bed = Bed::new().await;
    bed.produce("ride_events", &events(0..2000));
    // Two groups: each believes that every partition is its own, as a zombie does.
    let mut first = bed.args();
    first.group = Some(format!("{}-a", bed.name));
    let mut second = bed.args();
    second.group = Some(format!("{}-b", bed.name));
    first.batch_rows = 30;
    second.batch_rows = 40;
    let (a, b) = tokio::join!(bed.land_with(first), bed.land_with(second));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(a.rows + b.rows, 2000);
    assert!(a.fenced + b.fenced > 0, "{a:?} {b:?}");
    bed.assert_exactly_once().await;
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_may_start_at_once_and_make_the_same_tables() {
    let bed = Bed::new().await;
    sqlx::raw_sql("drop schema raw cascade")
        .execute(&bed.pool)
        .await
        .unwrap();
    bed.produce("ride_events", &events(0..1000));
    let landings = (0..4).map(|n| {
        let mut args = bed.args();
        args.group = Some(format!("{}-{n}", bed.name));
        bed.land_with(args)
    });
    let rows: u64 = futures::future::join_all(landings)
        .await
        .into_iter()
        .map(|s| s.unwrap().rows)
        .sum();
    assert_eq!(rows, 1000);
    bed.assert_exactly_once().await;
    bed.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_that_the_log_skips_are_recorded_and_the_end_is_still_found() {
    let bed = Bed::new().await;
    let mut config = bed.kafka.client();
    config.set("transactional.id", &bed.name);
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(DEADLINE).unwrap();
    let topic = bed.kafka.physical("ride_events");
    for round in 0..3_u32 {
        producer.begin_transaction().unwrap();
        for (key, value) in events(round * 20..round * 20 + 20) {
            let record = BaseRecord::to(&topic)
                .partition(4)
                .key(&key)
                .payload(value.as_ref().unwrap());
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        // The aborted one's records are in the log too, and are not to be delivered.
        if round == 1 {
            producer.flush(DEADLINE).unwrap();
            producer.abort_transaction(DEADLINE).unwrap();
        } else {
            producer.commit_transaction(DEADLINE).unwrap();
        }
    }
    // Log: 20 records, marker, 20 aborted records, marker, 20 records, marker.
    let summary = bed.land().await;
    assert_eq!((summary.rows, summary.gaps), (40, 1));
    let gap: (i64, i64, String) =
        sqlx::query_as("select expected_offset, got_offset, cause from raw.landing_gaps")
            .fetch_one(&bed.pool)
            .await
            .unwrap();
    assert_eq!(gap, (20, 42, "missing".to_owned()));
    bed.clean().await;
}

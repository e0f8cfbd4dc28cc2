//! Landing against bare COPY of the same rows into the same table: `cargo bench -p streaming --bench landing`.
//!
//! Fills a topic once, then in each round lands it and copies the landed rows, already encoded, over as many
//! connections into the emptied table. Both commit; both run on this machine beside the servers. Figures go to
//! stdout. `RIDEHAIL_BENCH_ROWS` (default 300000), `RIDEHAIL_BENCH_ROUNDS` (default 3).

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[path = "../tests/it/bed.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod bed;

use std::io::Write as _;
use std::time::{Duration, Instant};

use bed::{Bed, Sent};
use chrono::{SecondsFormat, TimeDelta};
use rdkafka::producer::Producer as _;
use sqlx::{Connection as _, PgConnection};
use tokio_util::sync::CancellationToken;

const WRITERS: usize = 3;
const COLUMNS: &str = "event_time, kafka_offset, landing_batch, kafka_timestamp, produced_at, event_id, kafka_partition, \
     schema_version, event_type, city_id, payload";

fn number(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |n| n.parse().unwrap())
}

/// A ride's event, about 450 bytes, on one of three days.
fn event(n: u32) -> Sent {
    let now = streaming::clock::now();
    let sent = now.to_rfc3339_opts(SecondsFormat::Millis, true);
    let time = now - TimeDelta::seconds(i64::from(n % 172_800));
    let time = time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let ride = format!("r-{:08}", n / 9);
    let value = format!(
        r#"{{"event_id":"00000000-0000-4000-8000-{n:012x}","event_type":"driver_en_route","event_time":"{time}","produced_at":"{sent}","schema_version":1,"city_id":"london","h3":"88195da49bfffff","sequence":{},"ride_id":"{ride}","driver_id":"d-{:06}","customer_id":"c-{:06}","vehicle_id":"v-{:06}","status":"driver_en_route","ride_timestamp":"{time}","requested_at":"{time}","pickup_location":"51.50735,-0.12776","dropoff_location":"51.47002,-0.45429"}}"#,
        n % 9 + 1,
        n % 4000,
        n % 9000,
        n % 4000,
    );
    (ride, Some(value.into_bytes()))
}

/// What a binary COPY starts with: signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// The same rows, encoded beforehand, in as many shares as asked for. The payload is the text that was sent: what
/// Postgres makes of it (sorted keys, for one) would be cheaper for it to read again.
fn encoded(events: &[Sent], shares: usize) -> Vec<Vec<u8>> {
    let mut out = vec![HEADER.to_vec(); shares];
    let now = micros(&streaming::clock::now().to_rfc3339());
    for (n, (_, value)) in events.iter().enumerate() {
        let (partition, offset) = (n % 6, n / 6);
        let payload = value.as_deref().unwrap();
        let event: serde_json::Value = serde_json::from_slice(payload).unwrap();
        let text = |field: &str| event[field].as_str().unwrap();
        let row = &mut out[partition % shares];
        row.extend(11_i16.to_be_bytes());
        let mut field = |bytes: &[u8]| {
            row.extend((bytes.len() as u32).to_be_bytes());
            row.extend_from_slice(bytes);
        };
        let time = micros(text("event_time")).to_be_bytes();
        field(&time);
        field(&(offset as i64).to_be_bytes());
        field(&1_i64.to_be_bytes());
        field(&now.to_be_bytes());
        field(&micros(text("produced_at")).to_be_bytes());
        field(text("event_id").parse::<uuid::Uuid>().unwrap().as_bytes());
        field(&(partition as i32).to_be_bytes());
        field(&1_i32.to_be_bytes());
        field(text("event_type").as_bytes());
        field(text("city_id").as_bytes());
        field(&[&[1], payload].concat());
    }
    for share in &mut out {
        share.extend((-1_i16).to_be_bytes());
    }
    out
}

/// Microseconds since 2000-01-01.
fn micros(time: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(time)
        .unwrap()
        .timestamp_micros()
        - 946_684_800_000_000
}

/// Copies shares side by side, each in a transaction of its own; from begin to the last commit.
async fn bare_copy(bed: &Bed, shares: &[Vec<u8>]) -> Duration {
    let mut connections = Vec::new();
    for _ in shares {
        connections.push(PgConnection::connect(&bed.url).await.unwrap());
    }
    let begun = Instant::now();
    let copies = connections
        .iter_mut()
        .zip(shares)
        .map(async |(connection, share)| {
            let statement = format!("copy raw.ride_events ({COLUMNS}) from stdin (format binary)");
            let mut copy = connection.copy_in_raw(&statement).await.unwrap();
            for chunk in share.chunks(128 << 10) {
                copy.send(chunk).await.unwrap();
            }
            copy.finish().await.unwrap()
        });
    futures::future::join_all(copies).await;
    begun.elapsed()
}

async fn empty(bed: &Bed) {
    sqlx::raw_sql("truncate raw.ride_events; truncate raw.landing_progress")
        .execute(&bed.pool)
        .await
        .unwrap();
}

#[tokio::main]
async fn main() {
    let rows = number("RIDEHAIL_BENCH_ROWS", 300_000);
    let rounds = number("RIDEHAIL_BENCH_ROUNDS", 3);
    let mut out = std::io::stdout();
    let bed = Bed::new().await;
    let events: Vec<_> = (0..rows).map(event).collect();
    let bytes: usize = events
        .iter()
        .map(|(_, value)| value.as_ref().map_or(0, Vec::len))
        .sum();
    bed.produce("ride_events", &events);
    writeln!(
        out,
        "{rows} rows of {} bytes, {WRITERS} connections",
        bytes / rows as usize
    )
    .unwrap();
    let (shares, whole) = (encoded(&events, WRITERS), encoded(&events, 1));
    let mut ratios = Vec::new();
    for round in 0..rounds {
        let mut args = bed.args();
        args.group = Some(format!("{}-{round}", bed.name));
        args.batch_rows = number("RIDEHAIL_STREAM_BATCH_ROWS", 10_000) as usize;
        args.linger_ms = 200;
        args.writers = number("RIDEHAIL_STREAM_WRITERS", WRITERS as u32) as usize;
        let summary = bed.land_with(args).await.unwrap();
        assert_eq!(summary.rows, u64::from(rows));
        empty(&bed).await;
        let bare = bare_copy(&bed, &shares).await;
        assert_eq!(
            bed.count("select count(*) from raw.ride_events").await,
            i64::from(rows)
        );
        empty(&bed).await;
        let alone = bare_copy(&bed, &whole).await;
        empty(&bed).await;
        let rate = |seconds: f64| f64::from(rows) / seconds;
        let (landed, run) = (rate(summary.landing_seconds), rate(summary.seconds));
        let (bare, alone) = (rate(bare.as_secs_f64()), rate(alone.as_secs_f64()));
        writeln!(
            out,
            "round {round}: landing {landed:.0} rows/s (with start and stop {run:.0}), bare copy {bare:.0} (one connection {alone:.0}), ratio {:.2}",
            landed / bare
        )
        .unwrap();
        ratios.push(landed / bare);
    }
    ratios.sort_by(f64::total_cmp);
    writeln!(out, "median ratio {:.2}", ratios[ratios.len() / 2]).unwrap();
    let p95 = live(&bed).await;
    writeln!(
        out,
        "live, {LIVE_RATE} events/s: produced to landed p95 within {p95} s"
    )
    .unwrap();
    bed.clean().await;
}

/// Events a second while latency is measured, and for how many seconds.
const LIVE_RATE: u32 = 500;
const LIVE_SECONDS: u32 = 15;

/// Lands a steady trickle with default settings; 95th percentile of produced to landed, as a bucket's upper bound.
async fn live(bed: &Bed) -> f64 {
    let mut args = bed.args();
    args.until_caught_up = false;
    args.linger_ms = 200;
    args.batch_rows = 10_000;
    let stop = CancellationToken::new();
    // What the rounds left is landed first, so that only the trickle counts.
    bed.land().await;
    let landing = tokio::spawn(streaming::landing::run(args, stop.clone()));
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    let producer = bed.producer();
    for n in 0..LIVE_RATE * LIVE_SECONDS {
        if n % (LIVE_RATE / 50) == 0 {
            ticks.tick().await;
        }
        bed.send(&producer, "ride_events", &event(n));
    }
    producer.flush(bed::DEADLINE).unwrap();
    stop.cancel();
    landing
        .await
        .unwrap()
        .unwrap()
        .produced_to_landed_p95
        .unwrap()
}

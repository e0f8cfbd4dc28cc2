//! The generator against real brokers: what it acknowledged is there, once and in sequence,
//! however often it was killed.

mod compare;
mod topics;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use compare::{assert_holds, comparable, without_produced_at};
use generator::{Error, GenerateArgs, Truth};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use topics::{NAMES, Topics};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    generate: GenerateArgs,
}

fn topics(what: &str) -> Topics {
    Topics::create(what).unwrap_or_else(|| {
        panic!("no Kafka at {}: start it with `make up`", topics::brokers());
    })
}

/// Runs in this process.
async fn generate(arguments: &[&str], cancel: CancellationToken) -> Result<Truth, Error> {
    let cli = Cli::try_parse_from(std::iter::once(&"generate").chain(arguments));
    let args = cli.expect("arguments are legal").generate;
    generator::generate(args, cancel, &mut std::io::sink()).await
}

async fn run(arguments: &[&str]) -> Result<Truth, Error> {
    generate(arguments, CancellationToken::new()).await
}

const CHILD_ARGUMENTS: &str = "GENERATOR_TEST_ARGUMENTS";

#[tokio::test]
#[ignore = "other tests run it as a process of its own, to kill it"]
async fn as_a_process() {
    let text = std::env::var(CHILD_ARGUMENTS).expect("arguments are given");
    let arguments: Vec<&str> = text.split('\n').collect();
    run(&arguments).await.expect("generated");
}

fn spawn(arguments: &[&str]) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["as_a_process", "--exact", "--ignored"])
        .env(CHILD_ARGUMENTS, arguments.join("\n"))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("started")
}

/// Kills the process, as `kill -9` does, once the topics hold so many records.
fn kill_at(mut child: Child, topics: &Topics, records: u64) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while topics.total() < records {
        assert!(Instant::now() < deadline, "never reached {records} records");
        assert_eq!(
            child.try_wait().expect("asked"),
            None,
            "ended before {records} records"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("killed");
    child.wait().expect("gone");
}

/// The same world to a file: key and value (or raw) by topic and partition.
async fn expected(arguments: &[&str]) -> (Vec<Vec<Vec<(String, Value)>>>, Truth) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let path = file.path().to_str().expect("UTF-8");
    let truth = run(&[&["--sink", "ndjson", "--out", path], arguments].concat()).await;
    let mut records = vec![vec![Vec::new(); 6]; 3];
    for line in std::fs::read_to_string(path).expect("read").lines() {
        let mut line: Value = serde_json::from_str(line).expect("JSON");
        let topic = NAMES
            .iter()
            .position(|name| line["topic"] == *name)
            .expect("a topic");
        let partition = line["partition"].as_u64().expect("a number") as usize;
        let key = line["key"].as_str().expect("text").to_owned();
        let value = match line.get("raw") {
            Some(raw) => comparable(raw.as_str().expect("text").as_bytes()),
            None => without_produced_at(line["value"].take()),
        };
        records[topic][partition].push((key, value));
    }
    (records, truth.expect("generated"))
}

fn ends_of(truth: &Truth) -> Vec<Vec<u64>> {
    NAMES
        .iter()
        .map(|name| truth.topics[*name].by_partition.clone())
        .collect()
}

const FAULTS: &str = "duplicates=0.01,late=0.01,out_of_order=0.01,malformed=0.01";

#[tokio::test]
async fn history_arrives_in_sequence() {
    let topics = topics("history");
    let world = [
        "--start",
        "2026-10-01",
        "--until",
        "2026-10-03",
        "--faults",
        FAULTS,
    ];
    let (records, truth) = expected(&world).await;
    let sent = run(&[&["--topic-prefix", &topics.prefix], &world[..]].concat()).await;
    assert_eq!(sent.expect("generated"), truth);
    assert_eq!(topics.ends(), ends_of(&truth));
    assert_holds(&topics, &records);
    // once more: nothing is left to send, and the truth is the same
    let again = run(&[&["--topic-prefix", &topics.prefix], &world[..]].concat()).await;
    assert_eq!(again.expect("generated"), truth);
    assert_eq!(topics.ends(), ends_of(&truth));
}

#[tokio::test]
async fn killed_again_and_again_it_loses_and_doubles_nothing() {
    let topics = topics("killed");
    let world = [
        "--start",
        "2026-10-01",
        "--until",
        "2026-10-16",
        "--faults",
        FAULTS,
    ];
    let (records, truth) = expected(&world).await;
    let total: u64 = truth.topics.values().map(|topic| topic.acknowledged).sum();
    let arguments = [&["--topic-prefix", &topics.prefix], &world[..]].concat();
    for part in [1, 5, 20, 50, 80] {
        kill_at(spawn(&arguments), &topics, total * part / 100);
    }
    assert!(
        topics.total() < total,
        "the last kill came too late to show anything"
    );
    assert_eq!(run(&arguments).await.expect("generated"), truth);
    assert_eq!(topics.ends(), ends_of(&truth));
    assert_holds(&topics, &records);
}

#[tokio::test]
async fn cancelled_it_tells_what_is_there() {
    let topics = topics("cancelled");
    let world = ["--start", "2026-10-01", "--until", "2026-10-31"];
    let arguments = [&["--topic-prefix", &topics.prefix], &world[..]].concat();
    let cancel = CancellationToken::new();
    let stop = async {
        while topics.total() < 10_000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancel.cancel();
        std::future::pending().await
    };
    // a run that fails ends the wait for its records
    let part = tokio::select! {
        part = generate(&arguments, cancel.clone()) => part.expect("stopped gracefully"),
        () = stop => unreachable!("it waits for the run"),
    };
    assert_eq!(topics.ends(), ends_of(&part));
    let (records, truth) = expected(&world).await;
    assert_ne!(part, truth);
    assert_eq!(run(&arguments).await.expect("generated"), truth);
    assert_holds(&topics, &records);
}

/// Counts a truth's figures again from the records themselves.
fn recount(topics: &Topics) -> (Vec<u64>, u64, i64) {
    let mut distinct = Vec::new();
    let (mut completed, mut cents) = (0, 0);
    for topic in topics.read() {
        let mut seen = std::collections::HashSet::new();
        for stored in topic.into_iter().flatten() {
            let Ok(value) = serde_json::from_slice::<Value>(&stored.value) else {
                continue;
            };
            let Some(id) = value["event_id"].as_str() else {
                continue;
            };
            let time = value["event_time"].as_str().unwrap_or_default();
            if !time.starts_with("20") || time.starts_with("2099") || !seen.insert(id.to_owned()) {
                continue;
            }
            if value["event_type"] == "ride_completed" {
                completed += 1;
                cents += value["total_cents"].as_i64().expect("a number");
            }
        }
        distinct.push(seen.len() as u64);
    }
    (distinct, completed, cents)
}

#[tokio::test]
async fn a_killed_live_run_goes_on() {
    let topics = topics("live");
    let prefix = ["--topic-prefix", &topics.prefix];
    let live = ["--live", "--rate", "400", "--faults", FAULTS];
    let first = [&prefix[..], &["--history", "1d"], &live].concat();
    let child = spawn(&first);
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut before = u64::MAX;
    // the history is sent at once; then the topics grow by the rate
    loop {
        let total = topics.total();
        if total > 10_000 && total.saturating_sub(before) < 1_000 && total > before {
            break;
        }
        assert!(Instant::now() < deadline, "the live phase never began");
        before = total;
        std::thread::sleep(Duration::from_millis(500));
    }
    std::thread::sleep(Duration::from_secs(3));
    kill_at(child, &topics, 1);
    let killed_at = topics.total();
    let started = Instant::now();
    let truth = run(&[&prefix[..], &live, &["--for", "6s"]].concat())
        .await
        .expect("generated");
    assert!(
        started.elapsed() < Duration::from_secs(14),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(topics.ends(), ends_of(&truth));
    let sent = topics.total() - killed_at;
    assert!(
        (1_500..6_500).contains(&sent),
        "{sent} records in 6 s and the gap"
    );
    let (distinct, completed, cents) = recount(&topics);
    let told: Vec<u64> = NAMES
        .iter()
        .map(|name| truth.topics[*name].distinct_event_ids)
        .collect();
    assert_eq!(distinct, told);
    assert_eq!(completed, truth.rides.total.ride_completed);
    let told: i64 = truth
        .fares
        .by_currency
        .values()
        .map(|sums| sums.total_cents)
        .sum();
    assert_eq!(cents, told);
    // a later command without --live replays both phases and agrees
    let later = run(&[&prefix[..], &["--until", &truth.until]].concat())
        .await
        .expect("replayed");
    assert_eq!(later, truth);
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let topics = topics("refused");
    let prefix = ["--topic-prefix", &topics.prefix];
    let world = [
        "--start",
        "2026-10-01",
        "--until",
        "2026-10-02",
        "--cities",
        "lagos",
    ];
    run(&[&prefix[..], &world].concat())
        .await
        .expect("generated");
    let check = async |arguments: &[&str], expected: &str| {
        let error = run(&[&prefix[..], arguments].concat())
            .await
            .expect_err("refused");
        let text = error.to_string();
        assert!(
            text.contains(expected) && text.contains("\nhint: "),
            "{text}"
        );
    };
    check(
        &["--seed", "7"],
        "--seed is 7, but the world in the topics has 42",
    )
    .await;
    check(&["--cities", "london"], "--cities is london").await;
    check(
        &["--start", "2026-10-02"],
        "--start is 2026-10-02T00:00:00.000Z",
    )
    .await;
    check(&["--until", "2036-01-01"], "is in the future").await;
    let nowhere = run(&["--topic-prefix", "no_such_", "--history", "1d"]).await;
    let text = nowhere.expect_err("refused").to_string();
    assert!(text.contains("no_such_ride_events doesn't exist"), "{text}");
    assert!(text.contains("ridehail topics apply"), "{text}");
    write_foreign(&topics);
    check(
        &["--seed", "42"],
        "holds records not written by this generator",
    )
    .await;
}

#[tokio::test]
async fn a_second_writer_is_noticed() {
    let topics = topics("second");
    let prefix = ["--topic-prefix", &topics.prefix];
    let arguments = [&prefix[..], &["--history", "1d", "--live", "--rate", "200"]].concat();
    let interfere = async {
        while topics.total() < 10_000 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        write_foreign(&topics);
        std::future::pending().await
    };
    let cancel = CancellationToken::new();
    let result = tokio::select! {
        result = generate(&arguments, cancel) => result,
        () = interfere => unreachable!("it goes on until the generator ends"),
    };
    let text = result.expect_err("noticed").to_string();
    assert!(text.contains("someone else writes there"), "{text}");
}

fn write_foreign(topics: &Topics) {
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
    let producer: BaseProducer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", topics::brokers())
        .create()
        .expect("a producer");
    for partition in 0..6 {
        let topic = format!("{}ride_events", topics.prefix);
        let record = BaseRecord::<str, str>::to(&topic)
            .partition(partition)
            .key("k")
            .payload("v");
        producer
            .send(record)
            .map_err(|(error, _)| error)
            .expect("queued");
    }
    producer.flush(Duration::from_secs(10)).expect("written");
}

#[tokio::test]
async fn the_truth_is_written_to_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("truth.json");
    let path: &Path = &path;
    let name = path.to_str().expect("UTF-8");
    let world = [
        "--start",
        "2026-10-01",
        "--until",
        "2026-10-02",
        "--sink",
        "none",
    ];
    let truth = run(&[&world[..], &["--truth", name]].concat())
        .await
        .expect("generated");
    assert_eq!(
        std::fs::read_to_string(path).expect("written"),
        truth.to_json()
    );
    assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1);
}

//! Events a second: to nowhere, as NDJSON to nowhere, and into Kafka where brokers answer.
//!
//! `cargo bench -p generator`; the figures go to standard output, the best of three runs each.

#[path = "../tests/it/topics.rs"]
#[expect(
    dead_code,
    reason = "the tests read records back, the benchmark doesn't"
)]
mod topics;

use std::io::Write;
use std::time::{Duration, Instant};

use clap::Parser;
use generator::GenerateArgs;
use tokio_util::sync::CancellationToken;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    generate: GenerateArgs,
}

const RUNS: usize = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let history = ["--start", "2026-10-01", "--until", "2026-11-15"];
    let mut out = std::io::stdout();
    writeln!(out, "45 days of five cities, best of {RUNS}")?;
    let mut rows = vec![
        ("encoded, to nowhere", vec!["--sink", "none"]),
        (
            "NDJSON to /dev/null",
            vec!["--sink", "ndjson", "--out", "/dev/null"],
        ),
    ];
    rows.push((
        "ten times the demand, to nowhere",
        vec!["--sink", "none", "--rides-per-day", "4500"],
    ));
    for (what, sink) in rows {
        let mut best = (Duration::MAX, 0);
        for _ in 0..RUNS {
            best = best.min(measure(&[&history[..], &sink].concat()).await);
        }
        report(&mut out, what, best)?;
    }
    let mut best = (Duration::MAX, 0);
    for _ in 0..RUNS {
        let Some(topics) = topics::Topics::create("bench") else {
            return writeln!(
                out,
                "into Kafka: NOT RUN, no broker at {}",
                topics::brokers()
            );
        };
        let prefix = ["--topic-prefix", &topics.prefix];
        best = best.min(measure(&[&history[..], &prefix].concat()).await);
    }
    report(&mut out, "into Kafka, acknowledged by all replicas", best)
}

async fn measure(arguments: &[&str]) -> (Duration, u64) {
    let cli = Cli::try_parse_from(std::iter::once(&"throughput").chain(arguments));
    let args = cli.expect("arguments are legal").generate;
    let began = Instant::now();
    let result = generator::generate(args, CancellationToken::new(), &mut std::io::sink()).await;
    let took = began.elapsed();
    let truth = result.expect("generated");
    (
        took,
        truth.topics.values().map(|topic| topic.acknowledged).sum(),
    )
}

fn report(
    out: &mut impl Write,
    what: &str,
    (took, events): (Duration, u64),
) -> std::io::Result<()> {
    let rate = events as f64 / took.as_secs_f64();
    writeln!(
        out,
        "{what}: {events} records in {:.2} s, {rate:.0}/s",
        took.as_secs_f64()
    )
}

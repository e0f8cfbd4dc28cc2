//! Landing as a process of its own, for tests that kill it.
//!
//! `CRASH_AT=point@n` ends it at the n-th time a failpoint is reached, as kill -9 would: no
//! destructor runs, nothing is flushed.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};

use clap::Parser;
use streaming::landing::{StreamArgs, run};
use tokio_util::sync::CancellationToken;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    stream: StreamArgs,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    if let Ok(at) = std::env::var("CRASH_AT") {
        let (point, nth) = at.split_once('@').expect("CRASH_AT=point@n");
        let left = AtomicU32::new(nth.parse().expect("CRASH_AT=point@n, n a number"));
        fail::cfg_callback(point, move || {
            if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                std::process::abort();
            }
        })
        .expect("failpoints are compiled in");
    }
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
    match run(Args::parse().stream, cancel).await {
        Ok(summary) => {
            let text = serde_json::to_string(&summary).expect("a summary is plain data");
            let _ = writeln!(std::io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

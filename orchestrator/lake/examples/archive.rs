//! A run of one table's archive as a process of its own, for tests that kill it.
//!
//! `CRASH_AT=point@n` ends it at the n-th time a failpoint is reached, as kill -9 would: no destructor runs,
//! nothing is flushed. With `--abandon DAY` the process gives up a move instead. Exit codes: 0 done, 3 stopped early,
//! 1 an error.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use clap::Parser;
use lake::Lake;
use lake::args::LakeArgs;
use lake::ledger::TableId;
use lake::mover::{self, Abandoned, Event, Outcome, Policy, RunOptions};
use tokio_util::sync::CancellationToken;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    lake: LakeArgs,
    #[arg(long, env = "RIDEHAIL_DATABASE_URL", hide_env_values = true)]
    database_url: String,
    #[arg(long)]
    schema: String,
    #[arg(long)]
    table: String,
    #[arg(long)]
    field: String,
    #[arg(long, num_args = 1..)]
    key: Vec<String>,
    #[arg(long, default_value_t = 30)]
    after_days: i64,
    #[arg(long)]
    now: DateTime<Utc>,
    #[arg(long, default_value_t = 31)]
    batch_days: usize,
    #[arg(long)]
    abandon: Option<NaiveDate>,
}

#[tokio::main]
async fn main() -> ExitCode {
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
    let args = Args::parse();
    let policy = Policy {
        table: TableId::new(&args.schema, &args.table),
        field: args.field,
        key: args.key,
        after: TimeDelta::days(args.after_days),
        live: None,
    };
    let options = RunOptions {
        batch_days: args.batch_days,
        ..RunOptions::default()
    };
    let tell = |event: &Event| {
        if let Event::Reached { what } = event {
            let day = what.lower.date_naive();
            let _ = writeln!(
                std::io::stdout(),
                "{day} {} {}",
                what.kind.word(),
                what.state
            );
        }
    };
    let run = async {
        let lake = Lake::open(&args.lake, &args.database_url).await?;
        let never = CancellationToken::new();
        let Some(day) = args.abandon else {
            return mover::run(&lake, &policy, args.now, &options, &tell, &never).await;
        };
        let done = mover::abandon(&lake, &policy.table, day, &tell, &never).await?;
        let mut outcome = Outcome::default();
        if let Abandoned::GivenBack { waiting, .. } = done {
            outcome.stopped = waiting;
        }
        Ok(outcome)
    };
    match run.await {
        Ok(outcome) if outcome.stopped.is_none() => ExitCode::SUCCESS,
        Ok(outcome) => {
            let _ = writeln!(std::io::stdout(), "stopped: {:?}", outcome.stopped);
            ExitCode::from(3)
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {}", error.told());
            ExitCode::FAILURE
        }
    }
}

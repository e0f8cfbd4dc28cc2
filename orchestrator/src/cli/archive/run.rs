//! `ridehail archive run`: a recorded run like any other, with a table for a node.

use std::process::ExitCode;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use clap::Args;
use lake::args::LakeArgs;

use super::progress::{Above, Progress};
use super::{Common, preview};
use crate::archive::options::{ArchiveOptions, Rate, Span, Until};
use crate::cli::printer::Printer;
use crate::cli::runs::Output;
use crate::cli::signals;
use crate::cli::walk::{exit_code, renderer};
use crate::clock::{Clock, SystemClock};
use crate::config::{LogArgs, ProjectArgs, SelectionArgs, StoreArgs};
use crate::retry::RetryLimits;
use crate::run::invoke::{Context, LakeAccess, Recording, Which, invoke};
use crate::run::prepare::Place;
use crate::run::request::{Command, Request, Trigger};
use crate::store::leases::Holder;

/// Moves old days of tables with a policy to Iceberg, a state at a time; the next run goes on wherever one ended.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Show what is due and change nothing, as `archive plan` does
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    pace: PaceArgs,
    #[command(flatten)]
    project: ProjectArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// Do not record the run; for when the run store is away
    #[arg(long, help_heading = "Run store")]
    no_record: bool,
    #[command(flatten)]
    lake: LakeArgs,
}

/// How fast and how far.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pace")]
struct PaceArgs {
    /// Stop at this state, for the next run to go on: frozen, copied, verified, committing, committed, visible, drained, detached, dropped
    #[arg(long, value_name = "STATE")]
    until: Option<Until>,
    /// Most days that travel together: one commit, one view, one wait for older queries [default: 31]
    #[arg(long, value_name = "N", env = "RIDEHAIL_ARCHIVE_BATCH_DAYS", value_parser = at_least_one)]
    batch_days: Option<usize>,
    /// Bytes a second, all tables together, e.g. 20MB [default: as fast as it goes]
    #[arg(long, value_name = "BYTES", env = "RIDEHAIL_ARCHIVE_RATE")]
    rate: Option<Rate>,
    /// How long to wait for queries that began before the view was replaced [default: 10m]
    #[arg(long, value_name = "TIME", env = "RIDEHAIL_ARCHIVE_DRAIN_TIMEOUT")]
    drain_timeout: Option<Span>,
    /// Tables at once [default: 2]
    #[arg(long, value_name = "N", env = "RIDEHAIL_ARCHIVE_THREADS")]
    threads: Option<usize>,
    /// Further attempts of a table whose failure may pass: a lock not granted, a lost connection
    #[arg(long, value_name = "N", env = "RIDEHAIL_RETRIES", default_value_t = RetryLimits::DEFAULT.retries)]
    retries: u16,
    /// Cancel the run when it takes longer than this
    #[arg(long, value_name = "TIME")]
    timeout: Option<Span>,
    /// Count ages from this moment [default: now]
    #[arg(long, value_name = "TIME", hide = true)]
    now: Option<DateTime<Utc>>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| format!("`{text}` is no number of days: write 1 or more"))
}

impl PaceArgs {
    fn request(&self) -> Request {
        Request {
            archive: ArchiveOptions {
                batch_days: self.batch_days,
                rate: self.rate,
                drain_timeout: self.drain_timeout,
                until: self.until,
                now: self.now,
            },
            threads: self.threads,
            retries: self.retries,
            timeout_seconds: self.timeout.map(|span| span.0.as_secs()),
            ..Request::new(Command::Archive)
        }
    }
}

pub(super) async fn execute(
    args: RunArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let request = args
        .selection
        .apply(args.project.apply(args.pace.request()));
    if args.dry_run {
        let now = args.pace.now.unwrap_or_else(|| SystemClock.now());
        let common = Common {
            project: args.project,
            lake: args.lake,
        };
        return preview::show(&common.open().await?, &request, now, Output::Text, printer).await;
    }
    let place = args.project.place();
    let recording = recording(args.no_record, &args.store);
    recorded(request, place, recording, args.lake, log, printer).await
}

pub(super) fn recording(off: bool, store: &StoreArgs) -> Recording {
    if off {
        Recording::Off
    } else {
        Recording::At(store.address())
    }
}

/// Runs a request whose nodes are archived tables.
pub(super) async fn recorded(
    request: Request,
    place: Place,
    recording: Recording,
    lake: LakeArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let progress = Arc::new(Progress::new(log));
    let context = Context {
        place,
        recording,
        holder: Holder::this_process(),
        clock: SystemClock::shared(),
        artifacts: false,
        lake: Some(LakeAccess {
            args: lake,
            reporter: Arc::<Progress>::clone(&progress),
        }),
    };
    let mut renderer = Above {
        inner: renderer(log, printer, &context.place.project_dir),
        progress: Arc::clone(&progress),
    };
    let cancel = signals::cancel_on_signal()?;
    let which = Which::New(Trigger::Cli);
    let finished = Box::pin(invoke(&context, request, which, &mut renderer, cancel)).await;
    progress.clear();
    let finished = finished?;
    if finished.nothing_to_do {
        tracing::warn!("no model or source that is selected has an archive policy");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(exit_code(&finished))
}

//! `ridehail archive maintain`: a recorded run like any other, with a table for a node.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use lake::args::LakeArgs;
use lake::ledger::tables;
use lake::maintain;

use super::{Common, run};
use crate::archive::options::Span;
use crate::archive::upkeep::{Age, TaskName, UpkeepOptions, message};
use crate::cli::printer::{Color, Printer};
use crate::clock::{Clock, SystemClock};
use crate::config::{LogArgs, ProjectArgs, SelectionArgs, StoreArgs};
use crate::run::failure::lake_hint;
use crate::run::prepare::prepare;
use crate::run::request::{Command, Request};

/// Keeps archived tables in order: puts a day's small files together (by Trino), takes old snapshots away, deletes
/// objects that nothing refers to, and compares catalog, ledger and object store.
#[derive(Debug, Args)]
pub(super) struct MaintainArgs {
    /// Show what would be done and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    care: CareArgs,
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

/// What, and how carefully.
#[derive(Debug, Args)]
#[command(next_help_heading = "Upkeep")]
struct CareArgs {
    /// Only these: compact, expire, orphans, check [default: all, in this order]
    #[arg(long, value_name = "TASK", value_delimiter = ',')]
    tasks: Vec<TaskName>,
    /// Age from which snapshots and stray objects may go, e.g. 7d; at least 1h [default: 7d]
    #[arg(long, value_name = "AGE")]
    older_than: Option<Age>,
    /// Newest snapshots that stay, whatever their age [default: 5]
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    /// Files of a day from which they are put together [default: 2]
    #[arg(long, value_name = "N")]
    files: Option<usize>,
    /// Cancel the run when it takes longer than this
    #[arg(long, value_name = "TIME")]
    timeout: Option<Span>,
    /// Count ages from this moment [default: now]
    #[arg(long, value_name = "TIME", hide = true)]
    now: Option<DateTime<Utc>>,
}

pub(super) async fn execute(
    args: MaintainArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let care = args.care;
    let request = Request {
        upkeep: UpkeepOptions {
            tasks: care.tasks,
            older_than: care.older_than,
            keep: care.keep,
            files: care.files,
            now: care.now,
        },
        timeout_seconds: care.timeout.map(|span| span.0.as_secs()),
        ..Request::new(Command::Maintain)
    };
    let request = args.selection.apply(args.project.apply(request));
    if args.dry_run {
        let common = Common {
            project: args.project,
            lake: args.lake,
        };
        return show(&common, &request, printer).await;
    }
    let place = args.project.place();
    let recording = run::recording(args.no_record, &args.store);
    run::recorded(request, place, recording, args.lake, log, printer).await
}

/// Says what would be done.
async fn show(common: &Common, request: &Request, printer: &Printer) -> anyhow::Result<ExitCode> {
    let opened = common.open().await?;
    let options = maintain::Options {
        dry_run: true,
        ..request.upkeep.for_lake()
    };
    let now = request.upkeep.now.unwrap_or_else(|| SystemClock.now());
    let prepared = prepare(opened.project.into(), request)?;
    let mut wrong = false;
    for node in prepared.nodes.iter() {
        let Some(archived) = opened
            .policies
            .iter()
            .find(|archived| archived.unique_id == node.unique_id)
        else {
            continue;
        };
        let id = &archived.policy.table;
        let Some(table) = tables::get(opened.lake.pool(), id).await? else {
            printer.line(&format!("{id}: not archived yet"));
            continue;
        };
        let done = match Box::pin(maintain::run(&opened.lake, &table, &options, now)).await {
            Ok(done) => done,
            Err(error) => {
                // one table that cannot be looked at hides no other
                printer.line(&printer.paint(Color::Red, &format!("{id}: {}", error.told())));
                if let Some(hint) = lake_hint(&error) {
                    printer.line(&format!("  hint: {hint}"));
                }
                wrong = true;
                continue;
            }
        };
        printer.line(&format!("{id}: {}", message(&done)));
        for (day, files, bytes) in &done.compacted.days {
            printer.line(&format!("  compact {day}: {files} files, {bytes} bytes"));
        }
        for day in &done.compacted.unnoted {
            printer.line(&format!(
                "  read {day}: a file of it was never proven by its bytes"
            ));
        }
        for snapshot in &done.expired {
            let at = snapshot.at.format("%Y-%m-%d %H:%M:%S");
            printer.line(&format!("  expire snapshot {} of {at} UTC", snapshot.id));
        }
        for object in &done.orphans {
            printer.line(&format!(
                "  delete {}, {} bytes",
                object.location, object.size
            ));
        }
        for text in done.findings.iter().chain(&done.left_out) {
            printer.line(&format!("  {text}"));
        }
        wrong |= !done.findings.is_empty();
    }
    Ok(ExitCode::from(u8::from(wrong)))
}

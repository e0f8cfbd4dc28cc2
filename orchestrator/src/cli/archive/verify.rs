//! `ridehail archive verify`: whether the archive still holds what the ledger says.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use chrono::NaiveDate;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use lake::audit::{self, Audit};
use lake::ledger::tables::{self, Table};
use lake::throttle::Throttle;
use serde_json::json;

use super::{Advice, Common, Opened, day};
use crate::archive::options::Rate;
use crate::archive::report::{grouped, size};
use crate::cli::printer::{Color, Printer};
use crate::cli::runs::Output;
use crate::cli::signals;
use crate::config::LogArgs;
use crate::run::failure::lake_hint;

/// Compares files with the ledger; with --deep also their rows.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// `schema.table`, or the name of the model or source [default: every table]
    #[arg(value_name = "TABLE")]
    table: Option<String>,
    /// Read every file again and compare digests, instead of counts and sizes only
    #[arg(long)]
    deep: bool,
    /// One day
    #[arg(long, value_name = "DAY", value_parser = day, conflicts_with_all = ["from", "to"])]
    day: Option<NaiveDate>,
    /// First day [default: the oldest]
    #[arg(long, value_name = "DAY", value_parser = day)]
    from: Option<NaiveDate>,
    /// Last day [default: the newest]
    #[arg(long, value_name = "DAY", value_parser = day)]
    to: Option<NaiveDate>,
    /// Bytes a second to read at most, e.g. 20MB [default: as fast as it goes]
    #[arg(long, value_name = "BYTES")]
    rate: Option<Rate>,
    /// A line for people, or JSON for scripts
    #[arg(short, long, value_name = "SHAPE", default_value = "text")]
    output: Output,
    #[command(flatten)]
    common: Common,
}

/// Totals of what was looked at.
#[derive(Debug, Default)]
struct Seen {
    days: u64,
    files: u64,
    rows: u64,
    bad: u64,
    /// Tables that could not be looked at.
    failed: u64,
    /// Views that are not what was made.
    views: u64,
}

pub(super) async fn execute(
    args: VerifyArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let cancel = signals::cancel_on_signal()?;
    let opened = args.common.open().await?;
    let tables: Vec<Table> = match &args.table {
        Some(name) => vec![opened.table(name).await?],
        None => tables::list(opened.lake.pool()).await?,
    };
    let throttle = args.rate.map(|rate| Arc::new(Throttle::new(rate.0)));
    let mut seen = Seen::default();
    for table in &tables {
        let work = verify(
            &args,
            &opened,
            table,
            throttle.as_ref(),
            log,
            printer,
            &mut seen,
        );
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Ok(ExitCode::from(2)),
            done = Box::pin(work) => if let Err(error) = done {
                // one table that cannot be looked at hides no other
                seen.failed += 1;
                cannot_be_looked_at(printer, args.output, table, &error);
            },
        }
    }
    let asked = match (args.day, args.from, args.to) {
        (Some(day), ..) => Some(format!("of {day}")),
        (None, Some(from), Some(to)) => Some(format!("from {from} to {to}")),
        (None, Some(from), None) => Some(format!("since {from}")),
        (None, None, Some(to)) => Some(format!("until {to}")),
        (None, None, None) => None,
    };
    if let Some(days) = asked
        && seen.days + seen.failed == 0
    {
        let what = format!("no table that was looked at has archived rows {days}");
        let hint = "`ridehail archive explain TABLE` lists the days that are archived".to_owned();
        return Err(Advice { what, hint }.into());
    }
    if args.output == Output::Text {
        let how = if args.deep { "read again" } else { "looked at" };
        printer.line(&format!(
            "{} days, {} files, {} rows {how}; {} days differ",
            grouped(seen.days),
            grouped(seen.files),
            grouped(seen.rows),
            grouped(seen.bad)
        ));
    }
    Ok(ExitCode::from(u8::from(
        seen.bad + seen.failed + seen.views > 0,
    )))
}

fn cannot_be_looked_at(printer: &Printer, output: Output, table: &Table, error: &lake::Error) {
    let (words, hint) = (error.told(), lake_hint(error));
    if output == Output::Json {
        printer.json(
            &json!({ "table": table.id.to_string(), "ok": false, "error": words, "hint": hint }),
        );
        return;
    }
    let words = format!("{} cannot be looked at: {words}", table.id);
    printer.line(&printer.paint(Color::Red, &words));
    if let Some(hint) = hint {
        printer.line(&format!("  hint: {hint}"));
    }
}

async fn verify(
    args: &VerifyArgs,
    opened: &Opened,
    table: &Table,
    throttle: Option<&Arc<Throttle>>,
    log: &LogArgs,
    printer: &Printer,
    seen: &mut Seen,
) -> Result<(), lake::Error> {
    let audit = Audit::open(&opened.lake, table).await?;
    let (from, to) = (args.day.or(args.from), args.day.or(args.to));
    let days: Vec<NaiveDate> = audit
        .days()
        .into_iter()
        .filter(|day| from.is_none_or(|from| *day >= from) && to.is_none_or(|to| *day <= to))
        .collect();
    let bar = bar(days.len() as u64, log);
    for &day in &days {
        bar.set_message(format!("{} {day}", table.id));
        let found = if args.deep {
            audit.deep(&opened.lake, day, throttle).await?
        } else {
            audit.shallow(&opened.lake, day).await?
        };
        seen.days += 1;
        seen.files += found.files as u64;
        seen.rows += found.rows;
        let ok = found.differences.is_empty();
        seen.bad += u64::from(!ok);
        bar.inc(1);
        bar.suspend(|| match args.output {
            Output::Json => printer.json(&json!({
                "table": table.id.to_string(), "day": day, "ok": ok, "deep": args.deep, "files": found.files,
                "rows": found.rows, "expected_rows": found.expected_rows, "differences": found.differences,
            })),
            Output::Text if !ok => {
                printer.line(&printer.paint(Color::Red, &format!("{} {day} differs:", table.id)));
                for difference in &found.differences {
                    printer.line(&format!("  {difference}"));
                }
            }
            Output::Text => {}
        });
    }
    bar.finish_and_clear();
    if let Some(problem) = audit::view_problem(&opened.lake, table).await? {
        seen.views += 1;
        match args.output {
            Output::Json => printer
                .json(&json!({ "table": table.id.to_string(), "ok": false, "error": problem })),
            Output::Text => printer.line(&printer.paint(
                Color::Red,
                &format!("{}: {problem}; the next run makes it again", table.id),
            )),
        }
    }
    if args.deep {
        extra(&audit, opened, table, &days, args.output, printer).await?;
    }
    Ok(())
}

/// Objects of the days that nothing refers to: said, and no difference.
async fn extra(
    audit: &Audit,
    opened: &Opened,
    table: &Table,
    days: &[NaiveDate],
    output: Output,
    printer: &Printer,
) -> Result<(), lake::Error> {
    for object in audit.extra_objects(&opened.lake, table, days).await? {
        let (location, bytes) = (&object.location, object.size);
        match output {
            Output::Json => printer.json(&json!({
                "table": table.id.to_string(), "extra": location, "bytes": bytes, "since": object.last_modified,
            })),
            Output::Text => printer.line(&format!(
                "{}: extra: {location}, {}, is part of no snapshot; `ridehail archive maintain` deletes it when it is old \
                 enough",
                table.id,
                size(bytes)
            )),
        }
    }
    Ok(())
}

fn bar(days: u64, log: &LogArgs) -> ProgressBar {
    if log.quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("  {bar:30} {pos}/{len}  {msg}");
    let bar = ProgressBar::new(days);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

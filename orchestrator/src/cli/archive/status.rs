//! `ridehail archive status`: boundaries, moves under way, what waits.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use lake::ledger::state::{Kind, State};

use super::Common;
use super::table::{Side, lines};
use crate::archive::report::{grouped, size};
use crate::archive::words::meaning;
use crate::cli::printer::{Color, Printer};
use crate::cli::runs::{Output, short};
use crate::clock::{Clock, SystemClock};
use crate::store::lake::{LakeNow, OpenMove, TableNow, now as look};

/// Where every table's archive stands.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// A table for people, or JSON for scripts
    #[arg(short, long, value_name = "SHAPE", default_value = "text")]
    output: Output,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn execute(args: StatusArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let opened = args.common.open_to_read().await?;
    let Some(lake) = look(opened.lake.pool()).await? else {
        printer.line("there is no archive");
        return Ok(ExitCode::SUCCESS);
    };
    match args.output {
        Output::Json => printer.json(&lake),
        Output::Text => {
            print(printer, &lake, SystemClock.now());
            for archived in &opened.policies {
                let table = archived.policy.table.to_string();
                if lake.tables.iter().all(|known| known.table != table) {
                    printer.line(&printer.paint(Color::Dim, &format!("{table}: not archived yet")));
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(printer: &Printer, lake: &LakeNow, now: DateTime<Utc>) {
    if let Some(paused) = &lake.paused {
        let why = paused.reason.as_deref().map(|why| format!(": {why}"));
        let since = paused.since.format("%Y-%m-%d %H:%M:%S");
        let words = format!("paused since {since} UTC{}", why.unwrap_or_default());
        printer.line(&printer.paint(Color::Yellow, &words));
        printer.line("  hint: `ridehail archive resume` lets moves go on");
        printer.line("");
    }
    let heading = [
        ("TABLE", Side::Left),
        ("BOUNDARY", Side::Left),
        ("VISIBLE", Side::Left),
        ("DAYS", Side::Right),
        ("ROWS", Side::Right),
        ("IN ICEBERG", Side::Right),
        ("GIVEN BACK", Side::Right),
        ("UNDER WAY", Side::Right),
        ("LATE ROWS", Side::Right),
        ("REFUSED", Side::Right),
    ];
    let rows: Vec<Vec<String>> = lake.tables.iter().map(row).collect();
    if !rows.is_empty() {
        for line in lines(&heading, &rows) {
            printer.line(&line);
        }
    }
    for table in &lake.tables {
        details(printer, table, now);
    }
}

fn row(table: &TableNow) -> Vec<String> {
    let day = |at: Option<DateTime<Utc>>| {
        at.map_or_else(|| "none".to_owned(), |at| at.date_naive().to_string())
    };
    vec![
        table.table.clone(),
        day(table.boundary),
        day(table.visible_boundary),
        number(table.archived.days),
        number(table.archived.rows),
        bytes(table.archived.bytes),
        bytes(table.archived.freed),
        grouped(table.open.len() as u64),
        number(table.late.iter().map(|late| late.rows).sum()),
        number(table.refused_rows),
    ]
}

/// What needs more than a cell.
fn details(printer: &Printer, table: &TableNow, now: DateTime<Utc>) {
    if table.open.is_empty() && table.late.is_empty() && table.pending_detaches.is_empty() {
        return;
    }
    printer.line("");
    printer.line(&table.table);
    // days of a batch are mostly at the same point: one line for all of them
    let alike = |a: &OpenMove, b: &OpenMove| {
        (a.flush, &a.state, a.copies, &a.last_error) == (b.flush, &b.state, b.copies, &b.last_error)
    };
    for days in table.open.chunk_by(alike) {
        under_way(printer, &table.table, days, now);
    }
    for late in &table.late {
        let suspect = if late.suspect > 0 {
            format!(
                ", {} of them in no view until they are checked",
                number(late.suspect)
            )
        } else {
            String::new()
        };
        printer.line(&format!(
            "  flush {}: {} late rows wait{suspect}",
            late.flush,
            number(late.rows)
        ));
    }
    for partition in &table.pending_detaches {
        printer.line(&format!(
            "  detaching {partition} was broken off; the next run ends it"
        ));
    }
}

/// Moves that are at the same point, oldest day first.
fn under_way(printer: &Printer, table: &str, days: &[OpenMove], now: DateTime<Utc>) {
    let [open, rest @ ..] = days else { return };
    let (kind, what) = if open.flush > 0 {
        (Kind::Flush, format!("flush {}", open.flush))
    } else {
        (Kind::Move, "move".to_owned())
    };
    let when = match rest.last() {
        None => open.day.to_string(),
        Some(last) => format!("{} to {}, {} days", open.day, last.day, days.len()),
    };
    let tries = if open.copies > 1 {
        format!(", copied {} times", open.copies)
    } else {
        String::new()
    };
    let known = open.state.parse().ok().map(|state| meaning(kind, state));
    let latest = days.iter().map(|open| open.updated_at).max();
    printer.line(&format!(
        "  {when}  {what}  {}{tries}, since {}: {}",
        printer.paint(Color::Yellow, &open.state),
        short(now - latest.unwrap_or(now)),
        known.unwrap_or("a newer version's state"),
    ));
    if let Some(error) = &open.last_error {
        printer.line(&format!("      {}", printer.paint(Color::Red, error)));
        // the states that have a way out
        let state = open.state.parse().ok();
        let way_out =
            state.is_some_and(|state: State| state < State::Committed || state == State::Detached);
        if kind == Kind::Move && way_out {
            printer.line(&format!(
                "      hint: when no run gets past it, `ridehail archive abandon {table} --day {}` gives it up",
                open.day
            ));
        }
    }
}

fn number(n: i64) -> String {
    grouped(u64::try_from(n).unwrap_or_default())
}

fn bytes(n: i64) -> String {
    size(u64::try_from(n).unwrap_or_default())
}

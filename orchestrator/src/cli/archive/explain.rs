//! `ridehail archive explain TABLE`: what happened to its days, and what comes next.

use std::process::ExitCode;

use chrono::{DateTime, NaiveDate, Utc};
use clap::Args;
use lake::ledger::files;
use lake::ledger::moves::{self, Move};
use lake::ledger::state::{Kind, State};
use lake::ledger::tables::Table;
use lake::mover::plan::{cutoff, midnight, next_day};

use super::table::{Side, lines};
use super::{Common, Opened, day};
use crate::archive::report::{grouped, size};
use crate::archive::words::{meaning, next};
use crate::cli::printer::Printer;
use crate::clock::{Clock, SystemClock};

/// What happened to a table's days.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// `schema.table`, or the name of the model or source
    #[arg(value_name = "TABLE")]
    table: String,
    /// One day with its states, files and digest [default: an overview of all days]
    #[arg(long, value_name = "DAY", value_parser = day)]
    day: Option<NaiveDate>,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn execute(args: ExplainArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let opened = args.common.open().await?;
    let table = opened.table(&args.table).await?;
    let all = moves::all(opened.lake.pool(), &table.id).await?;
    match args.day {
        None => overview(printer, &opened, &table, &all),
        Some(day) => {
            let of_day: Vec<&Move> = all.iter().filter(|m| m.lower == midnight(day)).collect();
            if of_day.is_empty() {
                unknown(printer, &opened, &table, day).await?;
            }
            for one in of_day {
                whole(printer, &opened, &table, one).await?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn overview(printer: &Printer, opened: &Opened, table: &Table, all: &[Move]) {
    printer.line(&format!("table        {}", table.id));
    printer.line(&format!("key          {}", table.key.join(", ")));
    printer.line(&format!("view         history.{}", table.view_name));
    let boundary = table.boundary.map_or_else(
        || "none yet: nothing has moved".to_owned(),
        |at| {
            let (day, field, late) = (at.date_naive(), &table.field, &table.late_table);
            format!("{day}: writers send rows with an older {field} to lake.{late}")
        },
    );
    printer.line(&format!("boundary     {boundary}"));
    let visible = table.visible_boundary.map_or_else(
        || "none yet: readers of the view get every row from Postgres".to_owned(),
        |at| {
            format!(
                "{}: readers of the view get older rows from Iceberg",
                at.date_naive()
            )
        },
    );
    printer.line(&format!("visible      {visible}"));
    match opened.policy(table) {
        Some(archived) => printer.line(&format!(
            "policy       days leave {} hours after their end; those before {} are due",
            archived.policy.after.num_hours(),
            cutoff(SystemClock.now(), archived.policy.after).date_naive(),
        )),
        None => printer.line("policy       none any more: nothing new is moved"),
    }
    if all.is_empty() {
        return;
    }
    printer.line("");
    let heading = [
        ("DAY", Side::Left),
        ("WHAT", Side::Left),
        ("STATE", Side::Left),
        ("ROWS", Side::Right),
        ("SIZE", Side::Right),
        ("COPIES", Side::Right),
        ("CHANGED (UTC)", Side::Left),
        ("LAST ERROR", Side::Left),
    ];
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|one| {
            vec![
                one.lower.date_naive().to_string(),
                what(one),
                one.state.to_string(),
                number(one.rows).map(grouped).unwrap_or_default(),
                number(one.bytes).map(size).unwrap_or_default(),
                copies(one).to_string(),
                one.updated_at.format("%Y-%m-%d %H:%M:%S").to_string(),
                one.last_error.clone().unwrap_or_default(),
            ]
        })
        .collect();
    for line in lines(&heading, &rows) {
        printer.line(&line);
    }
}

/// Everything of one move or flush.
async fn whole(
    printer: &Printer,
    opened: &Opened,
    table: &Table,
    one: &Move,
) -> anyhow::Result<()> {
    let line = |name: &str, value: &str| printer.line(&format!("{name:<12} {value}"));
    let at = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    line(
        "day",
        &format!("{} of {}", one.lower.date_naive(), table.id),
    );
    line("what", &what(one));
    line(
        "state",
        &format!("{}: {}", one.state, meaning(one.kind, one.state)),
    );
    line("planned", &at(one.created_at));
    line("changed", &at(one.updated_at));
    if let Some(done) = one.finished_at {
        line("done", &at(done));
    }
    if let Some(partition) = &one.partition {
        let size = number(one.source_bytes).map(size).unwrap_or_default();
        line(
            "partition",
            &format!("{}.{partition}, {size} with indexes", table.id.schema),
        );
    }
    line("batch", &one.batch.to_string());
    line(
        "attempt",
        &format!("{}, copied {}", one.attempt, times(copies(one))),
    );
    if let (Some(rows), Some(bytes)) = (number(one.rows), number(one.bytes)) {
        line("rows", &format!("{} in {}", grouped(rows), size(bytes)));
    }
    if let Some(digest) = &one.digest {
        line("digest", &digest.to_string());
    }
    match one.snapshot {
        Some(0) => line("snapshot", "none: no day of the batch had a row"),
        Some(snapshot) => line("snapshot", &snapshot.to_string()),
        None => {}
    }
    for file in files::of(opened.lake.pool(), one.id, one.attempt).await? {
        let rows = number(Some(file.rows)).map(grouped).unwrap_or_default();
        let bytes = number(Some(file.bytes)).map(size).unwrap_or_default();
        line("file", &format!("{} ({rows} rows, {bytes})", file.path));
    }
    if let Some(error) = &one.last_error {
        line("last error", error);
    }
    line(
        "next",
        next(one.kind, one.state).unwrap_or("nothing: it is done"),
    );
    if one.state == State::Dropped && one.kind == Kind::Move {
        line(
            "look again",
            &format!(
                "ridehail archive verify {} --deep --day {}",
                table.id,
                one.lower.date_naive()
            ),
        );
    }
    printer.line("");
    Ok(())
}

/// A day that no move knows.
async fn unknown(
    printer: &Printer,
    opened: &Opened,
    table: &Table,
    day: NaiveDate,
) -> anyhow::Result<()> {
    printer.line(&format!("no move of {} knows {day}", table.id));
    let Some(archived) = opened.policy(table) else {
        printer.line("next         nothing: the table has no archive policy any more");
        return Ok(());
    };
    let due_at = midnight(next_day(day)) + archived.policy.after;
    let now = SystemClock.now();
    let found = lake::mover::preview(&opened.lake, &archived.policy, now, usize::MAX).await?;
    let due = found.plan.due.iter().find(|due| due.lower == midnight(day));
    let words = match due {
        Some(due) => format!("the next run moves it: partition {}, {}", due.partition, size(due.bytes.cast_unsigned())),
        None if due_at > now => format!(
            "it is too young; it falls due at {}",
            due_at.format("%Y-%m-%d %H:%M UTC")
        ),
        None if table.boundary.is_some_and(|boundary| midnight(day) < boundary) => {
            "nothing: there was no partition when the boundary passed it; rows that come now are late rows".to_owned()
        }
        None => "nothing: there is no partition of that day".to_owned(),
    };
    printer.line(&format!("next         {words}"));
    if let Some(late) = found.late.iter().find(|late| late.day == day) {
        printer.line(&format!(
            "late rows    {} wait for the next flush",
            late.rows
        ));
    }
    Ok(())
}

/// How often copying was begun: the ledger counts the plan as its first attempt.
fn copies(one: &Move) -> i32 {
    (one.attempts - 1).max(0)
}

fn times(count: i32) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

fn what(one: &Move) -> String {
    match one.kind {
        Kind::Move => "move".to_owned(),
        Kind::Flush => format!("flush {}", one.flush),
    }
}

fn number(n: Option<i64>) -> Option<u64> {
    n.and_then(|n| u64::try_from(n).ok())
}

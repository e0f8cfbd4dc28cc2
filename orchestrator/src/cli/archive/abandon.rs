//! `ridehail archive abandon`.

use std::process::ExitCode;

use chrono::NaiveDate;
use clap::Args;
use lake::mover::{Abandoned, Event, abandon};
use serde_json::json;

use super::{Common, day};
use crate::archive::report::grouped;
use crate::cli::printer::Printer;
use crate::cli::runs::Output;
use crate::cli::signals;

/// Gives up a move that cannot go on. Before its commit the day, and later ones of its batch, are given back to their
/// writers. A detached partition that was changed behind the net is kept as a table of its own. Nothing is deleted
/// from Iceberg.
#[derive(Debug, Args)]
pub(super) struct AbandonArgs {
    /// `schema.table`, or the name of the model or source
    #[arg(value_name = "TABLE")]
    table: String,
    /// The day
    #[arg(long, value_name = "DAY", value_parser = day)]
    day: NaiveDate,
    /// A line for people, or JSON for scripts
    #[arg(short, long, value_name = "SHAPE", default_value = "text")]
    output: Output,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn execute(args: AbandonArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let opened = args.common.open().await?;
    let id = opened.table(&args.table).await?.id;
    let cancel = signals::cancel_on_signal()?;
    let draining = |event: &Event| {
        if let Event::Draining { queries } = event {
            let queries = queries.join(", ");
            tracing::info!("waiting for queries that read the late rows: {queries}");
        }
    };
    let done = Box::pin(abandon(&opened.lake, &id, args.day, &draining, &cancel)).await?;
    match (args.output, done) {
        (
            Output::Json,
            Abandoned::GivenBack {
                days,
                rows,
                refused,
                waiting,
            },
        ) => printer.json(&json!({
            "table": id.to_string(), "given_back": days, "late_rows": rows, "refused_rows": refused,
            "late_rows_wait": waiting.is_some(),
        })),
        (Output::Json, Abandoned::Kept { table, problem }) => printer.json(&json!({
            "table": id.to_string(), "day": args.day, "kept": table.to_string(), "archive_lacks": problem,
        })),
        (
            Output::Text,
            Abandoned::GivenBack {
                days,
                rows,
                refused,
                waiting,
            },
        ) => {
            let days: Vec<String> = days.iter().map(ToString::to_string).collect();
            printer.line(&format!("{id}: given back to its writers: {}", days.join(", ")));
            if rows + refused > 0 {
                printer.line(&format!(
                    "  {} late rows went to the table, {} contradict it (`ridehail archive refused ls`)",
                    grouped(rows),
                    grouped(refused)
                ));
            }
            if waiting.is_some() {
                printer.line(
                    "  late rows wait in the late table, where the view shows them: the next `ridehail archive run` \
                     gives them back",
                );
            }
        }
        (
            Output::Text,
            Abandoned::Kept {
                table,
                problem: None,
            },
        ) => printer.line(&format!(
            "{id} {}: archived as it was copied; {table} is a table of its own now, for you to compare and drop",
            args.day
        )),
        (
            Output::Text,
            Abandoned::Kept {
                table,
                problem: Some(problem),
            },
        ) => printer.line(&format!(
            "{id} {}: {table} is a table of its own now. Keep it: the archive does not hold the day as it was ({problem})",
            args.day
        )),
    }
    Ok(ExitCode::SUCCESS)
}

//! `ridehail archive restore`.

use std::process::ExitCode;

use chrono::NaiveDate;
use clap::Args;
use lake::restore::restore;
use serde_json::json;

use super::{Common, day};
use crate::archive::report::grouped;
use crate::cli::printer::Printer;
use crate::cli::runs::Output;
use crate::cli::signals;

/// Brings a day back to Postgres as a table of its own, `<table>_restored_<yyyymmdd>`, compared with the ledger's
/// digest. The copy refuses changes, and no view reads it: Iceberg keeps the truth. Drop it when it is not needed.
#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// `schema.table`, or the name of the model or source
    #[arg(value_name = "TABLE")]
    table: String,
    /// The day; may be given several times
    #[arg(long = "partition", value_name = "DAY", value_parser = day, required = true)]
    days: Vec<NaiveDate>,
    /// A line for people, or JSON for scripts
    #[arg(short, long, value_name = "SHAPE", default_value = "text")]
    output: Output,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn execute(args: RestoreArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let cancel = signals::cancel_on_signal()?;
    let opened = args.common.open().await?;
    let table = opened.table(&args.table).await?;
    for day in args.days {
        let work = Box::pin(restore(&opened.lake, &table.id, day));
        // a day is restored in one transaction: whole, or not at all
        let Some(restored) = cancel.run_until_cancelled(work).await else {
            return Ok(ExitCode::from(2));
        };
        let restored = restored?;
        match args.output {
            Output::Json => printer.json(&json!({
                "table": table.id.to_string(), "day": day, "restored": restored.table.to_string(),
                "rows": restored.rows,
            })),
            Output::Text => printer.line(&format!(
                "{} {day}: {} rows, verified, in {} (read-only)",
                table.id,
                grouped(restored.rows),
                restored.table
            )),
        }
    }
    Ok(ExitCode::SUCCESS)
}

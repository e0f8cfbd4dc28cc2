//! `ridehail archive refused ls`.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Common;
use super::table::{Side, lines};
use crate::cli::printer::Printer;
use crate::cli::runs::Output;
use crate::store::lake::refused;

/// Late rows whose key is in the archive with other contents.
#[derive(Debug, Args)]
pub(super) struct RefusedArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List them, newest first
    Ls {
        /// Of this table only
        #[arg(value_name = "TABLE")]
        table: Option<String>,
        /// How many
        #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
        limit: i64,
        /// A table for people, or JSON for scripts
        #[arg(short, long, value_name = "SHAPE", default_value = "text")]
        output: Output,
        #[command(flatten)]
        common: Common,
    },
}

pub(super) async fn execute(args: RefusedArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let What::Ls {
        table,
        limit,
        output,
        common,
    } = args.what;
    let opened = common.open().await?;
    let rows = refused(opened.lake.pool(), table.as_deref(), limit).await?;
    if output == Output::Json {
        for row in &rows {
            // spliced in as it is: read as a JSON value, a number of forty digits would lose half of them
            let others = serde_json::to_string(row)?;
            let others = others.strip_suffix('}').unwrap_or(&others);
            printer.line(&format!("{others},\"row\":{}}}", row.row));
        }
        return Ok(ExitCode::SUCCESS);
    }
    if rows.is_empty() {
        printer.line("no row was refused");
        return Ok(ExitCode::SUCCESS);
    }
    let heading = [
        ("ID", Side::Right),
        ("TABLE", Side::Left),
        ("FLUSH", Side::Right),
        ("VALUE (UTC)", Side::Left),
        ("REFUSED (UTC)", Side::Left),
        ("REASON", Side::Left),
        ("ROW", Side::Left),
    ];
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.refused_id.to_string(),
                row.table.clone(),
                row.flush.to_string(),
                row.field_value.format("%Y-%m-%d %H:%M:%S%.f").to_string(),
                row.refused_at.format("%Y-%m-%d %H:%M:%S").to_string(),
                row.reason.clone(),
                row.row.clone(),
            ]
        })
        .collect();
    for line in lines(&heading, &cells) {
        printer.line(&line);
    }
    Ok(ExitCode::SUCCESS)
}

//! `ridehail archive pause` and `resume`.

use std::process::ExitCode;

use clap::Args;
use lake::ledger::control;

use super::Common;
use crate::cli::printer::Printer;

/// Lets no move go on, in any process.
#[derive(Debug, Args)]
pub(super) struct PauseArgs {
    /// Why, for whoever asks for the status
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Lets moves go on, at the next run.
#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    common: Common,
}

pub(super) async fn pause(args: PauseArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let opened = args.common.open().await?;
    control::set_paused(opened.lake.pool(), true, args.reason.as_deref()).await?;
    printer.line("the archive is paused: a move under way stops before its next state");
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn resume(args: ResumeArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let opened = args.common.open().await?;
    control::set_paused(opened.lake.pool(), false, None).await?;
    printer.line("the archive may go on; the next run takes up what is under way");
    Ok(ExitCode::SUCCESS)
}

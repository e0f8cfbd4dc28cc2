//! `ridehail seed`.

use std::process::ExitCode;

use clap::Args;

use super::printer::Printer;
use super::walk::{WalkArgs, walk};
use crate::config::LogArgs;
use crate::run::request::Command;

/// CSV files into tables.
#[derive(Debug, Args)]
pub struct SeedArgs {
    #[command(flatten)]
    walk: WalkArgs,
    /// Print some rows of each table, chosen at random
    #[arg(long)]
    show: bool,
}

pub(super) async fn execute(
    args: SeedArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let args = args.walk.showing(args.show);
    walk(Command::Seed, args, None, log, printer).await
}

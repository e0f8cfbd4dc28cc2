//! `ridehail snapshot`.

use std::process::ExitCode;

use clap::Args;

use super::printer::Printer;
use super::walk::{WalkArgs, walk};
use crate::config::LogArgs;
use crate::run::request::Command;

/// Records how the rows of a relation change over time.
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    #[command(flatten)]
    walk: WalkArgs,
}

pub(super) async fn execute(
    args: SnapshotArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    walk(Command::Snapshot, args.walk, None, log, printer).await
}

//! `ridehail run`.

use std::process::ExitCode;

use clap::Args;

use super::printer::Printer;
use super::walk::{WalkArgs, walk};
use crate::config::{LogArgs, SampleArgs};
use crate::run::request::Command;

/// Models in dependency order.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    walk: WalkArgs,
    #[command(flatten)]
    sample: SampleArgs,
}

pub(super) async fn execute(
    args: RunArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    walk(Command::Run, args.walk, args.sample.sample, log, printer).await
}

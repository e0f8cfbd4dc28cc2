//! `ridehail build`.

use std::process::ExitCode;

use clap::Args;

use super::printer::Printer;
use super::walk::{WalkArgs, walk};
use crate::config::{LogArgs, SampleArgs};
use crate::run::request::Command;

/// Seeds, models and tests in dependency order; a failing test holds back what depends on the tested model.
#[derive(Debug, Args)]
pub struct BuildArgs {
    #[command(flatten)]
    walk: WalkArgs,
    #[command(flatten)]
    sample: SampleArgs,
}

pub(super) async fn execute(
    args: BuildArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    walk(Command::Build, args.walk, args.sample.sample, log, printer).await
}

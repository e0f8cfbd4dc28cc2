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
    /// Print some rows of each seed, chosen at random
    #[arg(long)]
    show: bool,
}

pub(super) async fn execute(
    args: BuildArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let walked = args.walk.showing(args.show);
    walk(Command::Build, walked, args.sample.sample, log, printer).await
}

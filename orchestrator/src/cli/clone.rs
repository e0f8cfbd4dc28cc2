//! `ridehail clone`.

use std::process::ExitCode;

use clap::Args;

use super::printer::Printer;
use super::walk::{WalkArgs, walk};
use crate::config::LogArgs;
use crate::run::request::Command;

/// Views over what the environment of --state has built; with --full-refresh also in the place of what is here.
#[derive(Debug, Args)]
pub struct CloneArgs {
    #[command(flatten)]
    walk: WalkArgs,
}

pub(super) async fn execute(
    args: CloneArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    walk(Command::Clone, args.walk, None, log, printer).await
}

//! `ridehail test`.

use std::process::ExitCode;

use clap::Args;

use super::printer::Printer;
use super::walk::{WalkArgs, walk};
use crate::config::LogArgs;
use crate::run::request::Command;

/// Data tests.
#[derive(Debug, Args)]
pub struct TestArgs {
    #[command(flatten)]
    walk: WalkArgs,
}

pub(super) async fn execute(
    args: TestArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    walk(Command::Test, args.walk, None, log, printer).await
}

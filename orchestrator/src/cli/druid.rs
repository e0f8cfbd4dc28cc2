//! `ridehail druid …`: hands over to `streaming`.

use std::process::ExitCode;

use streaming::druid::{self, DruidArgs};

use super::printer::Printer;
use super::signals;

pub(super) async fn execute(args: DruidArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let cancel = signals::cancel_on_signal()?;
    let mut out = printer.writer();
    let outcome = druid::run(&args, &cancel, &mut out).await?;
    Ok(ExitCode::from(outcome.exit_code()))
}

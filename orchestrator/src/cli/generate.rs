//! `ridehail generate`: hands over to the city simulation.

use std::process::ExitCode;

use generator::GenerateArgs;

use super::printer::Printer;
use super::signals;

pub(super) async fn execute(args: GenerateArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let cancel = signals::cancel_on_signal()?;
    let mut out = printer.writer();
    Box::pin(generator::generate(args, cancel, &mut out)).await?;
    Ok(ExitCode::SUCCESS)
}

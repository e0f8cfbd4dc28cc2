//! `ridehail`: arguments, log, dispatch.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use orchestrator::cli::{self, Cli};
use orchestrator::config::with_variables;
use orchestrator::telemetry;

fn main() -> ExitCode {
    let command = with_variables(cli::grouped(Cli::command()));
    let arguments = cli::before_verb::moved(&command, std::env::args_os().collect());
    let matches = command.get_matches_from(arguments);
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    cli.log.settle();
    telemetry::start(&cli.log, cli.verb.stays());
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return cli::fail(&anyhow::Error::from(error), 2),
    };
    let code = runtime.block_on(Box::pin(cli::dispatch(cli)));
    // a thread that still waits for a cancelled statement must not hold up the exit
    runtime.shutdown_background();
    code
}

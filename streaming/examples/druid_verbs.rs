//! `ridehail druid` without the rest of the house.

use std::process::ExitCode;

use clap::Parser;
use streaming::druid::{DruidArgs, run};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: DruidArgs,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli.args, &CancellationToken::new(), &mut std::io::stdout()).await {
        Ok(outcome) => ExitCode::from(outcome.exit_code()),
        Err(error) => {
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{error}\n"));
            ExitCode::from(2)
        }
    }
}

//! Runs the generator by itself: `cargo run -p generator --example generate -- --help`.

use clap::Parser;
use tokio_util::sync::CancellationToken;

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    generate: generator::GenerateArgs,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let args = Cli::parse().generate;
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let mut stdout = std::io::stdout();
    tokio::select! {
        result = generator::generate(args, cancel, &mut stdout) => match result {
            Ok(_) => std::process::ExitCode::SUCCESS,
            Err(error) => {
                use std::io::Write as _;
                let _ = writeln!(std::io::stderr(), "error: {error}");
                std::process::ExitCode::FAILURE
            }
        },
        () = stop_on_interrupt(stop) => std::process::ExitCode::FAILURE,
    }
}

async fn stop_on_interrupt(stop: CancellationToken) {
    let _ = tokio::signal::ctrl_c().await;
    stop.cancel();
    std::future::pending::<()>().await;
}

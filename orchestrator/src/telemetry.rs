//! The program's own log, on standard error. What a run does is told by events, not here.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogArgs, LogFormat};
use crate::secrets::{Hiding, Secrets};

/// Sets the log up. Verbs that stay (`serve`, `stream`) tell what they do; the others only warn. `RUST_LOG`
/// goes before everything.
pub fn start(log: &LogArgs, stays: bool) {
    let level = match (log.debug, stays, log.quiet) {
        (true, _, _) => {
            "info,orchestrator=debug,ridehail=debug,project=debug,warehouse=debug,streaming=debug,generator=debug"
        }
        (false, true, false) => "info",
        (false, _, _) => "warn",
    };
    // a line each second between ticks is none, and Postgres' notices are the statement's business
    let quiet = ",tokio_cron_scheduler=warn,sqlx=error,librdkafka=warn";
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("{level}{quiet}")));
    let ansi = !log.is_plain()
        && std::env::var_os("NO_COLOR").is_none()
        && std::io::stderr().is_terminal();
    let secrets = Secrets::here();
    let log_lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || Hiding {
            secrets: secrets.clone(),
            to: std::io::stderr(),
        });
    match log.log_format {
        LogFormat::Json => log_lines.json().init(),
        LogFormat::Text | LogFormat::Default | LogFormat::Debug => {
            log_lines.with_ansi(ansi).with_target(false).init()
        }
    }
}

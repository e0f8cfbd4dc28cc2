//! `ridehail stream`, `stream rejects ls|show|replay`, `stream reset`: hands over to `streaming`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use streaming::landing::{self, ResetArgs, StreamArgs as LandingArgs};
use streaming::rejects::{self, LsArgs, ReplayArgs, ShowArgs};

use super::printer::Printer;
use super::signals;

/// Lands topics in Postgres until stopped; or looks after what could not be landed.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
// the flattened arguments bring a group of the same name
#[group(id = "stream")]
pub struct StreamArgs {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    landing: LandingArgs,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List, show and replay records that could not be landed
    Rejects {
        #[command(subcommand)]
        what: Rejects,
    },
    /// Move stored positions, after records were lost or a topic was created anew
    Reset(ResetArgs),
}

#[derive(Debug, Subcommand)]
enum Rejects {
    /// List rejects, newest first
    Ls(LsArgs),
    /// Show one with its bytes
    Show(ShowArgs),
    /// Try to land rejects again; those that fail stay
    Replay(ReplayArgs),
}

pub(super) async fn execute(args: StreamArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let mut out = printer.writer();
    match args.what {
        None => {
            let cancel = signals::cancel_on_signal()?;
            let summary = Box::pin(landing::run(args.landing, cancel)).await?;
            printer.json(&summary);
        }
        Some(What::Rejects {
            what: Rejects::Ls(args),
        }) => rejects::ls(&args, &mut out).await?,
        Some(What::Rejects {
            what: Rejects::Show(args),
        }) => {
            rejects::show(&args, &mut out).await?;
        }
        Some(What::Rejects {
            what: Rejects::Replay(args),
        }) => {
            rejects::replay(&args, &mut out).await?;
        }
        Some(What::Reset(args)) => {
            let done = landing::reset(&args, &mut signals::confirm, &mut out).await?;
            return Ok(ExitCode::from(u8::from(!done)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl StreamArgs {
    /// Whether it goes on until told to stop.
    pub(super) fn stays(&self) -> bool {
        self.what.is_none()
    }
}

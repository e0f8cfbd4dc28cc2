//! `ridehail topics plan|apply`: hands over to `streaming`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use streaming::topics::{self, TopicsArgs as Options};

use super::printer::Printer;

/// Topics as the topics file declares them.
#[derive(Debug, Args)]
pub struct TopicsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print what apply would change; exit 1 with --check when that is anything
    Plan {
        /// Exit 1 when the cluster differs from the file
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        options: Options,
    },
    /// Create, widen and reconfigure topics; never delete
    Apply {
        #[command(flatten)]
        options: Options,
    },
}

pub(super) async fn execute(args: TopicsArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let mut out = printer.writer();
    match args.what {
        What::Plan { check, options } => {
            let changes = topics::plan(&options, &mut out).await?;
            Ok(ExitCode::from(u8::from(check && changes > 0)))
        }
        What::Apply { options } => {
            topics::apply(&options, &mut out).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

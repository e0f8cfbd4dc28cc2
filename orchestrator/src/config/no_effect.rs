//! Options that dbt takes with every verb and that change nothing of some.

use clap::Args;

/// How nodes are executed, for verbs that execute none: scripts give these to every verb.
#[derive(Debug, Clone, Default, Args)]
pub struct NoEffectArgs {
    #[arg(long, hide = true, value_name = "N")]
    threads: Option<usize>,
    #[arg(long, hide = true)]
    single_threaded: bool,
    #[arg(long, hide = true)]
    no_single_threaded: bool,
    #[arg(short = 'x', long, hide = true)]
    fail_fast: bool,
    #[arg(long, hide = true)]
    no_fail_fast: bool,
}

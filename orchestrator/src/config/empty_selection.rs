//! `--empty-selection`.

use clap::ValueEnum;

/// What a selection of nothing means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EmptySelection {
    /// Exit 0, as dbt does.
    Ok,
    /// Exit 0 and say so on standard error.
    Warn,
    /// Exit 1.
    Error,
}

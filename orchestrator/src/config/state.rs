//! What another environment, or an earlier run, has: to compare with, to read from.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};

/// Where it is and what it is taken for.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
pub struct StateArgs {
    /// Folder with the artifacts of another run: what `state:`, `result:` and `source_status:` compare with, and what
    /// --defer reads from
    #[arg(long, value_name = "DIR", env = "DBT_STATE", hide_env = true)]
    pub state: Option<PathBuf>,
    /// Read what is not selected and not in the database where the manifest of --state has it
    #[arg(long, env = "DBT_DEFER", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    pub defer: bool,
    #[arg(long, hide = true)]
    no_defer: bool,
    /// Folder for --defer, where it is not that of --state
    #[arg(long, value_name = "DIR", env = "DBT_DEFER_STATE", hide_env = true)]
    pub defer_state: Option<PathBuf>,
    /// Read what is not selected there even when the database has it
    #[arg(long, env = "DBT_FAVOR_STATE", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    pub favor_state: bool,
    #[arg(long, hide = true)]
    no_favor_state: bool,
}

impl StateArgs {
    /// Whether what is not here is read there; the variable is not heard where the flag says no.
    #[must_use]
    pub fn defers(&self) -> bool {
        self.defer && !self.no_defer
    }

    /// Whether what is not selected is read there in any case.
    #[must_use]
    pub fn favors(&self) -> bool {
        self.favor_state && !self.no_favor_state
    }
}

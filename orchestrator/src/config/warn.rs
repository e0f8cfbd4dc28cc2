//! What is made of warnings.

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use serde_json::{Map, Value as Json};

use super::mapping;

/// Which warnings are errors.
#[derive(Debug, Clone, Args)]
pub struct WarnArgs {
    /// Take every warning for an error
    #[arg(long, env = "DBT_WARN_ERROR", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    warn_error: bool,
    /// Take no warning for an error, whatever the project says
    #[arg(long, hide = true)]
    no_warn_error: bool,
    /// Which warnings are errors: '{error: all, warn: [NAME], silence: [NAME]}', by dbt's names of them
    #[arg(long, value_name = "YAML", env = "DBT_WARN_ERROR_OPTIONS", hide_env = true,
          value_parser = mapping)]
    warn_error_options: Option<Map<String, Json>>,
}

impl WarnArgs {
    /// What is said of all warnings; `None` leaves it to the project.
    #[must_use]
    pub fn warn_error(&self) -> Option<bool> {
        match (self.warn_error, self.no_warn_error) {
            (_, true) => Some(false),
            (true, false) => Some(true),
            (false, false) => None,
        }
    }

    /// What is said of single ones.
    #[must_use]
    pub fn options(&self) -> Option<&Map<String, Json>> {
        self.warn_error_options.as_ref()
    }
}

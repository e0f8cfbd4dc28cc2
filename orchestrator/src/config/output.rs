//! What is printed, what is logged.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};

/// What is written, and how much of it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct LogArgs {
    /// Print failures only
    #[arg(short, long, global = true, env = "DBT_QUIET", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    pub quiet: bool,
    /// Log what the program does to standard error
    #[arg(short, long, global = true, env = "DBT_DEBUG", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    pub debug: bool,
    /// Lines for people, or one JSON object a line
    #[arg(
        long,
        global = true,
        env = "DBT_LOG_FORMAT",
        hide_env = true,
        default_value = "text"
    )]
    pub log_format: LogFormat,
    /// Least level of lines to print; failures alone from warn on
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        env = "DBT_LOG_LEVEL",
        hide_env = true,
        default_value = "info"
    )]
    pub log_level: LogLevel,
    /// Folder of dbt.log, where every line goes too [default: logs in the project's folder]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "DBT_LOG_PATH",
        hide_env = true
    )]
    pub log_path: Option<PathBuf>,
    /// Print no colours; NO_COLOR does the same
    #[arg(long, global = true)]
    pub no_use_colors: bool,
    #[command(flatten)]
    dbts: Accepted,
}

impl LogArgs {
    /// Whether the log file is written.
    #[must_use]
    pub fn writes_file(&self) -> bool {
        self.dbts.log_level_file.as_deref() != Some("none")
    }

    /// Whether only failures are printed.
    #[must_use]
    pub fn failures_only(&self) -> bool {
        self.quiet
            || matches!(
                self.log_level,
                LogLevel::Warn | LogLevel::Error | LogLevel::None
            )
    }
}

/// Flags of dbt that have nothing to switch here: what they tune is done otherwise, or always.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "one for each flag")]
struct Accepted {
    #[arg(long, global = true, hide = true, overrides_with = "no_partial_parse")]
    partial_parse: bool,
    #[arg(long, global = true, hide = true)]
    no_partial_parse: bool,
    #[arg(long, global = true, hide = true)]
    static_parser: bool,
    #[arg(long, global = true, hide = true)]
    no_static_parser: bool,
    #[arg(long, global = true, hide = true)]
    populate_cache: bool,
    #[arg(long, global = true, hide = true)]
    no_populate_cache: bool,
    #[arg(long, global = true, hide = true)]
    cache_selected_only: bool,
    #[arg(long, global = true, hide = true)]
    no_cache_selected_only: bool,
    #[arg(long, global = true, hide = true)]
    send_anonymous_usage_stats: bool,
    #[arg(long, global = true, hide = true)]
    no_send_anonymous_usage_stats: bool,
    #[arg(long, global = true, hide = true)]
    use_colors: bool,
    #[arg(long, global = true, hide = true)]
    use_colors_file: bool,
    #[arg(long, global = true, hide = true)]
    no_use_colors_file: bool,
    #[arg(long, global = true, hide = true)]
    version_check: bool,
    #[arg(long, global = true, hide = true)]
    print: bool,
    #[arg(long, global = true, hide = true)]
    show_all_deprecations: bool,
    #[arg(long, global = true, hide = true)]
    log_cache_events: bool,
    #[arg(long, global = true, hide = true, value_name = "N")]
    printer_width: Option<u16>,
    #[arg(long, global = true, hide = true, value_name = "LEVEL")]
    log_level_file: Option<String>,
    #[arg(long, global = true, hide = true, value_name = "FORMAT")]
    log_format_file: Option<String>,
    #[arg(long, global = true, hide = true, value_name = "N")]
    log_file_max_bytes: Option<u64>,
}

/// How much is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// As info; what the program does goes to standard error with --debug.
    Debug,
    /// Every line.
    Info,
    /// Failures.
    Warn,
    /// Failures.
    Error,
    /// Nothing.
    None,
}

/// Shape of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

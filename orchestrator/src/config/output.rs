//! What is printed, what is logged.

use std::path::PathBuf;
use std::sync::OnceLock;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, ValueEnum};
use project::ParseCache;

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
    #[arg(long = "no-use-colors", global = true, env = "DBT_USE_COLORS", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetFalse)]
    use_colors: bool,
    /// Keep quiet what `print` of templates says
    #[arg(long = "no-print", global = true, env = "DBT_PRINT", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetFalse)]
    print: bool,
    /// Write no target/*.json
    #[arg(long = "no-write-json", global = true, env = "DBT_WRITE_JSON", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetFalse)]
    write_json: bool,
    /// Read every file of the project again, whatever an earlier invocation kept
    #[arg(long = "no-partial-parse", global = true, env = "DBT_PARTIAL_PARSE", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetFalse)]
    partial_parse: bool,
    #[command(flatten)]
    dbts: Accepted,
}

/// What `--no-partial-parse` says, which may stand before the verb: once for the process.
static PARSE_CACHE: OnceLock<ParseCache> = OnceLock::new();

/// Whether results of earlier parses are used.
pub(super) fn parse_cache() -> ParseCache {
    PARSE_CACHE.get().copied().unwrap_or_default()
}

impl LogArgs {
    /// Makes what these arguments say of earlier parses hold for the process.
    pub fn settle(&self) {
        let is_used = self.partial_parse || self.dbts.yes_partial_parse;
        let said = if is_used {
            ParseCache::Used
        } else {
            ParseCache::Renewed
        };
        // a second word in one process changes nothing
        let _ = PARSE_CACHE.set(said);
    }

    /// Whether the log file is written.
    #[must_use]
    pub fn writes_file(&self) -> bool {
        self.dbts.log_level_file != Some(LogLevel::None)
    }

    /// Whether target/*.json are written.
    #[must_use]
    pub fn writes_json(&self) -> bool {
        self.write_json || self.dbts.yes_write_json
    }

    /// Whether nothing is coloured.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !(self.use_colors || self.dbts.yes_use_colors)
    }

    /// Whether what `print` of templates says is printed.
    #[must_use]
    pub fn prints(&self) -> bool {
        (self.print || self.dbts.yes_print) && !self.dbts.older_no_print
    }

    /// Whether every deprecation is told, not the first of each kind alone.
    #[must_use]
    pub fn shows_all_deprecations(&self) -> bool {
        self.dbts.show_all_deprecations && !self.dbts.no_show_all_deprecations
    }

    /// Whether only failures are printed.
    #[must_use]
    pub fn failures_only(&self) -> bool {
        (self.quiet && !self.dbts.no_quiet)
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
    #[arg(long = "partial-parse", global = true, hide = true)]
    yes_partial_parse: bool,
    #[arg(long, global = true, hide = true, env = "DBT_PARTIAL_PARSE_FILE_DIFF", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    partial_parse_file_diff: bool,
    #[arg(long, global = true, hide = true)]
    no_partial_parse_file_diff: bool,
    #[arg(long, global = true, hide = true, env = "DBT_STATIC_PARSER", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    static_parser: bool,
    #[arg(long, global = true, hide = true)]
    no_static_parser: bool,
    #[arg(long, global = true, hide = true, env = "DBT_USE_EXPERIMENTAL_PARSER", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    use_experimental_parser: bool,
    #[arg(long, global = true, hide = true)]
    no_use_experimental_parser: bool,
    #[arg(long, global = true, hide = true, env = "DBT_POPULATE_CACHE", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    populate_cache: bool,
    #[arg(long, global = true, hide = true)]
    no_populate_cache: bool,
    #[arg(long, global = true, hide = true, env = "DBT_CACHE_SELECTED_ONLY", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    cache_selected_only: bool,
    #[arg(long, global = true, hide = true)]
    no_cache_selected_only: bool,
    #[arg(long, global = true, hide = true, env = "DBT_SEND_ANONYMOUS_USAGE_STATS", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    send_anonymous_usage_stats: bool,
    #[arg(long, global = true, hide = true)]
    no_send_anonymous_usage_stats: bool,
    #[arg(long, global = true, hide = true, env = "DBT_USE_COLORS_FILE", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    use_colors_file: bool,
    #[arg(long, global = true, hide = true)]
    no_use_colors_file: bool,
    #[arg(long, global = true, hide = true, env = "DBT_INTROSPECT", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    introspect: bool,
    #[arg(long, global = true, hide = true)]
    no_introspect: bool,
    #[arg(long, global = true, hide = true, env = "DBT_LOG_CACHE_EVENTS", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    log_cache_events: bool,
    #[arg(long, global = true, hide = true)]
    no_log_cache_events: bool,
    #[arg(long, global = true, hide = true, env = "DBT_MACRO_DEBUGGING", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    macro_debugging: bool,
    #[arg(long, global = true, hide = true)]
    no_macro_debugging: bool,
    #[arg(long, global = true, hide = true, env = "DBT_SHOW_RESOURCE_REPORT", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    show_resource_report: bool,
    #[arg(long, global = true, hide = true)]
    no_show_resource_report: bool,
    #[arg(long, global = true, hide = true, env = "DBT_USE_FAST_TEST_EDGES", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    use_fast_test_edges: bool,
    #[arg(long, global = true, hide = true)]
    no_use_fast_test_edges: bool,
    #[arg(long, global = true, hide = true, env = "DBT_UPLOAD_TO_ARTIFACTS_INGEST_API", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    upload_to_artifacts_ingest_api: bool,
    #[arg(long, global = true, hide = true)]
    no_upload_to_artifacts_ingest_api: bool,
    #[arg(long, global = true, hide = true, env = "DBT_INCLUDE_SAVED_QUERY", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    include_saved_query: bool,
    #[arg(long, global = true, hide = true)]
    no_include_saved_query: bool,
    #[arg(long, global = true, hide = true, env = "DBT_EXPORT_SAVED_QUERIES", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    export_saved_queries: bool,
    #[arg(long, global = true, hide = true)]
    no_export_saved_queries: bool,
    #[arg(long, global = true, hide = true)]
    show_all_deprecations: bool,
    #[arg(long, global = true, hide = true)]
    no_show_all_deprecations: bool,
    #[arg(long = "version-check", global = true, hide = true)]
    yes_version_check: bool,
    #[arg(long, global = true, hide = true, value_name = "TEXT")]
    deprecated_favor_state: Option<String>,
    #[arg(long = "write-json", global = true, hide = true)]
    yes_write_json: bool,
    #[arg(long = "use-colors", global = true, hide = true)]
    yes_use_colors: bool,
    #[arg(long = "print", global = true, hide = true)]
    yes_print: bool,
    #[arg(long, global = true, hide = true)]
    no_quiet: bool,
    #[arg(long, global = true, hide = true)]
    no_debug: bool,
    /// An older variable, and no flag.
    #[arg(long = "deprecated-print", global = true, hide = true, env = "DBT_NO_PRINT", hide_env = true,
          value_parser = BoolishValueParser::new(), action = ArgAction::SetTrue)]
    older_no_print: bool,
    #[arg(
        long,
        global = true,
        hide = true,
        value_name = "N",
        env = "DBT_PRINTER_WIDTH",
        hide_env = true
    )]
    printer_width: Option<u16>,
    #[arg(
        long,
        global = true,
        hide = true,
        value_name = "LEVEL",
        env = "DBT_LOG_LEVEL_FILE",
        hide_env = true
    )]
    log_level_file: Option<LogLevel>,
    #[arg(
        long,
        global = true,
        hide = true,
        value_name = "FORMAT",
        env = "DBT_LOG_FORMAT_FILE",
        hide_env = true
    )]
    log_format_file: Option<LogFormat>,
    #[arg(
        long,
        global = true,
        hide = true,
        value_name = "N",
        env = "DBT_LOG_FILE_MAX_BYTES",
        hide_env = true
    )]
    log_file_max_bytes: Option<u64>,
    #[arg(
        long,
        global = true,
        hide = true,
        value_name = "FILE",
        env = "DBT_PARTIAL_PARSE_FILE_PATH",
        hide_env = true
    )]
    partial_parse_file_path: Option<PathBuf>,
    #[arg(
        long,
        global = true,
        hide = true,
        value_name = "YAML",
        env = "DBT_ENGINE_SQLPARSE",
        hide_env = true
    )]
    sqlparse: Option<String>,
    #[arg(long, short = 'r', global = true, hide = true, value_name = "FILE")]
    record_timing_info: Option<PathBuf>,
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
    /// The same.
    Default,
    /// For people, as in the log file: with fractions of seconds and levels.
    Debug,
    /// One JSON object a line.
    Json,
}

//! How far a move has come, on standard error: a line that moves at a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use lake::ledger::TableId;
use lake::ledger::moves::Move;
use lake::ledger::state::State;
use lake::mover::{Event, Reporter};

use crate::archive::report::{grouped, size};
use crate::config::{LogArgs, LogFormat};
use crate::run::events::{Happened, Renderer};

/// Tells a person.
pub(super) struct Progress {
    bars: MultiProgress,
    tables: Mutex<HashMap<TableId, ProgressBar>>,
    plain: bool,
}

impl Progress {
    pub(super) fn new(log: &LogArgs) -> Self {
        let quiet = log.quiet || log.log_format == LogFormat::Json;
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal && !quiet {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            bars: MultiProgress::with_draw_target(target),
            tables: Mutex::default(),
            plain: !terminal && !quiet,
        }
    }

    /// Takes the moving lines away.
    pub(super) fn clear(&self) {
        // a terminal that is gone needs no clearing
        let _ = self.bars.clear();
    }

    fn say(&self, table: &TableId, words: &str) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = tables.entry(table.clone()).or_insert_with(|| {
            let bar = self.bars.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {prefix}  {msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(table.to_string());
            bar.enable_steady_tick(std::time::Duration::from_millis(200));
            bar
        });
        bar.set_message(words.to_owned());
    }

    #[expect(clippy::print_stderr, reason = "progress is not data")]
    fn line(&self, words: &str) {
        if self.plain {
            eprintln!("{words}");
        }
    }
}

impl Reporter for Progress {
    fn report(&self, event: &Event) {
        match event {
            Event::Progress { table, day, rows } => {
                self.say(table, &format!("{day}  copying, {} rows", grouped(*rows)));
            }
            Event::Reached { what } => {
                self.say(&what.table, &reached(what));
                if matches!(what.state, State::Copied | State::Dropped) {
                    self.line(&format!("{}  {}", what.table, reached(what)));
                }
            }
            Event::Draining { queries } => {
                let words = format!("waiting for older queries to end: {}", queries.join(", "));
                self.line(&words);
            }
            Event::View { name } => self.line(&format!("view {name} replaced")),
            Event::Mended { table, file } => self.line(&format!(
                "{table}  the object store had lost {file}: made once more from the rows in Postgres, byte for byte"
            )),
        }
    }
}

/// `2026-10-01  copied, 24,130 rows, 1.2 MB`.
fn reached(what: &Move) -> String {
    let number = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
    let mut words = format!("{}  {}", what.lower.date_naive(), what.state.word());
    match what.state {
        State::Copied => {
            if let (Some(rows), Some(bytes)) = (number(what.rows), number(what.bytes)) {
                words.push_str(&format!(", {} rows, {}", grouped(rows), size(bytes)));
            }
        }
        State::Dropped => {
            if let Some(bytes) = number(what.source_bytes) {
                words.push_str(&format!(", {} given back", size(bytes)));
            }
        }
        State::Planned
        | State::Frozen
        | State::Verified
        | State::Committing
        | State::Committed
        | State::Visible
        | State::Drained
        | State::Detached => {}
    }
    words
}

/// Prints lines above the moving ones.
pub(super) struct Above {
    pub(super) inner: Box<dyn Renderer>,
    pub(super) progress: std::sync::Arc<Progress>,
}

impl Renderer for Above {
    fn render(&mut self, happened: &Happened) {
        let inner = &mut self.inner;
        self.progress.bars.suspend(|| inner.render(happened));
    }
}

/// Tells the log, for runs that nobody watches.
pub(crate) struct LogProgress;

impl Reporter for LogProgress {
    fn report(&self, event: &Event) {
        match event {
            Event::Reached { what } => match what.state {
                State::Copied | State::Committed | State::Dropped => tracing::info!(
                    table = %what.table, day = %what.lower.date_naive(), state = what.state.word(),
                    rows = what.rows, bytes = what.bytes, "a day of the archive went on"
                ),
                State::Planned
                | State::Frozen
                | State::Verified
                | State::Committing
                | State::Visible
                | State::Drained
                | State::Detached => tracing::debug!(
                    table = %what.table, day = %what.lower.date_naive(), state = what.state.word(),
                    "a day of the archive went on"
                ),
            },
            Event::Draining { queries } => {
                tracing::info!(
                    ?queries,
                    "waiting for queries that began before the view was replaced"
                );
            }
            Event::View { name } => tracing::info!(view = name, "view replaced"),
            Event::Mended { table, file } => {
                tracing::warn!(%table, file, "the object store had lost a file: made once more from the rows in Postgres");
            }
            Event::Progress { .. } => {}
        }
    }
}

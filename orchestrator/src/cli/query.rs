//! `ridehail query`: a statement for Trino, its answer for a person or a program.

mod caret;
mod render;

use std::io::{self, IsTerminal, Read};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use lake::trino::{self, Column, Page, Query, Trino, TrinoArgs};
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use super::Advice;
use super::archive::no_trino;
use super::printer::Printer;
use super::signals;
use crate::archive::report::grouped;
use crate::clock::{Clock, SystemClock};
use crate::config::LogArgs;
use render::Sheet;

/// A table is aligned only once all of it is there: this many rows are kept for it.
const TABLE_ROWS: usize = 10_000;

/// Runs a statement on Trino. Catalogs: `lake` (history, live, and the archive itself), `warehouse`, `druid`.
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// Statement, or `-` to read it from standard input
    #[arg(value_name = "SQL", allow_hyphen_values = true)]
    sql: String,
    /// Shape of the answer; csv and json (one object a row) come as they arrive
    #[arg(short, long, value_name = "SHAPE", default_value = "table")]
    output: Shape,
    /// Catalog of names that have none
    #[arg(long, value_name = "NAME", default_value = "lake")]
    catalog: String,
    /// Schema of names that have none
    #[arg(long, value_name = "NAME", default_value = "history")]
    schema: String,
    /// Stop after so many rows [default: all; 10,000 of a table]
    #[arg(long, value_name = "N")]
    max_rows: Option<usize>,
    #[command(flatten)]
    trino: TrinoArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// Aligned columns.
    Table,
    /// A JSON object a row.
    Json,
    /// With a header; NULL is empty, an empty text is "".
    Csv,
}

/// How a statement ended.
enum Ended {
    /// No more pages.
    Done {
        rows: u64,
        update: Option<(String, Option<u64>)>,
    },
    /// Enough rows were seen.
    Enough { rows: u64 },
    /// Whoever read the answer has gone.
    HungUp,
    /// Ctrl-C.
    Cancelled,
}

pub(super) async fn execute(
    args: QueryArgs,
    log: &LogArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let trino = args.trino.client().ok_or_else(no_trino)?;
    let trino = trino.within(Some(&args.catalog), Some(&args.schema));
    let sql = statement(&args.sql)?;
    let cancel = signals::cancel_on_signal()?;
    let began = SystemClock.now();
    let bar = bar(log);
    let ended = run(&trino, &sql, &args, printer, &bar, &cancel).await;
    bar.finish_and_clear();
    let ended = match ended {
        Ok(ended) => ended,
        Err(error) => return Ok(super::fail(&told(error, &sql), 1)),
    };
    let took = (SystemClock.now() - began).as_seconds_f64();
    let quiet = log.quiet;
    let say = |words: &str| {
        if !quiet {
            note(words);
        }
    };
    match ended {
        Ended::Done {
            update: Some((kind, count)),
            ..
        } => {
            let count = count.map(|n| format!(", {} rows", grouped(n)));
            say(&format!(
                "{kind}{} in {took:.2}s",
                count.unwrap_or_default()
            ));
        }
        Ended::Done { rows: 1, .. } => say(&format!("1 row in {took:.2}s")),
        Ended::Done { rows, .. } => say(&format!("{} rows in {took:.2}s", grouped(rows))),
        Ended::Enough { rows } => {
            note(&format!(
                "stopped after {} rows; there may be more",
                grouped(rows)
            ));
            if args.output == Shape::Table && args.max_rows.is_none() {
                note("hint: --max-rows N shows more of them, --output csv or json all");
            }
        }
        Ended::HungUp => {}
        Ended::Cancelled => {
            note("cancelled; Trino was told to stop the statement");
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The text to send: Trino knows no semicolon at the end.
fn statement(given: &str) -> anyhow::Result<String> {
    let mut text = given.to_owned();
    if given == "-" {
        text.clear();
        io::stdin().read_to_string(&mut text)?;
    }
    let text = text.trim_end().trim_end_matches(';').trim_end().to_owned();
    if text.trim().is_empty() {
        return Err(Advice {
            what: "the statement is empty".to_owned(),
            hint: "ridehail query \"select 1\"".to_owned(),
        }
        .into());
    }
    Ok(text)
}

async fn run(
    trino: &Trino,
    sql: &str,
    args: &QueryArgs,
    printer: &Printer,
    bar: &ProgressBar,
    cancel: &CancellationToken,
) -> Result<Ended, trino::Error> {
    let mut query = tokio::select! {
        biased;
        () = cancel.cancelled() => return Ok(Ended::Cancelled),
        query = trino.start(sql) => query?,
    };
    let most = args.max_rows.unwrap_or(match args.output {
        Shape::Table => TABLE_ROWS,
        Shape::Json | Shape::Csv => usize::MAX,
    });
    let mut out = Out {
        shape: args.output,
        sheet: Sheet::default(),
        header: false,
        printer,
        bar,
    };
    let mut rows = 0_usize;
    let mut update = None;
    let mut enough = false;
    while !enough {
        let page = tokio::select! {
            biased;
            () = cancel.cancelled() => {
                stop(query).await;
                return Ok(Ended::Cancelled);
            }
            page = query.page() => page?,
        };
        let Some(page) = page else { break };
        progress(bar, &page);
        if let Some(kind) = page.update_type {
            update = Some((kind, page.update_count));
        }
        out.columns(query.columns());
        // one row too many tells that there are more
        enough = rows + page.data.len() > most;
        for row in page.data.into_iter().take(most - rows) {
            rows += 1;
            out.row(query.columns(), row);
        }
        if printer.is_hung_up() {
            stop(query).await;
            return Ok(Ended::HungUp);
        }
    }
    if update.is_none() {
        out.end(query.columns());
    }
    let rows = rows as u64;
    if enough {
        stop(query).await;
        return Ok(Ended::Enough { rows });
    }
    Ok(Ended::Done { rows, update })
}

/// Where rows go.
struct Out<'a> {
    shape: Shape,
    sheet: Sheet,
    header: bool,
    printer: &'a Printer,
    bar: &'a ProgressBar,
}

impl Out<'_> {
    fn write(&self, text: &str) {
        self.bar.suspend(|| self.printer.write(text));
    }

    /// The heading, as soon as columns are known.
    fn columns(&mut self, columns: &[Column]) {
        if self.shape == Shape::Csv && !self.header && !columns.is_empty() {
            self.header = true;
            let names = columns.iter().map(|column| Some(column.name.as_str()));
            self.write(&render::csv_line(names));
        }
    }

    fn row(&mut self, columns: &[Column], row: Vec<Json>) {
        match self.shape {
            Shape::Table => self.sheet.push(&row),
            Shape::Json => self.write(&render::object(columns, row)),
            Shape::Csv => self.write(&render::csv(&row)),
        }
    }

    fn end(&self, columns: &[Column]) {
        if self.shape == Shape::Table && !columns.is_empty() {
            self.write(&self.sheet.text(columns, self.printer));
        }
    }
}

/// Best effort: Trino gives up by itself once nobody asks for the next page.
async fn stop(query: Query) {
    if let Err(error) = query.cancel().await {
        tracing::warn!(error = %error, "trino could not be told to stop the statement");
    }
}

fn progress(bar: &ProgressBar, page: &Page) {
    let stats = &page.stats;
    let share = stats
        .progress_percentage
        .map(|share| format!(", {share:.0} %"))
        .unwrap_or_default();
    let rows = grouped(stats.processed_rows);
    bar.set_message(format!(
        "{}{share}, {rows} rows read",
        stats.state.to_lowercase()
    ));
    bar.tick();
}

fn bar(log: &LogArgs) -> ProgressBar {
    if log.quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    match ProgressStyle::with_template("  {spinner} {elapsed}  {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[expect(
    clippy::print_stderr,
    reason = "what is said about an answer is not the answer"
)]
fn note(words: &str) {
    eprintln!("{words}");
}

/// A statement's failure with the place in it.
fn told(error: trino::Error, sql: &str) -> anyhow::Error {
    let trino::Error::Failed(failure) = &error else {
        return error.into();
    };
    let mut what = failure.to_string();
    if let Some(at) = &failure.error_location {
        what.push_str(&caret::under(sql, at.line_number, at.column_number));
    }
    match failure.hint() {
        Some(hint) => Advice {
            what,
            hint: hint.to_owned(),
        }
        .into(),
        None => anyhow::Error::msg(what),
    }
}

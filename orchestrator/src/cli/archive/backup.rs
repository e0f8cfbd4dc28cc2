//! `ridehail archive backup`.

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::NaiveDate;
use clap::{Args, Subcommand};
use lake::Lake;
use lake::args::LakeArgs;
use lake::backup;
use project::Secret;
use serde_json::json;

use super::table::{Side, lines};
use super::{Advice, Common, day};
use crate::archive::report::size;
use crate::cli::printer::{Color, Printer};
use crate::cli::runs::Output;
use crate::clock::{Clock, SystemClock};
use crate::config::secret;

/// Warehouse, ledger and Iceberg catalog in one consistent dump: whoever loses the catalog loses the lake.
#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Dump the database with `pg_dump`; upkeep keeps the objects that the dump refers to
    Make {
        /// Folder to write to
        #[arg(long, value_name = "FOLDER")]
        to: PathBuf,
        #[command(flatten)]
        common: Common,
    },
    /// List dumps, newest first
    Ls {
        /// A table for people, or JSON for scripts
        #[arg(short, long, value_name = "SHAPE", default_value = "text")]
        output: Output,
        #[command(flatten)]
        common: Common,
    },
    /// Let go of dumps: what only they refer to may be deleted. Their files are left to you
    Forget {
        /// Those taken before this day (UTC)
        #[arg(long, value_name = "DAY", value_parser = day)]
        before: NaiveDate,
        #[command(flatten)]
        common: Common,
    },
    /// Make this database the owner of the files: after a restore, once the database that was dumped is not used any more
    Adopt {
        #[command(flatten)]
        common: Common,
    },
    /// Restore a dump into an empty database, and compare its catalog with the object store
    Restore {
        /// The dump
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The empty database
        #[arg(long, value_name = "URL", env = "RIDEHAIL_RESTORE_URL", hide_env_values = true, value_parser = secret)]
        into: Secret,
        #[command(flatten)]
        lake: Box<LakeArgs>,
    },
}

pub(super) async fn execute(args: BackupArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Make { to, common } => {
            let opened = common.open().await?;
            let made = backup::dump(&opened.lake, &to, SystemClock.now()).await?;
            let (file, bytes) = (made.file.display(), size(made.bytes));
            printer.line(&format!("{file}, {bytes}"));
        }
        What::Ls { output, common } => list(&common, output, printer).await?,
        What::Forget { before, common } => {
            let opened = common.open().await?;
            let midnight = before.and_time(chrono::NaiveTime::MIN).and_utc();
            let count = backup::forget(&opened.lake, midnight).await?;
            printer.line(&format!(
                "{count} forgotten; `ridehail archive maintain` deletes what only they referred to"
            ));
        }
        What::Adopt { common } => {
            let opened = common.open().await?;
            let owner = lake::owner::take_over(&opened.lake).await?;
            printer.line(&format!(
                "the files belong to database {} now: moves and upkeep go on here, and nowhere else",
                owner.database_name
            ));
        }
        What::Restore { file, into, lake } => return restore(&file, &into, &lake, printer).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(common: &Common, output: Output, printer: &Printer) -> anyhow::Result<()> {
    let opened = common.open().await?;
    let all = backup::list(&opened.lake).await?;
    if output == Output::Json {
        for one in &all {
            printer.json(&json!({
                "backup": one.backup_id, "file": one.file, "taken_at": one.taken_at, "kept": one.kept,
                "tables": one.tables, "whole": one.whole,
            }));
        }
        return Ok(());
    }
    if all.is_empty() {
        printer.line("no backup was made: `ridehail archive backup make --to FOLDER`");
        return Ok(());
    }
    let heading = [
        ("ID", Side::Right),
        ("TAKEN (UTC)", Side::Left),
        ("TABLES", Side::Right),
        ("OBJECTS", Side::Left),
        ("FILE", Side::Left),
    ];
    let cells: Vec<Vec<String>> = all
        .iter()
        .map(|one| {
            vec![
                one.backup_id.to_string(),
                one.taken_at.format("%Y-%m-%d %H:%M:%S").to_string(),
                one.tables.to_string(),
                match (one.whole, one.kept) {
                    (false, _) => "not whole",
                    (true, true) => "kept",
                    (true, false) => "forgotten",
                }
                .to_owned(),
                one.file.clone(),
            ]
        })
        .collect();
    for line in lines(&heading, &cells) {
        printer.line(&line);
    }
    Ok(())
}

async fn restore(
    file: &std::path::Path,
    into: &Secret,
    args: &LakeArgs,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let advice = |what: String, hint: &str| Advice {
        what,
        hint: hint.to_owned(),
    };
    if !file.is_file() {
        let what = format!("there is no file {}", file.display());
        return Err(advice(what, "`ridehail archive backup ls` lists the dumps").into());
    }
    let options = into.expose().parse().map_err(|_| {
        let what = "the address of the empty database is no URL".to_owned();
        advice(what, "write postgres://user:password@host:port/database")
    })?;
    let grants = backup::restore(&options, file).await?;
    let lake = Lake::open(args, into.expose()).await?;
    backup::note_restored(&lake).await?;
    let findings = backup::check(&lake).await?;
    for text in &findings {
        printer.line(&printer.paint(Color::Red, text));
    }
    printer.line(&format!(
        "restored; {} findings in catalog, ledger and object store",
        findings.len()
    ));
    printer.line(&format!("{} rights given as in the dump", grants.given));
    for text in &grants.left_out {
        printer.line(&printer.paint(Color::Yellow, &format!("  not given: {text}")));
    }
    printer.line(
        "this database is a copy: it reads the files and changes none until `ridehail archive backup adopt`, which takes \
         them from the database that was dumped",
    );
    Ok(ExitCode::from(u8::from(!findings.is_empty())))
}

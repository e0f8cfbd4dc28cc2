//! `ridehail archive plan`: what is due.

use std::collections::HashMap;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use lake::ledger::TableId;
use lake::mover::preview;
use project::select::select;
use serde::Serialize;
use sqlx::PgPool;

use super::table::{Side, lines};
use super::{Common, Opened};
use crate::archive::report::{grouped, size};
use crate::cli::printer::{Color, Printer};
use crate::cli::runs::Output;
use crate::clock::{Clock, SystemClock};
use crate::config::SelectionArgs;
use crate::run::request::{Command, Request};

/// What a run of the archive would move.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// A table for people, or JSON for scripts
    #[arg(short, long, value_name = "SHAPE", default_value = "text")]
    output: Output,
    /// Count ages from this moment [default: now]
    #[arg(long, value_name = "TIME", hide = true)]
    now: Option<DateTime<Utc>>,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    common: Common,
}

/// What is planned for a table.
#[derive(Debug, Serialize)]
struct TablePlan {
    table: String,
    unique_id: String,
    after_hours: i64,
    due: Vec<DuePlan>,
    open_moves: usize,
    late_rows: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<RefusedPlan>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct DuePlan {
    day: chrono::NaiveDate,
    partition: String,
    /// By Postgres' statistics; absent when it has none.
    rows_estimate: Option<i64>,
    bytes: i64,
}

#[derive(Debug, Serialize)]
struct RefusedPlan {
    reason: String,
    hint: Option<String>,
}

pub(super) async fn execute(args: PlanArgs, printer: &Printer) -> anyhow::Result<ExitCode> {
    let opened = args.common.open().await?;
    let now = args.now.unwrap_or_else(|| SystemClock.now());
    let request = args.selection.apply(Request::new(Command::Archive));
    show(&opened, &request, now, args.output, printer).await
}

/// Prints what is due for the selection of `request`; the exit code says whether all of it is refused.
pub(super) async fn show(
    opened: &Opened,
    request: &Request,
    now: DateTime<Utc>,
    output: Output,
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let spec = request.spec(request.kinds());
    let selected = select(&opened.project, &spec)?;
    let mut plans = Vec::new();
    for archived in &opened.policies {
        if selected.contains(&archived.unique_id) {
            plans.push(one(opened, archived, now).await?);
        }
    }
    match output {
        Output::Json => plans.iter().for_each(|plan| printer.json(plan)),
        Output::Text => print(printer, &plans),
    }
    // a model that is not built yet is refused, and that is no failure of the others
    let refused = !plans.is_empty() && plans.iter().all(|plan| plan.refused.is_some());
    Ok(ExitCode::from(u8::from(refused)))
}

async fn one(
    opened: &Opened,
    archived: &crate::archive::Archived,
    now: DateTime<Utc>,
) -> anyhow::Result<TablePlan> {
    let policy = &archived.policy;
    let mut plan = TablePlan {
        table: policy.table.to_string(),
        unique_id: archived.unique_id.clone(),
        after_hours: policy.after.num_hours(),
        due: Vec::new(),
        open_moves: 0,
        late_rows: 0,
        refused: None,
        warnings: Vec::new(),
    };
    let found = match preview(&opened.lake, policy, now, usize::MAX).await {
        Ok(found) => found,
        Err(error @ (lake::Error::Refused { .. } | lake::Error::UnsupportedType { .. })) => {
            let hint = error.hint().map(str::to_owned);
            let reason = match error {
                lake::Error::Refused { reason, .. } => reason,
                other => other.to_string(),
            };
            plan.refused = Some(RefusedPlan { reason, hint });
            return Ok(plan);
        }
        Err(error) => return Err(error.into()),
    };
    let names: Vec<&str> = found
        .plan
        .due
        .iter()
        .map(|due| due.partition.as_str())
        .collect();
    let estimates = estimates(opened.lake.pool(), &policy.table, &names).await?;
    plan.due = found
        .plan
        .due
        .iter()
        .map(|due| DuePlan {
            day: due.lower.date_naive(),
            rows_estimate: estimates.get(&due.partition).copied(),
            partition: due.partition.clone(),
            bytes: due.bytes,
        })
        .collect();
    plan.open_moves = found.open.len();
    plan.late_rows = found.late.iter().map(|late| late.rows).sum();
    plan.refused = found.plan.refused.map(|refusal| RefusedPlan {
        reason: refusal.reason,
        hint: Some(refusal.hint),
    });
    plan.warnings = found.plan.warnings;
    Ok(plan)
}

/// Rows by Postgres' statistics, of partitions that have some.
async fn estimates(
    pool: &PgPool,
    table: &TableId,
    partitions: &[&str],
) -> Result<HashMap<String, i64>, sqlx::Error> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select c.relname::text, c.reltuples::int8 from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = $1 and c.relname = any($2) and c.reltuples >= 0",
    )
    .bind(&table.schema)
    .bind(partitions)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().collect())
}

fn print(printer: &Printer, plans: &[TablePlan]) {
    if plans.is_empty() {
        printer.line("no model or source that is selected has an archive policy");
        return;
    }
    let number = |n: i64| grouped(u64::try_from(n).unwrap_or_default());
    let bytes = |n: i64| size(u64::try_from(n).unwrap_or_default());
    let heading = [
        ("TABLE", Side::Left),
        ("DUE", Side::Right),
        ("FROM", Side::Left),
        ("TO", Side::Left),
        ("ROWS, ABOUT", Side::Right),
        ("SIZE", Side::Right),
        ("UNDER WAY", Side::Right),
        ("LATE ROWS", Side::Right),
    ];
    let rows: Vec<Vec<String>> = plans
        .iter()
        .map(|plan| {
            let day =
                |due: Option<&DuePlan>| due.map(|due| due.day.to_string()).unwrap_or_default();
            let estimate: Option<i64> = plan.due.iter().map(|due| due.rows_estimate).sum();
            let due = match &plan.refused {
                Some(_) => "refused".to_owned(),
                None => match plan.due.len() {
                    0 => "nothing".to_owned(),
                    1 => "1 day".to_owned(),
                    days => format!("{days} days"),
                },
            };
            vec![
                plan.table.clone(),
                due,
                day(plan.due.first()),
                day(plan.due.last()),
                estimate.map_or_else(|| "?".to_owned(), number),
                bytes(plan.due.iter().map(|due| due.bytes).sum()),
                grouped(plan.open_moves as u64),
                number(plan.late_rows),
            ]
        })
        .collect();
    for line in lines(&heading, &rows) {
        printer.line(&line);
    }
    for plan in plans {
        if let Some(refused) = &plan.refused {
            let words = format!("{}: {}", plan.table, refused.reason);
            printer.line("");
            printer.line(&printer.paint(Color::Red, &words));
            if let Some(hint) = &refused.hint {
                printer.line(&format!("  hint: {hint}"));
            }
        }
        for warning in &plan.warnings {
            printer.line("");
            printer.line(&printer.paint(Color::Yellow, &format!("{}: {warning}", plan.table)));
        }
    }
}

//! Text for people. JSON is the same data through serde.

use std::io::Write;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::error::Error;
use super::plan::{Change, Part, Plan, Step};
use super::status::{Report, Standing};
use super::watch::{Applied, Became};

/// Longest value to show on one line of a diff.
const SHOWN: usize = 160;

pub(super) fn json(out: &mut dyn Write, value: &impl Serialize) -> Result<(), Error> {
    let mut text = serde_json::to_string_pretty(value).map_err(std::io::Error::from)?;
    text.push('\n');
    out.write_all(text.as_bytes())?;
    Ok(())
}

pub(super) fn plan(out: &mut dyn Write, plan: &Plan) -> Result<(), Error> {
    if plan.steps.is_empty() {
        writeln!(
            out,
            "no spec file declares a supervisor, and Druid has none of ours"
        )?;
    }
    for step in &plan.steps {
        step_lines(out, step)?;
    }
    for warning in &plan.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    let changes = plan.steps.iter().filter(|step| step.acts()).count();
    let restarts = plan.steps.iter().filter(|step| restarts(step)).count();
    let lossy = plan
        .steps
        .iter()
        .filter(|step| !losses(step).is_empty())
        .count();
    writeln!(
        out,
        "{changes} to change, {} as declared; {restarts} restart tasks, {lossy} lose data",
        plan.steps
            .iter()
            .filter(|step| step.change == Change::None)
            .count()
    )?;
    Ok(())
}

fn step_lines(out: &mut dyn Write, step: &Step) -> Result<(), Error> {
    let part = part(step.part);
    let on = &step.on;
    match &step.change {
        Change::None if step.suspended => {
            writeln!(
                out,
                "  {on} {part}: as declared; suspended by hand, left so"
            )?;
        }
        Change::None => writeln!(out, "  {on} {part}: as declared")?,
        Change::Missing => {
            writeln!(out, "! {on} {part}: does not exist, so nothing can read it")?;
            writeln!(out, "    hint: `ridehail topics apply` makes it")?;
        }
        Change::Create => writeln!(out, "+ {on} {part}: create")?,
        Change::Orphan { prune: true } => writeln!(
            out,
            "- {on} {part}: end it, no file declares it; its tasks publish, its rows stay"
        )?,
        Change::Orphan { prune: false } => {
            writeln!(
                out,
                "? {on} {part}: no file declares it any more; --prune ends it"
            )?;
        }
        Change::Update {
            differences,
            restarts,
            loses,
        } => {
            writeln!(out, "~ {on} {part}: change")?;
            if differences.is_empty() {
                writeln!(
                    out,
                    "    a field was taken out of the file: Druid's default returns"
                )?;
            }
            for difference in differences {
                writeln!(out, "    {}", difference.path)?;
                if let Some(from) = &difference.from {
                    writeln!(out, "  -   {}", short(from))?;
                }
                if let Some(to) = &difference.to {
                    writeln!(out, "  +   {}", short(to))?;
                }
            }
            if step.suspended {
                writeln!(
                    out,
                    "    suspended by hand, left so: takes effect when resumed"
                )?;
            }
            let answer = if *restarts {
                "yes, they publish first"
            } else {
                "no"
            };
            writeln!(out, "    restarts tasks: {answer}")?;
            if loses.is_empty() {
                writeln!(out, "    loses data: no")?;
            }
            for loss in loses {
                writeln!(out, "    loses data: {loss}")?;
            }
        }
    }
    Ok(())
}

fn restarts(step: &Step) -> bool {
    matches!(step.change, Change::Update { restarts: true, .. })
}

fn losses(step: &Step) -> &[String] {
    match &step.change {
        Change::Update { loses, .. } => loses,
        Change::None | Change::Missing | Change::Create | Change::Orphan { .. } => &[],
    }
}

fn part(part: Part) -> &'static str {
    match part {
        Part::Topic => "topic",
        Part::Supervisor => "supervisor",
        Part::Rules => "retention",
        Part::Compaction => "compaction",
    }
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

pub(super) fn applied(
    out: &mut dyn Write,
    plan: &Plan,
    done: &[Applied],
    took: Duration,
) -> Result<(), Error> {
    for one in done {
        let on = &one.on;
        match &one.became {
            Became::Running => writeln!(out, "{on}: running, {}", one.tasks.join(", "))?,
            Became::Suspended => writeln!(out, "{on}: suspended by hand, left so")?,
            Became::Blocked => writeln!(out, "{on}: not applied, its topic does not exist")?,
            Became::Pruned => writeln!(out, "{on}: ended")?,
            Became::Late { state } => {
                writeln!(out, "{on}: not running yet: {state}")?;
                writeln!(
                    out,
                    "    hint: `ridehail druid status`; --deadline waits longer"
                )?;
            }
            Became::Unhealthy { reason } => {
                writeln!(out, "{on}: unhealthy: {reason}")?;
                writeln!(out, "    hint: correct its file and apply again")?;
            }
            Became::RolledBack { reason, reads } => {
                let now = if *reads {
                    "which reads again"
                } else {
                    "which does not read yet either"
                };
                writeln!(
                    out,
                    "{on}: unhealthy, so the last spec was put back, {now}: {reason}"
                )?;
                writeln!(out, "    hint: correct its file and apply again")?;
            }
            Became::Stuck { what, hint } => {
                writeln!(out, "{on}: {what}")?;
                writeln!(out, "    hint: {hint}")?;
            }
        }
    }
    let seconds = took.as_secs_f64();
    if plan.is_empty() {
        writeln!(out, "nothing changed ({seconds:.1} s)")?;
    } else {
        let changes = plan.steps.iter().filter(|step| step.acts()).count();
        writeln!(out, "{changes} changes carried out ({seconds:.1} s)")?;
    }
    Ok(())
}

pub(super) fn status(out: &mut dyn Write, report: &Report) -> Result<(), Error> {
    let header = [
        "SUPERVISOR",
        "STATE",
        "TASKS",
        "LAG",
        "ROWS",
        "NEWEST",
        "REJECTED/MIN",
        "SEGMENTS",
        "SIZE",
    ];
    let mut table: Vec<[String; 9]> = vec![header.map(str::to_owned)];
    table.extend(report.supervisors.iter().map(cells));
    let widths: Vec<usize> = (0..header.len())
        .map(|column| {
            table
                .iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    for row in &table {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    if let Some(slots) = report.slots {
        writeln!(
            out,
            "worker slots: {} of {} used",
            slots.used, slots.capacity
        )?;
    }
    if let Some(from) = report.complete_from {
        writeln!(
            out,
            "whole UTC days: from {from} to before {}",
            report.complete_until
        )?;
    }
    for trouble in report.supervisors.iter().flat_map(|one| &one.troubles) {
        writeln!(out, "trouble: {}\n    hint: {}", trouble.what, trouble.hint)?;
    }
    Ok(())
}

fn cells(one: &Standing) -> [String; 9] {
    let dash = || "-".to_owned();
    let state = if one.troubles.is_empty() {
        one.state.clone()
    } else {
        format!("{} !", one.state)
    };
    let tasks = match one.publishing {
        0 => one.tasks.len().to_string(),
        publishing => format!("{}+{publishing} publishing", one.tasks.len()),
    };
    [
        one.name.clone(),
        state,
        tasks,
        one.lag.map_or_else(dash, |lag| lag.to_string()),
        one.rows.map_or_else(dash, |rows| rows.to_string()),
        one.freshness_seconds.map_or_else(dash, ago),
        format!("{:.1}", one.counters.rejected_per_minute),
        one.segments.to_string(),
        size(one.bytes),
    ]
}

fn ago(seconds: i64) -> String {
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} min ago", seconds / 60),
        7_200..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

fn size(bytes: i64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

//! `/lake`: what has left Postgres, what is on its way, what waits. Reads the ledger only.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

use super::{Page, render};
use crate::archive::report::{grouped, size};
use crate::archive::words::{meaning, next};
use crate::store::lake::{LakeNow, OpenMove, RefusedRow, TableNow, now as look, refused};
use crate::web::{App, words};

/// Refused rows that are shown.
const REFUSED: i64 = 50;

pub(in crate::web) async fn page(State(app): State<App>) -> Page {
    let now = app.clock.now();
    let pool = app.store.pool();
    let lake = look(pool).await?;
    let rows = refused(pool, None, REFUSED).await?;
    render(&app, "lake.html", shown(lake.as_ref(), &rows, now))
}

fn shown(lake: Option<&LakeNow>, rows: &[RefusedRow], now: DateTime<Utc>) -> Json {
    let Some(lake) = lake else {
        return json!({
            "page": "lake", "there": false, "paused": null, "tables": [], "moves": [], "refused": [],
        });
    };
    let moves: Vec<Json> = lake
        .tables
        .iter()
        .flat_map(|table| table.open.iter().map(|open| under_way(table, open, now)))
        .collect();
    json!({
        "page": "lake",
        "there": true,
        "paused": lake.paused.as_ref().map(|paused| json!({
            "since": words::relative(paused.since, now),
            "reason": paused.reason,
        })),
        "tables": lake.tables.iter().map(|table| one(table, now)).collect::<Vec<_>>(),
        "moves": moves,
        "refused": rows.iter().map(|row| json!({
            "table": row.table,
            "value": words::instant(row.field_value),
            "reason": row.reason,
            "row": row.row.to_string(),
            "when": words::relative(row.refused_at, now),
        })).collect::<Vec<_>>(),
    })
}

fn one(table: &TableNow, now: DateTime<Utc>) -> Json {
    let day = |at: Option<DateTime<Utc>>| at.map(|at| at.date_naive().to_string());
    let late: i64 = table.late.iter().map(|late| late.rows).sum();
    let suspect: i64 = table.late.iter().map(|late| late.suspect).sum();
    let since = table.late.iter().filter_map(|late| late.since).min();
    json!({
        "table": table.table,
        "view": format!("history.{}", table.view),
        "boundary": day(table.boundary),
        "visible": day(table.visible_boundary),
        "oldest": day(table.oldest_partition),
        "days": number(table.archived.days),
        "first": table.archived.first.map(|day| day.to_string()),
        "last": table.archived.last.map(|day| day.to_string()),
        "rows": number(table.archived.rows),
        "bytes": bytes(table.archived.bytes),
        "freed": bytes(table.archived.freed),
        "late": number(late),
        "has_late": late > 0,
        "suspect": (suspect > 0).then(|| number(suspect)),
        "late_since": since.map(|at| words::relative(at, now)),
        "refused": number(table.refused_rows),
        "has_refused": table.refused_rows > 0,
        "pending": table.pending_detaches,
    })
}

fn under_way(table: &TableNow, open: &OpenMove, now: DateTime<Utc>) -> Json {
    let kind = if open.flush > 0 {
        lake::ledger::state::Kind::Flush
    } else {
        lake::ledger::state::Kind::Move
    };
    let state = open.state.parse().ok();
    json!({
        "table": table.table,
        "day": open.day.to_string(),
        "what": if open.flush > 0 { format!("flush {}", open.flush) } else { "move".to_owned() },
        "state": open.state,
        "failed": open.last_error.is_some(),
        "meaning": state.map(|state| meaning(kind, state)),
        "next": state.and_then(|state| next(kind, state)),
        "rows": open.rows.map(number),
        "bytes": open.bytes.map(bytes),
        "copies": open.copies,
        "error": open.last_error,
        "changed": words::relative(open.updated_at, now),
    })
}

fn number(n: i64) -> String {
    grouped(u64::try_from(n).unwrap_or_default())
}

fn bytes(n: i64) -> String {
    size(u64::try_from(n).unwrap_or_default())
}

//! `/health`: who is alive, what waits, how big the store is.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::{Page, render};
use crate::store::leases::Lease;
use crate::store::{leases, runs, size};
use crate::web::metrics::resident_memory;
use crate::web::{App, words};

pub(in crate::web) async fn page(State(app): State<App>) -> Page {
    let now = app.clock.now();
    let pool = app.store.pool();
    let asked = Instant::now();
    let schedulers = leases::with_prefix(pool, "scheduler:").await?;
    let answered = asked.elapsed();
    let workers = leases::with_prefix(pool, "run:").await?;
    let open = runs::since(pool, now, 500).await?;
    let tables = size::tables(pool).await?;

    let alive = schedulers
        .iter()
        .filter(|lease| lease.expires_at > now)
        .count();
    let queued = open.iter().filter(|run| run.state == "queued").count();
    let running = open.iter().filter(|run| run.started_at.is_some()).count();
    let memory = resident_memory().map_or_else(|| "?".to_owned(), |b| format!("{:.0} MB", b / 1e6));
    let check = |name: &str, ok: bool, value: String, detail: String| json!({ "name": name, "ok": ok, "value": value, "detail": detail });
    let checks = vec![
        check(
            "Scheduler",
            alive > 0,
            if alive > 0 {
                "alive".into()
            } else {
                "gone".into()
            },
            format!("{alive} with a heartbeat"),
        ),
        check(
            "Run store",
            true,
            format!("{:.1} ms", answered.as_secs_f64() * 1e3),
            app.store.address().to_owned(),
        ),
        check(
            "Queue",
            true,
            format!("{queued} waiting"),
            format!("{running} under way"),
        ),
        check(
            "This process",
            true,
            memory,
            format!("{}, up {}", app.me, words::duration(now - app.started_at)),
        ),
    ];
    let at_work: Vec<Json> = workers
        .iter()
        .filter(|lease| lease.expires_at > now)
        .filter_map(|lease| {
            let run_id: i64 = lease.resource.strip_prefix("run:")?.parse().ok()?;
            let mut row = holder(lease, &app, now);
            row["run_id"] = json!(run_id);
            Some(row)
        })
        .collect();
    render(
        &app,
        "health.html",
        json!({
            "page": "health",
            "checks": checks,
            "schedulers": schedulers.iter().map(|lease| holder(lease, &app, now)).collect::<Vec<_>>(),
            "workers": at_work,
            "tables": tables.iter().map(|table| json!({
                "name": table.name, "rows": table.rows, "size": table.size,
            })).collect::<Vec<_>>(),
        }),
    )
}

fn holder(lease: &Lease, app: &App, now: DateTime<Utc>) -> Json {
    json!({
        "name": lease.holder_name,
        "me": lease.holder_name == app.me,
        "alive": lease.expires_at > now,
        "since": words::relative(lease.taken_at, now),
        "heartbeat": words::relative(lease.renewed_at, now),
    })
}

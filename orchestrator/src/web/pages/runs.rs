//! `/runs`: the list.

use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::json;

use super::{Page, render, shown};
use crate::store::runs;
use crate::web::App;

/// Rows a page.
const ROWS: i64 = 50;

/// Which runs.
#[derive(Debug, Deserialize)]
pub struct Which {
    job: Option<String>,
    before: Option<i64>,
}

pub(in crate::web) async fn page(State(app): State<App>, Query(which): Query<Which>) -> Page {
    let now = app.clock.now();
    let mut found = runs::list(
        app.store.pool(),
        which.job.as_deref(),
        which.before,
        ROWS + 1,
    )
    .await?;
    // one more was asked for: its presence says that there is another page
    let more = i64::try_from(found.len()).is_ok_and(|count| count > ROWS) && found.pop().is_some();
    let older = found.last().filter(|_| more).map(|run| run.run_id);
    render(
        &app,
        "runs.html",
        json!({
            "page": "runs",
            "job": which.job,
            "runs": found.iter().map(|run| shown(run, now)).collect::<Vec<_>>(),
            "older": older,
        }),
    )
}

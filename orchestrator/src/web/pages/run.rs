//! `/runs/{id}`: one run; its nodes are drawn by `web/static/run.js`.

use axum::extract::{Path, State};
use axum::response::Redirect;
use serde_json::json;

use super::{Page, render, shown};
use crate::store::runs;
use crate::web::App;
use crate::web::error::Error;

pub(in crate::web) async fn page(State(app): State<App>, Path(id): Path<i64>) -> Page {
    let run = runs::get(app.store.pool(), id)
        .await?
        .ok_or_else(|| Error::NotFound(format!("there is no run {id}")))?;
    let now = app.clock.now();
    render(
        &app,
        "run.html",
        json!({ "page": "runs", "run": shown(&run, now) }),
    )
}

/// `POST /runs/{id}/cancel`.
pub(in crate::web) async fn cancel(
    State(app): State<App>,
    Path(id): Path<i64>,
) -> Result<Redirect, Error> {
    runs::request_cancel(app.store.pool(), id, app.clock.now()).await?;
    Ok(Redirect::to(&format!("/runs/{id}")))
}

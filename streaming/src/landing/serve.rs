//! `/metrics` for Prometheus, `/healthz` for a supervisor.

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;
use super::{Error, Shared};

/// Opens the endpoint's socket. `off` opens none.
pub(super) async fn bind(listen: &str) -> Result<Option<TcpListener>, Error> {
    if listen == "off" {
        return Ok(None);
    }
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|source| Error::Listen {
            listen: listen.to_owned(),
            source,
        })?;
    Ok(Some(listener))
}

/// Serves until cancelled.
pub(super) async fn run(
    shared: Arc<Shared>,
    listener: TcpListener,
    cancel: CancellationToken,
) -> Result<(), Error> {
    let metrics = Arc::clone(&shared.metrics);
    let healthy = Arc::clone(&shared.metrics);
    let routes = Router::new()
        .route(
            "/metrics",
            get(move || async move {
                (
                    [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
                    metrics.render(),
                )
            }),
        )
        .route("/healthz", get(move || async move { health(&healthy) }));
    axum::serve(listener, routes)
        .with_graceful_shutdown(async move { cancel.cancelled().await })
        .await
        .map_err(|source| Error::Listen {
            listen: "the metrics endpoint".to_owned(),
            source,
        })
}

/// Unhealthy while an alarm stands: a person must act.
fn health(metrics: &Metrics) -> (StatusCode, String) {
    let alarms = metrics.alarms();
    if alarms.is_empty() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    let lines = alarms
        .iter()
        .map(|(topic, partition, alarm)| alarm.explain(topic, *partition) + "\n");
    (StatusCode::SERVICE_UNAVAILABLE, lines.collect())
}

//! Pages and API over the run store. They read what is stored and nothing else: any process that can reach the
//! database could serve them. What they may change: ask a run to stop, queue a run of a job.
//!
//! [`pages`] are drawn by the server; [`api`] feeds the few scripts; [`live`] watches the store for both.

pub mod api;
mod assets;
pub mod docs;
mod error;
mod guard;
pub mod layout;
pub mod live;
mod metrics;
pub mod pages;
mod words;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use minijinja::Environment;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::store::Store;
use live::Hub;

/// Why the web cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no login yet.
    #[error("refusing to listen on {0}: whoever reaches this address could start and cancel runs")]
    NotLoopback(SocketAddr),
    /// Someone else has the port, or it is not ours to have.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A template does not parse.
    #[error("a page's template is broken")]
    Template(#[from] minijinja::Error),
    /// The listener broke.
    #[error("the web server stopped")]
    Serve(#[source] std::io::Error),
}

impl Error {
    /// What a person can do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotLoopback(_) => Some(
                "listen on 127.0.0.1 and reach it through a tunnel: ssh -L 15080:127.0.0.1:15080 HOST",
            ),
            Self::Bind { .. } => {
                Some("is another `ridehail serve` running? choose another port with --listen")
            }
            Self::Template(_) | Self::Serve(_) => None,
        }
    }
}

/// What every request sees.
#[derive(Debug, Clone)]
pub struct App {
    store: Store,
    templates: Arc<Environment<'static>>,
    clock: SharedClock,
    hub: Arc<Hub>,
    /// This process' name among the schedulers.
    me: String,
    /// The project whose jobs are shown; runs of others in the same store are listed too.
    project: String,
    started_at: DateTime<Utc>,
}

/// The web, bound to its address and not yet serving.
#[derive(Debug)]
pub struct Web {
    listener: TcpListener,
    app: App,
}

/// Listens at `address`, which must be this machine's alone.
async fn on_loopback(address: SocketAddr) -> Result<TcpListener, Error> {
    if !address.ip().is_loopback() {
        return Err(Error::NotLoopback(address));
    }
    TcpListener::bind(address)
        .await
        .map_err(|source| Error::Bind { address, source })
}

impl Web {
    /// Binds `listen`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn bind(
        listen: SocketAddr,
        store: Store,
        clock: SharedClock,
        me: String,
        project: String,
    ) -> Result<Self, Error> {
        let listener = on_loopback(listen).await?;
        let started_at = clock.now();
        let templates = Arc::new(assets::templates()?);
        let hub = Arc::new(Hub::default());
        Ok(Self {
            listener,
            app: App {
                store,
                templates,
                clock,
                hub,
                me,
                project,
                started_at,
            },
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Serves until `cancel` fires.
    ///
    /// # Errors
    /// [`Error::Serve`].
    pub async fn serve(self, cancel: CancellationToken) -> Result<(), Error> {
        let Self { listener, app } = self;
        let watching = live::watch(
            app.store.clone(),
            Arc::clone(&app.hub),
            Arc::clone(&app.clock),
            cancel.clone(),
        );
        let serving = axum::serve(listener, router(app, cancel.clone()))
            .with_graceful_shutdown(cancel.cancelled_owned());
        let (served, ()) = tokio::join!(serving.into_future(), watching);
        served.map_err(Error::Serve)
    }
}

fn router(app: App, cancel: CancellationToken) -> Router {
    Router::new()
        .route("/", get(pages::overview::page))
        .route("/runs", get(pages::runs::page))
        .route("/runs/{id}", get(pages::run::page))
        .route("/runs/{id}/cancel", post(pages::run::cancel))
        .route("/lineage", get(pages::lineage::page))
        .route("/jobs", get(pages::jobs::page))
        .route("/jobs/{name}/trigger", post(pages::jobs::trigger))
        .route("/lake", get(pages::lake::page))
        .route("/health", get(pages::health::page))
        .route("/healthz", get(metrics::healthz))
        .route("/metrics", get(metrics::metrics))
        .route("/static/{name}", get(assets::file))
        .route("/api/live", get(api::live).layer(axum::Extension(cancel)))
        .route("/api/runs", get(api::runs))
        .route("/api/runs/{id}", get(api::run))
        .route("/api/runs/{id}/nodes", get(api::nodes))
        .route("/api/runs/{id}/nodes/{node}", get(api::node))
        .route("/api/runs/{id}/events", get(api::events))
        .route("/api/jobs", get(api::jobs))
        .route("/api/lineage", get(api::lineage))
        .route("/api/lineage/states", get(api::states))
        .fallback(async || error::Error::NotFound("there is no such page".to_owned()))
        .layer(from_fn(guard::guard))
        .with_state(app)
}

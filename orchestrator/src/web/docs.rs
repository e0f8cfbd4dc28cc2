//! The documentation page: over `manifest.json` and `catalog.json` of a folder, and nothing else. It is served,
//! or written as a file that needs no server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header;
use axum::middleware::from_fn;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use minijinja::{Environment, context};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Error, assets, error, guard};

const PAGE: &str = include_str!("../../web/templates/docs.html");

/// What of a target folder is served.
const ARTIFACTS: [&str; 4] = [
    "manifest.json",
    "catalog.json",
    "run_results.json",
    "sources.json",
];

/// The two documents of a page that carries its data with it.
#[derive(Debug)]
pub struct Inlined {
    /// Text of `manifest.json`.
    pub manifest: String,
    /// Text of `catalog.json`.
    pub catalog: String,
}

/// The page as one file: it reads the artifacts beside it, or has them in it.
///
/// # Errors
/// The template does not render: a bug.
pub fn file(data: Option<&Inlined>) -> Result<String, Error> {
    let css = format!("{}{}", assets::text("app.css"), assets::text("docs.css"));
    // inside a script element `</` would end it, and JSON may hold the slash escaped
    let data = data.map(|data| Inlined {
        manifest: data.manifest.replace("</", "<\\/"),
        catalog: data.catalog.replace("</", "<\\/"),
    });
    let page = context! { inline => true, css, js => assets::text("docs.js"),
    data => data.map(|data| context! { manifest => data.manifest, catalog => data.catalog }) };
    Ok(Environment::new().render_str(PAGE, page)?)
}

/// The documentation, bound to its address and not yet serving.
#[derive(Debug)]
pub struct Docs {
    listener: TcpListener,
    folder: PathBuf,
}

impl Docs {
    /// Binds `listen` to serve the artifacts of `folder`.
    ///
    /// # Errors
    /// The address is not this machine's alone, or taken.
    pub async fn bind(listen: SocketAddr, folder: PathBuf) -> Result<Self, Error> {
        let listener = super::on_loopback(listen).await?;
        Ok(Self { listener, folder })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Serves until `cancel` fires.
    ///
    /// # Errors
    /// [`Error::Serve`], [`Error::Template`].
    pub async fn serve(self, cancel: CancellationToken) -> Result<(), Error> {
        let page = Environment::new().render_str(PAGE, context! { inline => false, data => () })?;
        let page: Arc<str> = page.into();
        let router = Router::new()
            .route("/", get(async move || Html(page.to_string())))
            .route("/static/{name}", get(assets::file))
            .route("/{name}", get(artifact))
            .layer(from_fn(guard::guard))
            .with_state(Arc::new(self.folder));
        axum::serve(self.listener, router)
            .with_graceful_shutdown(cancel.cancelled_owned())
            .await
            .map_err(Error::Serve)
    }
}

/// An artifact as it lies in the folder now.
async fn artifact(State(folder): State<Arc<PathBuf>>, Path(name): Path<String>) -> Response {
    let missing = || error::Error::NotFound(format!("there is no {name}")).into_response();
    if !ARTIFACTS.contains(&name.as_str()) {
        return missing();
    }
    match tokio::fs::read(folder.join(&name)).await {
        Ok(text) => {
            let headers = [
                (header::CONTENT_TYPE, "application/json"),
                (header::CACHE_CONTROL, "no-cache"),
            ];
            (headers, text).into_response()
        }
        Err(_) => missing(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Inlined, file};

    #[test]
    fn data_cannot_leave_its_element() {
        let manifest =
            r#"{"nodes": {"a": {"description": "</script><script>alert(1)"}}}"#.to_owned();
        let page = file(Some(&Inlined {
            manifest,
            catalog: "{}".to_owned(),
        }))
        .unwrap();
        assert!(!page.contains("</script><script>alert"));
        assert!(page.contains(r"<\/script><script>alert"));
    }
}

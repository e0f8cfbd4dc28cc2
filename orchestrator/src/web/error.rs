//! What a page says when it cannot be shown.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;

use crate::store;

/// Why a request is not answered as asked.
#[derive(Debug)]
pub(super) enum Error {
    /// There is no such thing.
    NotFound(String),
    /// The request is not allowed or makes no sense.
    Refused(String),
    /// The run store.
    Store(store::Error),
    /// A template: a bug.
    Template(minijinja::Error),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<minijinja::Error> for Error {
    fn from(error: minijinja::Error) -> Self {
        Self::Template(error)
    }
}

impl Error {
    fn parts(self) -> (StatusCode, String, Option<String>) {
        match self {
            Self::NotFound(what) => (StatusCode::NOT_FOUND, what, None),
            Self::Refused(why) => (StatusCode::FORBIDDEN, why, None),
            Self::Store(error) => {
                let hint = error.hint().to_owned();
                let error = anyhow::Error::from(error);
                tracing::error!(error = %format!("{error:#}"), "cannot answer");
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    format!("{error:#}"),
                    Some(hint),
                )
            }
            Self::Template(error) => {
                tracing::error!(%error, "cannot render");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "a page could not be made".to_owned(),
                    None,
                )
            }
        }
    }

    /// The answer of the API.
    #[must_use]
    pub(super) fn json(self) -> Response {
        let (status, message, hint) = self.parts();
        (status, Json(json!({ "error": message, "hint": hint }))).into_response()
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, message, hint) = self.parts();
        let hint = hint
            .map(|hint| format!("<p>{}</p>", escape(&hint)))
            .unwrap_or_default();
        let page = format!(
            "<!doctype html><meta charset=utf-8><title>{status}</title>\
             <link rel=stylesheet href=/static/app.css>\
             <main class=lone><h1>{}</h1><p>{}</p>{hint}<p><a href=/>Overview</a></p></main>",
            status.canonical_reason().unwrap_or("Error"),
            escape(&message),
        );
        (status, Html(page)).into_response()
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

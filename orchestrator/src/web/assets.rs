//! Styles, scripts and templates, compiled into the program: nothing to install, nothing from elsewhere.

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use minijinja::Environment;

use super::{error::Error, words};

const STATIC: &[(&str, &str, &str)] = &[
    (
        "app.css",
        "text/css",
        include_str!("../../web/static/app.css"),
    ),
    (
        "dag.css",
        "text/css",
        include_str!("../../web/static/dag.css"),
    ),
    (
        "app.js",
        "text/javascript",
        include_str!("../../web/static/app.js"),
    ),
    (
        "run.js",
        "text/javascript",
        include_str!("../../web/static/run.js"),
    ),
    (
        "dag.js",
        "text/javascript",
        include_str!("../../web/static/dag.js"),
    ),
    (
        "docs.css",
        "text/css",
        include_str!("../../web/static/docs.css"),
    ),
    (
        "docs.js",
        "text/javascript",
        include_str!("../../web/static/docs.js"),
    ),
    (
        "icon.svg",
        "image/svg+xml",
        include_str!("../../web/static/icon.svg"),
    ),
];

const TEMPLATES: &[(&str, &str)] = &[
    ("base.html", include_str!("../../web/templates/base.html")),
    ("parts.html", include_str!("../../web/templates/parts.html")),
    (
        "overview.html",
        include_str!("../../web/templates/overview.html"),
    ),
    ("runs.html", include_str!("../../web/templates/runs.html")),
    ("run.html", include_str!("../../web/templates/run.html")),
    (
        "lineage.html",
        include_str!("../../web/templates/lineage.html"),
    ),
    ("jobs.html", include_str!("../../web/templates/jobs.html")),
    ("lake.html", include_str!("../../web/templates/lake.html")),
    (
        "health.html",
        include_str!("../../web/templates/health.html"),
    ),
];

/// The text of a file below /static; empty when there is none.
pub(super) fn text(name: &str) -> &'static str {
    let found = STATIC.iter().find(|(known, _, _)| *known == name);
    found.map_or("", |(_, _, text)| text)
}

/// A file below /static.
pub(super) async fn file(Path(name): Path<String>) -> Response {
    match STATIC.iter().find(|(known, _, _)| *known == name) {
        Some((_, kind, text)) => {
            let kind = format!("{kind}; charset=utf-8");
            // a new program is a new page: let the browser ask each time, loopback costs nothing
            let cache = "no-cache".to_owned();
            (
                [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)],
                *text,
            )
                .into_response()
        }
        None => Error::NotFound(format!("there is no file {name}")).into_response(),
    }
}

/// The templates with their filters.
///
/// # Errors
/// A template does not parse: a bug that a test finds.
pub(super) fn templates() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    environment.add_filter("seconds", words::seconds);
    environment.add_filter("state_word", words::state_word);
    environment.add_global("version", env!("CARGO_PKG_VERSION"));
    Ok(environment)
}

#[cfg(test)]
mod tests {
    #[test]
    fn templates_parse() {
        super::templates().expect("templates parse");
    }
}

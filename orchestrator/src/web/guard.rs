//! Who may talk to a server that has no login: programs and pages of this machine, and no page from elsewhere
//! that a browser of this machine happens to show.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::Error;

/// Refuses requests for another host name (a page that has its own name resolve to 127.0.0.1), and requests
/// that change something when a page of another site sent them. Adds the headers that keep pages to themselves.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let verdict = judge(request.method(), request.headers());
    let mut response = match verdict {
        Ok(()) => next.run(request).await,
        Err(why) => Error::Refused(why.to_owned()).into_response(),
    };
    let headers = response.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    );
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    response
}

/// Whether to answer at all. Pure.
fn judge(method: &Method, headers: &HeaderMap) -> Result<(), &'static str> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let Some(host) = text(header::HOST) else {
        return Err("the request names no host");
    };
    if !is_loopback_name(host) {
        return Err("this server answers to names of this machine only");
    }
    if method.is_safe() {
        return Ok(());
    }
    // browsers always send one of these with a request that a page of another site makes; curl sends neither
    if let Some(origin) = text(header::ORIGIN)
        && origin.strip_prefix("http://") != Some(host)
    {
        return Err("a page of another site must not do this");
    }
    match headers
        .get("sec-fetch-site")
        .and_then(|value| value.to_str().ok())
    {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err("a page of another site must not do this"),
    }
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.parse::<SocketAddr>() {
        Ok(address) => return address.ip().is_loopback(),
        Err(_) => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name.ends_with(".localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &Method, headers: &[(&'static str, &'static str)], allowed: bool) {
        let map: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().expect("name"), HeaderValue::from_static(value)))
            .collect();
        assert_eq!(judge(method, &map).is_ok(), allowed, "{method} {headers:?}");
    }

    #[test]
    fn reading_needs_a_local_name() {
        check(&Method::GET, &[("host", "127.0.0.1:15080")], true);
        check(&Method::GET, &[("host", "localhost:15080")], true);
        check(&Method::GET, &[("host", "[::1]:15080")], true);
        check(&Method::GET, &[("host", "evil.example:15080")], false);
        check(&Method::GET, &[], false);
    }

    #[test]
    fn changing_something_needs_a_page_of_ours() {
        let host = ("host", "127.0.0.1:15080");
        check(&Method::POST, &[host], true);
        check(
            &Method::POST,
            &[host, ("origin", "http://127.0.0.1:15080")],
            true,
        );
        check(
            &Method::POST,
            &[host, ("origin", "https://evil.example")],
            false,
        );
        check(&Method::POST, &[host, ("origin", "null")], false);
        check(
            &Method::POST,
            &[host, ("sec-fetch-site", "cross-site")],
            false,
        );
        check(
            &Method::POST,
            &[host, ("sec-fetch-site", "same-origin")],
            true,
        );
    }
}

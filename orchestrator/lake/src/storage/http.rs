//! HTTP to the store: hyper; TLS by rustls with ring, trusting what the system trusts (or `SSL_CERT_FILE`).
//!
//! object_store would bring reqwest. But reqwest's TLS is either built with aws-lc, a long C build, or without a
//! provider; and then, features being united, every reqwest client of the program panics that is made before a
//! provider is installed. So the store has a client of its own, for http and https alike.

use std::error::Error as StdError;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, Sleep};

/// To reach the server.
const CONNECT: Duration = Duration::from_secs(5);
/// From a request's first byte to its answer's first. A part of an upload is in it.
const ANSWER: Duration = Duration::from_secs(60);
/// From one piece of an answer to the next.
const PIECE: Duration = Duration::from_secs(30);
/// Servers close idle connections too; one that they closed is found out by using it.
const IDLE: Duration = Duration::from_secs(20);

/// Makes clients; with `tls`, https works.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) tls: bool,
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let failed = |source: Box<dyn StdError + Send + Sync>| object_store::Error::Generic {
            store: "s3",
            source,
        };
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| failed(Box::new(e)))?;
        // a machine without certificates may well use http
        let config = if self.tls {
            config
                .with_native_roots()
                .map_err(|e| failed(Box::new(e)))?
        } else {
            config.with_root_certificates(RootCertStore::empty())
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config.with_no_client_auth())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(HttpClient::new(Service(client)))
    }
}

#[derive(Debug)]
struct Service(Client<HttpsConnector<Tcp>, HttpRequestBody>);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = tokio::time::timeout(ANSWER, self.0.request(request))
            .await
            .map_err(|_| timed_out())?;
        let answer = answer.map_err(|e| {
            let kind = if e.is_connect() {
                HttpErrorKind::Connect
            } else {
                kind_of(&e)
            };
            HttpError::new(kind, e)
        })?;
        let (parts, body) = answer.into_parts();
        let body = HttpResponseBody::new(Pieces {
            body,
            late: Box::pin(tokio::time::sleep(PIECE)),
        });
        Ok(HttpResponse::from_parts(parts, body))
    }
}

fn timed_out() -> HttpError {
    let late = io::Error::new(io::ErrorKind::TimedOut, "the object store does not answer");
    HttpError::new(HttpErrorKind::Timeout, late)
}

/// Which errors object_store may repeat a request after.
fn kind_of(error: &(dyn StdError + 'static)) -> HttpErrorKind {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            if error.is_timeout() {
                return HttpErrorKind::Timeout;
            }
            if error.is_closed() || error.is_incomplete_message() || error.is_body_write_aborted() {
                return HttpErrorKind::Request;
            }
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return match error.kind() {
                io::ErrorKind::TimedOut => HttpErrorKind::Timeout,
                io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::UnexpectedEof => HttpErrorKind::Interrupted,
                _ => HttpErrorKind::Unknown,
            };
        }
        source = error.source();
    }
    HttpErrorKind::Unknown
}

/// An answer whose pieces must not keep us waiting.
struct Pieces {
    body: Incoming,
    late: Pin<Box<Sleep>>,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                self.late.as_mut().reset(Instant::now() + PIECE);
                Poll::Ready(frame.map(|frame| frame.map_err(broken)))
            }
            Poll::Pending => {
                ready!(self.late.as_mut().poll(context));
                Poll::Ready(Some(Err(timed_out())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn broken(error: hyper::Error) -> HttpError {
    let kind = match kind_of(&error) {
        // an answer that breaks off was begun: the request itself arrived
        HttpErrorKind::Unknown => HttpErrorKind::Interrupted,
        known => known,
    };
    HttpError::new(kind, error)
}

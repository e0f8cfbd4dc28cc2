//! A proxy of HTTP: one request a connection, and each may come to no good.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Proxy;

/// What becomes of a request.
pub(crate) enum Fate {
    Fine,
    /// It arrives late.
    Slow(Duration),
    /// It does not arrive; this is the answer, as in `503 Service Unavailable`.
    Answered(&'static str),
    /// The line is cut after so many of its bytes.
    Cut(usize),
    /// It arrives, and the line is cut after so many bytes of the answer.
    AnswerCut(usize),
    /// Something else is done with it, and there is no answer.
    Instead(BoxFuture<'static, ()>),
}

pub(crate) struct Request {
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// `PUT /lake/warehouse/… HTTP/1.1`
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    async fn read(client: &mut TcpStream) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if client.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut request = Self {
            head,
            body: bytes.split_off(end),
        };
        assert_eq!(request.header("transfer-encoding"), None, "is not parsed");
        let length: usize = request
            .header("content-length")
            .map_or(0, |n| n.parse().unwrap());
        while request.body.len() < length {
            if client.read_buf(&mut request.body).await? == 0 {
                return Ok(None);
            }
        }
        Ok(Some(request))
    }

    /// As it is sent on: both sides are told that no other request follows.
    fn bytes(&self) -> Vec<u8> {
        let (line, rest) = self.head.split_once("\r\n").unwrap();
        let mut bytes = format!("{line}\r\nconnection: close\r\n{rest}").into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Stands before the server at `to` (`127.0.0.1:15090`).
pub(crate) async fn proxy(
    to: &str,
    fate: impl Fn(&Request) -> Fate + Send + Sync + 'static,
) -> Proxy {
    let (to, fate) = (to.to_owned(), Arc::new(fate));
    Proxy::start(move |client| serve(client, to.clone(), Arc::clone(&fate))).await
}

async fn serve(
    mut client: TcpStream,
    to: String,
    fate: Arc<impl Fn(&Request) -> Fate>,
) -> io::Result<()> {
    let Some(request) = Request::read(&mut client).await? else {
        return Ok(());
    };
    let bytes = request.bytes();
    let (sent, answered) = match fate(&request) {
        Fate::Fine => (bytes.len(), usize::MAX),
        Fate::Slow(pause) => {
            tokio::time::sleep(pause).await;
            (bytes.len(), usize::MAX)
        }
        Fate::Answered(status) => {
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            return client.write_all(answer.as_bytes()).await;
        }
        Fate::Cut(n) => (n, 0),
        Fate::AnswerCut(n) => (bytes.len(), n),
        Fate::Instead(done) => {
            done.await;
            return Ok(());
        }
    };
    let mut server = TcpStream::connect(to).await?;
    server.write_all(&bytes[..sent.min(bytes.len())]).await?;
    if sent < bytes.len() {
        return Ok(());
    }
    // whole, so that what is cut is the answer and not the work
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    client
        .write_all(&answer[..answered.min(answer.len())])
        .await
}

//! A proxy of Postgres' wire protocol that cuts lines around statements, and above all around COMMIT: done, and
//! nobody was told; not done; done while the client already looks whether it is.
//!
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Proxy;

/// What the proxy is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A new connection.
    Connection,
    /// To send a COMMIT on.
    Commit,
    /// To send the COMMIT of a commit to Iceberg on.
    Swap,
    /// To send the last message of another statement on.
    Statement,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    Fine,
    /// The line is cut; the server hears nothing of it.
    Unsent,
    /// The server has done it, the line is cut, the answer is lost.
    Unanswered,
    /// The line to the client is cut at once; the server gets it after a while.
    Late(Duration),
    /// The line is cut after so many bytes of the answer.
    AnswerCut(usize),
}

/// Stands before the server at `to` (`127.0.0.1:15032`). Clients must not ask for TLS.
pub(crate) async fn proxy(to: &str, fate: impl Fn(Asked) -> Fate + Send + Sync + 'static) -> Proxy {
    let (to, fate) = (to.to_owned(), Arc::new(fate));
    Proxy::start(move |client| serve(client, to.clone(), Arc::clone(&fate))).await
}

async fn serve(
    mut client: TcpStream,
    to: String,
    fate: Arc<impl Fn(Asked) -> Fate>,
) -> io::Result<()> {
    if !matches!(fate(Asked::Connection), Fate::Fine) {
        return Ok(());
    }
    let mut server = TcpStream::connect(to).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut messages = Messages::default();
    let mut answer = vec![0; 64 << 10];
    // of the server's answers, what the client may still see
    let mut left = usize::MAX;
    loop {
        tokio::select! {
            n = client.read_buf(&mut messages.bytes) => {
                if n? == 0 {
                    return Ok(());
                }
                while let Some(message) = messages.next() {
                    let fate = message.asks.map_or(Fate::Fine, &*fate);
                    match fate {
                        Fate::Fine => server.write_all(&message.bytes).await?,
                        Fate::AnswerCut(n) => {
                            left = n;
                            server.write_all(&message.bytes).await?;
                        }
                        Fate::Unsent => return Ok(()),
                        Fate::Unanswered => {
                            server.write_all(&message.bytes).await?;
                            // The answer's first bytes come after the work, as the server sends nothing before.
                            server.read_u8().await?;
                            return Ok(());
                        }
                        Fate::Late(pause) => {
                            drop(client);
                            tokio::time::sleep(pause).await;
                            server.write_all(&message.bytes).await?;
                            server.read_u8().await?;
                            return Ok(());
                        }
                    }
                }
            }
            n = server.read(&mut answer) => {
                let n = n?;
                client.write_all(&answer[..n.min(left)]).await?;
                if n == 0 || n >= left {
                    return Ok(());
                }
                if left != usize::MAX {
                    left -= n;
                }
            }
        }
    }
}

/// A client's bytes, cut into messages.
#[derive(Default)]
struct Messages {
    bytes: Vec<u8>,
    /// The first message has no type.
    started: bool,
    /// Of the extended protocol: the statement that was parsed last is a COMMIT.
    commit_parsed: bool,
    /// The transaction under way is a commit to Iceberg.
    swapping: bool,
}

struct Message {
    bytes: Vec<u8>,
    asks: Option<Asked>,
}

impl Messages {
    fn next(&mut self) -> Option<Message> {
        let prefix = usize::from(self.started);
        let length = self.bytes.get(prefix..prefix + 4)?;
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
        if self.bytes.len() < prefix + length {
            return None;
        }
        let rest = self.bytes.split_off(prefix + length);
        let bytes = std::mem::replace(&mut self.bytes, rest);
        let asks = self.started.then(|| self.asks(&bytes)).flatten();
        self.started = true;
        Some(Message { bytes, asks })
    }

    fn asks(&mut self, message: &[u8]) -> Option<Asked> {
        let (kind, rest) = (message[0], &message[5..]);
        let commit = match kind {
            b'Q' => is_commit(rest),
            b'P' => {
                // the statement's name, a zero, its text
                let text = rest.splitn(2, |b| *b == 0).nth(1).unwrap_or_default();
                self.commit_parsed = is_commit(text);
                self.swapping |= text.starts_with(SWAP);
                return None;
            }
            b'S' => std::mem::take(&mut self.commit_parsed),
            _ => return None,
        };
        // whatever is sent whole ends a transaction or is in none; the swap is not
        let swapping = self.swapping && commit;
        self.swapping &= kind == b'S' && !commit;
        Some(match (commit, swapping) {
            (true, true) => Asked::Swap,
            (true, false) => Asked::Commit,
            (false, _) => Asked::Statement,
        })
    }
}

/// How the statement begins that makes a commit to Iceberg.
const SWAP: &[u8] = b"update lake_catalog.iceberg_tables";

fn is_commit(text: &[u8]) -> bool {
    text.trim_ascii_start()
        .get(..6)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"COMMIT"))
}

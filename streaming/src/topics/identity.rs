//! Which incarnation of a topic this is.
//!
//! Offsets mean something only within one incarnation: delete a topic and create it again, and offset 5 is
//! another record. Kafka gives every incarnation an id (KIP-516), but the client library's safe interface does
//! not hand it out. So one Metadata request, version 12, is written and read here by hand; encoding and
//! decoding are pure.

use std::collections::HashMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::Error;
use crate::config::KafkaArgs;

/// Which cluster and which incarnation of a topic in it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Identity {
    pub(crate) cluster_id: String,
    pub(crate) topic_id: Uuid,
}

/// A topic as one broker sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    identity: Identity,
    partitions: usize,
}

/// How long one broker may take before the next is asked.
const ANSWER: Duration = Duration::from_secs(5);
/// Larger answers are not metadata of a few topics.
const ANSWER_MAX: usize = 4 << 20;

/// Identities of those of `names` that exist, from the first broker that answers.
pub(crate) async fn identities(
    kafka: &KafkaArgs,
    names: &[String],
) -> Result<HashMap<String, Identity>, Error> {
    let mut failures = Vec::new();
    for broker in brokers(kafka) {
        match ask(broker, names).await {
            Ok(found) => {
                let identities = found.into_iter().map(|(name, seen)| (name, seen.identity));
                return Ok(identities.collect());
            }
            Err(failure) => failures.push(format!("{broker}: {failure}")),
        }
    }
    Err(Error::Identity {
        brokers: kafka.brokers.clone(),
        message: failures.join("; "),
    })
}

/// Whether every broker of the list that answers knows the topic with at least so many partitions. Brokers learn of
/// a change one after the other.
pub(super) async fn is_seen_by_all(kafka: &KafkaArgs, topic: &str, partitions: i32) -> bool {
    let names = [topic.to_owned()];
    let mut seen = false;
    for broker in brokers(kafka) {
        if let Ok(found) = ask(broker, &names).await {
            seen = found
                .get(topic)
                .is_some_and(|seen| seen.partitions as i32 >= partitions);
            if !seen {
                return false;
            }
        }
    }
    seen
}

fn brokers(kafka: &KafkaArgs) -> impl Iterator<Item = &str> {
    kafka
        .brokers
        .split(',')
        .map(str::trim)
        .filter(|broker| !broker.is_empty())
}

async fn ask(broker: &str, names: &[String]) -> Result<HashMap<String, Seen>, String> {
    let late = |_| format!("no answer within {} s", ANSWER.as_secs());
    tokio::time::timeout(ANSWER, exchange(broker, names))
        .await
        .map_err(late)?
}

async fn exchange(broker: &str, names: &[String]) -> Result<HashMap<String, Seen>, String> {
    let words = |e: std::io::Error| e.to_string();
    let mut stream = TcpStream::connect(broker).await.map_err(words)?;
    stream.write_all(&request(names)).await.map_err(words)?;
    let length = stream.read_u32().await.map_err(words)? as usize;
    if length > ANSWER_MAX {
        return Err(format!("an answer of {length} bytes"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await.map_err(words)?;
    response(&answer).ok_or_else(|| "an answer that is not Metadata version 12".to_owned())
}

/// Metadata request, version 12, with its length prefix.
fn request(names: &[String]) -> Vec<u8> {
    const METADATA: i16 = 3;
    const VERSION: i16 = 12;
    let mut body = Vec::new();
    body.extend(METADATA.to_be_bytes());
    body.extend(VERSION.to_be_bytes());
    body.extend(0_i32.to_be_bytes()); // correlation id: one request a connection
    body.extend((-1_i16).to_be_bytes()); // no client id
    body.push(0); // no tagged fields, here and below
    uvarint(&mut body, names.len() + 1);
    for name in names {
        body.extend([0; 16]); // by name, not by id
        uvarint(&mut body, name.len() + 1);
        body.extend(name.as_bytes());
        body.push(0);
    }
    body.push(0); // do not create missing topics
    body.push(0); // no authorized operations
    body.push(0);
    let mut framed = (body.len() as u32).to_be_bytes().to_vec();
    framed.extend(body);
    framed
}

fn uvarint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a Metadata response, version 12, without its length prefix. `None`: it is something else.
fn response(bytes: &[u8]) -> Option<HashMap<String, Seen>> {
    let mut r = Reader { bytes };
    r.take(4)?; // correlation id
    r.tags()?;
    r.take(4)?; // throttle time
    for _ in 0..r.array()? {
        r.take(4)?; // broker id
        r.text()?; // host
        r.take(4)?; // port
        r.text()?; // rack
        r.tags()?;
    }
    let cluster_id = r.text()?.unwrap_or_default();
    r.take(4)?; // controller
    let mut found = HashMap::new();
    for _ in 0..r.array()? {
        let error = i16::from_be_bytes(r.take(2)?.try_into().ok()?);
        let name = r.text()?;
        let topic_id = Uuid::from_slice(r.take(16)?).ok()?;
        r.take(1)?; // internal
        let partitions = r.array()?;
        for _ in 0..partitions {
            r.take(2 + 4 + 4 + 4)?; // error, partition, leader, leader epoch
            for _ in 0..3 {
                let nodes = r.array()?; // replicas, in sync, offline
                r.take(nodes.checked_mul(4)?)?;
            }
            r.tags()?;
        }
        r.take(4)?; // authorized operations
        r.tags()?;
        if let (0, Some(name)) = (error, name) {
            let identity = Identity {
                cluster_id: cluster_id.clone(),
                topic_id,
            };
            found.insert(
                name,
                Seen {
                    identity,
                    partitions,
                },
            );
        }
    }
    r.tags()?;
    r.bytes.is_empty().then_some(found)
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.bytes.split_at_checked(n)?;
        self.bytes = tail;
        Some(head)
    }

    fn uvarint(&mut self) -> Option<usize> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.take(1)?[0];
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Length of a compact array; a null array is an empty one.
    fn array(&mut self) -> Option<usize> {
        Some(self.uvarint()?.saturating_sub(1))
    }

    /// A compact nullable string.
    fn text(&mut self) -> Option<Option<String>> {
        match self.uvarint()? {
            0 => Some(None),
            n => Some(Some(String::from_utf8(self.take(n - 1)?.to_vec()).ok()?)),
        }
    }

    fn tags(&mut self) -> Option<()> {
        for _ in 0..self.uvarint()? {
            self.uvarint()?;
            let length = self.uvarint()?;
            self.take(length)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_framed_and_names_its_topics() {
        let bytes = request(&["ab".to_owned()]);
        assert_eq!(
            u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize,
            bytes.len() - 4
        );
        assert_eq!(bytes[4..8], [0, 3, 0, 12]);
        assert!(bytes.windows(3).any(|w| w == [3, b'a', b'b']));
    }

    #[test]
    fn a_response_gives_ids_and_a_torn_one_gives_none() {
        let mut answer = vec![0, 0, 0, 0, 0, 0, 0, 0, 0];
        answer.push(2); // one broker
        answer.extend([0, 0, 0, 1, 2, b'h', 0, 0, 0, 9, 0, 0]);
        answer.extend([3, b'c', b'1']);
        answer.extend([0, 0, 0, 1]);
        answer.push(3); // two topics, the second of which does not exist
        answer.extend([0, 0, 3, b't', b'1']);
        answer.extend([7; 16]);
        answer.push(0);
        answer.push(2); // one partition
        answer.extend([0; 14]);
        answer.extend([2, 0, 0, 0, 1, 2, 0, 0, 0, 1, 1, 0]);
        answer.extend([0, 0, 0, 0, 0]);
        answer.extend([0, 3, 3, b't', b'2']);
        answer.extend([0; 16]);
        answer.extend([0, 1, 0, 0, 0, 0, 0]);
        answer.push(0);
        let found = response(&answer).unwrap();
        let identity = Identity {
            cluster_id: "c1".to_owned(),
            topic_id: Uuid::from_bytes([7; 16]),
        };
        let expected = HashMap::from([(
            "t1".to_owned(),
            Seen {
                identity,
                partitions: 1,
            },
        )]);
        assert_eq!(found, expected);
        for cut in 0..answer.len() {
            assert_eq!(response(&answer[..cut]), None);
        }
    }
}

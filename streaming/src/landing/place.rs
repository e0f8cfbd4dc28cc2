//! Finds where an assigned partition is to be read from.
//!
//! The answer is in Postgres, never in the group's committed offsets. The consumer defers the assignment until
//! it is known: meanwhile it goes on polling, so the group keeps its member.

use std::sync::Arc;

use sqlx::Acquire as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::poller::{Command, Poller};
use super::progress::{Alarm, Verdict, judge};
use super::retry::Backoff;
use super::{Error, OnDataLoss, Shared, probe, store};

/// A topic, by its place in [`Shared::topics`], and a partition of it.
pub(super) type Key = (usize, i32);

/// Where one partition is to be read from.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) key: Key,
    /// Incarnation of the topic that `from` counts in.
    pub(super) topic_id: Uuid,
    /// `None`: an alarm stands, do not read.
    pub(super) from: Option<i64>,
}

/// Answers the consumer's questions, one assignment after the other, until told to stop.
pub(super) async fn run(
    shared: Arc<Shared>,
    mut questions: mpsc::UnboundedReceiver<Vec<Key>>,
    poller: Poller,
    cancel: CancellationToken,
) -> Result<(), Error> {
    while let Some(Some(keys)) = cancel.run_until_cancelled(questions.recv()).await {
        let mut backoff = Backoff::default();
        let placed = loop {
            match cancel.run_until_cancelled(place(&shared, &keys)).await {
                None => return Ok(()),
                Some(Ok(placed)) => break placed,
                Some(Err(error)) if error.is_transient() => {
                    tracing::warn!(error = %error, "cannot place partitions yet");
                    cancel
                        .run_until_cancelled(tokio::time::sleep(backoff.next()))
                        .await;
                }
                Some(Err(error)) => return Err(error),
            }
        };
        poller.send(Command::Placed(placed));
    }
    Ok(())
}

async fn place(shared: &Shared, keys: &[Key]) -> Result<Vec<Placed>, Error> {
    let identities = shared.probe.identities(&shared.topics).await?;
    let wanted = keys
        .iter()
        .map(|(topic, p)| (shared.topics[*topic].physical.clone(), *p))
        .collect();
    let bounds = shared.probe.bounds(wanted).await?;
    let mut conn = shared.pool.acquire().await?;
    let mut placed = Vec::with_capacity(keys.len());
    for key @ (n, partition) in keys.iter().copied() {
        let topic = &shared.topics[n];
        let name = topic.logical.as_str();
        let identity = identities
            .get(&topic.physical)
            .ok_or_else(|| Error::MissingTopics {
                topics: topic.physical.clone(),
            })?;
        let log = probe::log(bounds[&(topic.physical.clone(), partition)], identity);
        let mut stored = store::read(&mut *conn, name, partition).await?;
        if stored.is_none() {
            store::create(&mut *conn, name, partition, log.start, identity).await?;
            stored = store::read(&mut *conn, name, partition).await?;
        }
        let mut verdict = judge(stored, log);
        if let (Some(from), Verdict::Stop(Alarm::BehindLogStart { lost })) = (stored, verdict)
            && shared.on_data_loss == OnDataLoss::Continue
            && store::skip_lost(conn.acquire().await?, name, partition, from, lost).await?
        {
            tracing::error!(
                topic = name,
                partition,
                expected = lost.expected,
                got = lost.got,
                "records lost to retention, going on"
            );
            shared.metrics.gap(name, lost);
            verdict = Verdict::Read { from: lost.got };
        }
        let from = match verdict {
            Verdict::Read { from } => {
                store::clear(&mut *conn, name, partition).await?;
                shared.metrics.alarm(name, partition, None);
                shared.metrics.stored(name, partition, from);
                Some(from)
            }
            Verdict::Stop(alarm) => {
                store::raise(&mut *conn, name, partition, &alarm).await?;
                shared.metrics.alarm(name, partition, Some(alarm));
                tracing::error!(
                    topic = name,
                    partition,
                    alarm = alarm.kind(),
                    "{}",
                    alarm.explain(name, partition)
                );
                None
            }
        };
        shared.metrics.log_end(name, partition, log.end);
        fail::fail_point!("landing::placed");
        placed.push(Placed {
            key,
            topic_id: identity.topic_id,
            from,
        });
    }
    Ok(placed)
}

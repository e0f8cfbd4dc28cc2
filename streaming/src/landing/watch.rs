//! Looks at the whole from outside, every few seconds: lag, re-created topics, days ahead, caught up or not.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::place::Key;
use super::poller::{Command, Poller};
use super::{Error, Shared, store};
use crate::clock;

/// How often lag and topic ids are looked at. Also how long records of a re-created topic could be taken for the
/// old one's, if it outgrew the old one's offsets in that time.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often days are made ahead: far more often than days pass.
const DAYS_EVERY: Duration = Duration::from_secs(3600);
/// How often "caught up?" is asked.
const CAUGHT_UP_EVERY: Duration = Duration::from_millis(100);

/// Publishes lag and notices topics that were created again.
pub(super) async fn look(
    shared: Arc<Shared>,
    poller: Poller,
    cancel: CancellationToken,
) -> Result<(), Error> {
    let mut known = HashMap::new();
    loop {
        match look_once(&shared, &mut known).await {
            Ok(keys) if keys.is_empty() => {}
            Ok(keys) => poller.send(Command::Recheck(keys)),
            // Figures only: landing itself reports what matters.
            Err(error) => tracing::debug!(error = %error, "cannot look at lag"),
        }
        if cancel
            .run_until_cancelled(tokio::time::sleep(LOOK_EVERY))
            .await
            .is_none()
        {
            return Ok(());
        }
    }
}

/// Returns the partitions to be judged anew: those of topics whose id is another than last time, and those with an
/// alarm, which a person may have dealt with meanwhile.
async fn look_once(
    shared: &Shared,
    known: &mut HashMap<String, uuid::Uuid>,
) -> Result<Vec<Key>, Error> {
    let identities = shared.probe.identities(&shared.topics).await?;
    let mut changed = Vec::new();
    for (n, topic) in shared.topics.iter().enumerate() {
        let Some(identity) = identities.get(&topic.physical) else {
            continue;
        };
        let before = known.insert(topic.physical.clone(), identity.topic_id);
        if before.is_some_and(|before| before != identity.topic_id) {
            tracing::error!(topic = topic.logical, "topic was created again");
            changed.push(n);
        }
    }
    for (topic, partition, next) in store::read_all(&shared.pool).await? {
        shared.metrics.stored(&topic, partition, next);
    }
    let alarms = shared.metrics.alarms();
    let mut anew = Vec::new();
    let partitions = shared.probe.partitions(&shared.topics).await?;
    for ((physical, partition), (_, end)) in shared.probe.bounds(partitions).await? {
        let Some(n) = shared
            .topics
            .iter()
            .position(|topic| topic.physical == physical)
        else {
            continue;
        };
        let logical = &shared.topics[n].logical;
        shared.metrics.log_end(logical, partition, end);
        let alarmed = alarms
            .iter()
            .any(|(topic, p, _)| topic == logical && *p == partition);
        if alarmed || changed.contains(&n) {
            anew.push((n, partition));
        }
    }
    Ok(anew)
}

/// Keeps partitions for the days to come.
pub(super) async fn days(shared: Arc<Shared>, cancel: CancellationToken) -> Result<(), Error> {
    loop {
        for topic in &shared.topics {
            let made = async {
                let mut conn = shared.pool.acquire().await?;
                shared
                    .days
                    .ensure_ahead(&mut conn, &topic.logical, clock::now().date_naive())
                    .await
            };
            // A batch that needs a day makes it too, and fails loudly if it cannot.
            if let Err(error) = made.await {
                tracing::warn!(topic = topic.logical, error = %error, "cannot make days ahead");
            }
        }
        if cancel
            .run_until_cancelled(tokio::time::sleep(DAYS_EVERY))
            .await
            .is_none()
        {
            return Ok(());
        }
    }
}

/// Where every partition's log ended: what "caught up" is measured against. Empty partitions are left out.
pub(super) async fn ends(shared: &Shared) -> Result<HashMap<(String, i32), i64>, Error> {
    let partitions = shared.probe.partitions(&shared.topics).await?;
    let bounds = shared.probe.bounds(partitions).await?;
    let logical = |physical: &str| {
        shared
            .topics
            .iter()
            .find(|topic| topic.physical == physical)
            .map(|topic| topic.logical.clone())
    };
    Ok(bounds
        .into_iter()
        .filter(|(_, (start, end))| end > start)
        .filter_map(|((physical, partition), (_, end))| {
            Some(((logical(&physical)?, partition), end))
        })
        .collect())
}

/// Waits until progress in Postgres, whoever makes it, has reached `ends` but for partitions with an alarm, then
/// cancels.
pub(super) async fn caught_up(
    shared: Arc<Shared>,
    mut ends: HashMap<(String, i32), i64>,
    cancel: CancellationToken,
) -> Result<(), Error> {
    loop {
        match store::read_all(&shared.pool).await {
            Ok(progress) => {
                for (topic, partition, next) in progress {
                    let key = (topic, partition);
                    if ends.get(&key).is_some_and(|end| next >= *end) {
                        ends.remove(&key);
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "cannot read progress yet"),
        }
        // The end was taken before reading began, so whoever has read to the end of the log since is past it, even if
        // the last offsets are markers that never come.
        for (n, partition) in &*shared
            .drained
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
        {
            ends.remove(&(shared.topics[*n].logical.clone(), *partition));
        }
        for (topic, partition, _) in shared.metrics.alarms() {
            ends.remove(&(topic, partition));
        }
        if ends.is_empty() {
            cancel.cancel();
            return Ok(());
        }
        if cancel
            .run_until_cancelled(tokio::time::sleep(CAUGHT_UP_EVERY))
            .await
            .is_none()
        {
            return Ok(());
        }
    }
}

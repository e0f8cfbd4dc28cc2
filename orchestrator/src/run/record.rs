//! Writes a run down while it happens, without making it wait.
//!
//! One task per run owns the run's rows. Events queue up in memory; whenever the last statement is back, all
//! that queued up meanwhile goes out as one (`store/journal.rs`). A node that touches something waits until
//! its `running` mark is written; nobody waits for anything else until the end.
//!
//! The same statement is the heartbeat of the run's lease. Comes back "not ours", the run has been taken
//! over: [`Recorder::fenced`] fires and the executor stops. When the store doesn't answer for as long as the
//! lease lives, the same happens: someone else may believe us dead by then, and would be right to go on.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::events::{Event, Happened, Tally};
use crate::clock::SharedClock;
use crate::secrets::Secrets;
use crate::store::journal::{self, Entry, RunEnd};
use crate::store::leases::LEASE;
use crate::store::{self, Doing as _, Line};

mod ledger;

use ledger::Ledger;

/// How long a cancel request may go unseen; one small statement each.
const HEARTBEAT: Duration = Duration::from_secs(1);

enum Note {
    Event(Box<Happened>, Option<oneshot::Sender<()>>),
    End(RunEnd, oneshot::Sender<bool>),
}

/// Handle to the task that records one run.
#[derive(Debug, Clone)]
pub struct Recorder {
    notes: mpsc::UnboundedSender<Note>,
    fenced: CancellationToken,
}

/// What the recording task needs.
#[derive(Debug)]
pub struct Recording {
    /// The store.
    pub pool: PgPool,
    /// A connection of it to keep for as long as the run takes; `None` where runs share the pool's.
    pub line: Option<Line>,
    /// Run.
    pub run_id: i64,
    /// Number of its lease.
    pub epoch: i64,
    /// Attempts so far, by node, as stored.
    pub attempts: Vec<u16>,
    /// Last event stored.
    pub last_seq: i64,
    /// Nodes that had ended before.
    pub tally: Tally,
    /// What is not to be written down.
    pub secrets: Secrets,
    /// The time.
    pub clock: SharedClock,
    /// Cancelled when someone asks the run to stop.
    pub cancel: CancellationToken,
}

impl Recorder {
    /// The handle, and the task to be spawned. The task ends when the run does.
    pub fn new(recording: Recording) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (notes, inbox) = mpsc::unbounded_channel();
        let fenced = CancellationToken::new();
        let task = keep(recording, inbox, fenced.clone());
        (Self { notes, fenced }, task)
    }

    /// Takes note; returns at once.
    pub fn note(&self, happened: Happened) {
        // a closed channel means the run was fenced off: there is nothing left to write to
        let _ = self.notes.send(Note::Event(Box::new(happened), None));
    }

    /// Takes note, and the answer comes once it is written. An error means it will never be.
    #[must_use]
    pub fn note_and_tell(&self, happened: Happened) -> oneshot::Receiver<()> {
        let (told, tell) = oneshot::channel();
        let _ = self.notes.send(Note::Event(Box::new(happened), Some(told)));
        tell
    }

    /// Writes the end; false when the run is no longer ours to end.
    pub async fn end(&self, end: RunEnd) -> bool {
        let (told, tell) = oneshot::channel();
        let _ = self.notes.send(Note::End(end, told));
        tell.await.unwrap_or(false)
    }

    /// Fires when the run is no longer ours.
    #[must_use]
    pub fn fenced(&self) -> &CancellationToken {
        &self.fenced
    }
}

async fn keep(
    recording: Recording,
    mut inbox: mpsc::UnboundedReceiver<Note>,
    fenced: CancellationToken,
) {
    let Recording {
        pool,
        line,
        run_id,
        epoch,
        attempts,
        last_seq,
        tally,
        secrets,
        clock,
        cancel,
    } = recording;
    let mut ledger = Ledger::new(attempts, last_seq, tally);
    let mut to = match line {
        Some(line) => To::Own(pool, Some(line)),
        None => To::Shared(pool),
    };
    let mut notes = Vec::new();
    loop {
        // either something happened, or it is time for a sign of life
        if let Ok(0) = timeout(HEARTBEAT, inbox.recv_many(&mut notes, 1_000)).await {
            return;
        }
        let mut waiting = Vec::new();
        let mut ending = None;
        for note in notes.drain(..) {
            match note {
                Note::Event(happened, told) => {
                    ledger.take(&happened);
                    waiting.extend(told);
                }
                Note::End(end, told) => ending = Some((end, told)),
            }
        }
        let (end, told) = ending.unzip();
        let mut entry = ledger.entry(run_id, epoch, clock.now(), end);
        entry.strip(&secrets);
        let Some(written) = persist(&mut to, entry, &clock).await else {
            fenced.cancel();
            return;
        };
        ledger.written();
        if written.cancel_requested {
            cancel.cancel();
        }
        for told in waiting {
            // the attempt may have been dropped meanwhile
            let _ = told.send(());
        }
        if let Some(told) = told {
            let _ = told.send(true);
            return;
        }
    }
}

/// Where entries go.
enum To {
    /// Whichever connection is free.
    Shared(PgPool),
    /// One that is kept, and made again when it breaks.
    Own(PgPool, Option<Line>),
}

impl To {
    async fn write(&mut self, entry: &Entry) -> Result<journal::Written, store::Error> {
        let (pool, kept) = match self {
            Self::Shared(pool) => return journal::write(&*pool, entry).await,
            Self::Own(pool, kept) => (pool, kept),
        };
        let mut line = match kept.take() {
            Some(line) => line,
            None => pool.acquire().await.doing("record what happened")?,
        };
        let written = journal::write(&mut *line, entry).await?;
        *kept = Some(line);
        Ok(written)
    }
}

/// Writes `entry`, again and again while the lease lives. `None`: it is not ours any more.
async fn persist(to: &mut To, mut entry: Entry, clock: &SharedClock) -> Option<journal::Written> {
    /// Short enough to use the lease's last seconds, long enough not to hammer a server that starts.
    const PAUSE: Duration = Duration::from_millis(500);
    let deadline = Instant::now() + LEASE.to_std().unwrap_or_default();
    loop {
        let rest = deadline.saturating_duration_since(Instant::now());
        match timeout(rest, to.write(&entry)).await {
            Ok(Ok(written)) if written.ours => return Some(written),
            Ok(Ok(_)) => {
                tracing::error!(
                    run = entry.run_id,
                    "another process has taken this run over"
                );
                return None;
            }
            Ok(Err(error)) if Instant::now() < deadline => {
                let error = anyhow::Error::from(error);
                tracing::warn!(run = entry.run_id, error = %format!("{error:#}"), "cannot record, trying again");
                sleep(PAUSE).await;
                entry.now = now_after(entry.now, clock);
            }
            Ok(Err(_)) | Err(_) => {
                tracing::error!(
                    run = entry.run_id,
                    "the run store was away for longer than the lease lives"
                );
                return None;
            }
        }
    }
}

/// A heartbeat must not carry an older time than the one before.
fn now_after(before: DateTime<Utc>, clock: &SharedClock) -> DateTime<Utc> {
    clock.now().max(before)
}

/// The events that are worth a row.
pub(crate) fn is_recorded(event: &Event) -> bool {
    match event {
        Event::Invoked | Event::Found { .. } | Event::Said(_) | Event::NothingToDo { .. } => false,
        Event::Warning(_)
        | Event::HookStarted { .. }
        | Event::HookFinished { .. }
        | Event::Batch { .. }
        | Event::Began { .. }
        | Event::NodeStarted { .. }
        | Event::NodeRetrying { .. }
        | Event::NodeFinished { .. }
        | Event::NodeSkipped { .. }
        | Event::Cancelling { .. }
        | Event::RunFinished { .. } => true,
    }
}

//! The scheduler as a process: a tick each second, a heartbeat, jobs.yml when it changes, old runs forgotten.
//!
//! tokio-cron-scheduler only knocks. What is due is computed from the store at each knock, so that a knock that
//! comes late, twice or in two processes changes nothing.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job as Knock, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use super::fire;
use super::fleet::Fleet;
use crate::clock::SharedClock;
use crate::jobs::{self, Job};
use crate::store::leases::Holder;
use crate::store::{Error as StoreError, Store, leases, runs, schedules};

/// Between two knocks.
const TICK: Duration = Duration::from_secs(1);
/// Between two heartbeats; a sixth of a lease.
const HEARTBEAT: TimeDelta = TimeDelta::seconds(5);
/// Between two rounds of forgetting.
const CLEANING: TimeDelta = TimeDelta::hours(1);
/// What a stop waits for: a cancelled statement answers within moments, a server that is gone never.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why the scheduler cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// jobs.yml is wrong.
    #[error(transparent)]
    Jobs(#[from] jobs::Error),
    /// The run store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ticking cannot be set up.
    #[error("the ticker does not start")]
    Ticker(#[from] JobSchedulerError),
}

/// What a scheduler works with.
#[derive(Debug)]
pub struct Service {
    /// The run store.
    pub store: Store,
    /// This process.
    pub holder: Holder,
    /// The time.
    pub clock: SharedClock,
    /// Folder of jobs.yml.
    pub project_dir: PathBuf,
    /// Name of the project.
    pub project: String,
    /// Carries runs out.
    pub fleet: Fleet,
    /// How long ended runs are kept; `None` = for good.
    pub keep_runs: Option<TimeDelta>,
}

impl Service {
    /// Works until `cancel` fires; then waits for its runs, which are being cancelled.
    ///
    /// # Errors
    /// Only while starting. Later troubles are logged and tried again a second later.
    pub async fn run(mut self, cancel: CancellationToken) -> Result<(), Error> {
        let resource = format!("scheduler:{}", self.holder.id);
        let started = self.clock.now();
        let mut epoch = leases::take(self.store.pool(), &resource, &self.holder, started)
            .await?
            .unwrap_or_default();
        let mut known = Known::default();
        known.refresh(&self, true).await?;

        let (knock, mut knocks) = mpsc::channel(1);
        let ticker = ticker(knock).await?;
        let (mut beat_at, mut clean_at) = (started + HEARTBEAT, started);
        let mut troubled = false;
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                knock = knocks.recv() => if knock.is_none() { break },
            }
            let now = self.clock.now();
            let done = async {
                if now >= beat_at {
                    beat_at = now + HEARTBEAT;
                    if !leases::renew(self.store.pool(), &resource, epoch, now).await? {
                        // forgotten while this machine slept
                        epoch = leases::take(self.store.pool(), &resource, &self.holder, now)
                            .await?
                            .unwrap_or_default();
                    }
                }
                if let Err(error) = known.refresh(&self, false).await {
                    match error {
                        Error::Store(error) => return Err(error),
                        Error::Jobs(error) => {
                            tracing::error!(%error, "going on with the jobs of before")
                        }
                        Error::Ticker(_) => {}
                    }
                }
                fire::fire_due(&self.store, &self.project, now).await?;
                self.fleet.take_up().await?;
                if now >= clean_at {
                    clean_at = now + CLEANING;
                    self.forget(now).await?;
                }
                Ok(())
            }
            .await;
            match done {
                Ok(()) if troubled => {
                    troubled = false;
                    tracing::info!("the run store is back");
                }
                Ok(()) => {}
                // once, not once a second
                Err(error) if !troubled => {
                    troubled = true;
                    let error = anyhow::Error::from(error);
                    tracing::error!(error = %format!("{error:#}"), "the run store is away; trying again every second");
                }
                Err(_) => {}
            }
        }
        let mut ticker = ticker;
        if let Err(error) = ticker.shutdown().await {
            tracing::debug!(%error, "the ticker does not stop");
        }
        self.fleet.drain(PATIENCE).await;
        leases::release(self.store.pool(), &resource, epoch).await?;
        Ok(())
    }

    async fn forget(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        if let Some(keep) = self.keep_runs {
            let runs = runs::forget(self.store.pool(), now - keep).await?;
            if runs > 0 {
                tracing::info!(runs, "forgot old runs");
            }
        }
        leases::forget_dead(self.store.pool(), now - TimeDelta::days(1)).await?;
        Ok(())
    }
}

/// jobs.yml as last read.
#[derive(Debug, Default)]
struct Known {
    modified: Option<SystemTime>,
    seen: bool,
}

impl Known {
    /// Reads jobs.yml when it is new or has changed, and stores what it says.
    async fn refresh(&mut self, service: &Service, first: bool) -> Result<(), Error> {
        let modified = modified(&service.project_dir);
        if self.seen && modified == self.modified {
            return Ok(());
        }
        // remembered even when it is wrong: one complaint a change is enough
        (self.modified, self.seen) = (modified, true);
        let jobs: Vec<Job> = jobs::read(&service.project_dir)?;
        let now = service.clock.now();
        let mut transaction = service.store.begin().await?;
        schedules::replace(&mut transaction, &service.project, &jobs, now).await?;
        service.store.commit(transaction).await?;
        let scheduled = jobs.iter().filter(|job| job.schedule.is_some()).count();
        let words = if first {
            "jobs read"
        } else {
            "jobs.yml has changed"
        };
        tracing::info!(jobs = jobs.len(), scheduled, "{words}");
        Ok(())
    }
}

fn modified(project_dir: &Path) -> Option<SystemTime> {
    std::fs::metadata(project_dir.join(jobs::FILE))
        .and_then(|file| file.modified())
        .ok()
}

/// Knocks every second. A knock that finds the last one unanswered is dropped.
async fn ticker(knock: mpsc::Sender<()>) -> Result<JobScheduler, Error> {
    let ticker = JobScheduler::new().await?;
    let job = Knock::new_repeated_async(TICK, move |_, _| {
        let knock = knock.clone();
        Box::pin(async move {
            // full: the loop is still at work on the last one
            let _ = knock.try_send(());
        })
    })?;
    ticker.add(job).await?;
    ticker.start().await?;
    Ok(ticker)
}

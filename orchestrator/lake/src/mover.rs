//! Moves partitions and late rows to Iceberg: the protocol, one state a step.
//!
//! [`plan`] says which days are due, [`crate::ledger::state`] what a batch needs next; the files here carry one
//! step out each. A step reads what it needs from the ledger, acts, and records the new state in one transaction
//! that is void if another process has claimed the table meanwhile. So a process may die anywhere, and the next
//! one takes the step again or finds it done:
//!
//! | step | done twice | seen by readers |
//! | --- | --- | --- |
//! | freeze | the boundary only grows | rows that come late are in the late table, which the view reads |
//! | copy, verify | new attempt, new file names | nothing refers to the files |
//! | commit | the ledger's mark and the catalog's swap are one transaction | the view's literals hide the new rows |
//! | show | the same view again | a query has the old view or the new one |
//! | drain | waits again | |
//! | detach, drop | looks first: for later writes, and that the files are there; reads them, unless it did | the view has not read them since |
//!
//! One process at a time works on a table (an advisory lock of its session); one that only believes so is fenced
//! off by the ledger.

mod abandon;
mod adopt;
mod commit;
mod copy;
mod detach;
mod facts;
mod fitness;
mod flush;
mod freeze;
mod give_back;
mod mend;
mod options;
pub mod plan;
mod preview;
mod report;
mod show;

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::postgres::PgConnection;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use abandon::{Abandoned, abandon};
pub use adopt::Adopted;
pub(crate) use adopt::{find, load, lock, release};
pub(crate) use commit::batch_of;
pub(crate) use copy::{stored_digest, stored_shape};
pub(crate) use facts::partitions;
use give_back::Settled;
pub use options::RunOptions;
pub use plan::{Due, LateDay, Plan, Policy};
pub use preview::{Preview, preview};
pub use report::{Event, Outcome, Reporter, Stopped};
pub(crate) use show::view_text;

use crate::error::Error;
use crate::lake::{Lake, Presence};
use crate::ledger::moves::{self, Move};
use crate::ledger::state::{State, Step, next_step};
use crate::ledger::{control, tables};
use crate::owner;
use crate::trino::Trino;
use crate::view::FieldType;

/// One table's archive, held by this process.
pub(crate) struct Mover<'a> {
    pub(crate) lake: &'a Lake,
    /// By whose name its statements are known.
    trino: Option<Trino>,
    presence: Presence,
    pub(crate) adopted: Adopted,
    pub(crate) policy: &'a Policy,
    pub(crate) holder: Uuid,
    pub(crate) options: &'a RunOptions,
    pub(crate) reporter: &'a dyn Reporter,
    pub(crate) cancel: &'a CancellationToken,
    /// Attempts whose rows this process copied, and those whose files it read back. What another process did may
    /// have rested for days, and is looked at again before rows leave.
    copied: HashSet<Uuid>,
    read_back: HashSet<Uuid>,
    /// The session whose advisory lock says that this process is at work. Also used for short statements.
    pub(crate) conn: PgConnection,
}

/// Brings a table's archive up to date: ends what is under way, then moves what is due, then flushes late rows.
///
/// # Errors
/// [`Error::Busy`]: another process is at it. Others as they come; the ledger holds how far it came.
pub async fn run(
    lake: &Lake,
    policy: &Policy,
    now: DateTime<Utc>,
    options: &RunOptions,
    reporter: &dyn Reporter,
    cancel: &CancellationToken,
) -> Result<Outcome, Error> {
    let mut conn = lake.connect().await?;
    lock(&mut conn, &policy.table).await?;
    let beginning = async {
        lake.store.reach().await?;
        owner::claim(lake).await?;
        let presence = lake.trino_here().await?;
        let adopted = adopt::adopt(lake, &presence, &mut conn, policy, now).await?;
        Ok::<_, Error>((presence, adopted))
    };
    let Some(begun) = cancel.run_until_cancelled(Box::pin(beginning)).await else {
        return Ok(Outcome {
            stopped: Some(Stopped::Cancelled),
            ..Outcome::default()
        });
    };
    let (presence, adopted) = begun?;
    let holder = Uuid::now_v7();
    tables::claim(&mut conn, &policy.table, holder).await?;
    let held = Held {
        conn,
        holder,
        presence,
        adopted,
    };
    let mut mover = Mover::new(lake, policy, options, (reporter, cancel), held).await;
    let outcome = mover.bring_up_to_date(now).await;
    adopt::release(mover.conn).await;
    outcome
}

/// What a process that holds a table has of it.
struct Held {
    /// The session of the advisory lock.
    conn: PgConnection,
    /// Its mark in the ledger.
    holder: Uuid,
    presence: Presence,
    adopted: Adopted,
}

impl<'a> Mover<'a> {
    async fn new(
        lake: &'a Lake,
        policy: &'a Policy,
        options: &'a RunOptions,
        (reporter, cancel): (&'a dyn Reporter, &'a CancellationToken),
        held: Held,
    ) -> Self {
        let trino = match &held.presence {
            Presence::Ready(trino) => Some(show::client(trino.clone(), &policy.table).await),
            Presence::Away(_) | Presence::Unset => None,
        };
        Self {
            lake,
            trino,
            presence: held.presence,
            adopted: held.adopted,
            policy,
            holder: held.holder,
            options,
            reporter,
            cancel,
            copied: HashSet::new(),
            read_back: HashSet::new(),
            conn: held.conn,
        }
    }
}

impl Mover<'_> {
    async fn bring_up_to_date(&mut self, now: DateTime<Utc>) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        self.finish_detaches().await?;
        if let Some(stopped) = self.settle(&mut Settled::default()).await? {
            outcome.stopped = Some(stopped);
            return Ok(outcome);
        }
        let open = moves::open(&mut self.conn, &self.policy.table).await?;
        let committed = |first: &Move| first.state == State::Committed;
        // A committed batch makes the view anew itself. It may have done so already and lost the answer: the view is
        // then ahead of the ledger, and is not to be taken back first.
        if !open.first().is_some_and(committed) {
            self.mend_view().await?;
        }
        let mut flushed = false;
        // each round ends a batch or plans one; a batch that cannot end stops the run
        loop {
            let open = moves::open(&mut self.conn, &self.policy.table).await?;
            if let Some(first) = open.first() {
                let batch = first.batch;
                let mut batch: Vec<Move> = open.into_iter().filter(|m| m.batch == batch).collect();
                if let Some(stopped) = self.carry_out(&mut batch, &mut outcome).await? {
                    outcome.stopped = Some(stopped);
                    return Ok(outcome);
                }
                continue;
            }
            if let Some(stopped) = self.halted().await? {
                outcome.stopped = Some(stopped);
                return Ok(outcome);
            }
            if self.plan_moves(now, &mut outcome).await? {
                continue;
            }
            // once: a writer that sends late rows all the time would keep the run going for ever, by a file each
            if flushed || !self.plan_flush(&mut outcome).await? {
                break;
            }
            flushed = true;
        }
        if let Presence::Away(why) = &self.presence {
            outcome
                .warnings
                .push(format!("the view was not looked at: {why}"));
        }
        self.keep_view().await?;
        Ok(outcome)
    }

    /// Plans the next batch of partitions; false when none is due.
    async fn plan_moves(
        &mut self,
        now: DateTime<Utc>,
        outcome: &mut Outcome,
    ) -> Result<bool, Error> {
        let id = &self.policy.table;
        let table = tables::get(&mut self.conn, id).await?;
        let known = moves::all(&mut self.conn, id).await?;
        let most = self.options.batch_days;
        let facts = preview::Facts {
            lake: self.lake,
            presence: &self.presence,
            policy: self.policy,
            shape: &self.adopted.shape,
            table: table.as_ref(),
            known: &known,
        };
        let plan = facts.plan(&mut self.conn, now, most).await?;
        if let Some(refusal) = plan.refused {
            return Err(Error::Refused {
                table: id.to_string(),
                reason: refusal.reason,
                hint: refusal.hint,
            });
        }
        for warning in plan.warnings {
            if !outcome.warnings.contains(&warning) {
                outcome.warnings.push(warning);
            }
        }
        if plan.due.is_empty() {
            return Ok(false);
        }
        self.insert_batch(plan.due.iter().map(freeze::planned).collect())
            .await?;
        Ok(true)
    }

    /// Carries a batch to its end, or until something stops it.
    async fn carry_out(
        &mut self,
        batch: &mut Vec<Move>,
        outcome: &mut Outcome,
    ) -> Result<Option<Stopped>, Error> {
        let id = batch.first().map(|m| m.batch).unwrap_or_default();
        let done = self.steps(batch, outcome).await;
        if let Err(error) = &done {
            // the error itself is what counts; that it is also in the ledger is for whoever looks later
            if let Err(second) = moves::note_error(&self.lake.pool, id, &error.told()).await {
                tracing::warn!(error = %second, "an error could not be noted in the ledger");
            }
        }
        done
    }

    async fn steps(
        &mut self,
        batch: &mut Vec<Move>,
        outcome: &mut Outcome,
    ) -> Result<Option<Stopped>, Error> {
        loop {
            let states: Vec<_> = batch.iter().map(|m| (m.kind, m.state)).collect();
            let step = next_step(&states);
            if step == Step::Done {
                return Ok(None);
            }
            if let Some(stopped) = self.halted().await? {
                return Ok(Some(stopped));
            }
            let behind = states.iter().map(|(_, state)| *state).min();
            if self.options.until.is_some() && behind >= self.options.until {
                return Ok(Some(Stopped::AsAsked));
            }
            match step {
                Step::Freeze => {
                    if let Some(stopped) = self.patiently(batch).await? {
                        return Ok(Some(stopped));
                    }
                }
                Step::Transfer { copy, verify } => {
                    // asked to go as far as the copies, nobody reads them back
                    let verify = verify.filter(|_| self.options.until != Some(State::Copied));
                    let [copy, verify] = [copy, verify].map(|at| at.map(|i| &batch[i]));
                    if !self.transfer(copy, verify, outcome).await? {
                        return Ok(Some(Stopped::Cancelled));
                    }
                }
                Step::Announce => self.announce(batch).await?,
                Step::Commit => self.commit(batch).await?,
                Step::Show | Step::Drain => {
                    if let Some(stopped) = self.with_trino(step, batch).await? {
                        return Ok(Some(stopped));
                    }
                }
                Step::Detach(i) => self.detach(&batch[i]).await?,
                Step::Drop(i) => self.drop_rows(&batch[i]).await?,
                Step::Done => {}
            }
            let id = batch.first().map(|m| m.batch).unwrap_or_default();
            let before = std::mem::take(batch);
            *batch = moves::batch(&mut self.conn, id).await?;
            // by identity: a batch that an earlier run left half done has members that were done before
            for is in batch.iter() {
                let was = before.iter().find(|was| was.id == is.id);
                if was.is_some_and(|was| was.state != is.state) {
                    outcome.count(is);
                    self.reporter.report(&Event::Reached {
                        what: Box::new(is.clone()),
                    });
                }
            }
        }
    }

    /// The steps that Trino takes part in. Without it they wait for the next run; nothing is lost by that.
    async fn with_trino(&mut self, step: Step, batch: &[Move]) -> Result<Option<Stopped>, Error> {
        if self.trino.is_none() {
            return Ok(Some(self.no_trino()));
        }
        let done = if step == Step::Show {
            self.show(batch).await.map(|()| None)
        } else {
            self.drain(batch).await
        };
        unless_away(done)
    }

    fn no_trino(&self) -> Stopped {
        let away = match &self.presence {
            Presence::Away(why) => Some(why.clone()),
            Presence::Ready(_) | Presence::Unset => None,
        };
        Stopped::NoTrino { away }
    }

    /// Whether to go no further: paused, or told to end.
    async fn halted(&mut self) -> Result<Option<Stopped>, Error> {
        if self.cancel.is_cancelled() {
            return Ok(Some(Stopped::Cancelled));
        }
        let paused = control::paused(&mut self.conn).await?;
        Ok(paused.map(|reason| Stopped::Paused { reason }))
    }
}

/// That Trino went away meanwhile is no failure: the next run goes on.
fn unless_away(done: Result<Option<Stopped>, Error>) -> Result<Option<Stopped>, Error> {
    match done {
        Err(error) if error.is_trino_away() => Ok(Some(Stopped::NoTrino {
            away: Some(error.told()),
        })),
        done => done,
    }
}

/// A day's first instant as a literal of the partition column's type, in Postgres' SQL.
pub(crate) fn midnight_literal(field_type: FieldType, day: NaiveDate) -> String {
    match field_type {
        FieldType::Timestamptz => format!("timestamptz '{day} 00:00:00+00'"),
        FieldType::Timestamp => format!("timestamp '{day} 00:00:00'"),
        FieldType::Date => format!("date '{day}'"),
    }
}

//! Sessions: one for each thread, reused, plus one that stops the statements of the others.
//!
//! A session is lent as a [`Lease`]. When the lease is dropped with no statement under way and no
//! open transaction the session goes back; otherwise it is closed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::TryStreamExt;
use project::PostgresTarget;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Column, Connection, Either, Executor, SqlSafeStr, Statement, TypeInfo};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::connect::{Door, Session};
use crate::error::Error;
use crate::outcome::QueryComment;

/// A run that is shorter opens no session but its own.
const SHORT_RUN: Duration = Duration::from_millis(300);
/// Between two requests to stop a statement that goes on.
const CANCEL_AGAIN: Duration = Duration::from_millis(500);
/// Requests to stop before the session itself is ended.
const CANCEL_TRIES: u32 = 10;

/// The sessions of one target.
#[derive(Debug)]
pub(crate) struct Sessions {
    door: Door,
    slots: Arc<Semaphore>,
    idle: Mutex<VecDeque<Session>>,
    control: tokio::sync::Mutex<Option<PgConnection>>,
}

/// What a statement (or several) returned.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    /// Rows of every statement.
    pub(crate) rows: Vec<PgRow>,
    /// Rows affected, for each statement in order.
    pub(crate) counts: Vec<u64>,
    /// Where the rows of the last statement begin.
    last: usize,
}

impl Ran {
    /// Rows affected by the last statement, the one whose tag dbt prints.
    pub(crate) fn affected(&self) -> u64 {
        self.counts.last().copied().unwrap_or(0)
    }

    /// Rows of the last statement, the ones templates get.
    pub(crate) fn last_rows(&self) -> &[PgRow] {
        &self.rows[self.last..]
    }
}

impl Sessions {
    /// Connects once, so that a wrong address or password is told before any work.
    pub(crate) async fn connect(target: &PostgresTarget, threads: usize) -> Result<Self, Error> {
        let sessions = Self {
            door: Door::new(target)?,
            slots: Arc::new(Semaphore::new(threads.max(1))),
            idle: Mutex::new(VecDeque::new()),
            control: tokio::sync::Mutex::new(None),
        };
        let first = sessions.door.open().await?;
        sessions.give_back(first);
        Ok(sessions)
    }

    /// Opens the session that stops statements, in a moment: a run that is over by then needs none, and whoever
    /// cancels before it is there opens it then.
    pub(crate) fn reserve_control(self: &Arc<Self>) {
        let sessions = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(SHORT_RUN).await;
            let Some(sessions) = sessions.upgrade() else {
                return;
            };
            let mut control = sessions.control.lock().await;
            if control.is_some() || sessions.slots.is_closed() {
                return;
            }
            match sessions.door.connect().await {
                Ok(connection) => *control = Some(connection),
                Err(error) => tracing::debug!(%error, "no session to stop statements by"),
            }
        });
    }

    /// Lends a session; waits while all are lent. Statements run under it stop when `cancel` is
    /// cancelled; `comment` goes with each.
    pub(crate) async fn lease(
        self: &Arc<Self>,
        cancel: &CancellationToken,
        comment: Option<&Arc<QueryComment>>,
    ) -> Result<Lease, Error> {
        let slots = Arc::clone(&self.slots);
        let permit = tokio::select! {
            permit = slots.acquire_owned() => permit.map_err(|_closed| Error::Cancelled)?,
            () = cancel.cancelled() => return Err(Error::Cancelled),
        };
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_back();
        let session = match idle {
            Some(session) => session,
            None => self.door.open().await?,
        };
        Ok(Lease {
            session: Some(session),
            clean: true,
            sessions: Arc::clone(self),
            cancel: cancel.clone(),
            comment: comment.cloned(),
            _permit: permit,
        })
    }

    /// The database all sessions are in.
    pub(crate) fn database(&self) -> &str {
        self.door.database()
    }

    /// Ends every session that is not lent.
    pub(crate) async fn close(&self) {
        self.slots.close();
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        let control = self.control.lock().await.take();
        for connection in idle.into_iter().map(|s| s.connection).chain(control) {
            if let Err(error) = connection.close().await {
                tracing::debug!(%error, "closing a session failed");
            }
        }
    }

    fn give_back(&self, session: Session) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(session);
    }

    /// Awaits `work`, a statement of session `pid`. When `cancel` comes first the server is asked to
    /// stop it, and the session's own answer tells how it ended; true when that was asked.
    async fn attend<T>(
        &self,
        pid: i32,
        cancel: &CancellationToken,
        work: impl Future<Output = sqlx::Result<T>>,
    ) -> (sqlx::Result<T>, bool) {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            // a statement that is done is not worth stopping
            biased;
            result = &mut work => return (result, false),
            () = cancel.cancelled() => {}
        }
        let mut tries = 0;
        loop {
            if let Err(error) = self.stop(pid, tries >= CANCEL_TRIES).await {
                tracing::warn!(pid, %error, "asking the server to stop a statement failed");
            }
            match tokio::time::timeout(CANCEL_AGAIN, &mut work).await {
                Ok(result) => return (result, true),
                Err(_elapsed) => tries += 1,
            }
        }
    }

    /// Asks the server to stop what `pid` runs (`terminate`: to end its session).
    async fn stop(&self, pid: i32, terminate: bool) -> Result<(), Error> {
        let mut control = self.control.lock().await;
        let connection = match control.as_mut() {
            Some(connection) => connection,
            None => control.insert(self.door.connect().await?),
        };
        let verb = if terminate { "terminate" } else { "cancel" };
        let sql = format!("select pg_{verb}_backend({pid})");
        let answer = sqlx::raw_sql(AssertSqlSafe(sql.as_str()))
            .execute(connection)
            .await;
        if let Err(error) = answer {
            // the next request opens another
            *control = None;
            return Err(Error::from_statement(error, &sql));
        }
        Ok(())
    }
}

/// A session in use.
#[derive(Debug)]
pub(crate) struct Lease {
    session: Option<Session>,
    /// No statement is under way and no transaction is open.
    clean: bool,
    sessions: Arc<Sessions>,
    cancel: CancellationToken,
    comment: Option<Arc<QueryComment>>,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    /// The token that stops statements of this lease.
    pub(crate) fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    fn commented(&self, sql: &str) -> String {
        match &self.comment {
            Some(comment) => comment.on(sql),
            None => sql.to_owned(),
        }
    }

    /// Runs one statement, or several separated by semicolons, in the simple protocol.
    pub(crate) async fn run(&mut self, sql: &str) -> Result<Ran, Error> {
        let text = self.commented(sql);
        let statement = AssertSqlSafe(text.clone());
        self.guard(&text, async move |connection| {
            let mut ran = Ran::default();
            let mut start = 0;
            let mut results = sqlx::raw_sql(statement).fetch_many(connection);
            while let Some(result) = results.try_next().await? {
                match result {
                    Either::Left(done) => {
                        ran.counts.push(done.rows_affected());
                        ran.last = std::mem::replace(&mut start, ran.rows.len());
                    }
                    Either::Right(row) => ran.rows.push(row),
                }
            }
            Ok(ran)
        })
        .await
    }

    /// Column names of a query, when rows that would tell them are missing. Nothing for text that
    /// is not one query.
    pub(crate) async fn column_names(&mut self, sql: &str) -> Vec<String> {
        let columns = self.describe(sql).await.unwrap_or_default();
        columns.into_iter().map(|column| column.name).collect()
    }

    /// Columns of a query that is not run, with the server's names of their types.
    pub(crate) async fn describe(
        &mut self,
        sql: &str,
    ) -> Result<Vec<project::adapter::Column>, Error> {
        // the lines that the server's errors count are those of what is run
        let text = self.commented(sql);
        let statement = AssertSqlSafe(text.clone()).into_sql_str();
        let prepared = self
            .guard(&text, async move |connection| {
                connection.prepare(statement).await
            })
            .await?;
        let column = |c: &sqlx::postgres::PgColumn| project::adapter::Column {
            name: c.name().to_owned(),
            data_type: c.type_info().name().to_owned(),
        };
        Ok(prepared.columns().iter().map(column).collect())
    }

    /// Copies `chunks` of text-format rows in; `sql` is the `copy … from stdin` statement.
    pub(crate) async fn copy_in(
        &mut self,
        sql: &str,
        chunks: impl Iterator<Item = Vec<u8>> + Send,
    ) -> Result<u64, Error> {
        self.guard(sql, async move |connection| {
            let mut copy = connection.copy_in_raw(sql).await?;
            for chunk in chunks {
                copy.send(chunk).await?;
            }
            copy.finish().await
        })
        .await
    }

    /// Undoes the open transaction. A session that cannot is closed.
    pub(crate) async fn rollback(&mut self) {
        let Some(session) = self.session.as_mut() else {
            return;
        };
        match sqlx::raw_sql("rollback")
            .execute(&mut session.connection)
            .await
        {
            Ok(_) => self.clean = true,
            Err(error) => {
                tracing::debug!(%error, "rollback failed, the session is closed");
                self.session = None;
            }
        }
    }

    /// Whether a transaction is open.
    pub(crate) fn in_transaction(&self) -> bool {
        !self.clean
    }

    /// Marks that a transaction is open: the session is not reused unless [`Self::settled`] or a
    /// rollback follows.
    pub(crate) fn opened(&mut self) {
        self.clean = false;
    }

    /// Marks that no transaction is open.
    pub(crate) fn settled(&mut self) {
        self.clean = true;
    }

    async fn guard<T>(
        &mut self,
        sql: &str,
        work: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
    ) -> Result<T, Error> {
        if self.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let Some(session) = self.session.as_mut() else {
            return Err(Error::Lost {
                reason: "the session was closed after an earlier error".to_owned(),
            });
        };
        let was_clean = self.clean;
        self.clean = false;
        let work = work(&mut session.connection);
        let (result, stopped) = self.sessions.attend(session.pid, &self.cancel, work).await;
        match result {
            Ok(value) => {
                self.clean = was_clean;
                Ok(value)
            }
            Err(error) => {
                let refused = matches!(error, sqlx::Error::Database(_));
                if refused {
                    self.clean = was_clean;
                } else {
                    self.session = None;
                }
                if stopped {
                    return Err(Error::Cancelled);
                }
                Err(Error::from_statement(error, sql))
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.clean
            && let Some(session) = self.session.take()
        {
            self.sessions.give_back(session);
        }
    }
}

//! Builds the nodes of a dbt project in Postgres: views, tables, incremental models, seeds, tests.
//!
//! The crate knows one database and one dialect. It knows nothing of runs, schedules, retries or
//! consoles: it runs one node when told to and says what happened, in dbt's words.
//!
//! Reading order: [`Warehouse`] (the door), `connect` and `session` (one session for each
//! thread, and how a statement is stopped), `catalog` (what exists), `materialize` (one file for each
//! materialization; `materialize/node.rs` is the life of every one of them), `partition` (native range
//! partitions), `seed` (CSV to rows), `test` (data tests), [`Error`].

mod adapter;
mod caret;
mod catalog;
mod connect;
mod error;
mod materialize;
mod names;
mod node_session;
mod outcome;
mod partition;
mod seed;
mod session;
mod tag;
mod test;
mod unit_test;
mod value;

pub use adapter::BlockingAdapter;
pub use error::{Error, ErrorKind};
pub use materialize::{check, check_name, check_partitions};
pub use node_session::NodeSession;
pub use outcome::{Outcome, OutcomeKind, QueryComment, RenderHook, RunOptions};
pub use test::judge;
pub use unit_test::unit_test;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use project::relation::Quoting;
use project::{Compiled, Node, PostgresTarget};
use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::session::Sessions;

/// One database, as one target of a profile reaches it. Cheap to clone; clones share sessions and
/// memory.
#[derive(Debug, Clone)]
pub struct Warehouse {
    sessions: Arc<Sessions>,
    catalog: Arc<Catalog>,
}

impl Warehouse {
    /// Opens a first session, and soon the one that stops statements. Up to `threads` sessions are
    /// opened as they are needed and then reused. Must be called on a thread of the async runtime.
    ///
    /// # Errors
    /// [`Error::Connect`] names place, reason and what to check; [`Error::Config`] a wrong sslmode.
    pub async fn connect(target: &PostgresTarget, threads: usize) -> Result<Self, Error> {
        let sessions = Arc::new(Sessions::connect(target, threads).await?);
        sessions.reserve_control();
        Ok(Self {
            sessions,
            catalog: Arc::new(Catalog::default()),
        })
    }

    /// Creates the schemas that do not exist and learns what is in all of them. Call it before
    /// anything is compiled; templates are answered from what it read.
    ///
    /// # Errors
    /// The database's refusal.
    pub async fn prepare(&self, schemas: &BTreeSet<String>) -> Result<(), Error> {
        let mut lease = self.sessions.lease(&CancellationToken::new(), None).await?;
        self.catalog.load(&mut lease, schemas).await
    }

    /// What templates ask outside any node's run: each question in a transaction of its own that is undone. Must be
    /// called on a thread of the async runtime; the adapter itself is used on threads that may block.
    #[must_use]
    pub fn adapter(&self) -> BlockingAdapter {
        BlockingAdapter {
            sessions: Arc::clone(&self.sessions),
            catalog: Arc::clone(&self.catalog),
            runtime: tokio::runtime::Handle::current(),
            cancel: CancellationToken::new(),
            node: None,
            anew: false,
        }
    }

    /// A session for one node: its templates ask in it, and it is built in it. End it with [`NodeSession::end`].
    #[must_use]
    pub fn session(&self, options: &RunOptions) -> NodeSession {
        let comment = options.query_comment.clone();
        NodeSession::new(
            &self.sessions,
            &self.catalog,
            options.cancel.clone(),
            comment,
        )
    }

    /// Builds, loads or tests one node in a session of its own.
    ///
    /// Do not drop the future to stop it: cancel `options.cancel` and await the result, or the
    /// statement goes on in the server until that notices, seconds later, that nobody listens.
    ///
    /// # Errors
    /// Nothing of the node is visible then: its transaction was rolled back. The exception is a
    /// hook outside the transaction, which stays done.
    pub async fn run(
        &self,
        node: &Node,
        compiled: &Compiled,
        options: &RunOptions,
    ) -> Result<Outcome, Error> {
        let session = self.session(options);
        let result = self.run_in(&session, node, compiled, options).await;
        Box::pin(session.end()).await;
        result
    }

    /// [`Self::run`] in the session in which the node was compiled.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn run_in(
        &self,
        session: &NodeSession,
        node: &Node,
        compiled: &Compiled,
        options: &RunOptions,
    ) -> Result<Outcome, Error> {
        Box::pin(materialize::run(
            session,
            &self.catalog,
            &stored(node),
            compiled,
            options,
        ))
        .await
    }

    /// Refuses to have `node` built by templates of the project when days of its relation are archived.
    ///
    /// # Errors
    /// Says which days, and the database's refusal.
    pub async fn refuse_archived(
        &self,
        session: &NodeSession,
        node: &Node,
        options: &RunOptions,
    ) -> Result<(), Error> {
        materialize::refuse_archived(session, &self.catalog, &stored(node), options).await
    }

    /// Ends every session. Sessions in use end when their node does.
    pub async fn close(self) {
        self.sessions.close().await;
    }
}

/// `node` with its relation under the name that the catalog has: what is built here is looked for there, too.
fn stored(node: &Node) -> Cow<'_, Node> {
    match &node.relation_name {
        Some(name) if name.quoting != Quoting::ALL => Cow::Owned(Node {
            relation_name: Some(name.stored()),
            ..node.clone()
        }),
        _ => Cow::Borrowed(node),
    }
}

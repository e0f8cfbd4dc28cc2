//! The session of one node. What its templates ask, what its hooks do and what its materialization runs happen in
//! one session and, unless somebody says otherwise, in one transaction, as in dbt: a failure undoes all of it.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use project::relation::RelationName;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;

use crate::catalog::{Catalog, Found, lookup, read_found};
use crate::error::Error;
use crate::outcome::QueryComment;
use crate::session::{Lease, Sessions};

/// One node's hold on a session, taken when it is first needed. Cheap to clone; clones are the same hold.
#[derive(Debug, Clone)]
pub struct NodeSession {
    sessions: Arc<Sessions>,
    cancel: CancellationToken,
    comment: Option<Arc<QueryComment>>,
    lease: Arc<Mutex<Option<Lease>>>,
    catalog: Arc<Catalog>,
    /// What templates said they changed: memory of it is wrong when their transaction is undone.
    noted: Arc<std::sync::Mutex<BTreeSet<RelationName>>>,
    /// Something was committed: from now on statements that ask for no transaction stand by themselves.
    committed: Arc<AtomicBool>,
}

impl NodeSession {
    pub(crate) fn new(
        sessions: &Arc<Sessions>,
        catalog: &Arc<Catalog>,
        cancel: CancellationToken,
        comment: Option<QueryComment>,
    ) -> Self {
        Self {
            sessions: Arc::clone(sessions),
            cancel,
            comment: comment.map(Arc::new),
            lease: Arc::new(Mutex::new(None)),
            catalog: Arc::clone(catalog),
            noted: Arc::default(),
            committed: Arc::default(),
        }
    }

    /// The session, for whoever works in it next; waits while another part of the node does.
    pub(crate) async fn hold(&self) -> Result<Held, Error> {
        let mut guard = Arc::clone(&self.lease).lock_owned().await;
        if guard.is_none() {
            let lease = self
                .sessions
                .lease(&self.cancel, self.comment.as_ref())
                .await?;
            *guard = Some(lease);
        }
        Ok(Held {
            node: self.clone(),
            guard: Some(guard),
        })
    }

    /// Lets statements that ask for no transaction stand by themselves from the start, as in operations.
    #[must_use]
    pub fn without_transaction(self) -> Self {
        self.committed();
        self
    }

    pub(crate) fn committed(&self) {
        self.committed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_committed(&self) -> bool {
        self.committed.load(Ordering::Relaxed)
    }

    pub(crate) fn note(&self, name: &RelationName, found: Option<Found>) {
        self.catalog.note(name, found);
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.insert(name.clone());
    }

    /// Undoes what is open and gives the session back. A node that committed has nothing open.
    pub async fn end(&self) {
        let Some(mut lease) = self.lease.lock().await.take() else {
            return;
        };
        let noted = std::mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner));
        if lease.in_transaction() {
            lease.rollback().await;
            if let Err(error) = self.learn(&mut lease, &noted).await {
                tracing::debug!(%error, "reading the catalog again failed");
            }
        }
        if !noted.is_empty() && lease.run("discard temp").await.is_err() {
            tracing::debug!("temporary tables stay until the session ends");
        }
    }

    async fn learn(&self, lease: &mut Lease, names: &BTreeSet<RelationName>) -> Result<(), Error> {
        for name in names {
            let found = read_found(&lease.run(&lookup(&[name])).await?.rows)?;
            self.catalog
                .note(name, found.get(&name.identifier).copied());
        }
        Ok(())
    }
}

/// The session while somebody works in it.
#[derive(Debug)]
pub(crate) struct Held {
    node: NodeSession,
    guard: Option<OwnedMutexGuard<Option<Lease>>>,
}

impl Held {
    /// Says that whatever was done is committed.
    pub(crate) fn committed(&self) {
        self.node.committed();
    }

    /// Lets templates work in the session while `work` is awaited.
    pub(crate) async fn lend<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Error> {
        self.guard = None;
        let done = work.await;
        *self = self.node.hold().await?;
        Ok(done)
    }
}

const HELD: &str = "the session is there but while it is lent, and then its borrower is suspended";

impl Deref for Held {
    type Target = Lease;

    fn deref(&self) -> &Lease {
        self.guard
            .as_ref()
            .and_then(|guard| guard.as_ref())
            .expect(HELD)
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Lease {
        self.guard
            .as_mut()
            .and_then(|guard| guard.as_mut())
            .expect(HELD)
    }
}

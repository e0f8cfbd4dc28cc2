//! The database as templates see it.

use std::sync::Arc;

use project::adapter::{Adapter, AdapterError, Answer, Column, Table, Transaction};
use project::relation::{RelationKind, RelationName};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::catalog::{Catalog, Found, columns_sql, in_schema, lookup, read_columns, read_found};
use crate::error::Error;
use crate::names::quote;
use crate::node_session::NodeSession;
use crate::session::{Lease, Sessions};
use crate::{tag, value};

/// Answers templates from a thread that may block (`tokio::task::spawn_blocking`); panics on a
/// thread of the async runtime. Cheap to clone.
#[derive(Debug, Clone)]
pub struct BlockingAdapter {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) runtime: Handle,
    pub(crate) cancel: CancellationToken,
    /// The node whose session it uses; without one every question has a session of its own.
    pub(crate) node: Option<NodeSession>,
    /// Asks what exists anew instead of remembering it: a relation that is dropped takes others with it.
    pub(crate) anew: bool,
}

impl BlockingAdapter {
    /// The same adapter, whose queries stop on the server when `cancel` is cancelled.
    #[must_use]
    pub fn with_cancel(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// The same adapter, in the session of one node.
    #[must_use]
    pub fn within(mut self, node: NodeSession) -> Self {
        self.node = Some(node);
        self
    }

    /// The same adapter, which looks again before it says what exists.
    #[must_use]
    pub fn looking_anew(mut self) -> Self {
        self.anew = true;
        self
    }

    fn block<T>(
        &self,
        work: impl AsyncFnOnce(&mut Lease) -> Result<T, Error>,
    ) -> Result<T, AdapterError> {
        self.runtime
            .block_on(async {
                match &self.node {
                    Some(node) => work(&mut *node.hold().await?).await,
                    None => work(&mut self.sessions.lease(&self.cancel, None).await?).await,
                }
            })
            .map_err(|error| AdapterError {
                message: error.to_string(),
                sqlstate: error.sqlstate().map(str::to_owned),
            })
    }
}

/// A temporary table has no schema to print, and other relations may have no database.
fn shown(name: &RelationName) -> String {
    if name.schema.is_empty() {
        quote(&name.identifier)
    } else if name.database.is_empty() {
        // as `api.Relation.create(schema=…, identifier=…)` makes it
        format!("{}.{}", quote(&name.schema), quote(&name.identifier))
    } else {
        name.to_string()
    }
}

/// Runs a template's statement and follows where it leaves the transaction.
async fn run(lease: &mut Lease, sql: &str, begin: bool) -> Result<Answer, Error> {
    if begin && !lease.in_transaction() {
        lease.run("begin").await?;
        lease.opened();
    }
    let open = lease.in_transaction();
    let ran = lease.run(sql).await?;
    if tag::leaves_open(sql, open) {
        lease.opened();
    } else {
        lease.settled();
    }
    let rows = ran.affected();
    let (message, code) = tag::tag(sql, rows);
    let counted = message != code;
    let mut table = value::table(ran.last_rows())?;
    if table.rows.is_empty() && code == "SELECT" {
        table.columns = lease.column_names(sql).await;
    }
    Ok(Answer {
        rows_affected: counted.then_some(rows),
        message,
        code,
        table,
    })
}

impl Adapter for BlockingAdapter {
    fn relation(&self, name: &RelationName) -> Result<Option<RelationKind>, AdapterError> {
        let name = &name.stored();
        if let Some(known) = self.catalog.recall(name).filter(|_| !self.anew) {
            return Ok(known.map(|found| found.kind));
        }
        self.block(async |lease| {
            let rows = lease.run(&lookup(&[name])).await?.rows;
            Ok(read_found(&rows)?.get(&name.identifier).map(|f| f.kind))
        })
    }

    fn columns(&self, name: &RelationName) -> Result<Vec<Column>, AdapterError> {
        self.block(async |lease| {
            let rows = lease.run(&columns_sql(&shown(&name.stored()))).await?.rows;
            read_columns(&rows)
        })
    }

    fn query(&self, sql: &str) -> Result<Table, AdapterError> {
        self.execute(sql, Transaction::Inside)
            .map(|answer| answer.table)
    }

    fn execute(&self, sql: &str, transaction: Transaction) -> Result<Answer, AdapterError> {
        let committed = self.node.as_ref().is_some_and(NodeSession::has_committed);
        let begin = transaction == Transaction::Inside || !committed;
        self.block(async |lease| {
            let answer = run(lease, sql, begin).await;
            if let Some(node) = self.node.as_ref().filter(|_| !lease.in_transaction()) {
                node.committed();
            }
            if self.node.is_none() && lease.in_transaction() {
                // nobody would commit it: as in dbt, it is undone unless it commits itself
                lease.rollback().await;
            }
            answer
        })
    }

    fn describe(&self, sql: &str) -> Result<Vec<Column>, AdapterError> {
        self.block(async |lease| lease.describe(sql).await)
    }

    fn commit(&self) -> Result<(), AdapterError> {
        self.block(async |lease| {
            if lease.in_transaction() {
                lease.run("commit").await?;
                lease.settled();
            }
            if let Some(node) = &self.node {
                node.committed();
            }
            Ok(())
        })
    }

    fn relations(&self, schema: &str) -> Result<Vec<(RelationName, RelationKind)>, AdapterError> {
        let database = self.sessions.database().to_owned();
        self.block(async |lease| {
            let found = read_found(&lease.run(&in_schema(schema)).await?.rows)?;
            let named = |(identifier, found): (String, Found)| {
                let name = RelationName::new(database.as_str(), schema, identifier);
                (name, found.kind)
            };
            let mut relations: Vec<_> = found.into_iter().map(named).collect();
            relations.sort_by(|(a, _), (b, _)| a.identifier.cmp(&b.identifier));
            Ok(relations)
        })
    }

    fn note(&self, name: &RelationName, kind: Option<RelationKind>) {
        let found = kind.map(|kind| Found {
            kind,
            partitioned: false,
        });
        let name = name.stored();
        match &self.node {
            Some(node) => node.note(&name, found),
            None => self.catalog.note(&name, found),
        }
    }
}

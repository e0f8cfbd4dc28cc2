//! The database as templates see it.

use std::sync::Arc;

use project::adapter::{Adapter, AdapterError, Column, Table};
use project::relation::{RelationKind, RelationName};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::catalog::{Catalog, columns_sql, lookup, read_columns, read_found};
use crate::error::Error;
use crate::session::{Lease, Sessions};
use crate::value;

/// Answers templates from a thread that may block (`tokio::task::spawn_blocking`); panics on a
/// thread of the async runtime. Cheap to clone.
#[derive(Debug, Clone)]
pub struct BlockingAdapter {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) runtime: Handle,
    pub(crate) cancel: CancellationToken,
}

impl BlockingAdapter {
    /// The same adapter, whose queries stop on the server when `cancel` is cancelled.
    #[must_use]
    pub fn with_cancel(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    fn block<T>(
        &self,
        work: impl AsyncFnOnce(&mut Lease) -> Result<T, Error>,
    ) -> Result<T, AdapterError> {
        self.runtime
            .block_on(async {
                let mut lease = self.sessions.lease(&self.cancel, None).await?;
                work(&mut lease).await
            })
            .map_err(|error| AdapterError {
                message: error.to_string(),
                sqlstate: error.sqlstate().map(str::to_owned),
            })
    }
}

impl Adapter for BlockingAdapter {
    fn relation(&self, name: &RelationName) -> Result<Option<RelationKind>, AdapterError> {
        if let Some(known) = self.catalog.recall(name) {
            return Ok(known.map(|found| found.kind));
        }
        self.block(async |lease| {
            let rows = lease.run(&lookup(&[name])).await?.rows;
            Ok(read_found(&rows)?.get(&name.identifier).map(|f| f.kind))
        })
    }

    fn columns(&self, name: &RelationName) -> Result<Vec<Column>, AdapterError> {
        self.block(async |lease| {
            let rows = lease.run(&columns_sql(&name.to_string())).await?.rows;
            read_columns(&rows)
        })
    }

    fn query(&self, sql: &str) -> Result<Table, AdapterError> {
        self.block(async |lease| {
            // as in dbt, a query of a template is undone unless it commits itself
            lease.run("begin").await?;
            lease.opened();
            let mut result = lease
                .run(sql)
                .await
                .and_then(|r| value::table(r.last_rows()));
            if let Ok(table) = &mut result
                && table.rows.is_empty()
            {
                table.columns = lease.column_names(sql).await;
            }
            lease.rollback().await;
            result
        })
    }
}

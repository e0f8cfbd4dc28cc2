//! Committed -> visible -> drained: the view gets its new literals, and older queries end.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::report::{Event, Stopped};
use super::{Mover, adopt};
use crate::error::{Doing as _, Error};
use crate::lake::Lake;
use crate::ledger::moves::{self, Move};
use crate::ledger::state::{Kind, State};
use crate::ledger::tables::{Shown, Table};
use crate::ledger::{TableId, hold, quote, tables};
use crate::trino::{self, Trino};
use crate::view::{HISTORY, Returning, View, view_columns};

/// How often queries are asked for while draining.
const LOOK: Duration = Duration::from_millis(250);

impl Mover<'_> {
    fn trino(&self) -> Result<&Trino, Error> {
        self.trino.as_ref().ok_or_else(|| Error::Refused {
            table: self.policy.table.to_string(),
            reason: "there is no Trino to make its view".to_owned(),
            hint: "start Trino (it needs a JDK 25) and set RIDEHAIL_TRINO_URL".to_owned(),
        })
    }

    /// Replaces the view; the batch's rows come from Iceberg from then on.
    pub(super) async fn show(&mut self, batch: &[Move]) -> Result<(), Error> {
        let moved = batch
            .iter()
            .filter(|m| m.kind == Kind::Move)
            .map(|m| m.upper)
            .max();
        let boundary = self.adopted.table.visible_boundary.max(moved);
        let flush = batch
            .iter()
            .map(|m| m.flush)
            .fold(self.adopted.table.visible_flush, i64::max);
        // someone else may have changed its schema since adoption
        self.adopted.iceberg = adopt::load(self.lake, &self.adopted.table).await?;
        self.sees_commit(batch).await?;
        let ids: Vec<_> = batch.iter().map(|m| m.id).collect();
        self.make_view(boundary, flush, &ids).await?;
        fail::fail_point!("lake::shown");
        self.reload().await
    }

    /// Makes the view and notes it, and that these moves are visible. Whoever claims the table meanwhile waits: Trino
    /// knows no fencing, and a statement of ours that came late would take the view back. Should our session have
    /// ended all the same, its successor's view is made once more.
    async fn make_view(
        &mut self,
        boundary: Option<DateTime<Utc>>,
        flush: i64,
        ids: &[Uuid],
    ) -> Result<(), Error> {
        let id = self.policy.table.clone();
        let mut tx = self.lake.pool.begin().await.doing("note the view")?;
        hold(&mut tx, &id, self.holder).await?;
        let shown = self.replace_view(boundary, flush).await?;
        fail::fail_point!("lake::view_replaced");
        let noting = async {
            // still ours, if the session is
            hold(&mut tx, &id, self.holder).await?;
            tables::set_visible(&mut tx, &id, &shown).await?;
            moves::advance(&mut tx, ids, State::Committed, State::Visible).await?;
            tx.commit().await.doing("note the view")
        };
        let Err(error) = noting.await else {
            return Ok(());
        };
        if let Err(second) = self.give_view_back(&shown.statement).await {
            tracing::warn!(error = %second, "the view may be an older one; the next run looks at it");
        }
        Err(error)
    }

    /// Makes the view that the ledger says, unless that is `ours`.
    async fn give_view_back(&self, ours: &str) -> Result<(), Error> {
        let mut conn = self.lake.connect().await?;
        let noted = tables::get(&mut conn, &self.policy.table).await?;
        let noted = noted.and_then(|table| table.view_statement);
        if let Some(statement) = noted.filter(|statement| statement != ours) {
            self.trino()?.rows(&statement).await?;
        }
        Ok(())
    }

    /// Whether Trino's catalog of Iceberg's tables is the one that was committed to: the view would read it.
    async fn sees_commit(&self, batch: &[Move]) -> Result<(), Error> {
        let Some(snapshot) = batch.iter().find_map(|m| m.snapshot) else {
            return Ok(());
        };
        let (table, names) = (&self.adopted.table, &self.lake.names);
        let sql = format!(
            "select count(*) from {}.{}.{} where snapshot_id = {snapshot}",
            quote(&names.trino_lake),
            quote(&table.iceberg_schema),
            quote(&format!("{}$snapshots", table.iceberg_table)),
        );
        let seen = match self.trino()?.rows(&sql).await {
            Ok(rows) => rows.first().and_then(|row| row.first()?.as_i64()) == Some(1),
            Err(trino::Error::Failed(failure)) if failure.error_type == "USER_ERROR" => false,
            Err(error) => return Err(error.into()),
        };
        // one that upkeep has expired meanwhile is nobody's
        let metadata = self.adopted.iceberg.metadata();
        if seen || metadata.snapshot_by_id(snapshot).is_none() {
            return Ok(());
        }
        Err(Error::Refused {
            table: table.id.to_string(),
            reason: format!(
                "Trino's catalog `{}` does not show what was committed",
                names.trino_lake
            ),
            hint: "its iceberg.jdbc-catalog settings must name this database and RIDEHAIL_LAKE_CATALOG".to_owned(),
        })
    }

    /// Makes the view anew when it is not what it would be made as now: someone replaced it, or the table has other
    /// columns, or columns of another type. At the beginning of a run, too: readers wait for no move then.
    pub(super) async fn mend_view(&mut self) -> Result<(), Error> {
        if self.adopted.table.view_text.is_none() {
            return Ok(());
        }
        self.keep_view().await
    }

    /// Makes the view when there is none, and as [`Self::mend_view`].
    pub(super) async fn keep_view(&mut self) -> Result<(), Error> {
        if self.trino.is_none() {
            return Ok(());
        }
        let table = &self.adopted.table;
        let (boundary, flush) = (table.visible_boundary, table.visible_flush);
        let statement = self.statement(boundary, flush);
        let (stored, made_by) = (table.view_text.clone(), table.view_statement.as_ref());
        if stored.is_some() && made_by == Some(&statement) && stored == self.view_text().await? {
            return Ok(());
        }
        self.show_again(boundary, flush).await
    }

    /// The view once more, with the literals that readers have.
    async fn show_again(
        &mut self,
        boundary: Option<DateTime<Utc>>,
        flush: i64,
    ) -> Result<(), Error> {
        self.make_view(boundary, flush, &[]).await?;
        self.reload().await
    }

    pub(super) async fn reload(&mut self) -> Result<(), Error> {
        if let Some(table) = tables::get(&mut self.conn, &self.policy.table).await? {
            self.adopted.table = table;
        }
        Ok(())
    }

    /// The statement that makes the view as the table is now.
    fn statement(&self, boundary: Option<DateTime<Utc>>, flush: i64) -> String {
        let table = &self.adopted.table;
        let schema = self.adopted.iceberg.metadata().current_schema();
        let columns = view_columns(&self.adopted.shape, schema);
        let names = &self.lake.names;
        let view = View {
            name: &table.view_name,
            admin_catalog: &names.trino_lake_admin,
            iceberg_catalog: &names.trino_lake,
            postgres_catalog: &names.trino_warehouse,
            iceberg: (&table.iceberg_schema, &table.iceberg_table),
            postgres: (&table.id.schema, &table.id.name),
            late_table: &table.late_table,
            field: &table.field,
            field_type: self.adopted.field_type,
            columns: &columns,
            boundary,
            flush,
            returning: table.given_back.map(|rows| Returning {
                key: &table.key,
                rows,
            }),
        };
        view.history()
    }

    /// Replaces the view and reads it back.
    async fn replace_view(
        &mut self,
        boundary: Option<DateTime<Utc>>,
        flush: i64,
    ) -> Result<Shown, Error> {
        // someone else may have changed its schema since adoption
        self.adopted.iceberg = adopt::load(self.lake, &self.adopted.table).await?;
        let statement = self.statement(boundary, flush);
        let trino = self.trino()?;
        trino
            .make_schema(&format!("{}.{HISTORY}", self.lake.names.trino_lake_admin))
            .await?;
        trino.rows(&statement).await?;
        let at = now(trino).await?;
        let text = self.view_text().await?.ok_or_else(|| Error::Differs {
            what: "the view that was made and the view that is there".to_owned(),
            message: "there is none".to_owned(),
        })?;
        let wanted = boundary.map(|b| self.adopted.field_type.literal(b));
        if wanted.is_some_and(|literal| !text.contains(&literal)) {
            return Err(Error::Differs {
                what: "the view that was made and the view that is there".to_owned(),
                message: "its boundary is another: someone else replaced it".to_owned(),
            });
        }
        let name = format!("{HISTORY}.{}", self.adopted.table.view_name);
        self.reporter.report(&Event::View { name });
        Ok(Shown {
            boundary,
            flush,
            statement,
            text,
            at,
        })
    }

    /// The view as Trino has it; `None` when there is none.
    pub(super) async fn view_text(&self) -> Result<Option<String>, Error> {
        view_text(self.lake, self.trino()?, &self.adopted.table).await
    }

    /// Waits until no query runs that began before the view was replaced.
    pub(super) async fn older_queries(&mut self) -> Result<Option<Stopped>, Error> {
        let begun = Instant::now();
        let Some(at) = self.adopted.table.visible_at else {
            return Err(Error::OutOfStep {
                from: State::Visible,
                to: State::Drained,
            });
        };
        let mut told = Vec::new();
        loop {
            let older = running_before(self.trino()?, at).await?;
            if older.is_empty() {
                return Ok(None);
            }
            if begun.elapsed() >= self.options.drain_timeout {
                return Ok(Some(Stopped::Draining { queries: older }));
            }
            if let Some(stopped) = self.halted().await? {
                return Ok(Some(stopped));
            }
            if told != older {
                self.reporter.report(&Event::Draining {
                    queries: older.clone(),
                });
                told = older;
            }
            sleep(LOOK).await;
        }
    }

    /// Waits for queries that began before the view was replaced: one that did may read Postgres for days that are
    /// about to leave. Statements of a process that was killed while it replaced the view are among them.
    pub(super) async fn drain(&mut self, batch: &[Move]) -> Result<Option<Stopped>, Error> {
        if let Some(stopped) = self.older_queries().await? {
            return Ok(Some(stopped));
        }
        // what every query sees from now on: a killed process's statement may have come in last
        let text = self.view_text().await?;
        if text != self.adopted.table.view_text {
            tracing::warn!(table = %self.policy.table, "the view is not the one that was made: replaced again");
            let (boundary, flush) = (
                self.adopted.table.visible_boundary,
                self.adopted.table.visible_flush,
            );
            self.show_again(boundary, flush).await?;
            // not drained: queries may have read the wrong one. The next round waits for them.
            return Ok(None);
        }
        self.advance_all(batch, State::Visible, State::Drained)
            .await?;
        fail::fail_point!("lake::drained");
        Ok(None)
    }
}

/// A mover's own client, by whose name Trino knows its statements.
///
/// What a killed mover of this table has left running is ended first: a new one would wait for it when it drains,
/// until Trino gives up the client. Only who holds the table may call this.
pub(super) async fn client(trino: Trino, table: &TableId) -> Trino {
    let name = format!("ridehail-archive {table}");
    end_leftovers(&trino, &name).await;
    trino.named(&name)
}

/// That some are left is no failure: the drain waits for them.
async fn end_leftovers(trino: &Trino, name: &str) {
    let sql = format!(
        "SELECT query_id FROM system.runtime.queries
         WHERE source = '{}' AND state NOT IN ('FINISHED', 'FAILED')",
        name.replace('\'', "''")
    );
    let left = match trino.rows(&sql).await {
        Ok(left) => left,
        Err(error) => {
            tracing::debug!(name, %error, "statements left in Trino cannot be listed");
            return;
        }
    };
    for query in left.iter().filter_map(|row| row.first()?.as_str()) {
        let sql = format!(
            "CALL system.runtime.kill_query(query_id => '{query}', message => 'its client was killed')"
        );
        // one that has ended meanwhile cannot be killed
        match trino.rows(&sql).await {
            Ok(_) => tracing::info!(name, query, "a statement of a killed mover was ended"),
            Err(error) => tracing::debug!(name, query, %error, "a statement was not killed"),
        }
    }
}

/// Trino's clock.
async fn now(trino: &Trino) -> Result<DateTime<Utc>, Error> {
    let sql = "SELECT to_iso8601(current_timestamp(6) AT TIME ZONE 'UTC')";
    let text = trino.text(sql).await?;
    DateTime::parse_from_rfc3339(&text)
        .map(|at| at.to_utc())
        .map_err(|_| {
            let (what, message) = (sql.to_owned(), format!("`{text}` is no time"));
            trino::Error::Answer { what, message }.into()
        })
}

/// Trino's names of the queries that began before `at` and have not ended.
async fn running_before(trino: &Trino, at: DateTime<Utc>) -> Result<Vec<String>, Error> {
    // `created` has milliseconds: one of the same millisecond counts as older
    let sql = format!(
        "SELECT query_id FROM system.runtime.queries
         WHERE state NOT IN ('FINISHED', 'FAILED') AND created <= TIMESTAMP '{} UTC'
         ORDER BY query_id",
        at.format("%Y-%m-%d %H:%M:%S%.3f")
    );
    let rows = trino.rows(&sql).await?;
    Ok(rows
        .iter()
        .filter_map(|row| Some(row.first()?.as_str()?.to_owned()))
        .collect())
}

/// A table's view over the tiers as Trino has it; `None` when there is none.
///
/// # Errors
/// Trino's.
pub(crate) async fn view_text(
    lake: &Lake,
    trino: &Trino,
    table: &Table,
) -> Result<Option<String>, Error> {
    let sql = format!(
        "SHOW CREATE VIEW {}.{HISTORY}.{}",
        lake.names.trino_lake_admin,
        quote(&table.view_name)
    );
    match trino.text(&sql).await {
        Ok(text) => Ok(Some(text)),
        Err(trino::Error::Failed(failure))
            if matches!(
                failure.error_name.as_str(),
                "TABLE_NOT_FOUND" | "SCHEMA_NOT_FOUND" | "NOT_FOUND"
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

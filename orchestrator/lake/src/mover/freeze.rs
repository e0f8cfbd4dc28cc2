//! Planned -> frozen: writers go to the late table, and the partition can no longer change.
//!
//! One short transaction. The boundary row is locked FOR UPDATE first: every writer that follows the rule holds it
//! FOR SHARE until it has committed, so none of them is in flight afterwards, and the next one reads the new
//! boundary. The triggers are a net for everyone else, and their lock waits for those who write right now.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::time::{Instant, sleep};

use super::plan::Due;
use super::report::Stopped;
use super::{Adopted, Mover, adopt};
use crate::error::{Doing as _, Error, Locked as _};
use crate::ledger::moves::{self, Move, Planned};
use crate::ledger::state::{Kind, State};
use crate::ledger::{TableId, fitting_name, hold, quote};

/// A day that is due, as a planned move.
pub(super) fn planned(due: &Due) -> Planned {
    Planned {
        kind: Kind::Move,
        lower: due.lower,
        upper: due.upper,
        flush: 0,
        partition: Some(due.partition.clone()),
        source_bytes: Some(due.bytes),
    }
}

/// Name of the net's triggers.
pub(super) const NET: &str = "ridehail_archive_net";

/// Between two tries for a lock that a writer holds.
const WRITERS_PAUSE: Duration = Duration::from_secs(1);

impl Mover<'_> {
    pub(super) async fn insert_batch(&mut self, planned: Vec<Planned>) -> Result<(), Error> {
        let id = self.policy.table.clone();
        let shape = super::copy::to_json(&self.adopted.shape)?;
        let mut tx = self.conn.begin().await.doing("plan moves")?;
        hold(&mut tx, &id, self.holder).await?;
        moves::plan(&mut tx, &id, &shape, &planned).await?;
        tx.commit().await.doing("plan moves")?;
        fail::fail_point!("lake::planned");
        Ok(())
    }

    /// Freezes, and tries again while someone writes for longer than a lock is waited for: a model that is being
    /// built holds the boundary for minutes, and no reader is kept waiting meanwhile.
    pub(super) async fn patiently(&mut self, batch: &[Move]) -> Result<Option<Stopped>, Error> {
        let begun = Instant::now();
        loop {
            match self.freeze(batch).await {
                Err(error)
                    if error.is_lock_timeout() && begun.elapsed() < self.options.drain_timeout =>
                {
                    tracing::info!(table = %self.policy.table, "someone writes to it: waiting");
                }
                done => return done.map(|()| None),
            }
            if let Some(stopped) = self.halted().await? {
                return Ok(Some(stopped));
            }
            sleep(WRITERS_PAUSE).await;
        }
    }

    pub(super) async fn freeze(&mut self, batch: &[Move]) -> Result<(), Error> {
        let id = self.policy.table.clone();
        let ids: Vec<_> = batch.iter().map(|m| m.id).collect();
        let Some(upper) = batch.iter().map(|m| m.upper).max() else {
            return Ok(());
        };
        let net = Net::of(&self.adopted);
        let mut tx = self.conn.begin().await.doing("freeze")?;
        sqlx::query(adopt::LOCK_TIMEOUT)
            .execute(&mut *tx)
            .await
            .doing("freeze")?;
        hold(&mut tx, &id, self.holder).await?;
        // FOR UPDATE by way of the update: waits for writers that hold the row FOR SHARE. The boundary only grows.
        sqlx::query(
            "update lake.boundaries set boundary = greatest(boundary, $3), updated_at = now()
             where table_schema = $1 and table_name = $2",
        )
        .bind(&id.schema)
        .bind(&id.name)
        .bind(upper)
        .execute(&mut *tx)
        .await
        .doing("advance the boundary")
        .when_locked("a writer holds it for longer than 2 s")?;
        fail::fail_point!("lake::boundary_advanced");
        net.make(&mut tx).await?;
        for one in batch {
            if let Some(partition) = &one.partition {
                net.spread(&mut tx, partition).await?;
            }
        }
        moves::advance(&mut tx, &ids, State::Planned, State::Frozen).await?;
        tx.commit().await.doing("freeze")?;
        fail::fail_point!("lake::frozen");
        Ok(())
    }
}

/// What catches those who write to a frozen partition without asking.
struct Net {
    table: TableId,
    /// The late table, and the function that fills it.
    late: String,
    function: String,
    columns: Vec<String>,
}

impl Net {
    fn of(adopted: &Adopted) -> Self {
        let function = quote(&fitting_name(
            &format!("net_{}", adopted.table.late_table),
            "",
        ));
        Self {
            table: adopted.table.id.clone(),
            late: adopted.table.late(),
            function: format!("lake.{function}"),
            columns: adopted
                .shape
                .columns
                .iter()
                .map(|c| quote(&c.name))
                .collect(),
        }
    }

    /// The trigger function: inserts go to the late table, other changes are refused.
    async fn make(&self, conn: &mut PgConnection) -> Result<(), Error> {
        // Names in the function are those of Postgres or have their schema: it runs as its owner, and the path is its
        // caller's. The same path now, so that expressions are written out with schemas.
        sqlx::raw_sql("set local search_path = pg_catalog")
            .execute(&mut *conn)
            .await
            .doing("make the net")?;
        // a generated column has no value yet when a trigger sees its row
        let generated: Vec<(String, String)> = sqlx::query_as(
            "select a.attname::text, pg_get_expr(d.adbin, d.adrelid)
             from pg_attribute a join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
             where a.attrelid = to_regclass($1) and a.attgenerated = 's' and not a.attisdropped",
        )
        .bind(self.table.quoted())
        .fetch_all(&mut *conn)
        .await
        .doing("read how columns are generated")?;
        let mut values = self.columns.clone();
        let mut row = Vec::new();
        for (column, value) in self.columns.iter().zip(&mut values) {
            match generated.iter().find(|(name, _)| quote(name) == *column) {
                Some((_, expression)) => *value = format!("({expression}) as {column}"),
                None => row.push(format!("new.{column} as {column}")),
            }
        }
        let sql = format!(
            "create or replace function {}() returns trigger language plpgsql security definer
             set search_path = pg_catalog, pg_temp as $net$
             begin
                 if tg_op = 'INSERT' then
                     -- suspect: whoever does not know the boundary may insert what is archived already
                     insert into {} ({}, ridehail_flush, ridehail_suspect)
                     select n.*, b.open_flush, true
                     from (select {} from (select {}) r) n, lake.boundaries b
                     where b.table_schema = {} and b.table_name = {}
                     for share of b;
                     return null;
                 end if;
                 raise exception '% of {} is refused: % is archived', tg_op, tg_table_name
                     using errcode = 'object_not_in_prerequisite_state',
                           hint = 'archived rows do not change; ridehail archive restore brings a day back to read';
             end $net$",
            self.function,
            self.late,
            self.columns.join(", "),
            values.join(", "),
            row.join(", "),
            literal(&self.table.schema),
            literal(&self.table.name),
            self.table.to_string().replace('\'', "''").replace('%', "%%"),
        );
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(conn)
            .await
            .doing("make the net")?;
        Ok(())
    }

    /// Puts it on one partition.
    async fn spread(&self, conn: &mut PgConnection, partition: &str) -> Result<(), Error> {
        let table = TableId::new(&self.table.schema, partition).quoted();
        let function = &self.function;
        // CREATE TRIGGER takes SHARE ROW EXCLUSIVE on the partition: it waits for those who write to it, not for
        // readers. Row triggers don't see TRUNCATE; the statement trigger does, also when the parent is truncated.
        let sql = format!(
            "create or replace trigger {NET} before insert or update or delete on {table}
                 for each row execute function {function}();
             create or replace trigger {NET}_truncate before truncate on {table}
                 for each statement execute function {function}()"
        );
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(conn)
            .await
            .doing("put the net on a partition")
            .when_locked("someone writes to it for longer than 2 s")?;
        Ok(())
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

//! Drained -> detached -> dropped: the rows leave Postgres, after one last look at Iceberg.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::copy::stored_witness;
use super::{Mover, adopt, commit, facts};
use crate::drift;
use crate::error::{Doing as _, Error, Locked as _};
use crate::ledger::moves::{self, Move};
use crate::ledger::state::{Kind, State};
use crate::ledger::{TableId, files, hold, is_there};
use crate::manifests;
use crate::shape::Shape;
use crate::witness::Witness;

impl Mover<'_> {
    /// Ends detaches that a killed process left half done: Postgres allows one at a time for each table.
    pub(super) async fn finish_detaches(&mut self) -> Result<(), Error> {
        let id = &self.policy.table;
        for partition in facts::partitions(&mut self.conn, id).await? {
            if partition.detach_pending {
                tracing::info!(
                    partition = partition.name,
                    "finishing a detach that was broken off"
                );
                let child = TableId::new(&partition.schema, &partition.name).quoted();
                self.alter(&format!(
                    "alter table {} detach partition {child} finalize",
                    id.quoted()
                ))
                .await?;
            }
        }
        Ok(())
    }

    /// A statement that cannot stand in a transaction.
    async fn alter(&mut self, sql: &str) -> Result<(), Error> {
        sqlx::raw_sql("set lock_timeout = '10s'")
            .execute(&mut self.conn)
            .await
            .doing("set a timeout")?;
        let done = sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut self.conn)
            .await;
        sqlx::raw_sql("reset lock_timeout")
            .execute(&mut self.conn)
            .await
            .doing("reset a timeout")?;
        done.doing("detach a partition")
            .when_locked("someone has used the table for longer than 10 s")?;
        Ok(())
    }

    pub(super) async fn detach(&mut self, one: &Move) -> Result<(), Error> {
        // what is lost is found while the day is still a part of its table
        if self.read_back.contains(&one.attempt) {
            self.made_sound(one).await?;
        } else {
            self.still_in_iceberg(one).await?;
        }
        let id = self.policy.table.clone();
        if let Some(name) = &one.partition {
            let there = facts::partitions(&mut self.conn, &id).await?;
            let child = TableId::new(&id.schema, name).quoted();
            match there
                .iter()
                .find(|p| p.name == *name && p.schema == id.schema)
            {
                Some(p) if p.detach_pending => self.finish_detaches().await?,
                Some(_) => {
                    // CONCURRENTLY: readers and writers of other days go on
                    let parent = id.quoted();
                    self.alter(&format!(
                        "alter table {parent} detach partition {child} concurrently"
                    ))
                    .await?;
                }
                // by a process that died before it could say so
                None => {}
            }
        }
        fail::fail_point!("lake::partition_detached");
        self.advance_all(std::slice::from_ref(one), State::Drained, State::Detached)
            .await?;
        fail::fail_point!("lake::detached");
        Ok(())
    }

    /// Drops the partition, or deletes the late rows, in the transaction that closes the move.
    pub(super) async fn drop_rows(&mut self, one: &Move) -> Result<(), Error> {
        self.still_in_iceberg(one).await?;
        let id = self.policy.table.clone();
        let mut tx = self.conn.begin().await.doing("drop rows")?;
        sqlx::query(adopt::LOCK_TIMEOUT)
            .execute(&mut *tx)
            .await
            .doing("drop rows")?;
        hold(&mut tx, &id, self.holder).await?;
        match one.kind {
            Kind::Move => {
                let child = TableId::new(&id.schema, one.partition.as_deref().unwrap_or_default());
                if is_there(&mut *tx, &child).await? {
                    // its lock keeps everyone out between the count and the drop
                    let name = child.quoted();
                    sqlx::raw_sql(AssertSqlSafe(format!(
                        "lock table {name} in access exclusive mode"
                    )))
                    .execute(&mut *tx)
                    .await
                    .doing("lock a detached partition")?;
                    unchanged(&mut tx, &child, one)
                        .await
                        .map_err(|error| match error {
                            Error::Differs { .. } => error.advise(kept_hint(one)),
                            other => other,
                        })?;
                    sqlx::raw_sql(AssertSqlSafe(format!("drop table {name}")))
                        .execute(&mut *tx)
                        .await
                        .doing("drop a partition")?;
                }
                moves::advance(&mut tx, &[one.id], State::Detached, State::Dropped).await?;
            }
            Kind::Flush => {
                let field = crate::ledger::quote(&self.adopted.table.field);
                let deleted = sqlx::query(AssertSqlSafe(format!(
                    "delete from {} where ridehail_flush = $1 and {field}::date = $2",
                    self.adopted.table.late()
                )))
                .bind(one.flush)
                .bind(one.lower.date_naive())
                .execute(&mut *tx)
                .await
                .doing("delete late rows")?
                .rows_affected();
                if i64::try_from(deleted).ok() != one.rows {
                    return Err(Error::Differs {
                        what: format!("late rows of {} and their archive", one.lower.date_naive()),
                        message: format!("{deleted} in Postgres, {:?} archived", one.rows),
                    });
                }
                moves::advance(&mut tx, &[one.id], State::Drained, State::Dropped).await?;
            }
        }
        fail::fail_point!("lake::dropping");
        tx.commit().await.doing("drop rows")?;
        fail::fail_point!("lake::dropped");
        Ok(())
    }

    /// The last check: every file is part of the table's current snapshot and lies in the object store as it was
    /// proven. One that does not is made once more from the rows, which are still here. When this process did not read
    /// the files itself, or someone has rewritten them, the day is read again: its rows as they are now have the digest
    /// that the ledger says.
    async fn still_in_iceberg(&mut self, one: &Move) -> Result<(), Error> {
        let files = files::of(&mut self.conn, one.id, one.attempt).await?;
        if files.is_empty() && one.rows == Some(0) {
            return Ok(());
        }
        let day = one.lower.date_naive();
        let table = adopt::load(self.lake, &self.adopted.table).await?;
        let live = manifests::live_files(&table).await?;
        let there = |path: &str, rows: i64| {
            live.iter()
                .any(|f| f.path == path && f.rows == rows && !f.deletes)
        };
        let deletes = live.iter().any(|f| f.deletes);
        let same = !files.is_empty() && !deletes && files.iter().all(|f| there(&f.path, f.rows));
        if same {
            self.made_sound(one).await?;
        }
        if same && self.read_back.contains(&one.attempt) {
            return Ok(());
        }
        tracing::info!(
            table = %self.policy.table, %day, rewritten = !same,
            snapshot = ?commit::find_batch(&table, std::slice::from_ref(one)),
            "another process read these files, or they were rewritten since: reading the day again"
        );
        let found = drift::verify_day(self.lake, &self.adopted.table, day).await?;
        if let Some(message) = found.problem() {
            return Err(self.differs(one, message));
        }
        if same {
            self.read_back.insert(one.attempt);
        }
        Ok(())
    }

    /// Every file of a move lies in the object store as it was proven, or is made once more.
    async fn made_sound(&mut self, one: &Move) -> Result<(), Error> {
        let lost = self.unsound(one).await?;
        if lost.is_empty() || self.mend(one, &lost).await? {
            return Ok(());
        }
        let problems: Vec<String> = lost.into_iter().map(|file| file.problem).collect();
        Err(self.differs(one, problems.join("; ")))
    }

    fn differs(&self, one: &Move, message: String) -> Error {
        Error::Differs {
            what: format!(
                "the archive of {} on {} and its ledger",
                self.policy.table,
                one.lower.date_naive()
            ),
            message,
        }
    }
}

/// What to do about a partition that was changed after its rows were committed.
fn kept_hint(one: &Move) -> String {
    format!(
        "the archive has the day as it was copied; `ridehail archive abandon {} --day {}` keeps the changed partition, \
         detached, as a table of its own",
        one.table,
        one.lower.date_naive()
    )
}

/// Whether a partition, which the caller has locked before he drops it, holds the rows that were copied. All are counted;
/// when one of them was written since, everything SQL can say of them is compared: a partition that was
/// restored from a dump has the same rows, one that someone wrote to behind the net has not.
pub(super) async fn unchanged(
    conn: &mut PgConnection,
    child: &TableId,
    one: &Move,
) -> Result<(), Error> {
    // age() is a distance on a circle of 2^32 transactions. The copy's is none on it when it lies ahead (in the dump
    // of another cluster) or half the circle behind; a row's is far below zero when the row is older than that, and
    // a little when its transaction began after this one, which took no lock yet.
    let (rows, written): (i64, bool) = sqlx::query_as(AssertSqlSafe(format!(
        "with since as materialized (
             select age(($1 % 4294967296)::text::xid) as age,
                 pg_snapshot_xmax(pg_current_snapshot())::text::int8 - $1 between 0 and 2147483647 as known
         )
         select count(*), coalesce((select not known from since), false)
             or coalesce(bool_or(age(xmin) between -1000000 and (select age from since)), false)
         from {}",
        child.quoted()
    )))
    .bind(one.written_since)
    .fetch_one(&mut *conn)
    .await
    .doing("count a detached partition")?;
    let mut differences = Vec::new();
    if Some(rows) != one.rows {
        differences.push(format!(
            "{rows} rows in Postgres, {} archived",
            one.rows.unwrap_or_default()
        ));
    } else if written && let Some(mut told) = stored_witness(one)? {
        tracing::info!(
            partition = child.name,
            "written to since the copy: compared again"
        );
        // columns may have come and gone since
        let mut shape = Shape::of(conn, &child.schema, &child.name).await?;
        shape.columns.retain(|c| told.columns.contains_key(&c.name));
        told.columns.retain(|name, _| shape.column(name).is_some());
        let from = format!("from only {}", child.quoted());
        let now = Witness::of_postgres(conn, &from, &shape).await?;
        differences = told.differences(&now);
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::Differs {
        what: format!("rows of {child} and of its archive"),
        message: differences.join("; "),
    })
}

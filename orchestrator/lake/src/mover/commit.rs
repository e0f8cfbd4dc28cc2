//! Verified -> committing -> committed: one append for all days of a batch.
//!
//! The outcome of a commit is never taken from its answer. The catalog's swap and the ledger's mark are one
//! transaction, and claiming a table waits for its predecessor's transaction; so what the ledger says after a claim
//! is final. `committing` then means "not committed", however the last process ended. After the commit everything
//! is read again over a connection of its own, and the files are counted.

use std::collections::{BTreeMap, HashMap};

use iceberg::spec::DataFile;
use iceberg::table::Table;
use iceberg::transaction::{ApplyTransactionAction as _, Transaction};
use sqlx::Connection as _;

use super::detach::unchanged;
use super::{Mover, adopt};
use crate::error::{Doing as _, Error};
use crate::ledger::moves::{self, Move};
use crate::ledger::state::State;
use crate::ledger::{Mark, TableId, files, hold};
use crate::manifests;

/// Key in a snapshot's summary: the batch it commits.
pub(crate) const BATCH: &str = "ridehail.batch";
/// Key in a snapshot's summary: the days in it, with flush and digest's row sum, for whoever has only Iceberg.
pub(crate) const DAYS: &str = "ridehail.days";
/// How often a commit is tried that someone else's commit got ahead of.
const TRIES: usize = 5;

impl Mover<'_> {
    /// Says that the commit may be under way; unless a partition that another process copied was written to behind
    /// the net since, or a file that another process read back is lost, which sends its move back to be copied again:
    /// until the commit Postgres has the truth.
    pub(super) async fn announce(&mut self, batch: &[Move]) -> Result<(), Error> {
        let mut changed = false;
        for one in batch {
            if !self.copied.contains(&one.attempt) {
                changed |= !self.is_unchanged(one).await?;
            }
            if !self.read_back.contains(&one.attempt) {
                changed |= !self.is_sound(one).await?;
            }
        }
        if changed {
            return Ok(());
        }
        self.advance_all(batch, State::Verified, State::Committing)
            .await?;
        fail::fail_point!("lake::announced");
        Ok(())
    }

    async fn is_unchanged(&mut self, one: &Move) -> Result<bool, Error> {
        let Some(partition) = &one.partition else {
            return Ok(true);
        };
        let child = TableId::new(&one.table.schema, partition);
        if !self.lake.has(&child).await? {
            // its files are all there is of it
            return Ok(true);
        }
        let message = match unchanged(&mut self.conn, &child, one).await {
            Err(Error::Differs { message, .. }) => message,
            done => return done.map(|()| true),
        };
        tracing::warn!(
            partition,
            message,
            "written to behind the net: copied again"
        );
        self.send_back(one).await?;
        Ok(false)
    }

    async fn is_sound(&mut self, one: &Move) -> Result<bool, Error> {
        if !self.has_rows(one).await? {
            // its files are all there is of it
            return Ok(true);
        }
        let lost = self.unsound(one).await?;
        if lost.is_empty() {
            return Ok(true);
        }
        let problems: Vec<&str> = lost.iter().map(|file| file.problem.as_str()).collect();
        tracing::warn!(table = %one.table, problems = problems.join("; "), "copied again");
        self.send_back(one).await?;
        Ok(false)
    }

    async fn send_back(&mut self, one: &Move) -> Result<(), Error> {
        let mut tx = self.conn.begin().await.doing("discard a copy")?;
        hold(&mut tx, &self.policy.table, self.holder).await?;
        moves::discard_copy(&mut tx, one.id).await?;
        tx.commit().await.doing("discard a copy")
    }

    /// Takes a whole batch from one state to the next.
    pub(super) async fn advance_all(
        &mut self,
        batch: &[Move],
        from: State,
        to: State,
    ) -> Result<(), Error> {
        let ids: Vec<_> = batch.iter().map(|m| m.id).collect();
        let mut tx = self.conn.begin().await.doing("advance a batch")?;
        hold(&mut tx, &self.policy.table, self.holder).await?;
        moves::advance(&mut tx, &ids, from, to).await?;
        tx.commit().await.doing("advance a batch")
    }

    pub(super) async fn commit(&mut self, batch: &[Move]) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            let table = adopt::load(self.lake, &self.adopted.table).await?;
            let files = self.data_files(batch, &table).await?;
            let done = if find_batch(&table, batch).is_some() {
                // the catalog has it and the ledger does not: they were restored to different moments
                self.adopt_commit(batch, &table).await
            } else if files.is_empty() {
                self.mark_empty(batch, &table).await
            } else {
                self.append(batch, &table, files).await
            };
            match done {
                Ok(()) => break,
                Err(error) if tries < TRIES && self.may_try_again(batch, &error).await? => {
                    tracing::info!(error = %error, "the commit did not happen, trying again");
                }
                Err(error) => {
                    // perhaps only the answer was lost: the ledger knows
                    if self.is_committed(batch).await? {
                        break;
                    }
                    return Err(error);
                }
            }
            if self.is_committed(batch).await? {
                break;
            }
        }
        self.count_committed(batch).await
    }

    /// Every file of the batch, as Iceberg describes it.
    async fn data_files(&mut self, batch: &[Move], table: &Table) -> Result<Vec<DataFile>, Error> {
        let mut all = Vec::new();
        for one in batch {
            for file in files::of(&mut self.conn, one.id, one.attempt).await? {
                all.push(crate::write::data_file_from_json(table, &file.data_file)?);
            }
        }
        Ok(all)
    }

    async fn append(
        &mut self,
        batch: &[Move],
        table: &Table,
        files: Vec<DataFile>,
    ) -> Result<(), Error> {
        let mark = Mark::new(&self.policy.table, self.holder, batch);
        let catalog = self.lake.catalog.marking(mark);
        let transaction = Transaction::new(table);
        let transaction = transaction
            .fast_append()
            .add_data_files(files)
            .set_snapshot_properties(summary(batch))
            .apply(transaction)
            .doing("append files")?;
        transaction
            .commit(&catalog)
            .await
            .doing("commit an append")?;
        Ok(())
    }

    /// No day of the batch has a row: there is nothing to append, and the ledger goes on alone.
    async fn mark_empty(&mut self, batch: &[Move], table: &Table) -> Result<(), Error> {
        self.mark(batch, table.metadata().current_snapshot_id())
            .await
    }

    async fn adopt_commit(&mut self, batch: &[Move], table: &Table) -> Result<(), Error> {
        tracing::warn!(table = %self.policy.table, "iceberg holds a commit that the ledger does not know: adopted");
        self.mark(batch, find_batch(table, batch)).await
    }

    async fn mark(&mut self, batch: &[Move], snapshot: Option<i64>) -> Result<(), Error> {
        let mark = Mark::new(&self.policy.table, self.holder, batch);
        let mut tx = self.conn.begin().await.doing("mark a commit")?;
        mark.committed(&mut tx, snapshot)
            .await
            .doing("mark a commit")?;
        tx.commit().await.doing("mark a commit")
    }

    /// Whether the ledger says so, over a new connection: the old one's state is part of what is in doubt.
    async fn is_committed(&mut self, batch: &[Move]) -> Result<bool, Error> {
        let mut fresh = self.lake.connect().await?;
        // behind the transaction whose outcome is unknown: its lock is held until it is decided
        let mut tx = fresh.begin().await.doing("look for a commit")?;
        hold(&mut tx, &self.policy.table, self.holder).await?;
        let id = batch.first().map(|m| m.batch).unwrap_or_default();
        let now = moves::batch(&mut *tx, id).await?;
        tx.rollback().await.doing("look for a commit")?;
        // the mover's own connection may be the broken one
        if self.conn.ping().await.is_err() {
            return Err(Error::Postgres {
                what: "keep the session of this run",
                source: sqlx::Error::PoolClosed,
            });
        }
        Ok(!now.is_empty() && now.iter().all(|m| m.state.is_committed()))
    }

    /// A conflict with someone else's commit, and the ledger agrees that nothing happened.
    async fn may_try_again(&mut self, batch: &[Move], error: &Error) -> Result<bool, Error> {
        let conflict = matches!(error, Error::Iceberg { source, .. }
            if source.kind() == iceberg::ErrorKind::CatalogCommitConflicts);
        Ok(conflict && !self.is_committed(batch).await?)
    }

    /// Reads the catalog over a new connection, and counts the batch's files in the table's current snapshot.
    async fn count_committed(&mut self, batch: &[Move]) -> Result<(), Error> {
        let mut expected: BTreeMap<String, i64> = BTreeMap::new();
        for one in batch {
            for file in files::of(&mut self.conn, one.id, one.attempt).await? {
                expected.insert(file.path, file.rows);
            }
        }
        let table = adopt::load(self.lake, &self.adopted.table).await?;
        let live: HashMap<String, i64> = manifests::live_files(&table)
            .await?
            .into_iter()
            .map(|file| (file.path, file.rows))
            .collect();
        let missing: Vec<&String> = expected
            .iter()
            .filter(|(path, rows)| live.get(*path) != Some(*rows))
            .map(|(path, _)| path)
            .collect();
        // compaction may have rewritten them in this very moment; then their days are verified before the drop
        if !missing.is_empty() && find_batch(&table, batch).is_none() {
            return Err(Error::Differs {
                what: "files of the commit and of the table".to_owned(),
                message: format!(
                    "{} of {} are not in it: {missing:?}",
                    missing.len(),
                    expected.len()
                ),
            });
        }
        fail::fail_point!("lake::committed");
        Ok(())
    }
}

/// The batch that a snapshot commits, if it is one of ours.
pub(crate) fn batch_of(snapshot: &iceberg::spec::SnapshotRef) -> Option<&String> {
    snapshot.summary().additional_properties.get(BATCH)
}

/// The snapshot that committed the batch, if the table's history still has it.
pub(crate) fn find_batch(table: &Table, batch: &[Move]) -> Option<i64> {
    let id = batch.first()?.batch.to_string();
    table
        .metadata()
        .snapshots()
        .find(|s| batch_of(s) == Some(&id))
        .map(|s| s.snapshot_id())
}

fn summary(batch: &[Move]) -> HashMap<String, String> {
    let id = batch
        .first()
        .map(|m| m.batch.to_string())
        .unwrap_or_default();
    let days: Vec<String> = batch
        .iter()
        .map(|m| {
            let rows = m.rows.unwrap_or_default();
            format!("{}/{}:{rows}", m.lower.date_naive(), m.flush)
        })
        .collect();
    HashMap::from([(BATCH.to_owned(), id), (DAYS.to_owned(), days.join(","))])
}

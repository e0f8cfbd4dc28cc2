//! Frozen -> copied -> verified: rows into files, and the files read back.

use futures::TryStreamExt as _;
use sqlx::PgConnection;
use uuid::Uuid;

use super::plan::next_day;
use super::report::{Event, Outcome};
use super::{Mover, midnight_literal};
use crate::digest::Digest;
use crate::error::{Doing as _, Error};
use crate::ledger::moves::{self, Copied, Move};
use crate::ledger::state::{Kind, State};
use crate::ledger::{TableId, checksums, files, hold, quote};
use crate::shape::Shape;
use crate::witness::{Observer, Witness};
use crate::{read, readback, write};

impl Mover<'_> {
    /// What the rows of a move are read from: a FROM clause with its condition.
    pub(super) fn source(&self, one: &Move) -> String {
        match one.kind {
            Kind::Move => {
                let name = one.partition.as_deref().unwrap_or_default();
                format!("from {}", TableId::new(&one.table.schema, name).quoted())
            }
            Kind::Flush => {
                let (field, day) = (quote(&self.adopted.table.field), one.lower.date_naive());
                let literal = |day| midnight_literal(self.adopted.field_type, day);
                format!(
                    "from {} where ridehail_flush = {} and {field} >= {} and {field} < {}",
                    self.adopted.table.late(),
                    one.flush,
                    literal(day),
                    literal(next_day(day)),
                )
            }
        }
    }

    /// Copies one move and reads another's files back, at once; false when told to end first. Both are long, and
    /// begun anew by whoever goes on.
    pub(super) async fn transfer(
        &mut self,
        copy: Option<&Move>,
        verify: Option<&Move>,
        outcome: &mut Outcome,
    ) -> Result<bool, Error> {
        let cancel = self.cancel;
        let work = async {
            if let Some(one) = copy.filter(|one| one.kind == Kind::Flush) {
                let refused = self.resolve(one).await?;
                if refused > 0 {
                    outcome.warnings.push(format!(
                        "{refused} late {} of {} {} archived ones and {} kept aside: `ridehail archive refused ls {}`",
                        if refused == 1 { "row" } else { "rows" },
                        one.lower.date_naive(),
                        if refused == 1 { "contradicts" } else { "contradict" },
                        if refused == 1 { "is" } else { "are" },
                        one.table
                    ));
                }
            }
            let this = &*self;
            let copying = async {
                match copy {
                    None => Ok(None),
                    Some(one) => {
                        let attempt = this.copy(one).await.map_err(|error| stuck(one, error))?;
                        Ok(Some(attempt))
                    }
                }
            };
            let verifying = async {
                match verify {
                    None => Ok(()),
                    Some(one) => this.verify(one).await,
                }
            };
            tokio::try_join!(copying, verifying)
        };
        let Some(done) = cancel.run_until_cancelled(Box::pin(work)).await else {
            return Ok(false);
        };
        let (copied, ()) = done?;
        self.copied.extend(copied);
        self.read_back.extend(verify.map(|one| one.attempt));
        Ok(true)
    }

    /// Returns the attempt that its files are named after.
    async fn copy(&self, one: &Move) -> Result<Uuid, Error> {
        let table = self.policy.table.clone();
        let mut tx = self.lake.pool.begin().await.doing("begin a copy")?;
        hold(&mut tx, &table, self.holder).await?;
        let attempt = moves::begin_copy(&mut tx, one.id).await?;
        tx.commit().await.doing("begin a copy")?;
        fail::fail_point!("lake::copy_begun");

        let shape = &self.adopted.shape;
        let select = self.select(one, shape);
        let day = one.lower.date_naive();
        let (reporter, of) = (self.reporter, table.clone());
        let place = write::Place {
            attempt,
            named: attempt,
            move_id: one.id,
            flush: one.flush,
            day,
        };
        let options = self.reading();
        let mut source = self.lake.connect().await?;
        let written_since = first_look(&mut source).await?;
        let mut rows = read::rows(source, &select, shape, options);
        let mut so_far = 0;
        let stream = rows.stream().inspect_ok(move |batch| {
            so_far += batch.num_rows() as u64;
            reporter.report(&Event::Progress {
                table: of.clone(),
                day,
                rows: so_far,
            });
        });
        let iceberg = &self.adopted.iceberg;
        let writing = write::write(iceberg, &self.lake.store, shape, stream, place);
        let both = async { tokio::try_join!(writing, self.ask(one)) };
        let (written, told) = Box::pin(both).await?;
        fail::fail_point!("lake::files_written");

        let listed: Vec<files::File> = written
            .files
            .iter()
            .map(|file| {
                Ok(files::File {
                    path: file.file_path().to_owned(),
                    rows: i64::try_from(file.record_count()).unwrap_or(i64::MAX),
                    bytes: i64::try_from(file.file_size_in_bytes()).unwrap_or(i64::MAX),
                    data_file: write::data_file_to_json(&self.adopted.iceberg, file)?,
                })
            })
            .collect::<Result<_, Error>>()?;
        let copied = Copied {
            rows: i64::try_from(written.digest.rows()).unwrap_or(i64::MAX),
            bytes: i64::try_from(written.bytes).unwrap_or(i64::MAX),
            digest: to_json(&written.digest)?,
            witness: to_json(&told)?,
            written_since,
        };
        let mut tx = self.lake.pool.begin().await.doing("note a copy")?;
        hold(&mut tx, &table, self.holder).await?;
        moves::copied(&mut tx, one.id, &copied).await?;
        files::insert(&mut tx, one.id, attempt, &listed).await?;
        for (file, checksum) in listed.iter().zip(&written.checksums) {
            checksums::note(&mut *tx, &file.path, checksum).await?;
        }
        tx.commit().await.doing("note a copy")?;
        fail::fail_point!("lake::copied");
        Ok(attempt)
    }

    /// The rows of a move, in order of time, then key: neighbours compress well, and row groups can be skipped.
    pub(super) fn select(&self, one: &Move, shape: &Shape) -> String {
        let table = &self.adopted.table;
        let key = table.key.iter().filter(|c| **c != table.field);
        let order: Vec<String> = std::iter::once(&table.field)
            .chain(key)
            .map(|column| quote(column))
            .collect();
        format!(
            "select {} {} order by {}",
            shape.select_list(),
            self.source(one),
            order.join(", ")
        )
    }

    pub(super) fn reading(&self) -> read::Options {
        read::Options {
            table: self.policy.table.to_string(),
            throttle: self.options.throttle.clone(),
            ..read::Options::default()
        }
    }

    /// What SQL says of the rows, asked while they are copied. It sees them as they were a moment after the copy
    /// did, and they cannot change; whether they have all the same is looked at again before they are dropped.
    async fn ask(&self, one: &Move) -> Result<Witness, Error> {
        let mut conn = self.lake.connect().await?;
        // by one process: it has as long as the copy takes, and others want the cores
        sqlx::raw_sql("set max_parallel_workers_per_gather = 0")
            .execute(&mut conn)
            .await
            .doing("count and sum rows")?;
        Witness::of_postgres(&mut conn, &self.source(one), &self.adopted.shape).await
    }

    /// Reads the files back from the object store, and compares what they hold with the digest of what was sent
    /// and with what SQL said of the rows in Postgres: two witnesses that share no code.
    async fn verify(&self, one: &Move) -> Result<(), Error> {
        let table = self.policy.table.clone();
        let listed = files::of(&self.lake.pool, one.id, one.attempt).await?;
        let shape = &self.adopted.shape;
        let mut seen = Observer::new(shape);
        let found = self
            .lake
            .read_back(
                &self.adopted.iceberg,
                shape,
                &listed.iter().map(readback::File::from).collect::<Vec<_>>(),
                self.options.throttle.as_ref(),
                |batch| {
                    seen.observe(batch);
                    Ok(())
                },
            )
            .await;
        let found = match found {
            Ok(found) => found,
            Err(error) => return self.discard(one, error).await,
        };
        let sent = stored_digest(one)?;
        let mut differences = sent.differences(&found);
        let told = match stored_witness(one)? {
            Some(told) => told,
            // copied by a version that asked later
            None => self.ask(one).await?,
        };
        differences.extend(told.differences(&seen.finish()));
        if !differences.is_empty() {
            let error = Error::Differs {
                what: format!(
                    "rows of {table} on {} and the files they were copied to",
                    one.lower.date_naive()
                ),
                message: differences.join("; "),
            };
            return self.discard(one, error).await;
        }
        fail::fail_point!("lake::read_back");
        let mut tx = self.lake.pool.begin().await.doing("note a verification")?;
        hold(&mut tx, &table, self.holder).await?;
        moves::advance(&mut tx, &[one.id], State::Copied, State::Verified).await?;
        tx.commit().await.doing("note a verification")?;
        fail::fail_point!("lake::verified");
        Ok(())
    }

    /// Files that cannot be trusted are left behind, and the next run copies anew.
    async fn discard(&self, one: &Move, error: Error) -> Result<(), Error> {
        let mut tx = self.lake.pool.begin().await.doing("discard a copy")?;
        hold(&mut tx, &self.policy.table, self.holder).await?;
        moves::discard_copy(&mut tx, one.id).await?;
        tx.commit().await.doing("discard a copy")?;
        Err(error)
    }
}

/// A value that cannot be archived stays one however often the day is copied: its error says how to repair it.
fn stuck(one: &Move, error: Error) -> Error {
    let Error::Value { .. } = error else {
        return error;
    };
    let day = one.lower.date_naive();
    let hint = match one.kind {
        Kind::Move => format!(
            "`ridehail archive abandon {} --day {day}` gives the day back to its writers: repair the value then",
            one.table
        ),
        Kind::Flush => {
            "repair the value in the late table, which is in schema `lake`; the next run goes on"
                .to_owned()
        }
    };
    error.advise(hint)
}

/// Takes the snapshot that a copy reads, and returns the first transaction that it cannot see.
async fn first_look(source: &mut PgConnection) -> Result<i64, Error> {
    // repeatable read: the COPY that follows reads by this very snapshot. Nothing ends the transaction but the
    // session's end.
    sqlx::raw_sql("begin transaction isolation level repeatable read, read only")
        .execute(&mut *source)
        .await
        .doing("take a snapshot")?;
    sqlx::query_scalar("select pg_snapshot_xmax(pg_current_snapshot())::text::int8")
        .fetch_one(source)
        .await
        .doing("take a snapshot")
}

pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<serde_json::Value, Error> {
    serde_json::to_value(value).map_err(|error| Error::Malformed {
        what: "a ledger entry".to_owned(),
        message: error.to_string(),
    })
}

/// The digest of a move that was copied.
pub(crate) fn stored_digest(one: &Move) -> Result<Digest, Error> {
    let digest = one.digest.clone().unwrap_or_default();
    serde_json::from_value(digest).map_err(|error| Error::Malformed {
        what: format!(
            "the ledger's digest of {} on {}",
            one.table,
            one.lower.date_naive()
        ),
        message: error.to_string(),
    })
}

/// What SQL said of the rows of a move; `None` when it was copied by a version that asked later.
pub(crate) fn stored_witness(one: &Move) -> Result<Option<Witness>, Error> {
    let witness = one.witness.clone().map(serde_json::from_value).transpose();
    witness.map_err(|error| Error::Malformed {
        what: format!(
            "the ledger's witness of {} on {}",
            one.table,
            one.lower.date_naive()
        ),
        message: error.to_string(),
    })
}

/// The columns of a move.
pub(crate) fn stored_shape(one: &Move) -> Result<Shape, Error> {
    serde_json::from_value(one.shape.clone()).map_err(|error| Error::Malformed {
        what: format!(
            "the ledger's columns of {} on {}",
            one.table,
            one.lower.date_naive()
        ),
        message: error.to_string(),
    })
}

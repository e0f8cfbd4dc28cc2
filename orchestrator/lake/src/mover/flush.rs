//! Late rows: a flush takes those of one number to Iceberg, one file a day.
//!
//! Planning closes the number: the boundary row is locked FOR UPDATE, so no writer holds it, and late rows get the
//! next number from then on. What is in the flush can then no longer grow. Before a day is copied its rows are
//! compared by key with what the archive has of that day: a row that is there already is dropped when it is equal,
//! and set aside in `lake.refused_rows` when it is not. Archived rows do not change.
//!
//! A row with a value that Iceberg has not is set aside when its flush is planned.
//!
//! Suspect rows, which the view does not show, become visible with their flush.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::plan::{midnight, next_day};
use super::report::Outcome;
use super::{Mover, adopt, facts};
use crate::digest::row_hashes;
use crate::error::{Doing as _, Error, Locked as _};
use crate::ledger::moves::{self, Move, Planned};
use crate::ledger::state::Kind;
use crate::ledger::tables::Table;
use crate::ledger::{hold, quote};
use crate::manifests;
use crate::shape::unfit::unfit;
use crate::shape::{Column, Shape};
use crate::types::{DataType, Scalar};
use crate::{read, readback};

/// Column by which late rows are told apart.
const SEQ: &str = "ridehail_seq";
/// The late table's own columns: not a part of a row.
const OWN: &str =
    "array['ridehail_seq', 'ridehail_flush', 'ridehail_suspect', 'ridehail_arrived_at']";

/// What is known of a late row.
#[derive(Debug, Clone, Copy)]
struct Late {
    seq: i64,
    row: u64,
}

/// Late rows that are not archived, and why.
#[derive(Debug, Default)]
struct Verdict {
    /// Equal to an archived row, or to a newer late one.
    repeated: Vec<i64>,
    /// Another row has their key.
    refused: Vec<(i64, &'static str)>,
}

impl Mover<'_> {
    /// Plans a flush of the late rows that are there; false when there are none.
    pub(super) async fn plan_flush(&mut self, outcome: &mut Outcome) -> Result<bool, Error> {
        self.reload().await?;
        let table = self.adopted.table.clone();
        let flush = table.open_flush;
        let some: bool = sqlx::query_scalar(AssertSqlSafe(format!(
            "select exists (select from {} where ridehail_flush = $1)",
            table.late()
        )))
        .bind(flush)
        .fetch_one(&mut self.conn)
        .await
        .doing("look for late rows")?;
        if !some {
            return Ok(false);
        }
        let shape = super::copy::to_json(&self.adopted.shape)?;
        let mut tx = self.conn.begin().await.doing("plan a flush")?;
        sqlx::query(adopt::LOCK_TIMEOUT)
            .execute(&mut *tx)
            .await
            .doing("plan a flush")?;
        hold(&mut tx, &table.id, self.holder).await?;
        // waits for writers that hold the row FOR SHARE; those that come after get the next number
        sqlx::query(
            "update lake.boundaries set open_flush = open_flush + 1, updated_at = now()
             where table_schema = $1 and table_name = $2 and open_flush = $3",
        )
        .bind(&table.id.schema)
        .bind(&table.id.name)
        .bind(flush)
        .execute(&mut *tx)
        .await
        .doing("close a flush")
        .when_locked("a writer holds the boundary for longer than 2 s")?;
        let unfit = set_unfit_aside(&mut tx, &table, &self.adopted.shape, flush).await?;
        let planned: Vec<Planned> = facts::late_days(&mut tx, &table, flush)
            .await?
            .iter()
            .map(|late| Planned {
                kind: Kind::Flush,
                lower: midnight(late.day),
                upper: midnight(next_day(late.day)),
                flush,
                partition: None,
                source_bytes: None,
            })
            .collect();
        moves::plan(&mut tx, &table.id, &shape, &planned).await?;
        tx.commit().await.doing("plan a flush")?;
        fail::fail_point!("lake::flush_planned");
        if unfit > 0 {
            let (rows, hold, are) = match unfit {
                1 => ("row", "holds", "is"),
                _ => ("rows", "hold", "are"),
            };
            outcome.warnings.push(format!(
                "{unfit} late {rows} {hold} a value that Iceberg has not, and {are} kept aside: `ridehail archive refused \
                 ls {}`",
                table.id
            ));
        }
        Ok(!planned.is_empty())
    }

    /// Takes out of a flush's day what is not to be archived. Returns how many rows were set aside that nobody else has.
    pub(super) async fn resolve(&mut self, one: &Move) -> Result<usize, Error> {
        let late = self.late_rows(one).await?;
        let mut verdict = Verdict::default();
        let waiting = newest(late, &mut verdict);
        self.compare_with_archive(one, &waiting, &mut verdict)
            .await?;
        if verdict.repeated.is_empty() && verdict.refused.is_empty() {
            return Ok(0);
        }
        tracing::info!(
            table = %one.table, day = %one.lower.date_naive(),
            repeated = verdict.repeated.len(), refused = verdict.refused.len(),
            "late rows that the archive has already"
        );
        let table = self.adopted.table.clone();
        let mut tx = self.conn.begin().await.doing("sort out late rows")?;
        hold(&mut tx, &table.id, self.holder).await?;
        set_aside(&mut tx, &table, &verdict).await?;
        tx.commit().await.doing("sort out late rows")?;
        fail::fail_point!("lake::late_rows_resolved");
        Ok(verdict.refused.len())
    }

    /// The late rows of a day by the hash of their key, in the order of their arrival.
    async fn late_rows(&self, one: &Move) -> Result<HashMap<u64, Vec<Late>>, Error> {
        let mut shape = self.adopted.shape.clone();
        let keys = key_positions(&shape, &self.adopted.table.key);
        let all: Vec<usize> = (0..shape.columns.len()).collect();
        shape.columns.push(Column {
            name: SEQ.to_owned(),
            data_type: DataType::Scalar(Scalar::Int8),
            nullable: false,
            declared: "bigint".to_owned(),
        });
        let select = format!(
            "select {} {} order by {SEQ}",
            shape.select_list(),
            self.source(one)
        );
        let connection = self.lake.connect().await?;
        let options = read::Options {
            table: one.table.to_string(),
            ..read::Options::default()
        };
        let mut rows = read::rows(connection, &select, &shape, options);
        let mut found: HashMap<u64, Vec<Late>> = HashMap::new();
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let seqs = batch
                .column(shape.columns.len() - 1)
                .as_primitive::<Int64Type>();
            let hashes = row_hashes(&shape, &batch, &keys);
            let rows = row_hashes(&shape, &batch, &all);
            for (at, (key, row)) in hashes.into_iter().zip(rows).enumerate() {
                found.entry(key).or_default().push(Late {
                    seq: seqs.value(at),
                    row,
                });
            }
        }
        Ok(found)
    }

    async fn compare_with_archive(
        &mut self,
        one: &Move,
        waiting: &HashMap<u64, Late>,
        verdict: &mut Verdict,
    ) -> Result<(), Error> {
        let table = adopt::load(self.lake, &self.adopted.table).await?;
        let day = manifests::day_number(one.lower.date_naive());
        let files: Vec<readback::File> = manifests::live_files(&table)
            .await?
            .iter()
            .filter(|file| file.day == Some(day) && !file.deletes)
            .map(readback::File::from)
            .collect();
        let shape = &self.adopted.shape;
        let keys = key_positions(shape, &self.adopted.table.key);
        let all: Vec<usize> = (0..shape.columns.len()).collect();
        let look = |batch: &RecordBatch| {
            let rows = row_hashes(shape, batch, &all);
            for (key, row) in row_hashes(shape, batch, &keys).into_iter().zip(rows) {
                match waiting.get(&key) {
                    Some(late) if late.row == row => verdict.repeated.push(late.seq),
                    Some(late) => verdict
                        .refused
                        .push((late.seq, "an archived row has its key")),
                    None => {}
                }
            }
            Ok(())
        };
        let throttle = self.options.throttle.as_ref();
        self.lake
            .read_back(&table, shape, &files, throttle, look)
            .await?;
        Ok(())
    }
}

/// Moves rows that cannot be archived to where they are kept. Returns how many there were.
async fn set_unfit_aside(
    conn: &mut PgConnection,
    table: &Table,
    shape: &Shape,
    flush: i64,
) -> Result<u64, Error> {
    let unfit = unfit(shape, None);
    if unfit.is_empty() {
        return Ok(0);
    }
    let (late, field) = (table.late(), quote(&table.field));
    let (mut whens, mut reasons) = (String::new(), Vec::new());
    for (at, unfit) in unfit.iter().enumerate() {
        whens.push_str(&format!(" when {} then {}", unfit.condition, at + 1));
        reasons.push(format!("`{}` is {}", unfit.column, unfit.what));
    }
    // the row has the instant as it is; beside it stands one that every reader has a type for
    let near = format!(
        "least(greatest({field}, timestamptz '0001-01-01 00:00+00'), timestamptz '9999-12-31 23:59:59+00')"
    );
    let done = sqlx::query(AssertSqlSafe(format!(
        "with unfit as (
             delete from {late} where ridehail_flush = $3 and (case {whens} end) is not null returning *
         )
         insert into lake.refused_rows (table_schema, table_name, flush, field_value, reason, row)
         select $1, $2, $3, {near}, ($4::text[])[case {whens} end], to_jsonb(unfit.*) - {OWN} from unfit"
    )))
    .bind(&table.id.schema)
    .bind(&table.id.name)
    .bind(flush)
    .bind(reasons)
    .execute(conn)
    .await
    .doing("set late rows aside")?;
    Ok(done.rows_affected())
}

/// Moves refused rows to where they are kept, and deletes repeated ones.
async fn set_aside(conn: &mut PgConnection, table: &Table, verdict: &Verdict) -> Result<(), Error> {
    let (late, field) = (table.late(), quote(&table.field));
    let (seqs, reasons): (Vec<i64>, Vec<&str>) = verdict.refused.iter().copied().unzip();
    // `l.*`: a column may be called `l`. Kept whole: nobody else has them. A row counts as refused once, whatever is found of it, and however often a
    // writer sends it again.
    sqlx::query(AssertSqlSafe(format!(
        "insert into lake.refused_rows (table_schema, table_name, flush, field_value, reason, row)
         select distinct on (l.{SEQ}) $1, $2, l.ridehail_flush, l.{field}, r.reason,
                w.row
         from {late} l join unnest($3::int8[], $4::text[]) as r (seq, reason) on r.seq = l.{SEQ},
              lateral (select to_jsonb(l.*) - {OWN}) as w (row)
         where not exists (
             select from lake.refused_rows o
             where o.table_schema = $1 and o.table_name = $2 and md5(o.row::text) = md5(w.row::text) and o.row = w.row)
         order by l.{SEQ}"
    )))
    .bind(&table.id.schema)
    .bind(&table.id.name)
    .bind(&seqs)
    .bind(&reasons)
    .execute(&mut *conn)
    .await
    .doing("set late rows aside")?;
    let gone: Vec<i64> = verdict.repeated.iter().copied().chain(seqs).collect();
    sqlx::query(AssertSqlSafe(format!(
        "delete from {late} where {SEQ} = any($1)"
    )))
    .bind(gone)
    .execute(conn)
    .await
    .doing("take late rows out of a flush")?;
    Ok(())
}

/// Of late rows with one key the newest counts; an older one is dropped when it is equal, refused when it is not.
fn newest(late: HashMap<u64, Vec<Late>>, verdict: &mut Verdict) -> HashMap<u64, Late> {
    late.into_iter()
        .filter_map(|(key, mut rows)| {
            let last = rows.pop()?;
            for older in rows {
                if older.row == last.row {
                    verdict.repeated.push(older.seq);
                } else {
                    verdict
                        .refused
                        .push((older.seq, "a newer late row has its key"));
                }
            }
            Some((key, last))
        })
        .collect()
}

fn key_positions(shape: &Shape, key: &[String]) -> Vec<usize> {
    key.iter()
        .filter_map(|name| shape.columns.iter().position(|c| c.name == *name))
        .collect()
}

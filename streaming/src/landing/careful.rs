//! Rows by way of a temporary table, so that they can be told apart: new, there already, refused.
//!
//! Needed when a plain COPY failed, and for late rows, which are few. All within the landing transaction.

use std::collections::HashSet;
use std::ops::Range;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::decode::Refusal;
use super::encode::{COLUMNS, Encoded, Reject};
use super::late::{self, Late};
use super::write::copy_into;
use super::{failure, route};

/// Where rows wait while it is found out which of them are taken.
pub(super) const HELD: &str = "pg_temp.landing_held";

/// Where held rows are to go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'a> {
    /// Into the landing table of this topic.
    Table(&'a str),
    /// Into its late table.
    Late(Late<'a>),
}

/// What became of rows.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// Rows that were there already.
    pub(super) present: usize,
    /// Rows that are new, in the late table.
    pub(super) late: usize,
    /// Rows that Postgres refuses, or whose place another event has.
    pub(super) refused: Vec<Reject>,
}

/// Makes the temporary table, for the rest of the transaction.
pub(super) async fn hold(conn: &mut PgConnection, topic: &str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(format!(
        "create temporary table landing_held (like raw.{topic}) on commit drop"
    )))
    .execute(conn)
    .await?;
    Ok(())
}

/// Copies rows so that one which Postgres refuses does not take the others with it, and one that is there already
/// is left alone.
pub(super) async fn copy_carefully(
    conn: &mut PgConnection,
    target: Target<'_>,
    encoded: &Encoded,
    runs: &[Range<usize>],
    sorted: &mut Sorted,
) -> sqlx::Result<()> {
    // Halves a range until the rows that are refused stand alone. Last in, first out: rows keep their order.
    let mut ranges: Vec<_> = runs.iter().rev().cloned().collect();
    while let Some(range) = ranges.pop() {
        let mut savepoint = conn.begin().await?;
        let mut part = Sorted::default();
        let runs = std::slice::from_ref(&range);
        match copy_held(&mut savepoint, target, encoded, runs, &mut part).await {
            Ok(()) => {
                savepoint.commit().await?;
                sorted.present += part.present;
                sorted.late += part.late;
                sorted.refused.extend(part.refused);
            }
            Err(error) if failure::of(&error) == failure::Kind::Data => {
                savepoint.rollback().await?;
                if range.len() == 1 {
                    sorted.refused.push(Reject {
                        record: encoded.record(range.start),
                        refusal: Refusal::new("refused_by_postgres", failure::words(&error)),
                    });
                } else {
                    let middle = range.start + range.len() / 2;
                    ranges.extend([middle..range.end, range.start..middle]);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Copies some rows by way of the temporary table; adds what became of them to `sorted`.
pub(super) async fn copy_held(
    conn: &mut PgConnection,
    target: Target<'_>,
    encoded: &Encoded,
    runs: &[Range<usize>],
    sorted: &mut Sorted,
) -> sqlx::Result<()> {
    let Some(first) = runs.first().map(|run| encoded.offset(run.start)) else {
        return Ok(());
    };
    sqlx::raw_sql(AssertSqlSafe(format!("truncate {HELD}")))
        .execute(&mut *conn)
        .await?;
    copy_into(conn, HELD, encoded, runs).await?;
    let inserted = match target {
        Target::Table(topic) => insert(conn, topic).await?,
        Target::Late(late) => late::insert(conn, late, first).await?,
    };
    if matches!(target, Target::Late(_)) {
        sorted.late += inserted;
    }
    if inserted == route::count(runs) {
        return Ok(());
    }
    // Same coordinates and time but another event: of a re-created topic. It must not vanish.
    let taken: HashSet<i64> = match target {
        Target::Table(topic) => taken(conn, topic).await?,
        Target::Late(late) => late::taken(conn, late).await?,
    }
    .into_iter()
    .collect();
    sorted.present += route::count(runs) - inserted - taken.len();
    let taken = runs
        .iter()
        .cloned()
        .flatten()
        .filter(|row| taken.contains(&encoded.offset(*row)))
        .map(|row| Reject {
            record: encoded.record(row),
            refusal: Refusal::new(
                "coordinates_taken",
                "another event was landed from this offset before",
            ),
        });
    sorted.refused.extend(taken);
    Ok(())
}

/// Moves the held rows into the landing table. Returns how many were not there yet.
async fn insert(conn: &mut PgConnection, topic: &str) -> sqlx::Result<usize> {
    // On conflict: the record was landed before a reset moved progress back.
    let done = sqlx::query(AssertSqlSafe(format!(
        "insert into raw.{topic} ({COLUMNS}) select {COLUMNS} from {HELD} on conflict do nothing"
    )))
    .execute(conn)
    .await?;
    Ok(done.rows_affected() as usize)
}

/// Offsets of held rows whose place in the landing table another event has.
async fn taken(conn: &mut PgConnection, topic: &str) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar(AssertSqlSafe(format!(
        "select held.kafka_offset from {HELD} held
         join raw.{topic} there using (event_time, kafka_partition, kafka_offset)
         where there.event_id <> held.event_id"
    )))
    .fetch_all(conn)
    .await
}

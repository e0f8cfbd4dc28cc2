//! Whether the archive still holds what the ledger says: the day's files as they are now, read from the object
//! store, against the digests of everything that was committed for the day. Digests add up, and do not depend on
//! which file a row is in, so compaction changes nothing.

use std::sync::Arc;

use chrono::NaiveDate;

use crate::digest::Digest;
use crate::error::Error;
use crate::lake::Lake;
use crate::ledger::moves::{self, Move};
use crate::ledger::tables::Table;
use crate::manifests::{self, LiveFile};
use crate::mover::{load, plan::midnight, stored_digest, stored_shape};
use crate::readback;
use crate::shape::Shape;
use crate::throttle::Throttle;

/// What was found of a day.
#[derive(Debug, Clone, Default)]
pub struct Day {
    /// Rows that the ledger says.
    pub expected_rows: u64,
    /// Rows that are there.
    pub rows: u64,
    /// Files that are there.
    pub files: usize,
    /// In what they differ.
    pub differences: Vec<String>,
}

impl Day {
    /// What is wrong, if something is.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        (!self.differences.is_empty()).then(|| self.differences.join("; "))
    }
}

/// Verifies one day of a table.
///
/// # Errors
/// Postgres or the catalog is out of reach. A file that is missing or damaged is a difference, no error.
pub async fn verify_day(lake: &Lake, table: &Table, day: NaiveDate) -> Result<Day, Error> {
    let all = moves::all(&lake.pool, &table.id).await?;
    let iceberg = load(lake, table).await?;
    let live = manifests::live_files(&iceberg).await?;
    let mut conn = lake.connect().await?;
    let shape = archived_shape(&mut conn, table, &all).await?;
    Examination {
        lake,
        iceberg: &iceberg,
        live: &live,
        moves: &all,
        shape: &shape,
        throttle: None,
    }
    .day(day)
    .await
}

/// Every column that some archived row has: those of the table, and those that it had when older days were moved. A
/// table that is gone, or that has a column by now that cannot be archived, is as its newest move found it.
///
/// # Errors
/// Postgres failed, or the ledger's columns cannot be read.
pub async fn archived_shape(
    conn: &mut sqlx::PgConnection,
    table: &Table,
    moves: &[Move],
) -> Result<Shape, Error> {
    let mut shape = match Shape::of(conn, &table.id.schema, &table.id.name).await {
        Err(Error::Malformed { .. } | Error::UnsupportedType { .. }) => Shape {
            columns: Vec::new(),
        },
        read => read?,
    };
    let mut newest_first: Vec<&Move> = moves.iter().collect();
    newest_first.sort_by_key(|one| std::cmp::Reverse(one.created_at));
    for one in newest_first {
        for column in stored_shape(one)?.columns {
            if shape.column(&column.name).is_none() {
                shape.columns.push(column);
            }
        }
    }
    Ok(shape)
}

/// A table's archive, looked at day by day.
#[derive(Clone, Copy)]
pub struct Examination<'a> {
    /// Where it is.
    pub lake: &'a Lake,
    /// In Iceberg.
    pub iceberg: &'a iceberg::table::Table,
    /// Its files now.
    pub live: &'a [LiveFile],
    /// What the ledger says.
    pub moves: &'a [Move],
    /// All columns.
    pub shape: &'a Shape,
    /// How fast to read.
    pub throttle: Option<&'a Arc<Throttle>>,
}

impl Examination<'_> {
    /// Reads one day and compares.
    ///
    /// # Errors
    /// The ledger cannot be read, or the object store does not answer.
    pub async fn day(&self, day: NaiveDate) -> Result<Day, Error> {
        let mut expected = Digest::default();
        for one in self
            .moves
            .iter()
            .filter(|m| m.lower == midnight(day) && m.state.is_committed())
        {
            expected.add(&stored_digest(one)?);
        }
        let number = manifests::day_number(day);
        let files: Vec<&LiveFile> = self.live.iter().filter(|f| f.day == Some(number)).collect();
        let mut found = Day {
            expected_rows: expected.rows(),
            files: files.len(),
            ..Day::default()
        };
        if files.iter().any(|f| f.deletes) {
            found
                .differences
                .push("someone has deleted rows of it".to_owned());
        }
        let rows: Vec<readback::File> = files
            .iter()
            .filter(|f| !f.deletes)
            .map(|f| readback::File::from(*f))
            .collect();
        match self
            .lake
            .read_back(self.iceberg, self.shape, &rows, self.throttle, |_| Ok(()))
            .await
        {
            Ok(there) => {
                found.rows = there.rows();
                found.differences.extend(expected.differences(&there));
            }
            // says nothing of the files
            Err(error @ Error::ObjectStore { .. }) => return Err(error),
            Err(error) => found.differences.push(error.told()),
        }
        Ok(found)
    }
}

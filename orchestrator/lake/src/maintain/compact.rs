//! Small files of a day together, and many manifests into few: by Trino, which rewrites and commits.
//!
//! A day normally has one file; each flush of late rows adds one. Digests do not depend on files, so a compacted
//! day verifies as before.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use crate::error::Error;
use crate::lake::Lake;
use crate::ledger::tables::Table;
use crate::ledger::{checksums, quote};
use crate::manifests::{self, LiveFile};
use crate::mover::load;

/// What is to be rewritten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Days with several files: day, files, bytes.
    pub days: Vec<(NaiveDate, usize, i64)>,
    /// Manifests of the current snapshot.
    pub manifests: usize,
    /// Whether those are to be merged.
    pub merge: bool,
    /// Days with a file whose bytes nobody has noted: upkeep was killed after Trino had written it.
    pub unnoted: Vec<NaiveDate>,
}

impl Plan {
    /// Whether nothing is to be rewritten.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.days.is_empty() && !self.merge && self.unnoted.is_empty()
    }
}

/// More manifests than this are merged, when they are more than there are days, too: Trino writes one for each. Each is
/// a request to the object store when a query is planned.
const MANIFESTS: usize = 20;

/// Finds days with at least `files` files.
///
/// # Errors
/// The catalog or the object store failed.
pub async fn plan(lake: &Lake, table: &Table, files: usize) -> Result<Plan, Error> {
    let iceberg = load(lake, table).await?;
    let live = manifests::live_files(&iceberg).await?;
    let manifests = manifests::count(&iceberg).await?;
    let numbers: BTreeSet<i32> = live.iter().filter_map(|file| file.day).collect();
    let days = days(&live, files);
    let unnoted = unnoted(lake, &live, &days).await?;
    Ok(Plan {
        days,
        manifests,
        merge: manifests > MANIFESTS.max(numbers.len()),
        unnoted,
    })
}

/// Days with a file that has no checksum, but for those that are rewritten now.
async fn unnoted(
    lake: &Lake,
    live: &[LiveFile],
    rewritten: &[(NaiveDate, usize, i64)],
) -> Result<Vec<NaiveDate>, Error> {
    let paths: Vec<String> = live.iter().map(|file| file.path.clone()).collect();
    let known = checksums::of(&lake.pool, &paths).await?;
    let days: BTreeSet<NaiveDate> = (live.iter())
        .filter(|file| !known.contains_key(&file.path))
        .filter_map(|file| manifests::day_of(file.day?))
        .filter(|day| rewritten.iter().all(|(other, _, _)| other != day))
        .collect();
    Ok(days.into_iter().collect())
}

fn days(live: &[LiveFile], least: usize) -> Vec<(NaiveDate, usize, i64)> {
    let mut days: std::collections::BTreeMap<i32, (usize, i64)> = std::collections::BTreeMap::new();
    for file in live {
        let Some(day) = file.day else { continue };
        let entry = days.entry(day).or_default();
        entry.0 += 1;
        entry.1 += file.bytes;
    }
    days.into_iter()
        .filter(|(_, (files, _))| *files >= least.max(2))
        .filter_map(|(day, (files, bytes))| Some((manifests::day_of(day)?, files, bytes)))
        .collect()
}

/// Carries a plan out.
///
/// # Errors
/// There is no Trino, or it failed; days before the one that failed are done.
pub async fn run(lake: &Lake, table: &Table, plan: &Plan) -> Result<(), Error> {
    let Some(trino) = &lake.trino else {
        return Err(Error::NotDone {
            what: format!("compaction of {}", table.id),
            reason: "there is no Trino to do it".to_owned(),
            hint: "start Trino (it needs a JDK 25) and set RIDEHAIL_TRINO_URL".to_owned(),
        });
    };
    let name = format!(
        "{}.{}.{}",
        lake.names.trino_lake_admin,
        quote(&table.iceberg_schema),
        quote(&table.iceberg_table)
    );
    for (day, _, _) in &plan.days {
        let next = crate::mover::plan::next_day(*day);
        let field = quote(&table.field);
        let literal = |day: NaiveDate| field_literal(lake, table, day);
        // the threshold is above any file of ours: everything of the day goes into one
        let sql = format!(
            "ALTER TABLE {name} EXECUTE optimize(file_size_threshold => '100GB') WHERE {field} >= {} AND {field} < {}",
            literal(*day).await?,
            literal(next).await?,
        );
        trino.rows(&sql).await?;
        tracing::info!(table = %table.id, %day, "compacted");
    }
    if plan.merge {
        trino
            .rows(&format!("ALTER TABLE {name} EXECUTE optimize_manifests"))
            .await?;
    }
    Ok(())
}

/// Notes what the files of a day come to, whose rows were just read and proven: Trino wrote them.
///
/// # Errors
/// The catalog or the object store failed.
pub(crate) async fn note_checksums(
    lake: &Lake,
    table: &Table,
    day: NaiveDate,
) -> Result<(), Error> {
    let number = manifests::day_number(day);
    let live = manifests::live_files(&load(lake, table).await?).await?;
    for file in live.iter().filter(|file| file.day == Some(number)) {
        let checksum = lake.store.checksum(&file.path).await?;
        checksums::note(&lake.pool, &file.path, &checksum).await?;
    }
    Ok(())
}

/// A day's first instant as Trino writes it for the table's partition column.
async fn field_literal(lake: &Lake, table: &Table, day: NaiveDate) -> Result<String, Error> {
    let iceberg = load(lake, table).await?;
    let field = iceberg
        .metadata()
        .current_schema()
        .field_by_name(&table.field);
    let is = |t: iceberg::spec::PrimitiveType| {
        field.is_some_and(|f| *f.field_type == iceberg::spec::Type::Primitive(t.clone()))
    };
    let field_type = if is(iceberg::spec::PrimitiveType::Date) {
        crate::view::FieldType::Date
    } else if is(iceberg::spec::PrimitiveType::Timestamp) {
        crate::view::FieldType::Timestamp
    } else {
        crate::view::FieldType::Timestamptz
    };
    Ok(field_type.literal(crate::mover::plan::midnight(day)))
}

//! Which files a table has now: what its manifests say.

use iceberg::spec::{DataContentType, Literal, PrimitiveLiteral};
use iceberg::table::Table;

use crate::error::{Doing as _, Error};

/// A file of the current snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveFile {
    /// `s3://bucket/key`.
    pub path: String,
    /// Rows in it.
    pub rows: i64,
    /// Its size.
    pub bytes: i64,
    /// Days since 1970-01-01: the partition it belongs to; `None` when its spec has none.
    pub day: Option<i32>,
    /// Whether it holds deletes, not rows.
    pub deletes: bool,
}

impl From<&LiveFile> for crate::readback::File {
    fn from(file: &LiveFile) -> Self {
        Self {
            location: file.path.clone(),
            rows: file.rows.cast_unsigned(),
            bytes: file.bytes.cast_unsigned(),
        }
    }
}

/// The files of the table's current snapshot.
///
/// # Errors
/// A manifest cannot be read.
pub async fn live_files(table: &Table) -> Result<Vec<LiveFile>, Error> {
    let Some(snapshot) = table.metadata().current_snapshot() else {
        return Ok(Vec::new());
    };
    let list = table
        .manifest_list_reader(snapshot)
        .load()
        .await
        .doing("read a manifest list")?;
    let mut files = Vec::new();
    for manifest in list.entries() {
        let manifest = manifest
            .load_manifest(table.file_io())
            .await
            .doing("read a manifest")?;
        for entry in manifest.entries().iter().filter(|entry| entry.is_alive()) {
            let file = entry.data_file();
            let day = match file.partition().iter().next() {
                Some(Some(Literal::Primitive(PrimitiveLiteral::Int(day)))) => Some(*day),
                Some(_) | None => None,
            };
            files.push(LiveFile {
                path: file.file_path().to_owned(),
                rows: i64::try_from(file.record_count()).unwrap_or(i64::MAX),
                bytes: i64::try_from(file.file_size_in_bytes()).unwrap_or(i64::MAX),
                day,
                deletes: file.content_type() != DataContentType::Data,
            });
        }
    }
    Ok(files)
}

/// How many manifests the current snapshot has.
///
/// # Errors
/// The manifest list cannot be read.
pub async fn count(table: &Table) -> Result<usize, Error> {
    let Some(snapshot) = table.metadata().current_snapshot() else {
        return Ok(0);
    };
    let list = table
        .manifest_list_reader(snapshot)
        .load()
        .await
        .doing("read a manifest list")?;
    Ok(list.entries().len())
}

/// Every object that some snapshot in the table's metadata refers to, and the metadata's own files.
///
/// # Errors
/// A manifest cannot be read.
pub async fn referenced(table: &Table) -> Result<std::collections::HashSet<String>, Error> {
    let metadata = table.metadata();
    let mut paths = std::collections::HashSet::new();
    paths.extend(table.metadata_location().map(str::to_owned));
    paths.extend(
        metadata
            .metadata_log()
            .iter()
            .map(|log| log.metadata_file.clone()),
    );
    paths.extend(
        metadata
            .statistics_iter()
            .map(|s| s.statistics_path.clone()),
    );
    for snapshot in metadata.snapshots() {
        paths.insert(snapshot.manifest_list().to_owned());
        let list = table
            .manifest_list_reader(snapshot)
            .load()
            .await
            .doing("read a manifest list")?;
        for manifest in list.entries() {
            // manifests are shared by snapshots: each is read once
            if !paths.insert(manifest.manifest_path.clone()) {
                continue;
            }
            let manifest = manifest
                .load_manifest(table.file_io())
                .await
                .doing("read a manifest")?;
            paths.extend(
                manifest
                    .entries()
                    .iter()
                    .map(|entry| entry.file_path().to_owned()),
            );
        }
    }
    Ok(paths)
}

/// The number Iceberg gives a day: days since 1970-01-01.
#[must_use]
pub fn day_number(day: chrono::NaiveDate) -> i32 {
    let days = day
        .signed_duration_since(chrono::DateTime::UNIX_EPOCH.date_naive())
        .num_days();
    i32::try_from(days).unwrap_or(i32::MAX)
}

/// The day of a number.
#[must_use]
pub fn day_of(number: i32) -> Option<chrono::NaiveDate> {
    let days = chrono::TimeDelta::try_days(number.into())?;
    chrono::DateTime::UNIX_EPOCH
        .date_naive()
        .checked_add_signed(days)
}

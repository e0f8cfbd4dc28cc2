//! A table's archive, loaded once and looked at day by day. Shallow: the files of the current snapshot are those of
//! the ledger, and the object store has them at their size. Deep: they are read as well, by [`crate::drift`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta};

use crate::drift::{Day, Examination, archived_shape};
use crate::error::{Doing as _, Error};
use crate::lake::{Lake, Presence};
use crate::ledger::checksums;
use crate::ledger::files::{self, File};
use crate::ledger::moves::{self, Move};
use crate::ledger::state::Kind;
use crate::ledger::tables::Table;
use crate::maintain::orphans;
use crate::manifests::{self, LiveFile, day_number};
use crate::mover::plan::{midnight, stray};
use crate::mover::{find, load, partitions, view_text};
use crate::shape::Shape;
use crate::storage::Object;
use crate::throttle::Throttle;

/// What is wrong with a table's view over the tiers, as far as Trino can be asked.
///
/// # Errors
/// Postgres failed, or Trino did in a way that is not being away.
pub async fn view_problem(lake: &Lake, table: &Table) -> Result<Option<String>, Error> {
    let Some(made) = &table.view_text else {
        return Ok(None);
    };
    let Presence::Ready(trino) = lake.trino_here().await? else {
        return Ok(None);
    };
    let found = view_text(lake, &trino, table).await?;
    let what = match found {
        Some(text) if text == *made => return Ok(None),
        Some(_) => "is not the one that the archive made",
        None => "is gone",
    };
    Ok(Some(format!("view history.{} {what}", table.view_name)))
}

/// A table's archive as it was when it was opened.
pub struct Audit {
    /// `None`: its first run ended before it was made, so nothing was ever committed.
    iceberg: Option<iceberg::table::Table>,
    /// Partitions in Postgres of days that have left: their rows are in no view.
    strays: BTreeMap<NaiveDate, String>,
    live: Vec<LiveFile>,
    moves: Vec<Move>,
    shape: Shape,
}

impl Audit {
    /// Reads ledger, catalog and manifests of a table.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub async fn open(lake: &Lake, table: &Table) -> Result<Self, Error> {
        let moves = moves::all(&lake.pool, &table.id).await?;
        let nothing = moves.iter().all(|m| !m.state.is_committed());
        let iceberg = match find(lake, table).await? {
            None if nothing => None,
            Some(found) => Some(found),
            None => Some(load(lake, table).await?),
        };
        let live = match &iceberg {
            Some(iceberg) => manifests::live_files(iceberg).await?,
            None => Vec::new(),
        };
        let mut conn = lake.connect().await?;
        let shape = archived_shape(&mut conn, table, &moves).await?;
        let strays = partitions(&mut conn, &table.id)
            .await?
            .into_iter()
            .filter_map(|partition| {
                let (lower, _) = partition.bounds?;
                let of_day = |m: &Move| m.lower == lower && m.kind == Kind::Move;
                let before = table.boundary.is_some_and(|boundary| lower < boundary);
                let open = moves.iter().any(|m| of_day(m) && m.finished_at.is_none());
                let archived = moves.iter().any(|m| of_day(m) && m.finished_at.is_some());
                let words = stray(&partition.name, archived);
                ((before || archived) && !open).then_some((lower.date_naive(), words))
            })
            .collect();
        Ok(Self {
            iceberg,
            strays,
            live,
            moves,
            shape,
        })
    }

    /// Every day that the ledger or the snapshot knows.
    #[must_use]
    pub fn days(&self) -> BTreeSet<NaiveDate> {
        let committed = self.moves.iter().filter(|m| m.state.is_committed());
        let of_files = self.live.iter().filter_map(|file| {
            let days = TimeDelta::try_days(file.day?.into())?;
            DateTime::UNIX_EPOCH.date_naive().checked_add_signed(days)
        });
        committed
            .map(|m| m.lower.date_naive())
            .chain(of_files)
            .chain(self.strays.keys().copied())
            .collect()
    }

    /// Compares a day's files with the ledger and with the object store, without reading them.
    ///
    /// # Errors
    /// The ledger or the object store is out of reach.
    pub async fn shallow(&self, lake: &Lake, day: NaiveDate) -> Result<Day, Error> {
        let mut known = Vec::new();
        for one in &self.moves {
            if one.lower == midnight(day) && one.state.is_committed() {
                known.extend(files::of(&lake.pool, one.id, one.attempt).await?);
            }
        }
        let number = day_number(day);
        let live: Vec<&LiveFile> = self
            .live
            .iter()
            .filter(|file| file.day == Some(number))
            .collect();
        let mut differences = compare(&known, &live);
        differences.extend(self.strays.get(&day).map(|words| format!("extra: {words}")));
        for file in &live {
            match lake.store.head(&file.path).await? {
                None => {
                    differences.push(format!("missing: {} is not in the object store", file.path))
                }
                Some(object) if object.size != file.bytes.cast_unsigned() => {
                    differences.push(format!(
                        "altered: {} has {} bytes, not {}",
                        file.path, object.size, file.bytes
                    ));
                }
                Some(_) => {}
            }
        }
        let rows = |rows: i64| u64::try_from(rows).unwrap_or_default();
        Ok(Day {
            expected_rows: known.iter().map(|file| rows(file.rows)).sum(),
            rows: live.iter().map(|file| rows(file.rows)).sum(),
            files: live.len(),
            differences,
        })
    }

    /// Reads a day's files again, after [`Self::shallow`], and digests them.
    ///
    /// # Errors
    /// As there.
    pub async fn deep(
        &self,
        lake: &Lake,
        day: NaiveDate,
        throttle: Option<&Arc<Throttle>>,
    ) -> Result<Day, Error> {
        let shallow = self.shallow(lake, day).await?;
        let Some(iceberg) = &self.iceberg else {
            return Ok(shallow);
        };
        let mut deep = Examination {
            lake,
            iceberg,
            live: &self.live,
            moves: &self.moves,
            shape: &self.shape,
            throttle,
        }
        .day(day)
        .await?;
        let altered = self.other_bytes(lake, day, throttle).await?;
        // what a glance finds names the file; what reading finds tells what it does to the rows
        let read = std::mem::replace(&mut deep.differences, shallow.differences);
        deep.differences.extend(read);
        deep.differences.extend(altered);
        Ok(deep)
    }

    /// Files of a day that have other bytes than when their rows were proven, and hold the same rows perhaps: the
    /// bounds in a footer decide what readers see of them.
    async fn other_bytes(
        &self,
        lake: &Lake,
        day: NaiveDate,
        throttle: Option<&Arc<Throttle>>,
    ) -> Result<Vec<String>, Error> {
        let number = day_number(day);
        let of_day = self.live.iter().filter(|file| file.day == Some(number));
        let paths: Vec<String> = of_day.clone().map(|file| file.path.clone()).collect();
        let known = checksums::of(&lake.pool, &paths).await?;
        let mut altered = Vec::new();
        for file in of_day {
            let Some(checksum) = known.get(&file.path) else {
                continue;
            };
            if let Some(throttle) = throttle {
                throttle.take(file.bytes.cast_unsigned()).await;
            }
            // one that is not there is told by the glance
            match lake.store.checksum(&file.path).await {
                Ok(found) if found != *checksum => {
                    altered.push(format!(
                        "altered: {} has other bytes than were proven",
                        file.path
                    ));
                }
                Ok(_) | Err(_) => {}
            }
        }
        Ok(altered)
    }

    /// Objects in the folders of `days` that are older than the newest commit and that nothing refers to. No
    /// difference: clean-up deletes them when they are old enough.
    ///
    /// # Errors
    /// Postgres, the catalog or the object store failed.
    pub async fn extra_objects(
        &self,
        lake: &Lake,
        table: &Table,
        days: &[NaiveDate],
    ) -> Result<Vec<Object>, Error> {
        let snapshot = self
            .iceberg
            .as_ref()
            .and_then(|iceberg| iceberg.metadata().current_snapshot());
        let Some(snapshot) = snapshot else {
            return Ok(Vec::new());
        };
        let newest = snapshot.timestamp().doing("read a snapshot's time")?;
        let mut found = orphans::find(lake, table, newest).await?;
        found.retain(|object| {
            let mut folders = object.location.split('/');
            // `2026-10-01`, or `ridehail_day=2026-10-01` of Trino's
            folders.any(|folder| {
                let day = folder.rsplit('=').next().unwrap_or_default();
                day.parse().is_ok_and(|day| days.contains(&day))
            })
        });
        Ok(found)
    }
}

/// In what a day's files differ from the ledger's. Files may be rewritten into others with as many rows: whether
/// those hold the same rows only reading tells.
fn compare(known: &[File], live: &[&LiveFile]) -> Vec<String> {
    let by_path: BTreeMap<&str, &&LiveFile> =
        live.iter().map(|file| (file.path.as_str(), file)).collect();
    let mut differences = Vec::new();
    let mut gone = Vec::new();
    for file in known {
        match by_path.get(file.path.as_str()) {
            None => gone.push(file),
            Some(there) if there.rows != file.rows || there.bytes != file.bytes => {
                differences.push(format!(
                    "altered: the table says that {} has {} rows in {} bytes, and the ledger {} in {}",
                    file.path, there.rows, there.bytes, file.rows, file.bytes
                ));
            }
            Some(_) => {}
        }
    }
    let paths: BTreeSet<&str> = known.iter().map(|file| file.path.as_str()).collect();
    let (deletes, new): (Vec<&LiveFile>, Vec<&LiveFile>) = live
        .iter()
        .copied()
        .filter(|file| !paths.contains(file.path.as_str()))
        .partition(|file| file.deletes);
    let rewritten = !new.is_empty()
        && gone.iter().map(|file| file.rows).sum::<i64>()
            == new.iter().map(|file| file.rows).sum::<i64>();
    if !rewritten {
        let missing = |file: &&File| format!("missing: {} is not in the table", file.path);
        differences.extend(gone.iter().map(missing));
        let extra = |file: &&LiveFile| {
            format!(
                "extra: {} with {} rows is in no move of the ledger",
                file.path, file.rows
            )
        };
        differences.extend(new.iter().map(extra));
    }
    let deleting = |file: &LiveFile| format!("extra: {} deletes rows", file.path);
    differences.extend(deletes.into_iter().map(deleting));
    differences
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(path: &str, rows: i64) -> File {
        File {
            path: path.to_owned(),
            rows,
            bytes: rows * 10,
            data_file: serde_json::Value::Null,
        }
    }

    fn live(path: &str, rows: i64, deletes: bool) -> LiveFile {
        LiveFile {
            path: path.to_owned(),
            rows,
            bytes: rows * 10,
            day: Some(0),
            deletes,
        }
    }

    fn check(known: &[File], live: &[LiveFile], expected: &[&str]) {
        let found = compare(known, &live.iter().collect::<Vec<_>>());
        let words: Vec<&str> = found
            .iter()
            .map(|text| text.split(':').next().unwrap_or_default())
            .collect();
        assert_eq!(words, expected, "{found:?}");
    }

    #[test]
    fn missing_altered_and_extra_files_are_told() {
        let one = [known("a", 5), known("b", 3)];
        check(&one, &[live("a", 5, false), live("b", 3, false)], &[]);
        check(&one, &[live("a", 5, false)], &["missing"]);
        check(
            &one,
            &[live("a", 6, false), live("b", 3, false)],
            &["altered"],
        );
        let extra = [
            live("a", 5, false),
            live("b", 3, false),
            live("c", 1, false),
        ];
        check(&one, &extra, &["extra"]);
        let deletes = [live("a", 5, false), live("b", 3, false), live("c", 1, true)];
        check(&one, &deletes, &["extra"]);
    }

    #[test]
    fn a_rewrite_with_as_many_rows_is_no_difference() {
        let one = [known("a", 5), known("b", 3)];
        check(&one, &[live("c", 8, false)], &[]);
        check(
            &one,
            &[live("c", 7, false)],
            &["missing", "missing", "extra"],
        );
    }
}

//! Files that the object store lost, or gave other bytes, while their rows are still in Postgres: made once more.
//!
//! A file is a function of its rows, their order and the attempt it notes. So it is written again under another
//! name, and only if its bytes come to what the ledger says were proven does it take the lost one's place.

use uuid::Uuid;

use super::Mover;
use super::copy::stored_shape;
use super::report::Event;
use crate::error::Error;
use crate::ledger::moves::Move;
use crate::ledger::state::Kind;
use crate::ledger::{TableId, checksums, files, is_there};
use crate::{read, write};

impl Mover<'_> {
    /// Which of a move's files the store has lost or has with other bytes. All are read, unless this process did so
    /// before: then their sizes tell.
    pub(super) async fn unsound(&mut self, one: &Move) -> Result<Vec<Unsound>, Error> {
        let files = files::of(&mut self.conn, one.id, one.attempt).await?;
        let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
        let known = checksums::of(&mut self.conn, &paths).await?;
        let mut unsound = Vec::new();
        for file in files {
            let problem = match self.lake.store.head(&file.path).await? {
                None => Some("missing: $ is not in the object store".to_owned()),
                Some(object) if object.size != file.bytes.cast_unsigned() => Some(format!(
                    "altered: $ has {} bytes, not {}",
                    object.size, file.bytes
                )),
                Some(_) if self.read_back.contains(&one.attempt) => None,
                Some(_) => match known.get(&file.path) {
                    Some(sum) if *sum != self.lake.store.checksum(&file.path).await? => {
                        Some("altered: $ has other bytes than were proven".to_owned())
                    }
                    _ => None,
                },
            };
            if let Some(problem) = problem {
                unsound.push(Unsound {
                    problem: problem.replace('$', &file.path),
                    checksum: known.get(&file.path).cloned(),
                    path: file.path,
                });
            }
        }
        Ok(unsound)
    }

    /// Makes files once more from the rows in Postgres. False when that cannot be done: the rows are gone, or are
    /// others by now.
    pub(super) async fn mend(&mut self, one: &Move, lost: &[Unsound]) -> Result<bool, Error> {
        if !self.has_rows(one).await? {
            return Ok(false);
        }
        let shape = stored_shape(one)?;
        let place = write::Place {
            attempt: one.attempt,
            named: Uuid::now_v7(),
            move_id: one.id,
            flush: one.flush,
            day: one.lower.date_naive(),
        };
        let source = self.lake.connect().await?;
        let mut rows = read::rows(source, &self.select(one, &shape), &shape, self.reading());
        let (iceberg, store) = (&self.adopted.iceberg, &self.lake.store);
        let written = write::write(iceberg, store, &shape, rows.stream(), place).await?;
        let made: Vec<String> = (written.files.iter())
            .map(|file| file.file_path().to_owned())
            .collect();
        let again = |file: &Unsound| {
            let name = file
                .path
                .replace(&one.attempt.to_string(), &place.named.to_string());
            let at = made.iter().position(|path| *path == name)?;
            (Some(&written.checksums[at]) == file.checksum.as_ref()).then_some(&made[at])
        };
        let pairs: Option<Vec<(&String, &String)>> = lost
            .iter()
            .map(|file| Some((again(file)?, &file.path)))
            .collect();
        for (from, to) in pairs.iter().flatten() {
            store.copy(from, to).await?;
            self.reporter.report(&Event::Mended {
                table: one.table.clone(),
                file: (*to).clone(),
            });
        }
        store.delete(&made).await?;
        fail::fail_point!("lake::mended");
        Ok(pairs.is_some())
    }

    /// Whether a move's rows are still in Postgres: its partition is there, or they are late rows.
    pub(super) async fn has_rows(&mut self, one: &Move) -> Result<bool, Error> {
        match one.kind {
            Kind::Flush => Ok(true),
            Kind::Move => {
                let name = one.partition.as_deref().unwrap_or_default();
                is_there(&mut self.conn, &TableId::new(&one.table.schema, name)).await
            }
        }
    }
}

/// A file that is not as it was proven.
pub(super) struct Unsound {
    pub(super) path: String,
    /// What is wrong.
    pub(super) problem: String,
    /// Of its bytes as they were; `None` when an earlier version wrote it.
    checksum: Option<String>,
}

//! Keeping the lake in order: small files together, old snapshots and stray objects away, the catalog looked at.
//!
//! Each task can be asked what it would do first, and each has a floor on age: what is younger may belong to a
//! reader. Tasks hold the table's lock, so no move and no other upkeep of it is under way meanwhile.
//!
//! Expiry removes the snapshot summaries by which a commit could be found. That is why the ledger has keys and file
//! lists of its own, written with the commit, and why expiry checks first that it does.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};

use crate::drift;
use crate::error::{Doing as _, Error};
use crate::lake::{Lake, Presence};
use crate::ledger::tables::Table;
use crate::mover::{find, lock, release};
use crate::owner;

pub mod catalog;
pub mod compact;
pub mod expire;
pub mod orphans;

/// Nothing younger is deleted: a query may run as long, and so may the upload of a file.
pub const FLOOR: TimeDelta = TimeDelta::hours(1);

/// A task of upkeep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// Files of a day together, manifests together.
    Compact,
    /// Old snapshots away.
    Expire,
    /// Objects that nothing refers to away.
    Orphans,
    /// Catalog, ledger and object store compared.
    Check,
}

/// All of them, in the order that lets each clean up after the one before.
pub const TASKS: [Task; 4] = [Task::Compact, Task::Expire, Task::Orphans, Task::Check];

impl Task {
    /// As typed and stored.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Compact => "compact",
            Self::Expire => "expire",
            Self::Orphans => "orphans",
            Self::Check => "check",
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Task {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = TASKS.into_iter().find(|task| task.word() == text);
        found.ok_or_else(|| {
            let known = TASKS.map(Self::word).join(", ");
            format!("`{text}` is no task; tasks are: {known}")
        })
    }
}

/// What is to be done, and how carefully.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which tasks.
    pub tasks: Vec<Task>,
    /// Age from which snapshots and objects may go; at least [`FLOOR`].
    pub older_than: TimeDelta,
    /// Newest snapshots that stay, whatever their age.
    pub keep: usize,
    /// Files of a day from which they are put together.
    pub files: usize,
    /// Only say what would be done.
    pub dry_run: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tasks: TASKS.to_vec(),
            older_than: TimeDelta::days(7),
            keep: 5,
            files: 2,
            dry_run: false,
        }
    }
}

/// What was done, or would be.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Days whose files were put together, and their files and bytes before.
    pub compacted: compact::Plan,
    /// Snapshots.
    pub expired: Vec<expire::Expired>,
    /// Objects.
    pub orphans: Vec<crate::storage::Object>,
    /// What is wrong, in words.
    pub findings: Vec<String>,
    /// Tasks that could not be done, and why.
    pub left_out: Vec<String>,
}

impl Done {
    /// Whether there was nothing to do and nothing to say.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.compacted.is_nothing()
            && self.expired.is_empty()
            && self.orphans.is_empty()
            && self.findings.is_empty()
            && self.left_out.is_empty()
    }
}

/// Carries out tasks for one table. Ages are counted from `now`; a dry run shows what they come to at that moment,
/// and nothing is deleted that is not [`FLOOR`] old by the server's clock.
///
/// # Errors
/// [`Error::Busy`]: a move or other upkeep of the table is under way. [`Error::NotDone`]: `older_than` is below
/// the floor. Others as they come; what was done before stays done.
pub async fn run(
    lake: &Lake,
    table: &Table,
    options: &Options,
    now: DateTime<Utc>,
) -> Result<Done, Error> {
    if options.older_than < FLOOR {
        return Err(Error::NotDone {
            what: format!("upkeep of {}", table.id),
            reason: format!(
                "nothing younger than {} h may be deleted",
                FLOOR.num_hours()
            ),
            hint: "queries and uploads that run now may need it: name a greater age".to_owned(),
        });
    }
    let mut older_than = now - options.older_than;
    if options.dry_run {
        owner::may_change(lake).await?;
    } else {
        owner::claim(lake).await?;
        // ages may be counted from another moment, to be shown; what is deleted has its age by the server's clock
        older_than = older_than.min(clock(lake).await? - FLOOR);
    }
    let mut conn = lake.connect().await?;
    lock(&mut conn, &table.id).await?;
    let mut done = Done::default();
    if find(lake, table).await?.is_none() {
        // nothing was ever committed, or it was lost: the check knows which
        done.findings = catalog::check_table(lake, table).await?;
        return Ok(done);
    }
    for task in TASKS {
        if !options.tasks.contains(&task) {
            continue;
        }
        match task {
            Task::Compact => compact(lake, table, options, &mut done).await?,
            Task::Expire => {
                done.expired = expire::plan(lake, table, older_than, options.keep).await?;
                if !options.dry_run {
                    expire::run(lake, table, &done.expired).await?;
                }
            }
            Task::Orphans => {
                done.orphans = orphans::find(lake, table, older_than).await?;
                if !options.dry_run {
                    orphans::delete(lake, &done.orphans).await?;
                }
            }
            Task::Check => done
                .findings
                .extend(catalog::check_table(lake, table).await?),
        }
    }
    release(conn).await;
    Ok(done)
}

/// Postgres' clock.
async fn clock(lake: &Lake) -> Result<DateTime<Utc>, Error> {
    sqlx::query_scalar("select now()")
        .fetch_one(&lake.pool)
        .await
        .doing("ask for the time")
}

/// Compacts, and reads what came of it: the old files are there until they are orphans.
async fn compact(
    lake: &Lake,
    table: &Table,
    options: &Options,
    done: &mut Done,
) -> Result<(), Error> {
    let plan = compact::plan(lake, table, options.files).await?;
    if plan.is_nothing() {
        return Ok(());
    }
    let why = match lake.trino_here().await? {
        Presence::Ready(_) => None,
        Presence::Unset => Some("there is no Trino to compact it".to_owned()),
        Presence::Away(why) => Some(format!("not compacted: {why}")),
    };
    if let Some(why) = why {
        done.left_out.push(why);
        return Ok(());
    }
    if !options.dry_run {
        compact::run(lake, table, &plan).await?;
        let rewritten = plan.days.iter().map(|(day, _, _)| day);
        for day in rewritten.chain(&plan.unnoted) {
            match drift::verify_day(lake, table, *day).await?.problem() {
                Some(problem) => done
                    .findings
                    .push(format!("{day} differs after compaction: {problem}")),
                None => compact::note_checksums(lake, table, *day).await?,
            }
        }
    }
    done.compacted = plan;
    Ok(())
}

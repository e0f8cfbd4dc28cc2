//! One partition of a landing table per UTC day, made before a row needs it.
//!
//! A day is created on its own (`LIKE`) and then attached. ATTACH takes SHARE UPDATE EXCLUSIVE on the parent,
//! which lets COPY and SELECT go on; `create table ... partition of` would take ACCESS EXCLUSIVE and wait for
//! every one of them. The new table is empty, so attaching has nothing to scan. The work is done outside
//! landing transactions, in one of its own.
//!
//! A day that has left for the archive is never made again: its rows go to the late table.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use chrono::{Days as Count, NaiveDate};
use sqlx::{AssertSqlSafe, PgConnection};

use super::write::begin;
use super::{Error, store};

/// How far ahead days are made: as far as event times are accepted.
const AHEAD: u64 = 2;
/// Key of the advisory lock under which days are made, so that processes do not meet halfway. Arbitrary, unique
/// among our locks.
const LOCK: i64 = 0x7269_6465_6461_7973;

/// Days for which this process knows that nothing is to be made: they exist, or have left for the archive, which is
/// for good. Someone may also take one away by hand: [`Days::forget`].
#[derive(Debug, Default)]
pub(super) struct Days {
    known: Mutex<HashSet<(String, NaiveDate)>>,
}

impl Days {
    /// Makes sure that table `raw.<topic>` has a partition for each of `days` that has not left for the archive.
    pub(super) async fn ensure(
        &self,
        conn: &mut PgConnection,
        topic: &str,
        days: &BTreeSet<NaiveDate>,
    ) -> Result<(), Error> {
        let missing: Vec<NaiveDate> = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            days.iter()
                .filter(|day| !known.contains(&(topic.to_owned(), **day)))
                .copied()
                .collect()
        };
        if missing.is_empty() {
            return Ok(());
        }
        let mut tx = begin(conn, topic).await?;
        // Serialises all makers of days until commit; readers and writers of the tables are not held up.
        sqlx::query("select pg_advisory_xact_lock($1)")
            .bind(LOCK)
            .execute(&mut *tx)
            .await?;
        let first = first_day(&mut tx, topic).await?;
        for day in missing.iter().filter(|day| Some(**day) >= first) {
            make(&mut tx, topic, *day).await?;
        }
        fail::fail_point!("landing::days_made");
        tx.commit().await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(missing.into_iter().map(|day| (topic.to_owned(), day)));
        Ok(())
    }

    /// Whether nothing is to be made for any of `days`.
    pub(super) fn know(&self, topic: &str, days: &BTreeSet<NaiveDate>) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        days.iter()
            .all(|day| known.contains(&(topic.to_owned(), *day)))
    }

    /// Makes today and the days ahead.
    pub(super) async fn ensure_ahead(
        &self,
        conn: &mut PgConnection,
        topic: &str,
        today: NaiveDate,
    ) -> Result<(), Error> {
        let days = (0..=AHEAD)
            .filter_map(|n| today.checked_add_days(Count::new(n)))
            .collect();
        self.ensure(conn, topic, &days).await
    }

    /// Forgets a table's days: Postgres found one missing that was there before.
    pub(super) fn forget(&self, topic: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(of, _)| of != topic);
    }
}

/// A day's table, without its schema.
fn name(topic: &str, day: NaiveDate) -> String {
    format!("{topic}_{}", day.format("%Y%m%d"))
}

/// The first day that has not left; `None` if none ever left.
async fn first_day(conn: &mut PgConnection, topic: &str) -> sqlx::Result<Option<NaiveDate>> {
    let archive = store::archive(conn, topic).await?;
    Ok(archive.map(|archive| archive.instant().date_naive()))
}

async fn make(conn: &mut PgConnection, topic: &str, day: NaiveDate) -> Result<(), Error> {
    let table = name(topic, day);
    let attached: Option<bool> = sqlx::query_scalar(
        "select exists (select from pg_inherits where inhrelid = to_regclass('raw.' || $1))
         where to_regclass('raw.' || $1) is not null",
    )
    .bind(&table)
    .fetch_optional(&mut *conn)
    .await?;
    match attached {
        Some(true) => return Ok(()),
        // Someone took the day away on purpose; putting it back would undo that.
        Some(false) => return Err(Error::DetachedDay { table }),
        None => {}
    }
    let next = day.succ_opt().unwrap_or(day);
    sqlx::raw_sql(AssertSqlSafe(format!(
        "create table raw.{table} (like raw.{topic} including all);
         alter table raw.{topic} attach partition raw.{table}
             for values from ('{day} 00:00:00+00') to ('{next} 00:00:00+00')"
    )))
    .execute(conn)
    .await?;
    tracing::info!(table, "day partition made");
    Ok(())
}

//! Table `ridehail.leases`: who is at work on what, and until when that is believed.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{FromRow, PgExecutor};
use uuid::Uuid;

use super::{Doing, Error};

/// A lease not renewed for this long is dead. Six missed heartbeats: a pause shorter than that (a slow
/// disk, a suspended laptop) costs nothing, and a crash is noticed within half a minute.
pub const LEASE: TimeDelta = TimeDelta::seconds(30);

/// A process, as leases name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Made at its start.
    pub id: Uuid,
    /// `host/pid`.
    pub name: String,
}

impl Holder {
    /// This process.
    #[must_use]
    pub fn this_process() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let name = format!("{}/{}", host.trim(), std::process::id());
        Self {
            id: Uuid::new_v4(),
            name,
        }
    }
}

/// A lease as stored.
#[derive(Debug, Clone, FromRow)]
pub struct Lease {
    /// `run:42`, `scheduler:<uuid>`.
    pub resource: String,
    /// Who holds it.
    pub holder: Uuid,
    /// The same for people.
    pub holder_name: String,
    /// The fencing number.
    pub epoch: i64,
    /// Since when.
    pub taken_at: DateTime<Utc>,
    /// Last heartbeat.
    pub renewed_at: DateTime<Utc>,
    /// When it is dead.
    pub expires_at: DateTime<Utc>,
}

/// The lease of a run.
#[must_use]
pub fn of_run(run_id: i64) -> String {
    format!("run:{run_id}")
}

/// Takes `resource` if nobody holds it at `now`; the answer is the epoch, or `None` when someone does.
///
/// # Errors
/// The store's refusal.
pub async fn take(
    executor: impl PgExecutor<'_>,
    resource: &str,
    holder: &Holder,
    now: DateTime<Utc>,
) -> Result<Option<i64>, Error> {
    sqlx::query_scalar(
        "insert into ridehail.leases as held
             (resource, holder, holder_name, epoch, taken_at, renewed_at, expires_at)
         values ($1, $2, $3, 1, $4, $4, $5)
         -- the row lock makes two takers queue; the second sees the first's expiry and matches no row
         on conflict (resource) do update
            set holder = excluded.holder, holder_name = excluded.holder_name,
                epoch = held.epoch + 1, taken_at = excluded.taken_at,
                renewed_at = excluded.renewed_at, expires_at = excluded.expires_at
          where held.expires_at <= excluded.taken_at
         returning epoch",
    )
    .bind(resource)
    .bind(holder.id)
    .bind(&holder.name)
    .bind(now)
    .bind(now + LEASE)
    .fetch_optional(executor)
    .await
    .doing("take a lease")
}

/// Puts off the death of a lease; false when it is no longer ours.
///
/// # Errors
/// The store's refusal.
pub async fn renew(
    executor: impl PgExecutor<'_>,
    resource: &str,
    epoch: i64,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let done = sqlx::query(
        "update ridehail.leases set renewed_at = $3, expires_at = $4
          where resource = $1 and epoch = $2",
    )
    .bind(resource)
    .bind(epoch)
    .bind(now)
    .bind(now + LEASE)
    .execute(executor)
    .await
    .doing("renew a lease")?;
    Ok(done.rows_affected() == 1)
}

/// Gives a lease back. The row stays, expired: the epoch must not start again at 1 while a zombie may
/// still write under it.
///
/// # Errors
/// The store's refusal.
pub async fn release(
    executor: impl PgExecutor<'_>,
    resource: &str,
    epoch: i64,
) -> Result<(), Error> {
    sqlx::query(
        "update ridehail.leases
            -- expired from the start; one microsecond keeps the table's own check true
            set renewed_at = taken_at - interval '1 microsecond', expires_at = taken_at
          where resource = $1 and epoch = $2",
    )
    .bind(resource)
    .bind(epoch)
    .execute(executor)
    .await
    .doing("release a lease")?;
    Ok(())
}

/// Leases whose resource starts with `prefix`, latest heartbeat first.
///
/// # Errors
/// The store's refusal.
pub async fn with_prefix(executor: impl PgExecutor<'_>, prefix: &str) -> Result<Vec<Lease>, Error> {
    sqlx::query_as(
        "select resource, holder, holder_name, epoch, taken_at, renewed_at, expires_at
           from ridehail.leases
          where starts_with(resource, $1)
          order by renewed_at desc",
    )
    .bind(prefix)
    .fetch_all(executor)
    .await
    .doing("list the leases")
}

/// Forgets leases that died before `before`: their runs have ended or been taken over.
///
/// # Errors
/// The store's refusal.
pub async fn forget_dead(
    executor: impl PgExecutor<'_>,
    before: DateTime<Utc>,
) -> Result<u64, Error> {
    let done = sqlx::query("delete from ridehail.leases where expires_at < $1")
        .bind(before)
        .execute(executor)
        .await
        .doing("forget dead leases")?;
    Ok(done.rows_affected())
}

//! Warehouse, ledger and catalog in one consistent dump, and back.
//!
//! A lost catalog is a lost lake: the files would be there and nobody could say which of them are a table. Catalog and
//! ledger are tables of the warehouse's database, so one `pg_dump` (one snapshot) holds all three as they were at one
//! instant. Files in the object store are not copied: they never change. What a dump's catalog refers to is kept in the
//! object store as long as the ledger says that the dump is ([`forget`] ends that). A restored database is a copy, and
//! changes none of them, until it is said to own them ([`crate::owner`]).

mod grants;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use chrono::{DateTime, Utc};
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use tokio::process::Command;

use crate::error::{Doing as _, Error};
use crate::lake::Lake;
use crate::{maintain, owner};

pub use grants::Grants;

/// What a backup made.
#[derive(Debug, Clone)]
pub struct Backup {
    /// The dump.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// Dumps the database into `folder`, under a name that carries the time.
///
/// The dump is written under another name first: a file of the right name is a whole dump.
///
/// # Errors
/// `pg_dump` is missing, fails, or the folder cannot be written.
pub async fn dump(lake: &Lake, folder: &Path, now: DateTime<Utc>) -> Result<Backup, Error> {
    let unusable = |message: String| Error::Malformed {
        what: folder.display().to_string(),
        message,
    };
    tokio::fs::create_dir_all(folder)
        .await
        .map_err(|e| unusable(e.to_string()))?;
    let file = folder.join(format!("ridehail-{}.dump", now.format("%Y%m%dT%H%M%SZ")));
    let part = file.with_extension("dump.part");
    // a maker that was killed protects nothing for ever
    sqlx::query(
        "delete from lake.backups where finished_at is null and taken_at < $1 - interval '1 day'",
    )
    .bind(now)
    .execute(&lake.pool)
    .await
    .doing("forget backups that were broken off")?;
    // Noted first: the dump has its own entry, and protects itself from the moment it is begun. Its locations are
    // those of both sides of it: a commit may come in between, and the dump has one or the other.
    let before = locations_now(lake).await?;
    let id: i64 = sqlx::query_scalar(
        "insert into lake.backups (file, taken_at, locations) values ($1, $2, $3) returning backup_id",
    )
    .bind(file.display().to_string())
    .bind(now)
    .bind(&before)
    .fetch_one(&lake.pool)
    .await
    .doing("note a backup")?;
    let mut command = client("pg_dump", &lake.options);
    command
        .args(["--format=custom", "--no-owner"])
        .arg("--file")
        .arg(&part);
    if let Err(error) = run(command, "pg_dump").await {
        sqlx::query("delete from lake.backups where backup_id = $1")
            .bind(id)
            .execute(&lake.pool)
            .await
            .doing("forget a backup that was not made")?;
        return Err(error);
    }
    // before the file has its name: a dump that is there is protected whole
    add_locations(&lake.pool, id, &locations_now(lake).await?).await?;
    tokio::fs::rename(&part, &file)
        .await
        .map_err(|e| unusable(e.to_string()))?;
    finished(&lake.pool, id).await?;
    let bytes = tokio::fs::metadata(&file)
        .await
        .map(|m| m.len())
        .unwrap_or_default();
    Ok(Backup { file, bytes })
}

/// Restores a dump into the empty database that `lake` would be opened on, with the rights whose roles are there.
///
/// # Errors
/// [`Error::NotDone`]: the database is not empty. `pg_restore` is missing or fails.
pub async fn restore(options: &PgConnectOptions, file: &Path) -> Result<Grants, Error> {
    use sqlx::Connection as _;
    let mut conn = options.connect().await.doing("connect")?;
    let tables: i64 = sqlx::query_scalar(
        "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema')
           and n.nspname not like 'pg\\_%' and n.nspname <> 'lake_catalog'",
    )
    .fetch_one(&mut conn)
    .await
    .doing("look whether the database is empty")?;
    if tables > 0 {
        return Err(Error::NotDone {
            what: options.get_database().unwrap_or("the database").to_owned(),
            reason: format!(
                "it holds {tables} tables, and a backup is restored into an empty database"
            ),
            hint: "create a database and name it with --into, or in RIDEHAIL_RESTORE_URL"
                .to_owned(),
        });
    }
    // the servers make the catalog's empty tables before anything else; the dump brings them full
    sqlx::raw_sql("drop schema if exists lake_catalog cascade")
        .execute(&mut conn)
        .await
        .doing("make way for the catalog")?;
    conn.close().await.doing("close")?;
    let mut command = client("pg_restore", options);
    command.args([
        "--exit-on-error",
        "--single-transaction",
        "--no-owner",
        "--no-privileges",
    ]);
    command
        .arg("--dbname")
        .arg(options.get_database().unwrap_or_default())
        .arg(file);
    run(command, "pg_restore").await?;
    grants::give(options, file).await
}

/// After a restore: the dump's own entry protects what the catalog has that came with it, too.
///
/// # Errors
/// Postgres failed.
pub async fn note_restored(lake: &Lake) -> Result<(), Error> {
    let newest: Option<i64> = sqlx::query_scalar("select max(backup_id) from lake.backups")
        .fetch_one(&lake.pool)
        .await
        .doing("read the backups")?;
    if let Some(id) = newest {
        add_locations(&lake.pool, id, &locations_now(lake).await?).await?;
        // it is here, so it was whole
        finished(&lake.pool, id).await?;
    }
    owner::note_restored(lake).await
}

async fn finished(db: impl sqlx::PgExecutor<'_>, id: i64) -> Result<(), Error> {
    sqlx::query("update lake.backups set finished_at = now() where backup_id = $1")
        .bind(id)
        .execute(db)
        .await
        .doing("note that a backup is whole")?;
    Ok(())
}

async fn add_locations(
    db: impl sqlx::PgExecutor<'_>,
    id: i64,
    locations: &[String],
) -> Result<(), Error> {
    sqlx::query(
        "update lake.backups set locations =
             (select array_agg(distinct l order by l) from unnest(locations || $2::text[]) l)
         where backup_id = $1 and cardinality(locations || $2::text[]) > 0",
    )
    .bind(id)
    .bind(locations)
    .execute(db)
    .await
    .doing("note what a backup refers to")?;
    Ok(())
}

/// Metadata of every table, as the catalog names it now.
async fn locations_now(lake: &Lake) -> Result<Vec<String>, Error> {
    sqlx::query_scalar(
        "select metadata_location from lake_catalog.iceberg_tables
         where metadata_location is not null and coalesce(iceberg_type, 'TABLE') = 'TABLE'",
    )
    .fetch_all(&lake.pool)
    .await
    .doing("read the catalog")
}

/// Metadata that kept backups refer to.
pub(crate) async fn kept_locations(lake: &Lake) -> Result<Vec<String>, Error> {
    sqlx::query_scalar("select distinct unnest(locations) from lake.backups where kept")
        .fetch_all(&lake.pool)
        .await
        .doing("read the backups")
}

/// A dump that the ledger knows.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Listed {
    /// Its number.
    pub backup_id: i64,
    /// Where it was written.
    pub file: String,
    /// When.
    pub taken_at: DateTime<Utc>,
    /// Whether what it refers to is kept.
    pub kept: bool,
    /// Whether it is whole: not being made, and not broken off.
    pub whole: bool,
    /// Iceberg tables in its catalog.
    pub tables: i64,
}

/// Every dump that was made, newest first.
///
/// # Errors
/// Postgres failed.
pub async fn list(lake: &Lake) -> Result<Vec<Listed>, Error> {
    sqlx::query_as(
        "select backup_id, file, taken_at, kept, finished_at is not null as whole,
                (select count(distinct split_part(l, '/metadata/', 1)) from unnest(locations) l) as tables
         from lake.backups order by taken_at desc, backup_id desc",
    )
    .fetch_all(&lake.pool)
    .await
    .doing("list the backups")
}

/// Lets go of backups that were taken before a moment: what only they refer to may be deleted. Returns how many.
///
/// # Errors
/// Postgres failed.
pub async fn forget(lake: &Lake, before: DateTime<Utc>) -> Result<u64, Error> {
    let done = sqlx::query("update lake.backups set kept = false where kept and taken_at < $1")
        .bind(before)
        .execute(&lake.pool)
        .await
        .doing("let go of backups")?;
    Ok(done.rows_affected())
}

/// After a restore: what of the catalog has no file any more.
///
/// # Errors
/// Postgres failed.
pub async fn check(lake: &Lake) -> Result<Vec<String>, Error> {
    maintain::catalog::check(lake).await
}

/// A client program with the connection in its environment, where a list of processes does not show it.
fn client(program: &str, options: &PgConnectOptions) -> Command {
    let mut command = Command::new(program);
    let url = options.to_url_lossy();
    command
        .env("PGHOST", options.get_host())
        .env("PGPORT", options.get_port().to_string())
        .env("PGUSER", options.get_username())
        .env("PGDATABASE", options.get_database().unwrap_or_default())
        .env("PGTZ", "UTC")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if let Some(password) = url.password() {
        command.env("PGPASSWORD", password);
    }
    command
}

/// Runs it to its end; what it wrote, if its caller has asked for that.
async fn run(mut command: Command, program: &str) -> Result<String, Error> {
    let missing = |message: String| Error::Malformed {
        what: program.to_owned(),
        message,
    };
    let output = command.output().await.map_err(|e| {
        missing(format!(
            "cannot be run ({e}): install Postgres' client programs, of the server's version"
        ))
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(missing(
        words.lines().take(5).collect::<Vec<_>>().join("; "),
    ))
}

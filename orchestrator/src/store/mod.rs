//! The run store: what was asked for, what happened, who is at work. Postgres, schema `ridehail`.
//!
//! One file a table; free functions over any executor, so that a caller decides what shares a transaction.
//! Nothing here decides: states come from `run/state.rs`, due times from `schedule/due.rs`.
//!
//! What a crash leaves. Recording happens beside the work, never inside it, so the order is what counts:
//!
//! 1. `running`, attempt n, is written **before** a model or seed is touched.
//! 2. The node's effect commits in the warehouse, in one transaction of its own.
//! 3. `success` is written **after** that commit.
//!
//! Killed between 2 and 3, the store says `running` about something that is done. Whoever takes over sees a
//! dead lease, applies `Lost`, and runs the node again: a view, a table, a seed, `delete+insert` and `merge`
//! end in the same rows when run twice. (Only `append` doubles; dbt's does, too.) Killed before 2, Postgres
//! rolls back and the second run is the first. Tests have no effect, so their step 1 isn't waited for.
//!
//! Commits here are asynchronous (`synchronous_commit = off`): a process that dies loses nothing, a Postgres
//! server that dies may forget the last instants, and then step 1 or 3 is simply missing: run again, as above.
//! The effect's own commit is synchronous and flushes everything before it.

pub mod events;
pub mod graphs;
pub mod journal;
pub mod lake;
pub mod leases;
pub mod node_runs;
pub mod opening;
pub mod runs;
pub mod schedules;
pub mod size;
pub mod ticks;

use std::io;
use std::str::FromStr;
use std::time::Duration;

use project::{PostgresTarget, Secret};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions, Postgres, SqlSafeStr, Transaction};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What can go wrong with the run store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is not one.
    #[error("the database URL cannot be read")]
    Url(#[source] sqlx::Error),
    /// No connection.
    #[error("cannot reach the run store at {address}")]
    Connect {
        /// Host and port, no password.
        address: String,
        /// Why.
        source: sqlx::Error,
    },
    /// The schema could not be brought up to date.
    #[error("cannot prepare schema `ridehail` at {address}")]
    Migrate {
        /// Host and port, no password.
        address: String,
        /// Why.
        source: sqlx::migrate::MigrateError,
    },
    /// A statement failed.
    #[error("the run store refused to {what}")]
    Query {
        /// What was tried: `list the runs`.
        what: &'static str,
        /// Why.
        source: sqlx::Error,
    },
    /// A row holds something this version does not know.
    #[error("the run store holds {what} that this version cannot read: {value}")]
    Foreign {
        /// Which column.
        what: &'static str,
        /// Its value.
        value: String,
    },
}

impl Error {
    /// What a person can do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Url(_) => "write it as postgres://user:password@host:port/database",
            Self::Connect { .. } => {
                "start the servers with `make up`, set RIDEHAIL_DATABASE_URL, or pass --no-record"
            }
            Self::Migrate { .. } => {
                "the role needs to own schema `ridehail` or to be allowed to create it"
            }
            Self::Query { .. } => "see the server's log; `make status` tells whether it is up",
            Self::Foreign { .. } => "a newer version of this program wrote it: use that one",
        }
    }
}

/// Names the statement that failed.
pub(crate) trait Doing<T> {
    /// `what` completes "the run store refused to …".
    fn doing(self, what: &'static str) -> Result<T, Error>;
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, what: &'static str) -> Result<T, Error> {
        self.map_err(|source| Error::Query { what, source })
    }
}

/// How to reach the store.
#[derive(Debug, Clone)]
pub enum Address {
    /// `RIDEHAIL_DATABASE_URL`.
    Url(Secret),
    /// The database that the profile builds in.
    Target(Box<PostgresTarget>),
}

impl Address {
    pub(crate) fn options(&self) -> Result<PgConnectOptions, Error> {
        let options = match self {
            Self::Url(url) => PgConnectOptions::from_str(url.expose()).map_err(Error::Url)?,
            Self::Target(target) => of_target(target),
        };
        Ok(options
            .application_name("ridehail run store")
            // see the module's doc: the order of marks is what counts, not when each reaches the disk
            .options([("synchronous_commit", "off")])
            .disable_statement_logging())
    }
}

fn of_target(target: &PostgresTarget) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass()
        .port(target.port)
        .username(&target.user)
        .password(target.password.expose())
        .database(&target.dbname);
    let options = if target.host.starts_with('/') {
        options.socket(&target.host)
    } else {
        options.host(&target.host)
    };
    match target.sslmode.as_deref() {
        Some("disable") => options.ssl_mode(PgSslMode::Disable),
        Some("require") => options.ssl_mode(PgSslMode::Require),
        Some("verify-ca") => options.ssl_mode(PgSslMode::VerifyCa),
        Some("verify-full") => options.ssl_mode(PgSslMode::VerifyFull),
        _ => options.ssl_mode(PgSslMode::Prefer),
    }
}

/// Whether exactly these migrations are applied: one question, where the migrator has eight and a lock.
async fn is_current(line: &mut Line, migrator: &Migrator) -> bool {
    let sql =
        "select version, checksum from ridehail._sqlx_migrations where success order by version";
    // a schema or table that is not there is made by the migrator, which tells what goes wrong as well
    let applied: Vec<(i64, Vec<u8>)> = sqlx::query_as(sql)
        .fetch_all(&mut **line)
        .await
        .unwrap_or_default();
    let known = migrator.iter().map(|m| (m.version, m.checksum.as_ref()));
    known.eq(applied
        .iter()
        .map(|(version, checksum)| (*version, checksum.as_slice())))
}

/// A connection of the pool's, held.
pub type Line = PoolConnection<Postgres>;

/// An open store with an up-to-date schema.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
    address: String,
}

impl Store {
    /// Connects and migrates. `connections`, at least two, bounds the pool.
    ///
    /// # Errors
    /// [`Error::Connect`] within five seconds, or [`Error::Migrate`].
    pub async fn open(address: &Address, connections: u32) -> Result<Self, Error> {
        let (store, line) = Self::open_line(address, connections).await?;
        drop(line);
        Ok(store)
    }

    /// The same, and the connection that was made for it: given back to the pool, it would be on its way for a moment,
    /// and the pool would make another for whoever comes first.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_line(address: &Address, connections: u32) -> Result<(Self, Line), Error> {
        /// A server that takes longer to answer is as good as away.
        const PATIENCE: Duration = Duration::from_secs(5);
        let options = address.options()?;
        let shown = format!(
            "{}:{}/{}",
            options.get_host(),
            options.get_port(),
            options.get_database().unwrap_or_default()
        );
        // a pool asks again and again where nobody listens: who is refused is told so at once
        if !options.get_host().starts_with('/') {
            let knock = TcpStream::connect((options.get_host(), options.get_port()));
            let answer = timeout(PATIENCE, knock).await;
            let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            answer.map_err(|source| Error::Connect {
                address: shown.clone(),
                source: source.into(),
            })?;
        }
        let unreachable = |source| Error::Connect {
            address: shown.clone(),
            source,
        };
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(PATIENCE)
            .connect_lazy_with(options);
        let mut line = pool.acquire().await.map_err(unreachable)?;
        let store = Self {
            pool,
            address: shown,
        };
        store.migrate(&mut line).await?;
        Ok((store, line))
    }

    /// Brings schema `ridehail` up to date. Several processes may do this at once: sqlx holds an advisory
    /// lock of the database for the time. The list of applied migrations lives in the same schema, so that
    /// dropping it forgets everything and nothing else in the database is touched.
    async fn migrate(&self, line: &mut Line) -> Result<(), Error> {
        let migration = |version, name: &'static str, sql: &'static str| {
            Migration::new(
                version,
                name.into(),
                MigrationType::Simple,
                sql.into_sql_str(),
                false,
            )
        };
        let mut migrator = Migrator::with_migrations(vec![
            migration(1, "runs", include_str!("../../migrations/0001_runs.sql")),
            migration(
                2,
                "events",
                include_str!("../../migrations/0002_events.sql"),
            ),
            migration(
                3,
                "leases",
                include_str!("../../migrations/0003_leases.sql"),
            ),
            migration(
                4,
                "schedules",
                include_str!("../../migrations/0004_schedules.sql"),
            ),
        ]);
        if is_current(line, &migrator).await {
            return Ok(());
        }
        migrator.dangerous_set_table_name("ridehail._sqlx_migrations");
        migrator.create_schema("ridehail");
        migrator
            .run(&self.pool)
            .await
            .map_err(|source| Error::Migrate {
                address: self.address.clone(),
                source,
            })
    }

    /// The connections.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A connection of the pool's.
    ///
    /// # Errors
    /// The store's refusal, or none is free in time.
    pub async fn line(&self) -> Result<Line, Error> {
        self.pool.acquire().await.doing("take a connection")
    }

    /// Starts a transaction.
    ///
    /// # Errors
    /// The store's refusal.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>, Error> {
        self.pool.begin().await.doing("start a transaction")
    }

    /// Ends a transaction.
    ///
    /// # Errors
    /// The store's refusal; whether it was committed is then unknown.
    pub async fn commit(&self, transaction: Transaction<'static, Postgres>) -> Result<(), Error> {
        transaction.commit().await.doing("commit")
    }

    /// Host, port and database, for people.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Closes every connection.
    pub async fn close(self) {
        self.pool.close().await;
    }
}

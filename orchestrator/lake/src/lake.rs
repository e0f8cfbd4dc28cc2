//! What everything here works with: the warehouse, the ledger in it, the files, and Trino.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::args::{CatalogNames, LakeArgs};
use crate::catalog::LakeCatalog;
use crate::digest::Digest;
use crate::error::{Doing as _, Error};
use crate::ledger::{TableId, is_there};
use crate::owner;
use crate::readback;
use crate::shape::Shape;
use crate::storage::Store;
use crate::throttle::Throttle;
use crate::trino::Trino;

/// Everything a move works with.
#[derive(Debug, Clone)]
pub struct Lake {
    /// Where the warehouse, the ledger and the catalog are.
    pub(crate) pool: PgPool,
    pub(crate) options: PgConnectOptions,
    /// Where files are.
    pub(crate) store: Store,
    /// Iceberg's tables.
    pub(crate) catalog: LakeCatalog,
    /// Who makes views and knows what is being read. Without it moves stop once they are committed.
    pub(crate) trino: Option<Trino>,
    pub(crate) names: CatalogNames,
}

/// Whether there is a Trino.
#[derive(Debug, Clone)]
pub(crate) enum Presence {
    /// It takes statements.
    Ready(Trino),
    /// Its address is set, and it takes none: why, for a person.
    Away(String),
    /// No address is set.
    Unset,
}

/// How long Trino has to say whether it has started.
const PATIENCE: Duration = Duration::from_secs(10);

impl Lake {
    /// Opens the lake: connects to Postgres, brings the ledger's schema up to date.
    ///
    /// # Errors
    /// Postgres is out of reach or refuses the schema; the object store's address is none.
    pub async fn open(args: &LakeArgs, database: &str) -> Result<Self, Error> {
        let lake = Self::open_to_read(args, database).await?;
        crate::ledger::migrate(&lake.pool).await?;
        Ok(lake)
    }

    /// Opens the lake for someone who may read the ledger and change nothing: its schema stays as it is, or is not
    /// there.
    ///
    /// # Errors
    /// Postgres is out of reach; the object store's address is none.
    pub async fn open_to_read(args: &LakeArgs, database: &str) -> Result<Self, Error> {
        let options = database
            .parse::<PgConnectOptions>()
            .doing("read the database URL")?;
        let options = options
            .application_name("ridehail-archive")
            // bounds and days are read and written as UTC
            .options([
                ("timezone", "UTC"),
                ("client_connection_check_interval", "2s"),
                // rows that a policy hides would be dropped with the others: an error instead
                ("row_security", "off"),
                // a role's limits are for people: a copy takes as long as it takes
                ("statement_timeout", "0"),
                ("idle_in_transaction_session_timeout", "0"),
            ])
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options.clone())
            .await
            .doing("connect")?;
        let store = Store::open(&args.s3)?;
        let catalog = LakeCatalog::new(
            &args.names.lake_catalog,
            pool.clone(),
            store.file_io(),
            &store.warehouse(),
        );
        Ok(Self {
            catalog,
            pool,
            options,
            store,
            trino: args.trino.client(),
            names: args.names.clone(),
        })
    }

    /// The ledger's database.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Whether the warehouse has a table.
    ///
    /// # Errors
    /// Postgres failed.
    pub async fn has(&self, table: &TableId) -> Result<bool, Error> {
        is_there(&self.pool, table).await
    }

    /// Trino, when there is one.
    #[must_use]
    pub fn trino(&self) -> Option<&Trino> {
        self.trino.as_ref()
    }

    /// Whether Trino takes statements now.
    pub(crate) async fn trino_now(&self) -> Presence {
        let Some(trino) = &self.trino else {
            return Presence::Unset;
        };
        let away = |how: &str| Presence::Away(format!("Trino at {} {how}", trino.url()));
        match tokio::time::timeout(PATIENCE, trino.is_ready()).await {
            Ok(Ok(true)) => Presence::Ready(trino.clone()),
            Ok(Ok(false)) => away("is still starting"),
            Ok(Err(_)) | Err(_) => away("does not answer"),
        }
    }

    /// The same of a Trino that reads this database.
    ///
    /// # Errors
    /// Postgres failed, or Trino did in a way that is not being away.
    pub(crate) async fn trino_here(&self) -> Result<Presence, Error> {
        let presence = self.trino_now().await;
        let Presence::Ready(trino) = &presence else {
            return Ok(presence);
        };
        match owner::hidden_from(self, trino).await {
            Ok(None) => Ok(presence),
            Ok(Some(why)) => Ok(Presence::Away(format!(
                "Trino at {} is not this database's: {why}",
                trino.url()
            ))),
            Err(error) if error.is_trino_away() => Ok(Presence::Away(error.told())),
            Err(error) => Err(error),
        }
    }

    /// Reads files of a table back, whoever wrote them, and digests their rows as rows of `shape`.
    pub(crate) async fn read_back(
        &self,
        table: &iceberg::table::Table,
        shape: &Shape,
        files: &[readback::File],
        throttle: Option<&Arc<Throttle>>,
        observe: impl FnMut(&RecordBatch) -> Result<(), Error>,
    ) -> Result<Digest, Error> {
        let schema = table.metadata().current_schema();
        readback::digest(
            &self.store,
            schema,
            shape,
            files,
            throttle.cloned(),
            observe,
        )
        .await
    }

    /// A connection of its own, for what must not share one: COPY, a session's lock, reading what is committed.
    pub(crate) async fn connect(&self) -> Result<PgConnection, Error> {
        PgConnection::connect_with(&self.options)
            .await
            .doing("connect")
    }
}

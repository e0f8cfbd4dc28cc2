//! A database and a place in the object store for one test, on the servers that the environment names.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser as _;
use iceberg::spec::{Schema, TableMetadataBuilder};
use iceberg::table::Table;
use iceberg::{NamespaceIdent, Runtime, TableCreation, TableIdent};
use lake::settings::S3Args;
use lake::shape::{self, Shape};
use lake::storage::Store;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

const DEFAULT_URL: &str = "postgres://ridehail:ridehail@127.0.0.1:15032/warehouse";

/// What a test works with.
pub(crate) struct Bed {
    pub(crate) name: String,
    pub(crate) options: PgConnectOptions,
    pub(crate) store: Store,
}

#[derive(clap::Parser)]
struct Settings {
    #[command(flatten)]
    s3: S3Args,
}

/// The object store's settings, from the environment; a test's files lie under a path of its own.
pub(crate) fn s3(path: &str) -> S3Args {
    let mut args = Settings::parse_from(["it"]).s3;
    args.s3_warehouse = format!("it/{path}");
    args
}

fn server() -> PgConnectOptions {
    let url = std::env::var("RIDEHAIL_DATABASE_URL").unwrap_or_else(|_| DEFAULT_URL.to_owned());
    let options: PgConnectOptions = url.parse().expect("RIDEHAIL_DATABASE_URL is a URL");
    options.disable_statement_logging()
}

impl Bed {
    /// A fresh database, and nothing under the test's path. `RIDEHAIL_S3_ENDPOINT=memory` keeps objects in memory, for
    /// a machine without an object store.
    pub(crate) async fn new() -> Self {
        let name = format!("lake_it_{}", uuid::Uuid::new_v4().simple());
        let mut control = server()
            .connect()
            .await
            .expect("a running Postgres: `make up`");
        sqlx::raw_sql(AssertSqlSafe(format!("create database {name}")))
            .execute(&mut control)
            .await
            .expect("the role may create databases");
        control.close().await.expect("closing");
        let args = s3(&name);
        let store = if args.s3_endpoint == "memory" {
            let memory = Arc::new(object_store::memory::InMemory::new());
            Store::new(memory, &args.s3_bucket, &args.s3_warehouse)
        } else {
            Store::open(&args).expect("settings make sense")
        };
        Self {
            options: server().database(&name),
            name,
            store,
        }
    }

    /// A connection of the test's own.
    pub(crate) async fn connection(&self) -> PgConnection {
        self.options.connect().await.expect("connects")
    }

    /// Runs statements.
    pub(crate) async fn sql(&self, sql: &str) -> Vec<PgRow> {
        let mut connection = self.connection().await;
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .fetch_all(&mut connection)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"));
        connection.close().await.expect("closing");
        rows
    }

    /// First column of the first row as text.
    pub(crate) async fn value(&self, sql: &str) -> String {
        let sql = format!("select (x.v)::text from ({sql}) x(v)");
        let rows = self.sql(&sql).await;
        rows[0]
            .try_get::<Option<String>, _>(0)
            .expect("text")
            .unwrap_or("NULL".to_owned())
    }

    /// The shape of a table in schema public.
    pub(crate) async fn shape(&self, table: &str) -> Result<Shape, lake::Error> {
        Shape::of(&mut self.connection().await, "public", table).await
    }

    /// An Iceberg table that no catalog knows.
    pub(crate) fn table(&self, name: &str, shape: &Shape, field: &str) -> Table {
        let new = shape::new_table(name, shape, field).expect("can be archived");
        let creation = TableCreation::builder()
            .name(name.to_owned())
            .schema(new.schema)
            .partition_spec(new.partition_spec)
            .location(format!("{}/s/{name}", self.store.warehouse()))
            .properties(HashMap::new())
            .build();
        let metadata = TableMetadataBuilder::from_table_creation(creation).expect("is complete");
        let metadata = metadata.build().expect("is consistent").metadata;
        Table::builder()
            .file_io(self.store.file_io())
            .identifier(TableIdent::new(
                NamespaceIdent::new("s".to_owned()),
                name.to_owned(),
            ))
            .metadata(metadata)
            .metadata_location(format!(
                "{}/s/{name}/metadata/0.json",
                self.store.warehouse()
            ))
            .runtime(Runtime::current())
            .build()
            .expect("is complete")
    }

    /// Drops the database and deletes the files. A test that fails leaves them to be looked at.
    pub(crate) async fn clean(self) {
        self.store
            .file_io()
            .delete_prefix(self.store.warehouse())
            .await
            .expect("deletes");
        let mut control = server().connect().await.expect("the server answers");
        let sql = format!("drop database {} with (force)", self.name);
        // an autovacuum worker in it is nobody's to end: it ends by itself
        let deadline = Instant::now() + Duration::from_secs(60);
        while let Err(error) = sqlx::raw_sql(AssertSqlSafe(sql.clone()))
            .execute(&mut control)
            .await
        {
            let code = error.as_database_error().and_then(|error| error.code());
            let is_held = code.as_deref() == Some("42501");
            assert!(is_held && Instant::now() < deadline, "{sql}: {error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// The same table with another schema.
pub(crate) fn evolved(table: &Table, schema: Schema) -> Table {
    let metadata = table.metadata().clone();
    let metadata = TableMetadataBuilder::new_from_metadata(metadata, None)
        .add_current_schema(schema)
        .expect("a schema that follows the last")
        .build()
        .expect("is consistent")
        .metadata;
    Table::builder()
        .file_io(table.file_io().clone())
        .identifier(table.identifier().clone())
        .metadata(metadata)
        .metadata_location(table.metadata_location().unwrap_or_default().to_owned())
        .runtime(Runtime::current())
        .build()
        .expect("is complete")
}

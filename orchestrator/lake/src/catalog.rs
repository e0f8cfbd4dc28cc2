//! Iceberg's catalog over Postgres: the tables of the JDBC catalog (version 1), which Trino and Spark read too.
//!
//! A commit is one transaction: it moves the table's metadata location on from the one the commit was made on
//! (compare-and-swap), and marks the ledger. An error of COMMIT itself is told, unlike by iceberg-catalog-sql
//! 0.10.1, which swallows it; whoever sees one reads the catalog again before believing anything.

mod namespaces;

use std::collections::HashMap;
use std::str::FromStr;

use async_trait::async_trait;
use iceberg::io::FileIO;
use iceberg::spec::{Schema, TableMetadata, TableMetadataBuilder};
use iceberg::table::Table;
use iceberg::{
    Catalog, Error, ErrorKind, MetadataLocation, Namespace, NamespaceIdent, Result, Runtime,
    TableCommit, TableCreation, TableIdent,
};
use sqlx::PgPool;

use crate::ledger::Mark;

/// The catalog, as one process sees it.
#[derive(Debug, Clone)]
pub struct LakeCatalog {
    /// Text in column `catalog_name`; Trino's `iceberg.jdbc-catalog.catalog-name` must be the same.
    name: String,
    pool: PgPool,
    io: FileIO,
    /// Where new tables go: `s3://bucket/path`.
    warehouse: String,
    runtime: Runtime,
    /// What a commit marks in the ledger, in its own transaction.
    mark: Option<Mark>,
}

pub(crate) fn wrap(source: sqlx::Error) -> Error {
    Error::new(ErrorKind::Unexpected, "the catalog's database failed").with_source(source)
}

fn unsupported<T>(what: &str) -> Result<T> {
    Err(Error::new(
        ErrorKind::FeatureUnsupported,
        format!("{what} is left to Trino"),
    ))
}

impl LakeCatalog {
    /// A catalog whose tables lie in the database of `pool`, schema `lake_catalog`, and their files under
    /// `warehouse` (`s3://bucket/path`) behind `io`.
    #[must_use]
    pub fn new(name: &str, pool: PgPool, io: FileIO, warehouse: &str) -> Self {
        Self {
            name: name.to_owned(),
            pool,
            io,
            warehouse: warehouse.trim_end_matches('/').to_owned(),
            runtime: Runtime::current(),
            mark: None,
        }
    }

    /// The same, but a commit also marks the ledger, or does not happen.
    #[must_use]
    pub(crate) fn marking(&self, mark: Mark) -> Self {
        Self {
            mark: Some(mark),
            ..self.clone()
        }
    }

    /// The files behind it.
    #[must_use]
    pub fn io(&self) -> &FileIO {
        &self.io
    }

    /// Where the table's metadata lies; `None` when there is no such table.
    async fn location(&self, id: &TableIdent) -> Result<Option<String>> {
        // other writers leave iceberg_type empty: pyiceberg does
        sqlx::query_scalar(
            "select metadata_location from lake_catalog.iceberg_tables
             where catalog_name = $1 and table_namespace = $2 and table_name = $3
               and coalesce(iceberg_type, 'TABLE') = 'TABLE'",
        )
        .bind(&self.name)
        .bind(id.namespace().join("."))
        .bind(id.name())
        .fetch_optional(&self.pool)
        .await
        .map_err(wrap)
    }

    /// A table as it was when its metadata lay at `location`.
    ///
    /// # Errors
    /// There is no such file, or it is no table's metadata.
    pub async fn load_at(&self, id: &TableIdent, location: &str) -> Result<Table> {
        let metadata = TableMetadata::read_from(&self.io, location).await?;
        self.table(id, location.to_owned(), metadata)
    }

    fn table(&self, id: &TableIdent, at: String, metadata: TableMetadata) -> Result<Table> {
        Table::builder()
            .file_io(self.io.clone())
            .metadata_location(at)
            .identifier(id.clone())
            .metadata(metadata)
            .runtime(self.runtime.clone())
            .build()
    }

    /// Gives a table a new schema, of which field ids agree with the current one's.
    ///
    /// iceberg 0.10.1 can add and delete columns but not widen one; this does all three.
    ///
    /// # Errors
    /// The schema is not one that may follow, or the table was changed meanwhile.
    pub async fn evolve(&self, table: &Table, schema: Schema) -> Result<Table> {
        let was = table.metadata_location_result()?.to_owned();
        let metadata = table
            .metadata()
            .clone()
            .into_builder(Some(was.clone()))
            .add_current_schema(schema)?
            .build()?
            .metadata;
        let now = MetadataLocation::from_str(&was)?
            .with_next_version()
            .with_new_metadata(&metadata);
        self.swap(table.identifier(), &was, &now, metadata).await
    }

    /// Takes a table out of the catalog, as it was loaded. Its files stay, and belong to nobody then.
    ///
    /// # Errors
    /// The table was changed meanwhile.
    pub(crate) async fn forget(&self, table: &Table) -> Result<()> {
        let id = table.identifier();
        let gone = sqlx::query(
            "delete from lake_catalog.iceberg_tables
             where catalog_name = $1 and table_namespace = $2 and table_name = $3 and metadata_location = $4",
        )
        .bind(&self.name)
        .bind(id.namespace().join("."))
        .bind(id.name())
        .bind(table.metadata_location_result()?)
        .execute(&self.pool)
        .await
        .map_err(wrap)?;
        if gone.rows_affected() == 1 {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::CatalogCommitConflicts,
            format!("table {id} was changed meanwhile"),
        ))
    }

    /// Writes `metadata` to `now` and makes it the table's, if `was` still is.
    async fn swap(
        &self,
        id: &TableIdent,
        was: &str,
        now: &MetadataLocation,
        metadata: TableMetadata,
    ) -> Result<Table> {
        metadata.write_to(&self.io, now).await?;
        fail::fail_point!("lake::metadata_written");
        let snapshot = metadata.current_snapshot_id();
        let mut tx = self.pool.begin().await.map_err(wrap)?;
        // The ledger first: its lock is what a process that was thought dead waits for, and then finds itself
        // replaced.
        if let Some(mark) = &self.mark {
            mark.committed(&mut tx, snapshot).await?;
        }
        let swapped = sqlx::query(
            "update lake_catalog.iceberg_tables
             set metadata_location = $1, previous_metadata_location = $2
             where catalog_name = $3 and table_namespace = $4 and table_name = $5 and metadata_location = $2",
        )
        .bind(now.to_string())
        .bind(was)
        .bind(&self.name)
        .bind(id.namespace().join("."))
        .bind(id.name())
        .execute(&mut *tx)
        .await
        .map_err(wrap)?
        .rows_affected();
        if swapped != 1 {
            return Err(Error::new(
                ErrorKind::CatalogCommitConflicts,
                format!("{id} was changed by someone else meanwhile"),
            ));
        }
        fail::fail_point!("lake::swapped");
        tx.commit().await.map_err(wrap)?;
        fail::fail_point!("lake::commit_answered");
        self.table(id, now.to_string(), metadata)
    }
}

#[async_trait]
impl Catalog for LakeCatalog {
    async fn list_namespaces(
        &self,
        parent: Option<&NamespaceIdent>,
    ) -> Result<Vec<NamespaceIdent>> {
        match parent {
            // one level is all there is
            Some(_) => Ok(Vec::new()),
            None => self.namespaces().await,
        }
    }

    async fn create_namespace(
        &self,
        namespace: &NamespaceIdent,
        properties: HashMap<String, String>,
    ) -> Result<Namespace> {
        self.add_namespace(namespace, &properties).await?;
        Ok(Namespace::with_properties(namespace.clone(), properties))
    }

    async fn get_namespace(&self, namespace: &NamespaceIdent) -> Result<Namespace> {
        let properties = self.namespace_properties(namespace).await?;
        if properties.is_empty() {
            return Err(Error::new(
                ErrorKind::NamespaceNotFound,
                format!("there is no namespace {}", namespace.join(".")),
            ));
        }
        Ok(Namespace::with_properties(namespace.clone(), properties))
    }

    async fn namespace_exists(&self, namespace: &NamespaceIdent) -> Result<bool> {
        Ok(!self.namespace_properties(namespace).await?.is_empty())
    }

    async fn update_namespace(&self, _: &NamespaceIdent, _: HashMap<String, String>) -> Result<()> {
        unsupported("changing a namespace")
    }

    async fn drop_namespace(&self, _: &NamespaceIdent) -> Result<()> {
        unsupported("dropping a namespace")
    }

    async fn list_tables(&self, namespace: &NamespaceIdent) -> Result<Vec<TableIdent>> {
        self.tables(namespace).await
    }

    async fn create_table(
        &self,
        namespace: &NamespaceIdent,
        creation: TableCreation,
    ) -> Result<Table> {
        let id = TableIdent::new(namespace.clone(), creation.name.clone());
        let location = match &creation.location {
            Some(location) => location.clone(),
            None => format!("{}/{}/{}", self.warehouse, namespace.join("/"), id.name()),
        };
        let creation = TableCreation {
            location: Some(location.clone()),
            ..creation
        };
        let metadata = TableMetadataBuilder::from_table_creation(creation)?
            .build()?
            .metadata;
        let at = MetadataLocation::new_with_metadata(location, &metadata);
        metadata.write_to(&self.io, &at).await?;
        // On conflict: another process made it at the same moment; its metadata counts, ours is garbage by name.
        sqlx::query(
            "insert into lake_catalog.iceberg_tables
                 (catalog_name, table_namespace, table_name, metadata_location, iceberg_type)
             values ($1, $2, $3, $4, 'TABLE') on conflict do nothing",
        )
        .bind(&self.name)
        .bind(namespace.join("."))
        .bind(id.name())
        .bind(at.to_string())
        .execute(&self.pool)
        .await
        .map_err(wrap)?;
        self.load_table(&id).await
    }

    async fn load_table(&self, id: &TableIdent) -> Result<Table> {
        let at = self.location(id).await?.ok_or_else(|| {
            Error::new(
                ErrorKind::TableNotFound,
                format!("there is no table {id} in catalog {}", self.name),
            )
        })?;
        let metadata = TableMetadata::read_from(&self.io, &at).await?;
        self.table(id, at, metadata)
    }

    async fn drop_table(&self, _: &TableIdent) -> Result<()> {
        unsupported("dropping a table")
    }

    async fn purge_table(&self, _: &TableIdent) -> Result<()> {
        unsupported("purging a table")
    }

    async fn table_exists(&self, id: &TableIdent) -> Result<bool> {
        Ok(self.location(id).await?.is_some())
    }

    async fn rename_table(&self, _: &TableIdent, _: &TableIdent) -> Result<()> {
        unsupported("renaming a table")
    }

    async fn register_table(&self, _: &TableIdent, _: String) -> Result<Table> {
        unsupported("registering a table")
    }

    async fn update_table(&self, commit: TableCommit) -> Result<Table> {
        let id = commit.identifier().clone();
        let base = self.load_table(&id).await?;
        let was = base.metadata_location_result()?.to_owned();
        let staged = commit.apply(base)?;
        let now = MetadataLocation::from_str(staged.metadata_location_result()?)?;
        self.swap(&id, &was, &now, staged.metadata().clone()).await
    }
}

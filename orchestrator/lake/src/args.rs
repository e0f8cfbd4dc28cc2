//! What every verb of the lake must be told.

use crate::settings::S3Args;
use crate::trino::TrinoArgs;

/// Where the lake is.
#[derive(Debug, Clone, clap::Args)]
pub struct LakeArgs {
    /// Files.
    #[command(flatten)]
    pub s3: S3Args,
    /// Views, and what is being read.
    #[command(flatten)]
    pub trino: TrinoArgs,
    /// Names.
    #[command(flatten)]
    pub names: CatalogNames,
}

/// What catalogs are called.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Catalogs")]
pub struct CatalogNames {
    /// Name of Iceberg's catalog in Postgres; Trino's iceberg.jdbc-catalog.catalog-name
    #[arg(
        long,
        value_name = "NAME",
        env = "RIDEHAIL_LAKE_CATALOG",
        default_value = "lake"
    )]
    pub lake_catalog: String,
    /// Trino's catalog of Iceberg's tables, for readers
    #[arg(
        long,
        value_name = "NAME",
        env = "RIDEHAIL_TRINO_LAKE",
        default_value = "lake"
    )]
    pub trino_lake: String,
    /// Trino's catalog of the same tables, for views and maintenance
    #[arg(
        long,
        value_name = "NAME",
        env = "RIDEHAIL_TRINO_LAKE_ADMIN",
        default_value = "lake_admin"
    )]
    pub trino_lake_admin: String,
    /// Trino's catalog of the warehouse
    #[arg(
        long,
        value_name = "NAME",
        env = "RIDEHAIL_TRINO_WAREHOUSE",
        default_value = "warehouse"
    )]
    pub trino_warehouse: String,
}

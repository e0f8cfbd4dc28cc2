-- Iceberg's JDBC catalog, version 1: the tables that Trino's and Spark's catalogs of this kind read, with their
-- names and sizes (apache/iceberg, JdbcUtil). Trino never makes them. In this database, so that a commit to
-- Iceberg and the ledger's mark of it are one transaction, and one dump holds both.
create schema if not exists lake_catalog;

create table if not exists lake_catalog.iceberg_tables (
    catalog_name               varchar(255)  not null,
    table_namespace            varchar(255)  not null,
    table_name                 varchar(255)  not null,
    metadata_location          varchar(1000),
    previous_metadata_location varchar(1000),
    iceberg_type               varchar(5),
    primary key (catalog_name, table_namespace, table_name)
);

create table if not exists lake_catalog.iceberg_namespace_properties (
    catalog_name   varchar(255) not null,
    namespace      varchar(255) not null,
    property_key   varchar(255),
    property_value varchar(1000),
    primary key (catalog_name, namespace, property_key)
);

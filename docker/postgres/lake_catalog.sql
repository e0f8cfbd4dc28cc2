-- The Iceberg JDBC catalog, schema version V1, in the database `warehouse`: one row a table or view, pointing to its current
-- metadata file in S3. Names, sizes and keys are the catalog's own, shared by every writer. Whoever commits swaps
-- metadata_location by an UPDATE that names the old value, so one of two racing writers changes no row.
-- Trino never makes these tables; the orchestrator's migrations make the same where they are missing. Safe to run again.
create schema if not exists lake_catalog authorization ridehail;

create table if not exists lake_catalog.iceberg_tables (
    catalog_name varchar(255) not null,
    table_namespace varchar(255) not null,
    table_name varchar(255) not null,
    metadata_location varchar(1000),
    previous_metadata_location varchar(1000),
    -- TABLE or VIEW; some writers leave it empty, which means TABLE
    iceberg_type varchar(5),
    primary key (catalog_name, table_namespace, table_name)
);

create table if not exists lake_catalog.iceberg_namespace_properties (
    catalog_name varchar(255) not null,
    namespace varchar(255) not null,
    property_key varchar(255),
    property_value varchar(1000),
    primary key (catalog_name, namespace, property_key)
);

alter table lake_catalog.iceberg_tables owner to ridehail;
alter table lake_catalog.iceberg_namespace_properties owner to ridehail;

-- Trino reads the lake as trino; as trino_admin it keeps it, which takes these rows and nothing else of the warehouse.
grant usage on schema lake_catalog to trino, trino_admin;
grant select on lake_catalog.iceberg_tables, lake_catalog.iceberg_namespace_properties to trino;
grant select, insert, update, delete on lake_catalog.iceberg_tables, lake_catalog.iceberg_namespace_properties to trino_admin;

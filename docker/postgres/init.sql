-- Roles and databases of the stack. Safe to run again: each statement is made only where something is missing, but for
-- the passwords, which follow the environment. Run by psql as the superuser, natively after each start and in Docker
-- when the volume is first filled. `\gexec` is used since CREATE DATABASE can stand in no function or transaction.
\set ON_ERROR_STOP on
\getenv ridehail_password RIDEHAIL_PG_PASSWORD
\getenv druid_password RIDEHAIL_DRUID_PG_PASSWORD
\getenv trino_password RIDEHAIL_TRINO_PG_PASSWORD
\getenv trino_admin_password RIDEHAIL_TRINO_ADMIN_PG_PASSWORD

-- createdb: integration tests make a fresh database each
select 'create role ridehail login createdb'
where not exists (select from pg_roles where rolname = 'ridehail') \gexec
select 'create role druid login'
where not exists (select from pg_roles where rolname = 'druid') \gexec
select 'create role trino login'
where not exists (select from pg_roles where rolname = 'trino') \gexec
select 'create role trino_admin login'
where not exists (select from pg_roles where rolname = 'trino_admin') \gexec
alter role ridehail password :'ridehail_password';
alter role druid password :'druid_password';
alter role trino password :'trino_password';
alter role trino_admin password :'trino_admin_password';

-- The container makes this database itself, as the superuser's, so that lake_catalog.sql runs in it: hence the second line.
select 'create database warehouse owner ridehail'
where not exists (select from pg_database where datname = 'warehouse') \gexec
alter database warehouse owner to ridehail;
select 'create database druid owner druid'
where not exists (select from pg_database where datname = 'druid') \gexec
revoke connect on database druid from public;
revoke connect, temporary on database warehouse from public;

-- Trino's catalogs `warehouse` and `lake` read everything there is and will be, and write nothing: the role has no right to,
-- the default only makes the refusal plain. trino_admin (catalog `lake_admin`) gets its few rights in lake_catalog.sql.
grant connect on database warehouse to trino, trino_admin;
grant pg_read_all_data to trino;
alter role trino set default_transaction_read_only = on;

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

-- Trino's catalogs `warehouse` and `lake` read whatever ridehail made or will make, and write nothing: the role has no right
-- to, the default only makes the refusal plain. (Membership in pg_read_all_data would be shorter, but opens pg_authid, with
-- every role's password hash.) trino_admin, of the catalog `lake_admin`, gets its few rights in lake_catalog.sql.
grant connect on database warehouse to trino, trino_admin;
alter role trino set default_transaction_read_only = on;

-- Rights on what is there are given once, with the defaults for what comes: what is revoked later stays revoked.
\connect warehouse
select not exists (select from pg_default_acl where defaclrole = 'ridehail'::regrole and defaclacl::text like '%trino=%') as first
\gset
\if :first
  select format('grant usage on schema %1$I to trino; grant select on all tables in schema %1$I to trino', nspname)
  from pg_namespace where nspowner = 'ridehail'::regrole \gexec
  alter default privileges for role ridehail grant usage on schemas to trino;
  alter default privileges for role ridehail grant select on tables to trino;
\endif

-- Roles and databases of the stack. Safe to run again: each statement is made only where something is missing, but for
-- the passwords, which follow the environment. Run by psql as the superuser, natively after each start and in Docker
-- when the volume is first filled. `\gexec` is used since CREATE DATABASE can stand in no function or transaction.
\set ON_ERROR_STOP on
\getenv ridehail_password RIDEHAIL_PG_PASSWORD
\getenv druid_password RIDEHAIL_DRUID_PG_PASSWORD

-- createdb: integration tests make a fresh database each
select 'create role ridehail login createdb'
where not exists (select from pg_roles where rolname = 'ridehail') \gexec
select 'create role druid login'
where not exists (select from pg_roles where rolname = 'druid') \gexec
alter role ridehail password :'ridehail_password';
alter role druid password :'druid_password';

select 'create database warehouse owner ridehail'
where not exists (select from pg_database where datname = 'warehouse') \gexec
select 'create database druid owner druid'
where not exists (select from pg_database where datname = 'druid') \gexec
revoke connect on database druid from public;
revoke connect on database warehouse from public;

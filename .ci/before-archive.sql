-- Rows and cents of every table that has an archive, by UTC day, as Postgres holds them now; `reconcile_lake.yml`
-- compares with it. Days that are there no more keep what an earlier run noted.
\set ON_ERROR_STOP on
create schema if not exists demo;
create table if not exists demo.before_archive (
    relation text not null,
    day      date not null,
    rows     int8 not null,
    cents    int8 not null,
    primary key (relation, day)
);
insert into demo.before_archive
select 'raw.ride_events', (event_time at time zone 'UTC')::date, count(*), 0 from raw.ride_events group by 2
on conflict (relation, day) do update set rows = excluded.rows, cents = excluded.cents;
insert into demo.before_archive
select 'raw.user_events', (event_time at time zone 'UTC')::date, count(*), 0 from raw.user_events group by 2
on conflict (relation, day) do update set rows = excluded.rows, cents = excluded.cents;
insert into demo.before_archive
select 'raw.vehicle_events', (event_time at time zone 'UTC')::date, count(*), 0 from raw.vehicle_events group by 2
on conflict (relation, day) do update set rows = excluded.rows, cents = excluded.cents;
insert into demo.before_archive
select :'schema' || '.stg_ride_events', (event_time at time zone 'UTC')::date, count(*), coalesce(sum(total_cents), 0) from :schema.stg_ride_events group by 2
on conflict (relation, day) do update set rows = excluded.rows, cents = excluded.cents;
insert into demo.before_archive
select :'schema' || '.stg_user_events', (event_time at time zone 'UTC')::date, count(*), 0 from :schema.stg_user_events group by 2
on conflict (relation, day) do update set rows = excluded.rows, cents = excluded.cents;
insert into demo.before_archive
select :'schema' || '.stg_vehicle_events', (event_time at time zone 'UTC')::date, count(*), 0 from :schema.stg_vehicle_events group by 2
on conflict (relation, day) do update set rows = excluded.rows, cents = excluded.cents;
insert into demo.before_archive
select :'schema' || '.fct_rides', (requested_at at time zone 'UTC')::date, count(*), coalesce(sum(total_cents), 0) from :schema.fct_rides group by 2
on conflict (relation, day) do update set rows = excluded.rows, cents = excluded.cents;
insert into demo.before_archive
select :'schema' || '.fct_fare_adjustments', (event_time at time zone 'UTC')::date, count(*), coalesce(sum(adjustment_cents), 0) from :schema.fct_fare_adjustments group by 2
on conflict (relation, day) do update set rows = excluded.rows, cents = excluded.cents;
insert into demo.before_archive
select :'schema' || '.fct_driver_status_intervals', (started_at at time zone 'UTC')::date, count(*), 0 from :schema.fct_driver_status_intervals group by 2
on conflict (relation, day) do update set rows = excluded.rows, cents = excluded.cents;

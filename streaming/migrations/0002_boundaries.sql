-- What writers of a table must know of its archive, and where they put rows that come too late.
--
-- The landing and the engine that builds models write tables of which old days have left for Iceberg. Each of
-- them reads its table's row here FOR SHARE in the transaction that writes, and holds it until commit: rows
-- before `boundary` go to the late table, the others to the table. A move advances the boundary FOR UPDATE, so
-- it waits for every writer that still believes in the old one. A table without a row here is not archived.
--
-- Two rooms run this text (whoever comes first), so every statement may run again.
create schema if not exists lake;

create table if not exists lake.boundaries (
    table_schema text        not null,
    table_name   text        not null,
    field        text        not null,                      -- the table's partition column
    boundary     timestamptz not null default '-infinity',  -- only ever grows; a day's start in UTC
    open_flush   int8        not null default 1 check (open_flush >= 1),  -- number that late rows get now
    late_table   text        not null unique,               -- its name in schema lake
    updated_at   timestamptz not null default now(),
    primary key (table_schema, table_name)
);

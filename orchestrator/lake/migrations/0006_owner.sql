-- Which database this ledger was written in. A restored copy brings the row along, and by it knows that it is a copy:
-- the files belong to the other one until someone says otherwise. The object store has the same in a file.
create table lake.owner (
    only_row          boolean primary key default true check (only_row),
    system_identifier text        not null,  -- of the cluster, as pg_control_system() has it
    database_oid      int8        not null,
    database_name     text        not null,  -- for people
    since             timestamptz not null default now()
);

-- The ledger of moves: what is where, as far as it is proven.
--
-- A move takes one partition (one UTC day) of one table to Iceberg, a flush takes the late rows of one day there.
-- Both are rows of `moves` and go through the same states. A process that dies leaves rows in some state; the
-- next one goes on from there. Nothing is remembered anywhere else.

-- Tables with an archive: how they are read, and what the history view says of them now.
create table lake.tables (
    table_schema     text        not null,
    table_name       text        not null,
    field            text        not null,
    key_columns      text[]      not null check (cardinality(key_columns) > 0),  -- one row has one key
    iceberg_schema   text        not null,   -- namespace and name in the catalog, lower case
    iceberg_table    text        not null,
    visible_boundary timestamptz not null default '-infinity',  -- V: the view takes older rows from Iceberg
    visible_flush    int8        not null default 0,            -- F: ... and late rows up to this flush
    view_name        text        not null unique,  -- of the view over all tiers, in the catalog's schema `history`
    view_text        text,                   -- the view as Trino gives it back: what the readers of it get
    visible_at       timestamptz,            -- Trino's clock, after the view was replaced: older queries may see the old one
    holder           uuid,                   -- the process at work on it: see below
    updated_at       timestamptz not null default now(),
    primary key (table_schema, table_name),
    unique (iceberg_schema, iceberg_table)
);

comment on column lake.tables.holder is
    'Fencing token. A process claims the table by writing its own here, and every transaction of a move first takes this '
    'row FOR UPDATE where the holder is its own. So a claim waits for whatever its predecessor has in flight, and '
    'afterwards the predecessor can write nothing any more: what the claimer then reads is final.';

-- The states in order. A move goes from one to the next, or from a state before its commit back to `planned`
-- with a new attempt; nothing else. `rank` is what the trigger below compares.
create table lake.move_states (state text primary key, rank int4 not null unique, past_commit boolean not null);
insert into lake.move_states (state, rank, past_commit) values
    ('planned', 0, false), ('frozen', 1, false), ('copied', 2, false), ('verified', 3, false),
    ('committing', 4, false), ('committed', 5, true), ('visible', 6, true), ('drained', 7, true),
    ('detached', 8, true), ('dropped', 9, true);

create table lake.moves (
    move_id         uuid        primary key,
    table_schema    text        not null,
    table_name      text        not null,
    kind            text        not null check (kind in ('move', 'flush')),
    lower           timestamptz not null,          -- the day, [lower, upper)
    upper           timestamptz not null,
    flush           int8        not null check ((kind = 'move') = (flush = 0)),  -- ridehail_flush of its rows
    shape           jsonb       not null,          -- the columns that were archived, with their types
    partition_name  text,                          -- of a move: the partition, in the table's schema
    batch           uuid        not null,          -- moves that travel together: one commit, one view, one drain
    attempt         uuid        not null,          -- of copying: its files carry it in their names
    attempts        int4        not null default 1,
    state           text        not null references lake.move_states,
    rows            int8,                          -- from `copied` on
    bytes           int8,
    digest          jsonb,                         -- of the rows as Postgres gave them
    witness         jsonb,                         -- what SQL said of them, agreed with at `verified`
    source_bytes    int8,                          -- size of the partition in Postgres, indexes included
    snapshot_id     int8,                          -- from `committed` on
    last_error      text,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    finished_at     timestamptz,
    check (lower < upper),
    check ((state = 'dropped') = (finished_at is not null)),
    check (state in ('planned', 'frozen') or (rows is not null and digest is not null)),
    check (state not in ('committed', 'visible', 'drained', 'detached', 'dropped') or snapshot_id is not null),
    -- a day is moved once; a flush takes a day once
    unique (table_schema, table_name, lower, flush),
    foreign key (table_schema, table_name) references lake.tables
);
create index on lake.moves (table_schema, table_name, state) where finished_at is null;

-- Files, written down before the commit that makes them part of a table: the list outlives the snapshots whose
-- summaries name it, and tells an orphan from a file.
create table lake.files (
    move_id   uuid  not null references lake.moves,
    attempt   uuid  not null,
    path      text  not null unique,     -- s3://...
    rows      int8  not null check (rows > 0),
    bytes     int8  not null check (bytes > 0),
    data_file jsonb not null,            -- Iceberg's description of it, enough to commit it after a crash
    primary key (move_id, attempt, path)
);

-- Refuses what no correct program does: a state skipped, a step back after the commit, a new attempt of something that is committed.
create function lake.check_move() returns trigger language plpgsql as $$
declare
    old_rank int4; new_rank int4; was_past boolean;
begin
    select rank, past_commit into old_rank, was_past from lake.move_states where state = old.state;
    select rank into new_rank from lake.move_states where state = new.state;
    if new_rank = old_rank or new_rank = old_rank + 1 then
        if new.attempt <> old.attempt and new_rank <> 0 and new_rank <> 1 then
            raise exception 'a new attempt begins at planned or frozen, not at %', new.state;
        end if;
        return new;
    end if;
    -- a flush has no partition: nothing to detach
    if new.kind = 'flush' and old.state = 'drained' and new.state = 'dropped' then
        return new;
    end if;
    if not was_past and new_rank < old_rank and new.attempt <> old.attempt then
        return new;
    end if;
    raise exception 'move % cannot go from % to %', old.move_id, old.state, new.state;
end $$;
create trigger moves_follow_the_protocol before update on lake.moves
    for each row execute function lake.check_move();

-- Late rows that could not be archived, kept whole: their key is in the archive with other contents.
create table lake.refused_rows (
    refused_id   int8 generated always as identity primary key,
    table_schema text        not null,
    table_name   text        not null,
    flush        int8        not null,
    field_value  timestamptz not null,
    reason       text        not null,
    row          jsonb       not null,
    refused_at   timestamptz not null default now()
);
create index on lake.refused_rows (table_schema, table_name, refused_at);

-- One row: whether moves may go on. Read between any two states.
create table lake.control (
    only_row boolean primary key default true check (only_row),
    paused   boolean not null default false,
    reason   text,
    since    timestamptz not null default now()
);
insert into lake.control default values;

-- Dumps of this database. While one is kept, nothing that its catalog refers to may be deleted from the object
-- store, though the catalog of today refers to it no more.
create table lake.backups (
    backup_id  int8 generated always as identity primary key,
    file       text        not null,
    taken_at   timestamptz not null,
    locations  text[]      not null,   -- metadata of every table, as the dump may have them
    kept       boolean     not null default true
);

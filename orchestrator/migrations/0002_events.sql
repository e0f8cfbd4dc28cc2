-- What happened in a run, in order. Appended together with the node rows the events speak of, in one
-- statement; so a page that has read up to seq n has the states up to seq n.
create table ridehail.events (
    run_id bigint not null references ridehail.runs on delete cascade,
    -- Counted by the one process that holds the run's lease, from 1 without gaps: a reader asks for
    -- `seq > last` and misses nothing. A shared bigserial was rejected: with several writers a lower number
    -- can become visible after a higher one.
    seq bigint not null check (seq > 0),
    at timestamptz not null,
    kind text not null,
    node int,
    attempt smallint,
    data jsonb not null,
    primary key (run_id, seq)
);

-- Shapes of a project: its nodes and edges, for the lineage page. Runs of an unchanged project share one.
create table ridehail.graphs (
    -- SHA-256 of `graph`, hex.
    graph_hash text primary key,
    project text not null,
    -- [{id, name, type, materialized, path, description, tags, parents: [id]}]
    graph jsonb not null,
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null
);

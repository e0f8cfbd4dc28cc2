-- Who is at work on what. A lease that is not renewed in time is dead, and anyone may take it over.
create table ridehail.leases (
    -- `run:42`, `scheduler:<uuid>`.
    resource text primary key,
    -- The process: a UUID made at its start.
    holder uuid not null,
    -- `host/pid`, for people.
    holder_name text not null,
    -- Goes up with every take-over, never down. A write made under an older epoch matches zero rows, however
    -- late it comes: this, not the expiry time, is what keeps two processes from writing the same run.
    epoch bigint not null check (epoch > 0),
    taken_at timestamptz not null,
    renewed_at timestamptz not null,
    expires_at timestamptz not null check (expires_at > renewed_at)
);

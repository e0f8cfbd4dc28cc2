-- One row a job of jobs.yml that has ever been scheduled. `last_due_at` is the whole protocol: whoever moves
-- it forward fires the tick. The update says `where last_due_at < $due`, so of N schedulers that notice the
-- same tick exactly one sees a row come back, and it inserts the run in the same transaction.
create table ridehail.schedules (
    -- Several projects may share a store; each has a scheduler of its own and its own `nightly`.
    project text not null,
    job text not null,
    -- The job as read from jobs.yml, for pages: the web never reads project files.
    definition jsonb not null,
    cron text,
    time_zone text,
    -- A job that is no longer in jobs.yml keeps its row and history, but is not shown as scheduled.
    active boolean not null default true,
    -- Ticks before a job was first seen are not missed ticks.
    first_seen_at timestamptz not null,
    last_due_at timestamptz not null,
    next_due_at timestamptz,
    primary key (project, job),
    constraint schedules_cron_has_zone check ((cron is null) = (time_zone is null))
);

-- What became of each tick.
create table ridehail.ticks (
    project text not null,
    job text not null,
    due_at timestamptz not null,
    decided_at timestamptz not null,
    -- fired: a run was queued. overlapping: the job's last run had not ended. missed: the scheduler was away,
    -- and a later tick of the same job stands for this one.
    decision text not null check (decision in ('fired', 'overlapping', 'missed')),
    run_id bigint references ridehail.runs on delete set null,
    primary key (project, job, due_at),
    foreign key (project, job) references ridehail.schedules on delete cascade,
    constraint ticks_run_only_when_fired check (run_id is null or decision = 'fired')
);

-- Where Kafka's events land, and how far each partition of each topic has come.
--
-- One landing transaction moves one Kafka partition forward: it advances that partition's row in
-- landing_progress first (fence and lock in one), then copies the rows and the rejects that belong to
-- the same interval of offsets. Either all of it is there or none of it, so (topic, partition, offset)
-- is landed exactly once, and a consumer's committed offset in Kafka is never consulted.

-- One row per Kafka partition. Only a landing transaction, a reject replay or a named reset writes it.
create table raw.landing_progress (
    topic           text        not null,   -- logical name: without the deployment's topic prefix
    kafka_partition int4        not null check (kafka_partition >= 0),
    next_offset     int8        not null check (next_offset >= 0),  -- first offset that is not landed yet
    batch           int8        not null check (batch >= 0),        -- number of the last landing transaction
    cluster_id      text        not null,   -- with topic_id: which incarnation of the topic the offsets count
    topic_id        uuid        not null,   -- Kafka gives a re-created topic a new id; its offsets start anew
    updated_at      timestamptz not null default now(),
    primary key (topic, kafka_partition)
) with (fillfactor = 20);  -- updated many times a second: room on the page keeps those updates in place (HOT)

comment on column raw.landing_progress.batch is
    'Numbers the landing transactions of one Kafka partition in commit order: the update of this row serialises them. '
    'So max(landing_batch) per kafka_partition of rows read is an exact watermark for an incremental reader.';

-- The three landing tables. Partitioned by UTC day of the event, because a day is what later leaves for
-- the lake and what marts are rebuilt by. There is no default partition: ATTACH and DETACH of a day would
-- have to scan or lock it, and a row without a day must be seen, not tucked away. Days are made ahead of need.
--
-- The key carries event_time because a partitioned key must carry the partition column. It therefore does
-- not by itself forbid the same offset on two days; the fence in landing_progress does.
-- Column order: eight-byte columns first, so that no padding is stored.
create table raw.ride_events (
    event_time      timestamptz not null,   -- when it happened, as the event says
    kafka_offset    int8        not null,
    landing_batch   int8        not null,   -- see landing_progress.batch
    kafka_timestamp timestamptz not null,   -- of the Kafka record: when it was sent
    produced_at     timestamptz,            -- as the event says
    event_id        uuid        not null,   -- not unique: producers may send one event twice, staging dedupes
    kafka_partition int4        not null,
    schema_version  int4        not null,
    event_type      text        not null,
    city_id         text        not null,
    payload         jsonb       not null,   -- the whole event, envelope included
    primary key (event_time, kafka_partition, kafka_offset)
) partition by range (event_time);

-- Incremental readers ask for landing_batch above a watermark. Within a day rows lie in landing order, so a
-- block range index prunes as well as a btree would and costs COPY next to nothing.
create index on raw.ride_events using brin (landing_batch) with (pages_per_range = 32, autosummarize = on);

-- A partitioned parent cannot be copied with LIKE ... PARTITION BY in one go without naming the scheme again.
create table raw.user_events (like raw.ride_events including all) partition by range (event_time);
create table raw.vehicle_events (like raw.ride_events including all) partition by range (event_time);

-- Records that are not events, with everything needed to decode them again later.
create table raw.rejects (
    topic           text        not null,
    kafka_partition int4        not null,
    kafka_offset    int8        not null,
    reason          text        not null,   -- a code: invalid_json, missing_field:event_id, ...
    detail          text        not null,   -- for a person
    key             bytea,
    value           bytea,                  -- null: the record was a tombstone
    kafka_timestamp timestamptz not null,
    rejected_at     timestamptz not null default now(),
    replayed_at     timestamptz,            -- set by the replay that turned it into a row
    primary key (topic, kafka_partition, kafka_offset)
);

-- What is listed and replayed is the open ones.
create index on raw.rejects (topic, reason, rejected_at) where replayed_at is null;

-- Offsets that were never seen. `missing`: the log itself skipped them (compaction, transaction markers, a
-- truncated log). `retention`: Kafka deleted them before they were landed, and someone chose to go on.
create table raw.landing_gaps (
    topic           text        not null,
    kafka_partition int4        not null,
    expected_offset int8        not null,   -- first offset that is missing
    got_offset      int8        not null,   -- first one that is there again
    cause           text        not null check (cause in ('missing', 'retention')),
    noticed_at      timestamptz not null default now(),
    primary key (topic, kafka_partition, expected_offset, got_offset),
    check (got_offset > expected_offset)
);

-- Conditions under which a partition is not landed until a person decides. Cleared by the assignment that
-- finds the condition gone.
create table raw.landing_alarms (
    topic           text        not null,
    kafka_partition int4        not null,
    kind            text        not null check (kind in ('behind_log_start', 'beyond_log_end', 'topic_recreated')),
    detail          text        not null,
    raised_at       timestamptz not null default now(),
    cleared_at      timestamptz,
    primary key (topic, kafka_partition, kind)
);

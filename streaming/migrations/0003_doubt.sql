-- Which offsets may have been landed before.
--
-- A row whose day has left for the archive cannot be looked up by its key any more. So landing must know of a late
-- row whether it can be in the archive already, without asking the archive. It can only if progress was once beyond
-- its offset, that is, below the highest place from which a reset ever moved progress back. That holds for a topic
-- that was created again too: its offsets start anew, and other events have had the low ones.
--
-- Landing transactions never touch the column; only a reset raises it.
alter table raw.landing_progress add column relanded_to int8 not null default 0 check (relanded_to >= 0);

comment on column raw.landing_progress.relanded_to is
    'Records below this offset may have been landed before: a reset moved progress back over them. '
    'A late row of such a record is marked as suspect.';

-- Nobody wrote down the resets before now: whatever is landed or stands before progress is in doubt. Reads the
-- landing tables once.
update raw.landing_progress as progress
set relanded_to = greatest(progress.next_offset, landed.offsets)
from (
    select 'ride_events' as topic, kafka_partition, max(kafka_offset) + 1 as offsets from raw.ride_events group by 2
    union all
    select 'user_events', kafka_partition, max(kafka_offset) + 1 from raw.user_events group by 2
    union all
    select 'vehicle_events', kafka_partition, max(kafka_offset) + 1 from raw.vehicle_events group by 2
) as landed
where landed.topic = progress.topic and landed.kafka_partition = progress.kafka_partition;

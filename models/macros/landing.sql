{#-
  Watermarks over landing batches.

  Landing commits the batches of one Kafka partition in order, each with a number of its own
  (`landing_batch`). So "everything up to batch N of partition P is visible" is a fact about a
  committed row with that number, not a guess about clocks: the highest batch a table has taken
  in, per partition, says exactly where its next run begins.
-#}

{#- Highest batch per Kafka partition in `relation`; -1 where it has none.
    `progress` (raw.landing_progress) lists the partitions, so that each maximum is one step into
    the index on (kafka_partition, batch) instead of a scan. A partition missing there is read
    from its start: slower, never wrong. -#}
{% macro watermarks(relation, progress, topic, batch='landing_batch') -%}
    select
        progress.kafka_partition,
        coalesce((
            select max(done.{{ batch }})
            from {{ relation }} as done
            where done.kafka_partition = progress.kafka_partition
        ), -1) as landing_batch
    from {{ progress }} as progress
    where progress.topic = '{{ topic }}'
{%- endmacro %}


{#- The CTEs `landed` (events to stage; all of them, or those above the watermarks of `staged`)
    and `repeated` (which of them Kafka holds more than once, with the copy that counts: the one
    that landed first, which within a Kafka partition is also what an earlier run has staged). -#}
{% macro landed_events(events, staged, progress, topic) -%}
{% if is_incremental() -%}
done as (
    {{ watermarks(staged, progress, topic) }}
),

landed as materialized (
    select raw_events.*
    from {{ events }} as raw_events
    left join done on done.kafka_partition = raw_events.kafka_partition
    where raw_events.landing_batch > coalesce(done.landing_batch, -1)
        -- the same, coarser, in a form that an index on landing_batch can answer
        and raw_events.landing_batch > (select coalesce(min(landing_batch), -1) from done)
),

-- the stretch of days that the anti-join of `is_new_event` has to look at
touched as (
    select min(event_time) as first_time, max(event_time) as last_time
    from landed
),
{%- else -%}
-- read twice rather than kept: a copy of all payloads would spill to disk
landed as not materialized (
    select * from {{ events }}
),
{%- endif %}

repeated as (
    select
        event_id,
        event_time,
        min(array[landing_batch, kafka_partition, kafka_offset]) as first_copy
    from landed
    group by event_id, event_time
    having count(*) > 1
)
{%- endmacro %}


{#- Whether a row of `landed left join repeated` is an event that `staged` does not have yet. -#}
{% macro is_new_event(staged) -%}
    (
        repeated.event_id is null
        or repeated.first_copy = array[landed.landing_batch, landed.kafka_partition, landed.kafka_offset]
    )
    {%- if is_incremental() %}
    and not exists (
        select 1
        from {{ staged }} as staged
        where staged.event_id = landed.event_id
            and staged.event_time = landed.event_time
            and staged.event_time >= (select first_time from touched)
            and staged.event_time <= (select last_time from touched)
    )
    {%- endif %}
{%- endmacro %}

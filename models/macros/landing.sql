{#-
  Watermarks over landing batches.

  Landing commits the batches of one Kafka partition in order, each with a number of its own
  (`landing_batch`). So "everything up to batch N of partition P is visible" is a fact about a
  committed row with that number, not a guess about clocks: the highest batch a table has taken
  in, per partition, says exactly where its next run begins.
-#}

{#- The batches that `relation` has still to take in: after_batch < batch <= last_batch, for each
    Kafka partition. Landing writes raw.landing_progress (`progress`) in the transaction of the
    rows, so it names every partition that has any, and its batch is that of the newest row.
    Each maximum is one step into the index on (kafka_partition, batch). -#}
{% macro new_batches(relation, progress, topic, batch='landing_batch') -%}
    select
        progress.kafka_partition,
        coalesce((
            select max(done.{{ batch }})
            from {{ relation }} as done
            where done.kafka_partition = progress.kafka_partition
        ), 0) as after_batch,
        progress.batch as last_batch
    from {{ progress }} as progress
    where progress.topic = '{{ topic }}'
{%- endmacro %}


{#- What `relation` holds of `batches`, a CTE of the shape above, as a from-item named `alias`.
    A range scan of the index on (kafka_partition, batch) for each Kafka partition: the upper bound
    lets the planner expect a short range, `offset 0` keeps it from one scan of everything.
    `condition` is SQL on the columns of `relation`. -#}
{% macro rows_of_new_batches(relation, alias, batch='landing_batch', batches='new_batches', condition=none) -%}
    {{ batches }}
    cross join lateral (
        select *
        from {{ relation }} as source_rows
        where source_rows.kafka_partition = {{ batches }}.kafka_partition
            and source_rows.{{ batch }} > {{ batches }}.after_batch
            and source_rows.{{ batch }} <= {{ batches }}.last_batch
            {%- if condition %}
            and {{ condition }}
            {%- endif %}
        offset 0
    ) as {{ alias }}
{%- endmacro %}


{#- The CTEs `landed` (events to stage; all of them, or only the new batches)
    and `repeated` (which of them Kafka holds more than once, with the copy that counts: the one
    that landed first, which within a Kafka partition is also what an earlier run has staged). -#}
{% macro landed_events(events, staged, progress, topic) -%}
{% if is_incremental() -%}
new_batches as materialized (
    {{ new_batches(staged, progress, topic) }}
),

landed as materialized (
    select raw_events.*
    from {{ events }} as raw_events
    inner join new_batches
        on new_batches.kafka_partition = raw_events.kafka_partition
        and new_batches.after_batch < raw_events.landing_batch
    -- the same, coarser: landing has no index on (kafka_partition, landing_batch), but may have
    -- one on landing_batch alone
    where raw_events.landing_batch > (select min(after_batch) from new_batches where last_batch > after_batch)
        and raw_events.landing_batch <= (select max(last_batch) from new_batches)
        -- days that have left are final; and where all rows of a Kafka partition have left, its
        -- watermark has left with them
        and raw_events.event_time >= {{ archive_boundary([staged]) }}
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
    where event_time >= {{ archive_boundary([staged]) }}
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

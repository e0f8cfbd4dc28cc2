{#-
  Which periods of a mart to build.

  A mart has a row for every period (UTC day or hour) of an entity (city or driver) from its first
  event to its last, also when nothing happened in between. Events only ever extend that range, so
  no late event can make a row disappear, and a run over what changed equals a run over all.

  Periods of which facts have left for the archive are final (`first_whole_period`). Only rows of
  gaps are still added there: an entity came back after a long time. They are empty (`counted`),
  also when facts of them have come since: an hour must not count what its day, which may have been
  there before, does not.

  A row remembers the landing batches that it has seen, per Kafka partition, in arrays
  (`batches_seen`). Their maximum over the table is where the next run begins.
-#}

{#- Highest batch among the rows of a group for each Kafka partition; element 1 is partition 0. -#}
{% macro batches_seen(batch, condition='true') -%}
    array[
    {%- for partition in range(var('kafka_partitions')) %}
        max({{ batch }}) filter (where kafka_partition = {{ partition }} and {{ condition }})
        {%- if not loop.last %},{% endif %}
    {%- endfor %}
    ]
{%- endmacro %}


{#- As `new_batches`, for a mart. Rows of the last 40 days are asked: older ones can only hold
    lower batches, or, where a partition was silent for so long, cost a needless rebuild. -#}
{% macro new_batches_of_mart(relation, column, day, progress, topic) -%}
    select
        progress.kafka_partition,
        coalesce(max(seen.batch), 0) as after_batch,
        progress.batch as last_batch
    from {{ progress }} as progress
    left join (
        select
            (seen.position - 1)::int as kafka_partition,
            seen.batch
        from {{ relation }} as mart
        cross join lateral unnest(mart.{{ column }}) with ordinality as seen (batch, position)
        where mart.{{ day }} >= (select max({{ day }}) from {{ relation }}) - 40
    ) as seen on seen.kafka_partition = progress.kafka_partition
    where progress.topic = '{{ topic }}'
    group by progress.kafka_partition, progress.batch
{%- endmacro %}


{#- The UTC period (a timestamp without zone) that holds the instant. -#}
{% macro period_of(instant, unit) -%}
    date_trunc('{{ unit }}', {{ instant }} at time zone 'UTC')
{%- endmacro %}


{#- Statuses in which a driver is at work, of fct_driver_status_intervals. -#}
{% macro at_work(status) -%}
    {{ status }} in ('online', 'idle', 'en_route', 'on_trip')
{%- endmacro %}


{#- The CTEs `periods` (entity, period), of which the mart gets rows, `counted`, of which facts count,
    and those they need. `entity` is city_id or driver_id; `mart` has it too, and `mart_period` is its
    period as a timestamp in UTC. -#}
{% macro periods_to_build(mart, entity, unit, day, mart_period) -%}
{% set progress = source('raw', 'landing_progress') %}
{%- set rides = ref('fct_rides') %}
{%- set adjustments = ref('fct_fare_adjustments') %}
{%- set intervals = ref('fct_driver_status_intervals') %}

whole as materialized (
    select {{ first_whole_period() }} as first_period
),

{% if is_incremental() -%}
new_ride_batches as materialized (
    {{ new_batches_of_mart(mart, 'ride_batches', day, progress, 'ride_events') }}
),

new_adjustment_batches as materialized (
    {{ new_batches_of_mart(mart, 'adjustment_batches', day, progress, 'ride_events') }}
),

new_interval_batches as materialized (
    {{ new_batches_of_mart(mart, 'interval_batches', day, progress, 'vehicle_events') }}
),

touched as (
    select {{ entity }} as entity, {{ period_of('requested_at', unit) }} as period
    from {{ rows_of_new_batches(rides, 'rides', 'last_landing_batch', 'new_ride_batches') }}

    union

    select {{ entity }}, {{ period_of('event_time', unit) }}
    from {{ rows_of_new_batches(adjustments, 'adjustments', 'landing_batch', 'new_adjustment_batches') }}

    union

    -- an interval counts in every period that it overlaps. One that is new took its time from
    -- another; of those that only got another end, just time at work matters
    select
        {{ entity }},
        generate_series(
            {{ period_of('started_at', unit) }},
            coalesce(ended_at, started_at) at time zone 'UTC',
            interval '1 {{ unit }}'
        )
    from {{ rows_of_new_batches(intervals, 'intervals', 'last_landing_batch', 'new_interval_batches') }}
    where {{ at_work('status') }} or landing_batch > after_batch
),

changed as materialized (
    select entity, period
    from touched
    where entity is not null
        and period >= (select first_period from whole)
),

known as (
    select {{ entity }} as entity, min({{ mart_period }}) as first_period, max({{ mart_period }}) as last_period
    from {{ mart }}
    group by {{ entity }}
),

periods as materialized (
    select entity, period
    from changed

    union

    -- gaps between what is there and what comes: before the first row, or after the last
    select gaps.entity, gaps.period
    from (
        select
            changed.entity,
            known.first_period,
            known.last_period,
            generate_series(
                least(min(changed.period), known.last_period),
                greatest(max(changed.period), known.first_period),
                interval '1 {{ unit }}'
            ) as period
        from changed
        left join known on known.entity = changed.entity
        group by changed.entity, known.first_period, known.last_period
    ) as gaps
    where gaps.first_period is null
        or gaps.period < gaps.first_period
        or gaps.period > gaps.last_period
)

{%- else -%}
happened as (
    select {{ entity }} as entity, {{ period_of('requested_at', unit) }} as period from {{ rides }}
    union
    select {{ entity }}, {{ period_of('event_time', unit) }} from {{ adjustments }}
    union
    select {{ entity }}, {{ period_of('started_at', unit) }} from {{ intervals }}
),

periods as materialized (
    select
        entity,
        generate_series(min(period), max(period), interval '1 {{ unit }}') as period
    from happened
    where entity is not null
        and period >= (select first_period from whole)
    group by entity
)
{%- endif %},

counted as materialized (
    select entity, period
    from periods
    where period >= (select first_period from whole)
)
{%- endmacro %}


{#- In a run over what changed: keeps rows whose time lies between the first and the last of
    `counted`, so that only those days are opened. -#}
{% macro within_periods(instant, unit) -%}
    {%- if is_incremental() %}
    and {{ instant }} >= (select min(period) from counted) at time zone 'UTC'
    and {{ instant }} < ((select max(period) from counted) + interval '1 {{ unit }}') at time zone 'UTC'
    {%- endif %}
{%- endmacro %}


{#- The CTE `shifts`: intervals cut at the bounds of periods, with the seconds at work in each.
    An open interval counts from its end on, once it has one: there is no "now" in a model. -#}
{% macro shifts(intervals, entity, unit) -%}
pieces as (
    select
        intervals.{{ entity }} as entity,
        cut.period,
        intervals.driver_id,
        intervals.status,
        case
            when {{ at_work('intervals.status') }} and intervals.ended_at is not null
            then extract(epoch from
                least(intervals.ended_at at time zone 'UTC', cut.period + interval '1 {{ unit }}')
                - greatest(intervals.started_at at time zone 'UTC', cut.period)
            )::numeric(14, 3)
            else 0
        end as seconds,
        cut.period = {{ period_of('intervals.started_at', unit) }} as begins_here,
        intervals.kafka_partition,
        intervals.landing_batch
    from {{ intervals }} as intervals
    cross join lateral generate_series(
        {{ period_of('intervals.started_at', unit) }},
        (case
            when {{ at_work('intervals.status') }} and intervals.ended_at is not null then intervals.ended_at
            else intervals.started_at
        end) at time zone 'UTC',
        interval '1 {{ unit }}'
    ) as cut (period)
    {%- if is_incremental() %}
    where intervals.started_at < ((select max(period) from counted) + interval '1 {{ unit }}') at time zone 'UTC'
        and (
            intervals.ended_at >= (select min(period) from counted) at time zone 'UTC'
            or (
                intervals.ended_at is null
                and intervals.started_at >= (select min(period) from counted) at time zone 'UTC'
            )
        )
    {%- endif %}
),

shifts as (
    select
        pieces.entity,
        pieces.period,
        sum(seconds) as online_seconds,
        coalesce(sum(seconds) filter (where status in ('en_route', 'on_trip')), 0) as busy_seconds,
        coalesce(sum(seconds) filter (where status = 'on_trip'), 0) as on_trip_seconds,
        count(distinct driver_id) filter (where {{ at_work('status') }})::int as drivers_online,
        {{ batches_seen('landing_batch', 'begins_here') }} as interval_batches
    from pieces
    inner join counted
        on counted.entity = pieces.entity
        and counted.period = pieces.period
    group by pieces.entity, pieces.period
)
{%- endmacro %}

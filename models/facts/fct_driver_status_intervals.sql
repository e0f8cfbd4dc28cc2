{#-
  Every status event opens an interval, which the next one closes; so an event is a row, for good,
  and a late event changes just two: its own, and the end of the one before. The key is the
  event's.

  A run takes the (driver, vehicle) pairs with new events, and rebuilds each from the last
  interval that begins before its first new event. All events of a pair lie in one Kafka
  partition (their key is vehicle_id), so batches of one row may be compared.

  Where that interval's event has left staging but the interval has not left this table, the row
  itself stands in for the event. An interval that has left is final, so one that was open then
  stays open in the archive: its end is where the driver's next one starts.

  landing_batch is that of the opening event. last_landing_batch includes the closing event: it
  tells the marts that an interval has changed.
-#}
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['event_id', 'started_at'],
    partition_by={'field': 'started_at', 'granularity': 'day'},
    indexes=[
        {'columns': ['event_id', 'started_at'], 'unique': true},
        {'columns': ['kafka_partition', 'last_landing_batch']},
        {'columns': ['vehicle_id', 'started_at']},
        {'columns': ['ended_at']},
    ],
    tags=['fact'],
) }}

{{ keep_history([ref('stg_vehicle_events')]) }}

{%- set columns = ['event_id', 'driver_id', 'vehicle_id', 'city_id', 'event_type', 'ride_id', 'event_time', 'sequence', 'kafka_partition', 'landing_batch'] %}

with

{% if is_incremental() -%}
new_batches as materialized (
    {{ new_batches(this, source('raw', 'landing_progress'), 'vehicle_events', 'last_landing_batch') }}
),

changed as (
    select
        events.vehicle_id,
        events.driver_id,
        min(events.event_time) as first_time
    from {{ rows_of_new_batches(ref('stg_vehicle_events'), 'events') }}
    where events.event_type in ('online', 'idle', 'en_route', 'on_trip', 'offline', 'maintenance')
    group by events.vehicle_id, events.driver_id
),

touched as materialized (
    select
        vehicle_id,
        driver_id,
        coalesce((
            select max(intervals.started_at)
            from {{ this }} as intervals
            where intervals.vehicle_id = changed.vehicle_id
                and intervals.driver_id = changed.driver_id
                and intervals.started_at < changed.first_time
                and intervals.started_at >= {{ archive_boundary([this]) }}
        ), first_time) as rebuild_from
    from changed
),

-- of several intervals that begin in one instant only the last one's end can change
without_event as (
    select intervals.*
    from touched
    cross join lateral (
        select *
        from {{ this }} as known
        where known.vehicle_id = touched.vehicle_id
            and known.driver_id = touched.driver_id
            and known.started_at = touched.rebuild_from
        order by known.ended_at desc nulls first
        limit 1
    ) as intervals
    where touched.rebuild_from < {{ archive_boundary([ref('stg_vehicle_events')]) }}
        and not exists (
            select 1
            from {{ ref('stg_vehicle_events') }} as staged
            where staged.event_id = intervals.event_id
                and staged.event_time = intervals.started_at
        )
),
{%- endif %}

events as (
    select
        {%- for column in columns %}
        events.{{ column }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    {%- if is_incremental() %}
    from touched
    cross join lateral (
        select *
        from {{ ref('stg_vehicle_events') }} as staged
        where staged.vehicle_id = touched.vehicle_id
            and staged.driver_id = touched.driver_id
            and staged.event_time >= touched.rebuild_from
        offset 0
    ) as events
    {%- else %}
    from {{ ref('stg_vehicle_events') }} as events
    {%- endif %}
    where events.event_type in ('online', 'idle', 'en_route', 'on_trip', 'offline', 'maintenance')

    {%- if is_incremental() %}

    union all

    select
        event_id,
        driver_id,
        vehicle_id,
        city_id,
        status,
        ride_id,
        started_at,
        0,
        kafka_partition,
        landing_batch
    from without_event
    {%- endif %}
),

intervals as (
    select
        event_id,
        driver_id,
        vehicle_id,
        city_id,
        event_type as status,
        ride_id,
        event_time as started_at,
        lead(event_time) over shift as ended_at,
        kafka_partition,
        landing_batch,
        greatest(landing_batch, lead(landing_batch) over shift) as last_landing_batch
    from events
    -- several events of one instant: in the order of the vehicle's own count
    window shift as (partition by vehicle_id, driver_id order by event_time, sequence, event_id)
)

select
    event_id,
    driver_id,
    vehicle_id,
    city_id,
    status,
    ride_id,
    started_at,
    ended_at,
    extract(epoch from ended_at - started_at)::numeric(14, 3) as seconds,
    kafka_partition,
    landing_batch,
    last_landing_batch
from intervals
where started_at >= {{ archive_boundary([this]) }}

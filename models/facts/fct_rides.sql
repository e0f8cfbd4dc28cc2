{#-
  Accumulating snapshot. A run finds the rides with events above its watermark and rebuilds them
  whole from staging, so late, swapped and repeated events need no case of their own, and running
  twice changes nothing. All events of a ride lie in one Kafka partition (its key is ride_id), so
  the partition and the highest batch on each row are the watermark.

  Fare adjustments are not read: they are rows of fct_fare_adjustments on their own day, which
  keeps a ride's row final soon after the ride.

  A ride whose day has left, here or in staging, is final: what is left of its events would not make
  the same row.

  delete+insert on (ride_id, requested_at): requested_at never changes, so a ride never moves
  between partitions and only the touched days are written.
-#}
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['ride_id', 'requested_at'],
    partition_by={'field': 'requested_at', 'granularity': 'day'},
    indexes=[
        {'columns': ['ride_id', 'requested_at'], 'unique': true},
        {'columns': ['kafka_partition', 'last_landing_batch']},
        {'columns': ['requested_at']},
    ],
    tags=['fact'],
) }}

{{ keep_history([ref('stg_ride_events')]) }}

{%- set fare_amounts = ['base', 'distance', 'time', 'surge', 'tolls', 'taxes', 'fees', 'discount', 'tip', 'total', 'driver_pay'] %}

with

{% if is_incremental() -%}
new_batches as materialized (
    {{ new_batches(this, source('raw', 'landing_progress'), 'ride_events', 'last_landing_batch') }}
),

touched as (
    select distinct events.ride_id, events.requested_at
    from {{ rows_of_new_batches(ref('stg_ride_events'), 'events') }}
    where events.event_type <> 'fare_adjusted'
        and events.requested_at >= {{ archive_boundary([this, ref('stg_ride_events')]) }}
),
{%- endif %}

events as (
    select events.*
    from {{ ref('stg_ride_events') }} as events
    {%- if is_incremental() %}
    inner join touched
        on touched.ride_id = events.ride_id
        and touched.requested_at = events.requested_at
    {%- endif %}
    where events.event_type <> 'fare_adjusted'
        and events.event_time >= events.requested_at
        and events.event_time < events.requested_at + interval '{{ var("ride_hours") }} hours'
        {%- if is_incremental() %}
        -- the same as plain bounds, so that only the touched days are opened
        and events.event_time >= (select min(requested_at) from touched)
        and events.event_time < (select max(requested_at) from touched) + interval '{{ var("ride_hours") }} hours'
        {%- else %}
        and events.requested_at >= {{ archive_boundary([this, ref('stg_ride_events'), source('raw', 'ride_events')]) }}
        {%- endif %}
),

rides as (
    select
        ride_id,
        requested_at,
        max(city_id) as city_id,
        max(customer_id) as customer_id,
        -- an offer names a driver too; only the one who took the ride is its driver
        max(driver_id) filter (where event_type in ('driver_assigned', 'driver_en_route', 'driver_arrived', 'ride_started', 'ride_completed', 'cancelled_by_driver')) as driver_id,
        max(vehicle_id) filter (where event_type in ('driver_assigned', 'driver_en_route', 'driver_arrived', 'ride_started', 'ride_completed', 'cancelled_by_driver')) as vehicle_id,
        min(event_time) filter (where event_type = 'offered') as first_offered_at,
        max(event_time) filter (where event_type = 'offered') as last_offered_at,
        max(event_time) filter (where event_type = 'declined') as last_declined_at,
        min(event_time) filter (where event_type = 'driver_assigned') as assigned_at,
        min(event_time) filter (where event_type = 'driver_en_route') as en_route_at,
        min(event_time) filter (where event_type = 'driver_arrived') as arrived_at,
        min(event_time) filter (where event_type = 'ride_started') as started_at,
        min(event_time) filter (where event_type = 'ride_completed') as completed_at,
        min(event_time) filter (where event_type = 'cancelled_by_rider') as cancelled_by_rider_at,
        min(event_time) filter (where event_type = 'cancelled_by_driver') as cancelled_by_driver_at,
        min(event_time) filter (where event_type = 'no_driver_found') as no_driver_found_at,
        max(event_time) as last_event_at,
        max(reason) as cancellation_reason,
        max(cancellation_fee_cents) as cancellation_fee_cents,
        count(*) filter (where event_type = 'offered')::int as offers,
        count(*) filter (where event_type = 'declined')::int as declines,
        -- an aggregate forgets how wide its numeric is, and the archive must know
        max(pickup_latitude)::numeric(8, 5) as pickup_latitude,
        max(pickup_longitude)::numeric(8, 5) as pickup_longitude,
        max(dropoff_latitude)::numeric(8, 5) as dropoff_latitude,
        max(dropoff_longitude)::numeric(8, 5) as dropoff_longitude,
        max(surge_multiplier)::numeric(6, 3) as surge_multiplier,
        max(estimated_fare_cents) as estimated_fare_cents,
        max(eta_seconds) as eta_seconds,
        max(distance_m) as distance_m,
        max(duration_s) as duration_s,
        max(currency) as currency,
        {%- for amount in fare_amounts %}
        max({{ amount }}_cents) as {{ amount }}_cents,
        {%- endfor %}
        max(kafka_partition) as kafka_partition,
        max(landing_batch) as last_landing_batch
    from events
    group by ride_id, requested_at
)

select
    ride_id,
    requested_at,
    city_id,
    customer_id,
    driver_id,
    vehicle_id,

    -- the furthest stage reached: the order in which events arrived plays no part
    case
        when completed_at is not null then 'ride_completed'
        when cancelled_by_rider_at is not null then 'cancelled_by_rider'
        when cancelled_by_driver_at is not null then 'cancelled_by_driver'
        when no_driver_found_at is not null then 'no_driver_found'
        when started_at is not null then 'ride_started'
        when arrived_at is not null then 'driver_arrived'
        when en_route_at is not null then 'driver_en_route'
        when assigned_at is not null then 'driver_assigned'
        when last_declined_at >= coalesce(last_offered_at, last_declined_at) then 'declined'
        when last_offered_at is not null then 'offered'
        else 'requested'
    end as status,
    coalesce(completed_at, cancelled_by_rider_at, cancelled_by_driver_at, no_driver_found_at) is not null as is_final,

    first_offered_at,
    assigned_at,
    en_route_at,
    arrived_at,
    started_at,
    completed_at,
    cancelled_by_rider_at,
    cancelled_by_driver_at,
    no_driver_found_at,
    last_event_at,

    case
        when cancelled_by_rider_at is not null then 'rider'
        when cancelled_by_driver_at is not null then 'driver'
    end as cancelled_by,
    case
        when coalesce(cancelled_by_rider_at, cancelled_by_driver_at) is null then null
        when arrived_at is not null then 'after_arrival'
        when assigned_at is not null then 'after_assignment'
        else 'before_assignment'
    end as cancellation_stage,
    cancellation_reason,
    cancellation_fee_cents,

    offers,
    declines,
    round(extract(epoch from assigned_at - requested_at))::int as assign_seconds,
    round(extract(epoch from arrived_at - requested_at))::int as wait_seconds,
    eta_seconds,

    pickup_latitude,
    pickup_longitude,
    dropoff_latitude,
    dropoff_longitude,
    distance_m,
    duration_s,

    surge_multiplier,
    estimated_fare_cents,
    currency,
    {%- for amount in fare_amounts %}
    {{ amount }}_cents,
    {%- endfor %}

    kafka_partition,
    last_landing_batch
from rides

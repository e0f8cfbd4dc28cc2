{#-
  Append and anti-join, as in stg_ride_events. The index that begins with event_type is for
  dim_vehicle: registrations are rare, so its watermark lies far behind all other events.
-#}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    unique_key=['event_id', 'event_time'],
    partition_by={'field': 'event_time', 'granularity': 'day'},
    indexes=[
        {'columns': ['event_id', 'event_time'], 'unique': true},
        {'columns': ['kafka_partition', 'landing_batch']},
        {'columns': ['event_type', 'kafka_partition', 'landing_batch']},
        {'columns': ['vehicle_id', 'event_time']},
    ],
    tags=['staging'],
) }}

{{ keep_history([source('raw', 'vehicle_events')]) }}

with

{{ landed_events(source('raw', 'vehicle_events'), this, source('raw', 'landing_progress'), 'vehicle_events') }}

select
    landed.event_id,
    landed.event_type,
    landed.event_time,
    landed.produced_at,
    landed.schema_version,
    landed.city_id,
    landed.payload ->> 'h3' as h3_cell,
    (landed.payload ->> 'sequence')::int as sequence,
    landed.payload ->> 'vehicle_id' as vehicle_id,
    landed.payload ->> 'driver_id' as driver_id,
    landed.payload ->> 'ride_id' as ride_id,
    (landed.payload ->> 'lat')::numeric(8, 5) as latitude,
    (landed.payload ->> 'lon')::numeric(8, 5) as longitude,
    (landed.payload ->> 'speed_kmh')::numeric(6, 1) as speed_kmh,
    (landed.payload ->> 'heading')::numeric(4, 0)::int as heading,
    landed.payload ->> 'make' as make,
    landed.payload ->> 'model' as model,
    (landed.payload ->> 'year')::int as model_year,
    landed.payload ->> 'plate' as plate,
    landed.payload ->> 'color' as color,
    (landed.payload ->> 'seats')::int as seats,
    landed.kafka_partition,
    landed.kafka_offset,
    landed.landing_batch,
    landed.kafka_timestamp
from landed
left join repeated
    on repeated.event_id = landed.event_id
    and repeated.event_time = landed.event_time
where {{ is_new_event(this) }}

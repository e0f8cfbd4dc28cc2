{#- Append and anti-join, as in stg_ride_events. -#}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    unique_key=['event_id', 'event_time'],
    partition_by={'field': 'event_time', 'granularity': 'day'},
    indexes=[
        {'columns': ['event_id', 'event_time'], 'unique': true},
        {'columns': ['kafka_partition', 'landing_batch']},
    ],
    tags=['staging'],
) }}

{{ keep_history([source('raw', 'user_events')]) }}

with

{{ landed_events(source('raw', 'user_events'), this, source('raw', 'landing_progress'), 'user_events') }}

select
    landed.event_id,
    landed.event_type,
    landed.event_time,
    landed.produced_at,
    landed.schema_version,
    landed.city_id,
    landed.payload ->> 'h3' as h3_cell,
    (landed.payload ->> 'sequence')::int as sequence,
    landed.payload ->> 'driver_id' as driver_id,
    landed.payload ->> 'customer_id' as customer_id,
    landed.payload ->> 'vehicle_id' as vehicle_id,
    landed.payload ->> 'ride_id' as ride_id,
    landed.payload ->> 'name' as name,
    landed.payload ->> 'phone' as phone,
    landed.payload ->> 'email' as email,
    (landed.payload ->> 'rating')::int as rating,
    landed.payload ->> 'payment_token' as payment_token,
    landed.payload ->> 'brand' as payment_brand,
    landed.kafka_partition,
    landed.kafka_offset,
    landed.landing_batch,
    landed.kafka_timestamp
from landed
left join repeated
    on repeated.event_id = landed.event_id
    and repeated.event_time = landed.event_time
where {{ is_new_event(this) }}

{#-
  Append, not merge: the anti-join in `is_new_event` already drops what is staged, so a delete
  would only look again for rows that cannot be there. The unique index makes a mistake fail
  instead of doubling.
-#}
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    unique_key=['event_id', 'event_time'],
    partition_by={'field': 'event_time', 'granularity': 'day'},
    indexes=[
        {'columns': ['event_id', 'event_time'], 'unique': true},
        {'columns': ['kafka_partition', 'landing_batch']},
        {'columns': ['ride_id']},
    ],
    tags=['staging'],
) }}

{{ keep_history([source('raw', 'ride_events')]) }}

with

{{ landed_events(source('raw', 'ride_events'), this, source('raw', 'landing_progress'), 'ride_events') }}

select
    landed.event_id,
    landed.event_type,
    landed.event_time,
    landed.produced_at,
    landed.schema_version,
    landed.city_id,
    landed.payload ->> 'h3' as h3_cell,
    (landed.payload ->> 'sequence')::int as sequence,
    landed.payload ->> 'ride_id' as ride_id,
    landed.payload ->> 'customer_id' as customer_id,
    landed.payload ->> 'driver_id' as driver_id,
    landed.payload ->> 'vehicle_id' as vehicle_id,
    (landed.payload ->> 'requested_at')::timestamptz as requested_at,
    split_part(landed.payload ->> 'pickup_location', ',', 1)::numeric(8, 5) as pickup_latitude,
    split_part(landed.payload ->> 'pickup_location', ',', 2)::numeric(8, 5) as pickup_longitude,
    split_part(landed.payload ->> 'dropoff_location', ',', 1)::numeric(8, 5) as dropoff_latitude,
    split_part(landed.payload ->> 'dropoff_location', ',', 2)::numeric(8, 5) as dropoff_longitude,
    (landed.payload ->> 'surge_multiplier')::numeric(6, 3) as surge_multiplier,
    (landed.payload ->> 'estimated_fare_cents')::bigint as estimated_fare_cents,
    (landed.payload ->> 'eta_seconds')::int as eta_seconds,
    landed.payload ->> 'reason' as reason,
    (landed.payload ->> 'cancellation_fee_cents')::bigint as cancellation_fee_cents,
    (landed.payload ->> 'distance_m')::int as distance_m,
    (landed.payload ->> 'duration_s')::int as duration_s,
    landed.payload ->> 'currency' as currency,
    {%- for amount in ['base', 'distance', 'time', 'surge', 'tolls', 'taxes', 'fees', 'discount', 'tip', 'total', 'driver_pay', 'adjustment', 'driver_pay_adjustment'] %}
    (landed.payload ->> '{{ amount }}_cents')::bigint as {{ amount }}_cents,
    {%- endfor %}
    landed.kafka_partition,
    landed.kafka_offset,
    landed.landing_batch,
    landed.kafka_timestamp
from landed
left join repeated
    on repeated.event_id = landed.event_id
    and repeated.event_time = landed.event_time
where {{ is_new_event(this) }}

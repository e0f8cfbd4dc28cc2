{#-
  One row for each correction, on the day it was made: books of past days stay closed.
  delete+insert: the key keeps a repeated run from doubling.
-#}
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['event_id', 'event_time'],
    partition_by={'field': 'event_time', 'granularity': 'day'},
    indexes=[
        {'columns': ['event_id', 'event_time'], 'unique': true},
        {'columns': ['kafka_partition', 'landing_batch']},
    ],
    tags=['fact'],
) }}

{{ keep_history([ref('stg_ride_events')]) }}

{% if is_incremental() -%}
with new_batches as materialized (
    {{ new_batches(this, source('raw', 'landing_progress'), 'ride_events') }}
)
{%- endif %}

select
    events.event_id,
    events.event_time,
    events.ride_id,
    events.requested_at,
    events.city_id,
    events.customer_id,
    events.driver_id,
    events.vehicle_id,
    events.reason,
    events.adjustment_cents,
    events.driver_pay_adjustment_cents,
    events.kafka_partition,
    events.landing_batch
{%- if is_incremental() %}
from {{ rows_of_new_batches(ref('stg_ride_events'), 'events') }}
{%- else %}
from {{ ref('stg_ride_events') }} as events
{%- endif %}
where events.event_type = 'fare_adjusted'
    and events.event_time >= {{ archive_boundary([this]) }}

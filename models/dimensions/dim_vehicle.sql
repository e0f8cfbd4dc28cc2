{#-
  Built on itself, as dim_driver. A registration names every attribute, so the one with the
  highest sequence wins as a whole.
-#}
{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key='vehicle_id',
    indexes=[
        {'columns': ['vehicle_id'], 'unique': true},
        {'columns': ['kafka_partition', 'landing_batch']},
    ],
    tags=['dimension'],
) }}

{{ keep_history([ref('stg_vehicle_events')]) }}

with

{% if is_incremental() -%}
new_batches as materialized (
    {{ new_batches(this, source('raw', 'landing_progress'), 'vehicle_events') }}
),
{%- endif %}

registrations as (
    select
        events.vehicle_id,
        events.driver_id,
        events.city_id,
        events.make,
        events.model,
        events.model_year,
        events.plate,
        events.color,
        events.seats,
        events.sequence as registration_sequence,
        events.event_time as registered_at,
        events.event_time as last_changed_at,
        events.kafka_partition,
        events.landing_batch
    {%- if is_incremental() %}
    from {{ rows_of_new_batches(ref('stg_vehicle_events'), 'events', condition="event_type = 'registered'") }}
    {%- else %}
    from {{ ref('stg_vehicle_events') }} as events
    {%- endif %}
    where events.event_type = 'registered'
),

known as (
    select * from registrations

    {%- if is_incremental() %}

    union all

    select
        vehicle_id,
        driver_id,
        city_id,
        make,
        model,
        model_year,
        plate,
        color,
        seats,
        registration_sequence,
        registered_at,
        last_changed_at,
        kafka_partition,
        landing_batch
    from {{ this }}
    where vehicle_id in (select vehicle_id from registrations)
    {%- endif %}
)

select distinct on (vehicle_id)
    vehicle_id,
    driver_id,
    city_id,
    make,
    model,
    model_year,
    plate,
    color,
    seats,
    registration_sequence,
    min(registered_at) over vehicle as registered_at,
    max(last_changed_at) over vehicle as last_changed_at,
    max(kafka_partition) over vehicle as kafka_partition,
    max(landing_batch) over vehicle as landing_batch
from known
window vehicle as (partition by vehicle_id)
order by vehicle_id, registration_sequence desc

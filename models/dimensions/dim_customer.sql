{#- Built on itself and by event sequence, as dim_driver. -#}
{{ config(
    materialized='incremental',
    incremental_strategy='merge',
    unique_key='customer_id',
    indexes=[
        {'columns': ['customer_id'], 'unique': true},
        {'columns': ['kafka_partition', 'landing_batch']},
    ],
    tags=['dimension'],
) }}

{{ keep_history([ref('stg_user_events')]) }}

{%- set attributes = ['city_id', 'name', 'phone', 'email', 'payment_brand'] %}

with

{% if is_incremental() -%}
new_batches as materialized (
    {{ new_batches(this, source('raw', 'landing_progress'), 'user_events') }}
),
{%- endif %}

events as (
    select events.*
    {%- if is_incremental() %}
    from {{ rows_of_new_batches(ref('stg_user_events'), 'events') }}
    {%- else %}
    from {{ ref('stg_user_events') }} as events
    {%- endif %}
    where events.event_type in ('new_customer_signup', 'profile_updated', 'payment_method_added')
        and events.customer_id is not null
),

changes as (
    select
        customer_id,
        {%- for attribute in attributes %}
        {{ change(attribute) }},
        {%- endfor %}
        case when event_type = 'new_customer_signup' then event_time end as signed_up_at,
        event_time as first_seen_at,
        event_time as last_changed_at,
        kafka_partition,
        landing_batch
    from events

    {%- if is_incremental() %}

    union all

    select
        customer_id,
        {%- for attribute in attributes %}
        {{ attribute }}, {{ attribute }}_sequence,
        {%- endfor %}
        signed_up_at,
        first_seen_at,
        last_changed_at,
        kafka_partition,
        landing_batch
    from {{ this }}
    where customer_id in (select customer_id from events)
    {%- endif %}
)

select
    customer_id,
    {%- for attribute in attributes %}
    {{ latest(attribute) }},
    {%- endfor %}
    min(signed_up_at) as signed_up_at,
    min(first_seen_at) as first_seen_at,
    max(last_changed_at) as last_changed_at,
    max(kafka_partition) as kafka_partition,
    max(landing_batch) as landing_batch
from changes
group by customer_id
